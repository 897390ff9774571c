"""How well a probability of default p, or a decision made from it, agrees with what happened.

label: (n,), 1 = default (bad), 0 = repaid (good). p: (n,), the probability of default. approve: (n,), the probability
in [0, 1] with which the loan is granted, so that randomized decisions are scored in expectation. weight: (n,), how
often each record counts, such as one row of `bootstrap.poisson_weights`. Counts: (..., 2, 2), indexed [label,
decision] with decision 1 = approved. What is undefined (one class only, or no record) is None, and nan in an array.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc

from fourfold.suite.metrics.bootstrap import Floats, weighted_sums

BINS = 10


def binary(label: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Check that labels are 0 or 1 and return them as booleans. Raises ValueError naming another value."""
    values = np.asarray(label)
    bad = values == 1
    if not np.all(bad | (values == 0)):
        raise ValueError(f"a label must be 0 (repaid) or 1 (default), got {values[~(bad | (values == 0))].flat[0]!r}")
    return bad


def auc(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Area under the ROC curve: the chance that a default scores above a repaid loan, ties half."""
    _, good, bad = _masses(label, p, weight)
    won = np.sum(bad * (np.cumsum(good) - good / 2))
    return _ratio(won, good.sum() * bad.sum())


def gini(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Gini coefficient of the scorecard (accuracy ratio): 2 AUC - 1, in [-1, 1]."""
    area = auc(label, p, weight)
    return None if area is None else 2 * area - 1


def ks(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Kolmogorov-Smirnov distance of the scores of good and bad: the largest gap of their distribution functions."""
    _, good, bad = _masses(label, p, weight)
    if not (good.sum() and bad.sum()):
        return None
    return float(np.max(np.abs(np.cumsum(good) / good.sum() - np.cumsum(bad) / bad.sum())))


def h_measure(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """H-measure: 1 - (expected least loss) / (that of ignoring the score), in [0, 1] (Hand and Anagnostopoulos 2014).

    The cost c of refusing a good applicant is Beta(1 + pi1, 1 + pi0), that of approving a bad one 1 - c, where pi1 is
    the share of defaults and pi0 that of repaid loans. On the ROC convex hull the records fall into blocks of one
    calibrated default rate q (isotonic regression finds them: Fawcett and Niculescu-Mizil 2007), and a block is best
    approved where c > q. So the least loss is a sum over blocks of incomplete beta integrals, with no search over c.
    The R and Python packages named hmeasure take Beta(2, 1 + pi0/pi1) unless told otherwise: other values.
    """
    from scipy.optimize import isotonic_regression

    _, good, bad = _masses(label, p, weight)
    kept = good + bad > 0
    good, bad = good[kept], bad[kept]
    total = good.sum() + bad.sum()
    if not (good.sum() and bad.sum()):
        return None
    pi1 = bad.sum() / total
    start = isotonic_regression(bad / (good + bad), weights=good + bad).blocks[:-1]
    least = _beta_loss(np.add.reduceat(good, start), np.add.reduceat(bad, start), pi1)
    return float(1 - least / _beta_loss(good.sum(keepdims=True), bad.sum(keepdims=True), pi1))


def brier(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Brier score: the mean of (p - label)^2 (Brier 1950)."""
    bad, p, weight = _aligned(label, p, weight)
    return _ratio(np.sum(weight * (p - bad) ** 2), weight.sum())


def log_loss(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Mean negative log-likelihood in nats; p is kept 2^-52 away from 0 and 1, as scikit-learn does."""
    bad, p, weight = _aligned(label, p, weight)
    p = np.clip(p, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return _ratio(-np.sum(weight * np.log(np.where(bad, p, 1 - p))), weight.sum())


def calibration_error(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float | None:
    """Expected calibration error over 10 bins of equal mass: the sum of n_b/n |mean p - default rate|.

    Equal mass as in Nguyen and O'Connor 2015, the number of bins fixed. Records of one p share a bin, the one that
    holds the middle of their mass (a middle on an edge goes up), so the order of the records does not matter; without
    ties and with n a multiple of 10 the bins are the deciles.
    """
    value, good, bad = _masses(label, p, weight)
    mass = good + bad
    total = mass.sum()
    if not total:
        return None
    bin_of = np.minimum((2 * np.cumsum(mass) - mass) * BINS // (2 * total), BINS - 1).astype(np.intp)
    return float(np.abs(np.bincount(bin_of, mass * value - bad)).sum() / total)


def decision_counts(label: npt.ArrayLike, approve: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Floats:
    """Count the records by [label, decision], in expectation: (2, 2), or (..., 2, 2) for weights (..., n).

    Raises ValueError where approve leaves [0, 1] or does not match the labels.
    """
    bad, approve = binary(label), approval(approve)
    if bad.shape != approve.shape:
        raise ValueError(f"label and approve must match, got shapes {bad.shape} and {approve.shape}")
    cells = np.stack([~bad * (1 - approve), ~bad * approve, bad * (1 - approve), bad * approve], axis=-1)
    weights = np.ones(len(bad)) if weight is None else np.asarray(weight)
    return weighted_sums(cells, weights).reshape(*weights.shape[:-1], 2, 2)


def approval(approve: npt.ArrayLike) -> Floats:
    """Check that decisions lie in [0, 1] and return them as floats. Raises ValueError naming another value."""
    values = np.asarray(approve, dtype=np.float64)
    inside = (values >= 0) & (values <= 1)
    if not inside.all():
        raise ValueError(f"approve must lie in [0, 1], the probability of a loan; got {values[~inside].flat[0]}")
    return values


def accuracy_from_counts(counts: npt.ArrayLike) -> Floats:
    """Share of records decided right, that is good approved or bad refused, from counts (..., 2, 2)."""
    counts = np.asarray(counts, dtype=np.float64)
    return _quotient(counts[..., 0, 1] + counts[..., 1, 0], counts.sum(axis=(-2, -1)))


def expected_cost_from_counts(
    counts: npt.ArrayLike, cost_false_approval: float = 5, cost_false_refusal: float = 1
) -> Floats:
    """Mean cost of a decision from counts (..., 2, 2): 5 for a default approved, 1 for a good applicant refused.

    5:1 is the cost matrix that comes with the Statlog German credit data.
    """
    counts = np.asarray(counts, dtype=np.float64)
    cost = cost_false_approval * counts[..., 1, 1] + cost_false_refusal * counts[..., 0, 0]
    return _quotient(cost, counts.sum(axis=(-2, -1)))


def net_benefit_from_counts(
    counts: npt.ArrayLike, cost_false_approval: float = 5, cost_false_refusal: float = 1
) -> Floats:
    """1 - C / min(C of approving all, C of refusing all), from counts (..., 2, 2): 1 is perfect, no constant beats 0.

    nan where one class is absent. It is 1 less the cost as the NIST speaker recognition evaluations normalize theirs.
    """
    counts = np.asarray(counts, dtype=np.float64)
    good, bad = np.moveaxis(counts.sum(axis=-1), -1, 0)
    cost = cost_false_approval * counts[..., 1, 1] + cost_false_refusal * counts[..., 0, 0]
    return 1 - _quotient(cost, np.minimum(cost_false_approval * bad, cost_false_refusal * good))


def accuracy(label: npt.ArrayLike, approve: npt.ArrayLike) -> float | None:
    """Share of records decided right; see `accuracy_from_counts`."""
    return _scalar(accuracy_from_counts(decision_counts(label, approve)))


def expected_cost(
    label: npt.ArrayLike, approve: npt.ArrayLike, cost_false_approval: float = 5, cost_false_refusal: float = 1
) -> float | None:
    """Mean cost of a decision; see `expected_cost_from_counts`."""
    return _scalar(expected_cost_from_counts(decision_counts(label, approve), cost_false_approval, cost_false_refusal))


def net_benefit(
    label: npt.ArrayLike, approve: npt.ArrayLike, cost_false_approval: float = 5, cost_false_refusal: float = 1
) -> float | None:
    """Cost saved against the better constant decision; see `net_benefit_from_counts`."""
    return _scalar(net_benefit_from_counts(decision_counts(label, approve), cost_false_approval, cost_false_refusal))


def _aligned(
    label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    bad, p = binary(label), np.asarray(p, dtype=np.float64)
    weights = np.ones(len(p)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not bad.shape == p.shape == weights.shape or p.ndim != 1:
        raise ValueError(f"label, p and weight must be (n,), got shapes {bad.shape}, {p.shape} and {weights.shape}")
    if not np.isfinite(p).all():
        raise ValueError("p holds nan or infinity; a probability of default must be finite")
    return bad, p, weights


def _masses(label: npt.ArrayLike, p: npt.ArrayLike, weight: npt.ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """The distinct values of p in rising order, and the mass of good and of bad records at each."""
    bad, p, weights = _aligned(label, p, weight)
    value, at = np.unique(p, return_inverse=True)
    good_mass, bad_mass = (
        np.bincount(at, weights=weights * of_class, minlength=len(value)) for of_class in (~bad, bad)
    )
    return value, good_mass.astype(np.float64), bad_mass.astype(np.float64)


def _beta_loss(good: Floats, bad: Floats, pi1: float) -> float:
    """Expected least loss of blocks with these masses, each approved where c exceeds its default rate."""
    a, b, q = 1 + pi1, 2 - pi1, bad / (good + bad)
    refused_good = good * a / (a + b) * betainc(a + 1, b, q)
    approved_bad = bad * b / (a + b) * betaincc(a, b + 1, q)
    return float(np.sum(refused_good + approved_bad))


def _quotient(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _ratio(numerator: float, denominator: float) -> float | None:
    return float(numerator / denominator) if denominator > 0 else None


def _scalar(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
