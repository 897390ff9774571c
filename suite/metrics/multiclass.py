"""How well the probabilities of k classes agree with the labels, and how evenly over the classes.

label: (n,) integers in 0..k-1. p: (n, k), the probability of each class, each row summing to one. Counts: (k, 2), of
each class how many records it has that were classified right, and how many in all.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from fourfold.suite.metrics.bootstrap import Floats

CALIBRATION_BINS = 15
LEAST_PROBABILITY = 1e-12
"""What a probability is raised to before its logarithm is taken, so that no single record costs more than 27.6 nats."""


def classified_right(label: npt.ArrayLike, p: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether the likeliest class is the label, (n,); of equally likely classes the first counts."""
    label, p = _aligned(label, p)
    return p.argmax(axis=1) == label


def log_losses(label: npt.ArrayLike, p: npt.ArrayLike) -> Floats:
    """Negative log-likelihood of each label in nats, (n,); probabilities below 1e-12 count as that."""
    label, p = _aligned(label, p)
    return -np.log(np.clip(p[np.arange(len(label)), label], LEAST_PROBABILITY, None))


def calibration_residuals(label: npt.ArrayLike, p: npt.ArrayLike) -> Floats:
    """Each record's confidence less whether it was right, in the column of its bin: (n, 15).

    Confidence is the probability of the likeliest class; bin b holds those in (b/15, (b+1)/15]. A sum over records,
    weighted or not, is all that `calibration_error` needs.
    """
    label, p = _aligned(label, p)
    confidence = p.max(axis=1)
    edges = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    residuals = np.zeros((len(label), CALIBRATION_BINS))
    residuals[np.arange(len(label)), np.searchsorted(edges, confidence)] = confidence - classified_right(label, p)
    return residuals


def calibration_error(residuals: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Expected calibration error of the top label, in [0, 1], from sums of residuals (..., 15) over n (...) records.

    The sum over 15 bins of equal width of (n_b / n) |mean confidence - accuracy| (Guo et al. 2017, equation 3).
    """
    return np.abs(np.asarray(residuals, dtype=np.float64)).sum(axis=-1) / np.asarray(n, dtype=np.float64)


def class_counts(label: npt.ArrayLike, right: npt.ArrayLike, k: int) -> npt.NDArray[np.int64]:
    """Count each class' records: (k, 2), those classified right and all."""
    label = np.asarray(label)
    return np.stack([np.bincount(label[np.asarray(right)], minlength=k), np.bincount(label, minlength=k)], axis=-1)


def worst_class_accuracy(counts: npt.ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """The least accuracy of a class, with an interval for the true one: (value, low, high).

    The class that did worst was partly unlucky, so its own interval lies too low, and resamples of the least lie lower
    still. Here ``low`` is the least of all classes' exact limits: the true worst class' own one suffices to cover it
    (intersection-union: Berger 1982). ``high`` is the least of their upper limits, each at (1 - level)/(2k), as any of
    them may fail.
    """
    rate, low, _ = _limits(counts, (1 - level) / 2)
    high = _limits(counts, (1 - level) / 2 / len(rate))[2]
    return float(rate.min()), float(low.min()), float(high.min())


def class_gap(counts: npt.ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """The greatest accuracy of a class less the least, with an interval for the true gap: (value, low, high).

    It is the greatest of the k(k-1) signed differences, each with limits made of the two classes' exact limits by
    squares, as Newcombe 1998, method 10, makes them of Wilson's. ``high`` is their greatest upper limit, which covers
    whenever that of the true greatest does; ``low`` their greatest lower limit, each at (1 - level)/(2k(k-1)), or 0.
    """
    rate, low, high = _limits(counts, (1 - level) / 2)
    k = len(rate)
    apart = ~np.eye(k, dtype=bool)
    most = rate[:, None] - rate + np.hypot((high - rate)[:, None], rate - low)
    _, low, high = _limits(counts, (1 - level) / 2 / max(k * (k - 1), 1))
    least = rate[:, None] - rate - np.hypot((rate - low)[:, None], high - rate)
    gaps = float(np.ptp(rate)), float(least[apart].max(initial=0)), float(most[apart].max(initial=0))
    return gaps[0], gaps[1], min(gaps[2], 1.0)


def _limits(counts: npt.ArrayLike, tail: float) -> tuple[Floats, Floats, Floats]:
    """Accuracy of each class that has records, and its exact limits with at most ``tail`` beyond either.

    Clopper and Pearson 1934: of rates near 1, Wilson's limits cover too seldom on one side.
    """
    right, total = np.asarray(counts, dtype=np.float64).T
    right, total = right[total > 0], total[total > 0]
    if not len(total):
        raise ValueError("there is no record of any class")
    wrong = total - right
    low = np.where(right > 0, betaincinv(np.maximum(right, 1), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1), 1 - tail), 1.0)
    return right / total, low, high


def _aligned(label: npt.ArrayLike, p: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    label, p = np.asarray(label, dtype=np.int64), np.asarray(p, dtype=np.float64)
    if label.ndim != 1 or p.ndim != 2 or len(label) != len(p):
        raise ValueError(f"label must be (n,) and p (n, k), got shapes {label.shape} and {p.shape}")
    if label.size and not 0 <= label.min() <= label.max() < p.shape[1]:
        raise ValueError(f"labels must lie in 0..{p.shape[1] - 1}, got {label.min()}..{label.max()}")
    return label, p
