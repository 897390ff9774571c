"""Days between the dates of one patient: what a shift of all dates by one number of days keeps, and blanking does not.

Whether the dates themselves are still there is not asked here: a method that shifts nothing keeps every interval.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.key import Dated
from fourfold.tasks.dicom_deid.values import Index, first

_DAY = re.compile(r"\s*(\d{4})[-./]?(\d{2})[-./]?(\d{2})")


def intervals_kept(dated: Sequence[Dated], written: Mapping[str, Index], patients: int) -> npt.NDArray[np.float64]:
    """Of each patient (patients,) the share of pairs of elements on different days whose distance in days is exact.

    A pair with a date that is gone is not exact. nan where a patient has no two days. Pairs on one day do not count:
    whoever writes one date everywhere would have them all right.
    """
    kept = np.full(patients, np.nan)
    of: dict[int, list[Dated]] = {}
    for one in dated:
        of.setdefault(one.patient, []).append(one)
    for patient, ones in of.items():
        days = [ordinal(one.day) for one in ones]
        shifts = [_shift(day, written.get(one.path, {}), one.where) for day, one in zip(days, ones, strict=True)]
        exact = sum(
            _on_different_days([day for day, by in zip(days, shifts, strict=True) if by == shift])
            for shift in {by for by in shifts if by is not None}
        )
        pairs = _on_different_days(days)
        if pairs and 0 <= patient < patients:
            kept[patient] = exact / pairs
    return kept


def ordinal(value: str) -> int | None:
    """The number of the day that a DA or DT value begins with, 1 = 1 January of year 1; None where it is no date."""
    match = _DAY.match(value)
    try:
        return date(*map(int, match.groups())).toordinal() if match else None
    except ValueError:
        return None


def _shift(day: int | None, written: Index, where: str) -> int | None:
    now = ordinal(first(written, where))
    return None if day is None or now is None else now - day


def _on_different_days(days: Sequence[int | None]) -> int:
    """How many pairs of these lie on different days."""
    return _pairs(len(days)) - sum(_pairs(n) for n in Counter(days).values())


def _pairs(n: int) -> int:
    return n * (n - 1) // 2
