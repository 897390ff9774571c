"""How differently a decision or a score treats groups of people, by the definitions that fairlearn uses.

The favourable decision is approval (1), the favourable outcome a repaid loan (label 0). group: (n,), codes 0..k-1, and
-1 where the group is unknown: such records are left out. The sufficient statistics are the counts (..., k, 2, 2),
indexed [group, label, decision]; leading axes are bootstrap replicates or thresholds, and every function of counts
keeps them. A rate that rests on no record, or on fewer than ``minimum``, is nan and its group leaves the gap; a gap
between fewer than two groups is nan, never 0. For replicates, choose the groups by the counts that were observed and
pass ``counts[..., chosen, :, :]``, or a group near the minimum comes and goes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from fourfold.suite.metrics.accuracy import approval, binary, calibration_error, expected_cost_from_counts
from fourfold.suite.metrics.bootstrap import Floats, weighted_sums

GOOD, BAD = 0, 1
_ROUNDING = 1e-12


def confusion(
    label: npt.ArrayLike, approve: npt.ArrayLike, group: npt.ArrayLike, k: int, weight: npt.NDArray[Any] | None = None
) -> Floats:
    """Count the records of known group by [group, label, decision], in expectation where approve lies between 0 and 1.

    Returns (k, 2, 2); with weights (..., n), such as `bootstrap.poisson_weights`, (..., k, 2, 2). Raises ValueError
    where a group code is not in -1..k-1, approve not in [0, 1], or a label not 0 or 1.
    """
    cell, approve = _cells(label, group, k), approval(approve)
    if cell.shape != approve.shape:
        raise ValueError(f"label and approve must match, got shapes {cell.shape} and {approve.shape}")
    columns = np.zeros((len(cell), 2 * k + 1, 2))
    columns[np.arange(len(cell)), cell] = np.stack([1 - approve, approve], axis=-1)
    weights = np.ones(len(cell)) if weight is None else weight
    return weighted_sums(columns[:, :-1].reshape(len(cell), 4 * k), weights).reshape(*weights.shape[:-1], k, 2, 2)


def intersections(codes: Sequence[npt.ArrayLike], sizes: Sequence[int]) -> npt.NDArray[np.intp]:
    """Combine attributes with ``sizes`` values each into one code in 0..prod(sizes)-1; -1 where any is unknown.

    The last attribute varies fastest: `numpy.unravel_index(code, sizes)` gives the parts back.
    """
    parts = np.stack([np.asarray(code, dtype=np.intp) for code in codes])
    known = (parts >= 0).all(axis=0)
    combined = np.full(parts.shape[1], -1, dtype=np.intp)
    combined[known] = np.ravel_multi_index(tuple(parts[:, known]), tuple(sizes))
    return combined


def selection_rate(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """P(approved | group), (..., k)."""
    counts = np.asarray(counts, dtype=np.float64)
    return _rate(counts[..., 1].sum(axis=-1), counts.sum(axis=(-2, -1)), minimum)


def approval_rate(counts: npt.ArrayLike, label: int, minimum: float = 0) -> Floats:
    """P(approved | group, label), (..., k): the true positive rate for label 0, the false positive rate for label 1."""
    counts = np.asarray(counts, dtype=np.float64)[..., label, :]
    return _rate(counts[..., 1], counts.sum(axis=-1), minimum)


def repayment_rate(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """P(good | group, approved), (..., k): the precision of approval. ``minimum`` counts approved records."""
    approved = np.asarray(counts, dtype=np.float64)[..., 1]
    return _rate(approved[..., GOOD], approved.sum(axis=-1), minimum)


def accuracy_by_group(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Share of each group's records decided right, (..., k)."""
    counts = np.asarray(counts, dtype=np.float64)
    return _rate(counts[..., GOOD, 1] + counts[..., BAD, 0], counts.sum(axis=(-2, -1)), minimum)


