"""Replicates of a metric under resampling, the intervals they give, and ranks that admit what cannot be told apart.

Two resamplings, both vectorised over the replicates:

- `poisson_weights` resamples records. All methods of a problem share the weights, so that replicate b of one method
  pairs with replicate b of another, and the interval of their difference keeps what their errors have in common.
- `multinomial_counts` resamples sufficient counts. A metric of counts needs no more, and it is the fastest, but the
  replicates of two methods do not pair.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, pdtr, stdtrit

Floats = npt.NDArray[np.float64]

MINIMUM_DEFINED = 0.9
"""The share of replicates that must be defined before an interval or a rank is made of them."""

_CHUNK = 1 << 22
_QUANTILES = (np.arange(1 << 16) + 0.5) / (1 << 16)
_WEIGHT_OF = np.searchsorted(pdtr(np.arange(9), 1), _QUANTILES).astype(np.uint8)


def poisson_weights(rng: np.random.Generator, replicates: int, n: int) -> npt.NDArray[np.uint8]:
    """Weights (replicates, n) of the record-level bootstrap: each record enters each replicate Poisson(1) times.

    It approximates drawing n records with replacement, without fixing their number (Hanley and MacGibbon 2006,
    "Creating non-parametric bootstrap samples using Poisson frequencies"). Drawn by inversion from 16 random bits, 8
    times faster than `Generator.poisson`; no probability is off by more than 2^-16.
    """
    return _WEIGHT_OF[rng.integers(0, 1 << 16, size=(replicates, n), dtype=np.uint16)]


def weights_of_rows(rng: np.random.Generator, replicates: int, n: int, rows: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """`poisson_weights` of some rows (m,) of n records: (replicates, m), without holding those of the others.

    From a generator that starts the same for every seed, a record has the same weights wherever it is tested on: then
    the noise of records that several seeds share does not average out, as it should not (see `clustered_mean`).
    """
    return np.stack([poisson_weights(rng, 1, n)[0][rows] for _ in range(replicates)])


def multinomial_counts(rng: np.random.Generator, counts: npt.ArrayLike, replicates: int) -> Floats:
    """Replicates (replicates, \\*counts.shape) of the counts that drawing the records anew with replacement would give.

    Counts of disjoint cells that together hold every record are sufficient: the multinomial is then the row bootstrap
    itself, and not an approximation of it. Counts may be fractional, where decisions are randomized and counted in
    expectation. Their total is rounded to whole records, and each drawn record draws its decision too, so that the
    interval is that of one run of the randomized rule: wider than that of its expectation, never narrower.
    """
    cells = np.asarray(counts, dtype=np.float64)
    total = cells.sum()
    if total <= 0:
        return np.zeros((replicates, *cells.shape))
    drawn = rng.multinomial(round(total), (cells / total).ravel(), size=replicates)
    return drawn.reshape(replicates, *cells.shape).astype(np.float64)


def weighted_sums(columns: npt.ArrayLike, weights: npt.NDArray[Any]) -> Floats:
    """Sum the columns (n, m) under each row of the weights (..., n), in bounded memory; (..., m)."""
    basis = np.asarray(columns, dtype=np.float64)
    rows = weights.reshape(math.prod(weights.shape[:-1]), weights.shape[-1])
    sums = np.empty((len(rows), basis.shape[1]))
    for part in _parts(rows):
        sums[part] = rows[part].astype(np.float64) @ basis
    return sums.reshape(*weights.shape[:-1], basis.shape[1])


def mean_replicates(values: npt.ArrayLike, weights: npt.NDArray[Any]) -> Floats:
    """Replicates (B,) of the mean of a per-record value (n,), such as the squared errors behind the Brier score."""
    column = np.asarray(values, dtype=np.float64)
    totals = weighted_sums(np.stack([column, np.ones_like(column)], axis=-1), weights)
    with np.errstate(invalid="ignore"):
        return totals[..., 0] / totals[..., 1]


def auc_replicates(label: npt.ArrayLike, p: npt.ArrayLike, weights: npt.NDArray[Any]) -> Floats:
    """Replicates (B,) of the area under the ROC curve, ties counted half; nan where a replicate has one class only.

    label: 1 the class that should score high, else 0; p: scores (n,); weights: (B, n). The scores are sorted once; a
    replicate then costs one cumulative sum over one class and one look-up for each record of the other.
    """
    bad, score = np.asarray(label) == 1, np.asarray(p, dtype=np.float64)
    order = np.argsort(score, kind="stable")
    good_at, bad_at = order[~bad[order]], order[bad[order]]
    below = np.searchsorted(score[good_at], score[bad_at], side="left")
    upto = np.searchsorted(score[good_at], score[bad_at], side="right")
    area = np.empty(len(weights))
    for part in _parts(weights):
        good = np.zeros((len(weights[part]), len(good_at) + 1))
        np.cumsum(np.take(weights[part], good_at, axis=1), axis=1, dtype=np.float64, out=good[:, 1:])
        lost = np.take(weights[part], bad_at, axis=1).astype(np.float64)
        won = np.einsum("bj,bj->b", lost, np.take(good, below, axis=1) + np.take(good, upto, axis=1)) / 2
        with np.errstate(invalid="ignore"):
            area[part] = won / (good[:, -1] * lost.sum(axis=1))
    return area


def score_replicates(
    metric: Callable[[Any, Any, Any], float | None], label: npt.ArrayLike, p: npt.ArrayLike, weights: npt.NDArray[Any]
) -> Floats:
    """Replicates (B,) of any ``metric(label, p, weight)`` that does not depend on the order of the records.

    One call a replicate, on records sorted by p beforehand, so that the metric's own sort finds nothing left to do.
    Undefined replicates are nan.
    """
    score = np.asarray(p, dtype=np.float64)
    order = np.argsort(score, kind="stable")
    label, score = np.asarray(label)[order], score[order]
    values = [metric(label, score, row[order]) for row in weights]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def percentile_interval(replicates: npt.ArrayLike, level: float = 0.95) -> tuple[float | None, float | None]:
    """Interval between the percentiles of the replicates (B,) that leave (1 - level)/2 on either side.

    Undefined replicates (nan) are left out; where fewer than 90 % are defined there is no interval, and both ends are
    None. Efron and Tibshirani 1993, chapter 13. Not for the maximum of several gaps, whose replicates never reach 0:
    give signed gaps an interval each, or use `fairness.equalized_odds_upper_bound`.
    """
    values = np.asarray(replicates, dtype=np.float64)
    defined = values[~np.isnan(values)]
    if defined.size == 0 or defined.size < MINIMUM_DEFINED * values.size:
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson_interval(successes: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Score interval of proportions, elementwise: (low, high), nan where n is 0 (Wilson 1927)."""
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z = ndtri((1 + level) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (x + z**2 / 2) / (n + z**2)
        half = z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def clustered_mean(replicates: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Replicates (methods, B) of each method's mean over clusters (seeds), from (methods, clusters, B), paired.

    A bootstrap of hierarchical data (Davison and Hinkley 1997, section 3.8) in two parts that add up. Between clusters:
    replicate b draws clusters with replacement, the same for every method, and averages their centres. Within clusters:
    the mean of their replicates number b, less their centres. Few clusters make the first part too narrow. It is
    stretched by sqrt(k / (k-1)), as the bootstrap variance of a mean of k values is (k-1)/k of the unbiased one, and by
    the ratio of Student's 97.5 % quantile with k-1 degrees of freedom to the normal one, as k values hardly know their
    variance: a 95 % interval of a mean is then right for normal clusters. A single cluster has the second part alone.

    Where clusters score the same records under the same weights, the parts are the noise of the seed and of the
    records. Where each cluster has records of its own, the first part holds both, and the interval is too wide.
    """
    values = np.asarray(replicates)
    clusters, size = values.shape[1:]
    centre = values.mean(axis=2, dtype=np.float64)
    mean = centre.mean(axis=1, keepdims=True)
    within = values.mean(axis=1, dtype=np.float64) - mean
    if clusters == 1:
        return mean + within
    drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=size)
    stretch = np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, 0.975) / ndtri(0.975)
    # einsum, not @: a matrix product may round equal rows differently, and equal methods must tie.
    between = np.einsum("mc,bc->mb", centre - mean, drawn / clusters)
    return mean + stretch * between + within


def rank_intervals(
    replicates: npt.ArrayLike, higher_is_better: bool, level: float = 0.95
) -> list[tuple[int, int] | None]:
    """The best and the worst rank that each method may hold, from paired replicates (methods, B).

    Method j is above i where the percentile interval of their paired difference excludes 0, that is where fewer than
    (1 - level)/2 of the replicates fail to put j ahead; a tie fails. The best rank is 1 + the number of methods above,
    the worst the number of ranked methods less those below. Each pair is judged at the level by itself: with many equal
    methods a few are still set apart by chance. Values compare in single precision, as a store keeps them. A method
    with over 10 % undefined replicates (nan) has no rank: None.
    """
    values = np.asarray(replicates, dtype=np.float32)
    methods, replicates_each = values.shape
    ranked = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= MINIMUM_DEFINED * replicates_each)
    values = values[ranked] if higher_is_better else -values[ranked]
    by_mean = np.argsort(-np.nanmean(values, axis=1), kind="stable")
    ranked, values = ranked[by_mean], values[by_mean]
    above, below = np.zeros(len(ranked), dtype=int), np.zeros(len(ranked), dtype=int)
    needed = replicates_each * (1 + level) / 2
    for i, row in enumerate(values):
        ahead = np.sum(values[i + 1 :] < row, axis=1, dtype=np.int32)
        behind = np.zeros_like(ahead)
        open_still = ahead < replicates_each - needed
        behind[open_still] = np.sum(values[i + 1 :][open_still] > row, axis=1, dtype=np.int32)
        above[i] += np.sum(behind > needed)
        below[i] += np.sum(ahead > needed)
        above[i + 1 :] += ahead > needed
        below[i + 1 :] += behind > needed
    ranks: list[tuple[int, int] | None] = [None] * methods
    for place, method in enumerate(ranked):
        ranks[method] = (1 + int(above[place]), len(ranked) - int(below[place]))
    return ranks


def _parts(rows: npt.NDArray[Any]) -> Iterator[slice]:
    """Slices of the rows that keep a float copy of each part to some 32 MB."""
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    return (slice(start, start + step) for start in range(0, len(rows), step))
