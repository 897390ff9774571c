"""Which rows are certified: a gap between two groups within a tolerance at 95 % confidence, over all seeds together."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.leaderboard.standing import Standing
from fourfold.suite.metrics import fairness

OUTCOMES = ("good", "bad")


def upper_bounds(standing: Standing, certificate: Mapping[str, Any] | None) -> npt.NDArray[np.float64]:
    """One-sided 95 % upper bound on each row's worst gap, (rows,); NaN where nothing is certified, or a seed lacks.

    The counts of all seeds are added up, over as many seeds as rest on different records: more seeds than those score
    the same records again, and count for no more. See ``fairness.equalized_odds_upper_bound``.
    """
    bounds = np.full(len(standing.rows), np.nan)
    groups = _groups(standing, certificate)
    if certificate is None or len(groups) != 2:
        return bounds
    again = math.ceil(standing.asked / int(certificate["seeds"]))
    for row in np.flatnonzero(standing.ok[:, : standing.asked].all(axis=1)):
        counts = np.zeros((2, 2, 2))
        for place, group in enumerate(groups):
            for of, outcome in enumerate(OUTCOMES):
                column = standing.column(str(certificate["metric"]), f"{group},{outcome}")
                n = standing.n[row, column, : standing.asked].astype(np.float64)
                approved = np.nan_to_num(standing.value[row, column, : standing.asked]) * n
                counts[place, of] = (n - approved).sum() / again, approved.sum() / again
        bounds[row] = float(fairness.equalized_odds_upper_bound(counts, 1))
    return bounds


def _groups(standing: Standing, certificate: Mapping[str, Any] | None) -> list[str]:
    """The groups that are measured for the certificate, each with both outcomes."""
    if certificate is None:
        return []
    named = [group.rsplit(",", 1) for metric, group in standing.columns if metric == certificate["metric"]]
    found = [name for name, outcome in (each for each in named if len(each) == 2) if outcome == OUTCOMES[0]]
    return sorted(name for name in found if [name, OUTCOMES[1]] in named)