def demographic_parity_difference(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Largest gap between groups in P(approved), in [0, 1] (Calders and Verwer 2010)."""
    return _gap(selection_rate(counts, minimum))


def adverse_impact_ratio(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Least selection rate over the greatest, in [0, 1]; nan where nobody is approved.

    The four-fifths rule of 29 CFR 1607.4(D) takes a ratio under 0.80 as evidence of adverse impact.
    """
    least, greatest = _extremes(selection_rate(counts, minimum))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(greatest > 0, least / greatest, np.nan)


def equal_opportunity_difference(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Largest gap between groups in P(approved | good), in [0, 1] (Hardt, Price and Srebro 2016)."""
    return _gap(approval_rate(counts, GOOD, minimum))


def equalized_odds_difference(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Larger of the gaps in P(approved | good) and P(approved | bad), in [0, 1] (Hardt, Price and Srebro 2016).

    This is fairlearn's ``agg="worst_case"``. nan where either gap is: half of it would look fairer than it is.
    """
    return np.maximum(equal_opportunity_difference(counts, minimum), _gap(approval_rate(counts, BAD, minimum)))


def predictive_parity_difference(counts: npt.ArrayLike, minimum: float = 0) -> Floats:
    """Largest gap between groups in P(good | approved), in [0, 1] (Chouldechova 2017)."""
    return _gap(repayment_rate(counts, minimum))


def pairs(k: int) -> list[tuple[int, int]]:
    """The pairs (i, j) with i < j, in the order in which `signed_gaps` gives their gaps."""
    return [(i, j) for i in range(k) for j in range(i + 1, k)]


def signed_gaps(rates: npt.ArrayLike) -> Floats:
    """Rate of i less rate of j for each pair i < j: (..., k) to (..., k(k-1)/2).

    A signed gap has an honest percentile interval; the largest absolute gap has none, as no resample reaches 0.
    """
    rates = np.asarray(rates, dtype=np.float64)
    first, second = np.triu_indices(rates.shape[-1], 1)
    return rates[..., first] - rates[..., second]


def calibration_by_group(
    label: npt.ArrayLike, p: npt.ArrayLike, group: npt.ArrayLike, k: int, minimum: int = 0
) -> tuple[Floats, Floats]:
    """Calibration of p within each group: (mean p - default rate, expected calibration error), each (k,).

    A negative first value says that the group's defaults are under-predicted. The second, over 10 bins of the group's
    own, is biased upwards in small groups.
    """
    bad, p, group = binary(label), np.asarray(p, dtype=np.float64), np.asarray(group)
    bias, error = np.full(k, np.nan), np.full(k, np.nan)
    for code in range(k):
        of_group = group == code
        if of_group.sum() >= max(1, minimum):
            bias[code] = np.mean(p[of_group]) - np.mean(bad[of_group])
            error[code] = calibration_error(bad[of_group], p[of_group])
    return bias, error


def standardized_mean_difference(p: npt.ArrayLike, group: npt.ArrayLike, k: int, minimum: int = 0) -> Floats:
    """Mean p of group i less that of j, for each pair i < j as in `pairs`, in standard deviations of p (Cohen's d).

    The deviation is that of all records of known group taken together (divisor n); nan where it is 0.
    """
    p, group = np.asarray(p, dtype=np.float64), np.asarray(group)
    known = group >= 0
    n = np.bincount(group[known], minlength=k)
    mean = _rate(np.bincount(group[known], p[known], k), n, minimum)
    deviation = np.std(p[known]) if known.any() else np.nan
    return signed_gaps(mean) / (deviation if deviation > 0 else np.nan)


def cheapest_threshold(
    label: npt.ArrayLike,
    p: npt.ArrayLike,
    group: npt.ArrayLike,
    tolerance: float | None,
    cost_false_approval: float = 5,
    cost_false_refusal: float = 1,
    minimum: int = 0,
) -> float:
    """The t at which "approve where p < t" costs least among all t that are fair on these records.

    Fair means an equalized odds difference of at most ``tolerance`` (None: all are). A constant decision is always
    fair, and any other is not where the difference is undefined. The candidates are -inf (refuse all), inf (approve
    all) and every distinct p above the least, which is every decision a threshold can make; of equal costs the lowest
    t wins. Records of unknown group (-1) count towards the cost. One sort and cumulative counts: O(n log n).
    """
    p, group = np.asarray(p, dtype=np.float64), np.asarray(group)
    k = int(group.max(initial=-1)) + 1
    value, at = np.unique(p, return_inverse=True)
    cell = _cells(label, np.where(group < 0, k, group), k + 1)
    mass = np.zeros((len(value) + 1, 2 * (k + 1)))
    np.add.at(mass, (at + 1, cell), 1)
    approved = np.cumsum(mass, axis=0).reshape(-1, k + 1, 2)
    counts = np.stack([approved[-1] - approved, approved], axis=-1)
    cost = expected_cost_from_counts(counts.sum(axis=1), cost_false_approval, cost_false_refusal)
    if tolerance is not None:
        unfair = ~(equalized_odds_difference(counts[:, :k], minimum) <= tolerance + _ROUNDING)
        unfair[[0, -1]] = False
        cost[unfair] = np.inf
    return float(np.concatenate([[-np.inf], value[1:], [np.inf]])[np.argmin(cost)])


def equalized_odds_upper_bound(counts: npt.ArrayLike, minimum: float = 0, level: float = 0.95) -> Floats:
    """One-sided upper confidence bound (...) on the true equalized odds difference; it is certified where <= tolerance.

    The largest, over labels and ordered pairs of groups, of upper bounds on the signed difference of two approval
    rates. No correction for multiplicity is due: the true worst case is one of these differences, and the maximum
    covers it whenever that one's own bound does (intersection-union test: Berger 1982). Where many gaps are nearly the
    worst it covers more than it need. Each bound combines the two rates' Clopper-Pearson limits by squares,
    d + sqrt((u_i - p_i)^2 + (p_j - l_j)^2) (Newcombe 1998, method 10; Zou and Donner 2008), exact limits instead of
    Wilson's because with those the one-sided coverage of rates near 1 falls below 0.90.

    The approval of each record counts as an independent draw, which is too wide and hence safe for decisions in
    expectation. nan as for `equalized_odds_difference`.
    """
    counts = np.asarray(counts, dtype=np.float64)
    bounds = []
    for label in (GOOD, BAD):
        rate = approval_rate(counts, label, minimum)
        low, high = _clopper_pearson(counts[..., label, 1], counts[..., label, :].sum(axis=-1), 1 - level)
        reach = np.hypot((high - rate)[..., :, None], (rate - low)[..., None, :])
        difference = rate[..., :, None] - rate[..., None, :] + reach
        difference[..., np.eye(rate.shape[-1], dtype=bool)] = -np.inf
        worst = np.max(np.where(np.isnan(difference), -np.inf, difference), axis=(-2, -1), initial=-np.inf)
        bounds.append(np.where(np.isfinite(worst), np.minimum(worst, 1), np.nan))
    return np.maximum(*bounds)


def _cells(label: npt.ArrayLike, group: npt.ArrayLike, k: int) -> npt.NDArray[np.intp]:
    """Return 2 * group + label of each record, and 2 * k where the group is unknown."""
    bad, group = binary(label), np.asarray(group, dtype=np.intp)
    if bad.shape != group.shape:
        raise ValueError(f"label and group must match, got shapes {bad.shape} and {group.shape}")
    if group.size and not (group.min() >= -1 and group.max() < k):
        raise ValueError(f"group codes must lie in -1..{k - 1}, got {group.min()}..{group.max()}")
    return np.where(group < 0, 2 * k, 2 * group + bad)


def _rate(part: npt.NDArray[Any], whole: npt.NDArray[Any], minimum: float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((whole > 0) & (whole >= minimum), part / whole, np.nan)


def _extremes(rates: Floats) -> tuple[Floats, Floats]:
    """Least and greatest defined rate over the last axis; nan where fewer than two are defined."""
    missing = np.isnan(rates)
    enough = (~missing).sum(axis=-1) >= 2
    least = np.min(np.where(missing, np.inf, rates), axis=-1, initial=np.inf)
    greatest = np.max(np.where(missing, -np.inf, rates), axis=-1, initial=-np.inf)
    return np.where(enough, least, np.nan), np.where(enough, greatest, np.nan)


def _gap(rates: Floats) -> Floats:
    least, greatest = _extremes(rates)
    return greatest - least


def _clopper_pearson(successes: Floats, n: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Exact one-sided limits, each at confidence 1 - alpha; a fractional count interpolates between whole ones."""
    failures = n - successes
    with np.errstate(invalid="ignore"):
        low = np.where(successes > 0, betaincinv(np.maximum(successes, _ROUNDING), failures + 1, alpha), 0)
        high = np.where(failures > 0, betaincinv(successes + 1, np.maximum(failures, _ROUNDING), 1 - alpha), 1)
    return low, high
