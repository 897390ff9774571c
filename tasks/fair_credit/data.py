"""What a fair-credit dataset is once it is loaded: plain arrays, the same for real and simulated applicants."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Attribute:
    """A protected attribute of every applicant, such as race or sex.

    values: its known values, lower case. code: (n,) int8, an index into ``values``, -1 where it was not recorded.
    """

    name: str
    values: tuple[str, ...]
    code: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class CreditData:
    """Loan applicants, what happened to their loans, and who they are.

    features: (n, d) float64, finite, within ``bounds``; no protected attribute is among them. A nominal feature is one
    0/1 column for each code of its data dictionary, an ordinal one a number, and a missing one a documented constant
    beside a 0/1 column ``<name>_missing``.
    columns: the d names. bounds: (d, 2) float64, the public range of each column, taken from its data dictionary and
    never from the records, so that a private method may scale by it; values beyond it are clipped to it.
    label: (n,) int8, 1 = bad for the lender (a default); a loan is approved where 0 is predicted.
    groups: the protected attributes by name. protected: the one that the headline is about; compared: its two values
    whose gap is the headline, the disadvantaged one first.
    counterfactual: (n, d) float64, the features that the same applicants would have had with the other of the two
    ``compared`` values and all else that is exogenous unchanged; None where nobody knows.

    Raises ValueError where these promises are broken.
    """

    name: str
    features: npt.NDArray[np.float64]
    columns: tuple[str, ...]
    bounds: npt.NDArray[np.float64]
    label: npt.NDArray[np.int8]
    groups: Mapping[str, Attribute]
    protected: str
    compared: tuple[str, str]
    counterfactual: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n, d = self.features.shape
        _require(len(self.columns) == len(set(self.columns)) == d, f"{self.name}: {d} features need as many names")
        _require(self.bounds.shape == (d, 2), f"{self.name}: bounds have shape {self.bounds.shape}, not {(d, 2)}")
        for features in (self.features, self.counterfactual):
            if features is None:
                continue
            _require(features.shape == (n, d), f"{self.name}: features have shape {features.shape}, not {(n, d)}")
            inside = (features >= self.bounds[:, 0]) & (features <= self.bounds[:, 1])  # NaN is in no range
            outside = [self.columns[j] for j in np.flatnonzero(~inside.all(axis=0))]
            _require(not outside, f"{self.name}: values that are not finite or out of bounds in {', '.join(outside)}")
        _require(self.label.shape == (n,) and bool(np.isin(self.label, (0, 1)).all()),
                 f"{self.name}: labels are 0 or 1, one an applicant")
        for attribute in self.groups.values():
            code, k = attribute.code, len(attribute.values)
            _require(code.shape == (n,) and bool(((code >= UNKNOWN) & (code < k)).all()),
                     f"{self.name}: {attribute.name} needs {n} codes from -1 to {k - 1}")
        _require(self.protected in self.groups, f"{self.name}: no attribute is called {self.protected}")
        _require(set(self.compared) <= set(self.groups[self.protected].values),
                 f"{self.name}: {self.protected} has no values {self.compared}")


def compared(data: CreditData) -> npt.NDArray[np.int8]:
    """Who is in the headline gap: 0 the first of the compared values, 1 the second, -1 everybody else; (n,)."""
    attribute = data.groups[data.protected]
    code = np.full(len(attribute.code), UNKNOWN, np.int8)
    for place, value in enumerate(data.compared):
        code[attribute.code == attribute.values.index(value)] = place
    return code


def _require(kept: bool, broken: str) -> None:
    if not kept:
        raise ValueError(broken)
