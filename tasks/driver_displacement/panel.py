"""What a dataset is once it is loaded: series of driver head-counts over time, and what was known of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""The quantiles that every forecast gives, in this order."""
TARGETS = ("headcount", "displaced")
"""Drivers at work; and jobs lost to automation so far, which is known only where the counterfactual is."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """n series over T periods of equal length.

    series: their n names, such as ``CA truck``. periods: T names in order: 2017-02, 2014Q3 or 2014. season: periods
    after which a pattern repeats (12, 4 or 1), by which MASE is scaled.
    headcount: (n, T) drivers, NaN where none was published. displaced: (n, T) jobs lost to automation so far, that is
    the head-count there would have been without it less the actual one; None where nobody knows.
    past, known: covariates by name, (n, T): of the past alone, and known in advance. static: by name, (n,).
    groups: attributes of the series by name, (n,) texts such as ``high``; '' where a series is in no group.

    Raises ValueError where these promises are broken.
    """

    series: tuple[str, ...]
    periods: tuple[str, ...]
    season: int
    headcount: Floats
    displaced: Floats | None
    past: Mapping[str, Floats]
    known: Mapping[str, Floats]
    static: Mapping[str, Floats]
    groups: Mapping[str, npt.NDArray[np.str_]]

    def __post_init__(self) -> None:
        n, periods = len(self.series), len(self.periods)
        tables = {"headcount": self.headcount, **self.past, **self.known}
        if self.displaced is not None:
            tables["displaced"] = self.displaced
        for name, table in tables.items():
            if table.shape != (n, periods):
                needed = f"{n} series over {periods} periods need {(n, periods)}"
                raise ValueError(f"{name} has shape {table.shape} where {needed}")
        for name, column in (*self.static.items(), *self.groups.items()):
            if column.shape != (n,):
                raise ValueError(f"{name} has shape {column.shape}, not one value for each of {n} series")
        if len(set(self.series)) != n or len(set(self.periods)) != periods:
            raise ValueError("series and periods have names of their own")
        if np.nanmin(self.headcount, initial=0.0) < 0:
            raise ValueError("a head-count is negative")
