"""Who is better than whom, and what rank follows. Pure functions on arrays; rows are methods, in any order.

A rank is an interval. Row i beats row j where the paired interval of their difference leaves zero out; the rank
interval of i runs from one more than the number of rows that beat it to the number of rows that it does not beat,
itself among them. Rows that nothing tells apart therefore share a rank. The same counting serves any narrower field
(``rank_intervals`` with fewer rows eligible), which is how a page recomputes ranks under a constraint.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Floats = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.95


def beats_by_replicates(replicates: Floats, higher_is_better: bool) -> Bools:
    """Paired bootstrap: (rows, rows), true where the row's interval of differences to the column lies on its good side.

    replicates: (rows, R), column r the same resampling for every row. The interval is the two-sided percentile
    interval at ``CONFIDENCE`` (Efron & Tibshirani 1993, section 13.3), so i beats j where less than
    (1 - CONFIDENCE) / 2 of the R differences fail to favour i (a tie fails), as in ``bootstrap.rank_intervals``. A row
    with a NaN neither beats nor is beaten.
    """
    known = ~np.isnan(replicates).any(axis=1)
    rows = np.flatnonzero(known)
    signed = replicates[rows] if higher_is_better else -replicates[rows]
    order = np.argsort(-signed.mean(axis=1), kind="stable")
    signed, rows = np.ascontiguousarray(signed[order]), rows[order]
    allowed = round((1 - CONFIDENCE) / 2 * replicates.shape[1], 9)
    least, most = signed.min(axis=1, initial=np.inf), signed.max(axis=1, initial=-np.inf)
    ahead = np.maximum.accumulate(most[::-1])[::-1]  # the most that a row or any after it ever has
    ends = np.searchsorted(-ahead, -least, side="right")  # from there on, none reaches the row ever
    won = np.triu(np.ones((len(rows), len(rows)), bool), 1)  # only a row of higher mean can beat another
    for place, end in enumerate(ends.tolist()):
        against = (signed[place] <= signed[place + 1 : end]).sum(axis=1, dtype=np.int32)
        won[place, place + 1 : end] = against < allowed
    beats = np.zeros((len(replicates), len(replicates)), bool)
    beats[np.ix_(rows, rows)] = won
    return beats


def beats_by_seeds(values: Floats, higher_is_better: bool) -> Bools:
    """Paired t intervals over seeds, for a metric without replicates: (rows, rows) as ``beats_by_replicates``.

    values: (rows, seeds), NaN where a cell is missing; such a row beats nothing. One seed tells nothing apart.
    """
    rows, seeds = values.shape
    known = np.asarray(~np.isnan(values).any(axis=1))
    if seeds < 2:
        return np.zeros((rows, rows), bool)
    signed = np.where(known[:, None], values if higher_is_better else -values, 0.0)
    gaps = signed[:, None, :] - signed[None, :, :]
    error = gaps.std(axis=2, ddof=1) / np.sqrt(seeds)
    beats: Bools = gaps.mean(axis=2) > stdtrit(seeds - 1, (1 + CONFIDENCE) / 2) * error
    return beats & known[:, None] & known[None, :]


def rank_intervals(
    beats: Bools, eligible: Bools, tracks: npt.NDArray[np.object_] | None = None, epsilons: Floats | None = None
) -> Ints:
    """First and last rank of each row among the eligible rows of its track: (rows, 2), zeros where not eligible.

    epsilons: (rows,), of the budget that each keeps. With them a row competes with those that keep its own budget too,
    which are the rows of the same epsilon or a smaller one; not with those that were allowed more.
    """
    field = eligible[:, None] & eligible[None, :]
    if tracks is not None:
        _, track = np.unique(tracks.astype(str), return_inverse=True)  # numbers compare thirty times as fast as objects
        field &= track[:, None] == track[None, :]
    if epsilons is not None and (epsilons != epsilons[:1]).any():
        field &= epsilons[None, :] <= epsilons[:, None]
    first = 1 + (beats.T & field).sum(axis=1)
    last = field.sum(axis=1) - (beats & field).sum(axis=1)
    return np.where(eligible[:, None], np.stack([first, last], axis=1), 0)


def front(x: Floats, y: Floats, x_better: str, y_better: str) -> Bools:
    """The Pareto front: true for rows that no row betters in one axis without being worse in the other.

    x, y: (rows,), NaN never on the front. x_better, y_better: ``higher`` or ``lower``. Equal points share the front.
    """
    a = x if x_better == "higher" else -x
    b = y if y_better == "higher" else -y
    known = ~(np.isnan(a) | np.isnan(b))
    on = np.zeros(len(x), bool)
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((-b[rows], -a[rows]))]
    _, group, place = np.unique(-a[rows], return_index=True, return_inverse=True)
    best = b[rows][group]  # of the rows that share their a
    before = np.maximum.accumulate(np.append(-np.inf, best))[:-1]  # of the rows that have a better a
    on[rows] = (b[rows] == best[place]) & (best > before)[place]
    return on


def mean_intervals(
    value: Floats, low: Floats, high: Floats, averages: Bools | bool = True, repeats: int = 1
) -> tuple[Floats, Floats, Floats]:
    """Mean over seeds, and an interval that covers both what seeds and what test records leave open: each (...,).

    value, low, high: (..., seeds), NaN where a cell or its interval is missing; the mean is over the cells there are.
    On each side the interval reaches as far as the wider of two: Student's t over the seeds, and the mean of the cells'
    own intervals were their errors independent, sqrt(sum of squared reaches) / seeds. The first alone is empty for one
    seed and vanishes for a method that repeats itself; the second alone ignores how a fit varies. NaN where neither is
    known.

    repeats: how often the seeds score each record. Errors on the same records do not average out, so that the interval
    is sqrt(repeats) times as wide as that of so many seeds with records of their own.

    averages: (...,), false where the cells' errors do not average out, being common to all or all to one side. In place
    of the second then stands what half of the cells' intervals reach: that holds under any dependence, as half of them
    miss at most twice as often as each does (Rueger 1978), and hardly ever if they are independent. Without cells'
    intervals there is none.
    """
    known = ~np.isnan(value)
    count = known.sum(axis=-1)
    some = np.maximum(count, 1)
    student = np.append([0.0, 0.0], stdtrit(np.arange(1, value.shape[-1]), (1 + CONFIDENCE) / 2))
    total = np.where(known, value, 0.0).sum(axis=-1)
    mean = np.where(count > 0, total / some, np.nan)
    with np.errstate(invalid="ignore"):
        spread = np.sqrt((np.where(known, value - mean[..., None], 0.0) ** 2).sum(axis=-1) / np.maximum(count - 1, 1))
        by_seeds = student[count] * spread / np.sqrt(some)
        below, above = (
            np.sqrt((np.where(known, reach, 0.0) ** 2).sum(axis=-1)) / some for reach in (value - low, high - value)
        )
        by_seeds, below, above = (np.sqrt(repeats) * reach for reach in (by_seeds, below, above))
        least, most = _half_reach(np.where(known, low, np.nan), np.where(known, high, np.nan))
        below, above = np.where(averages, below, mean - least), np.where(averages, above, most - mean)
        unknown = np.isnan(below) & ((count < 2) | ~np.asarray(averages))
        below, above = (np.where(unknown, np.nan, np.fmax(by_seeds, reach)) for reach in (below, above))
        return mean, mean - below, mean + above


def _half_reach(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The outer one of the two middle ends over the last axis, of lows and of highs, NaN left out."""
    ends = []
    for outward in (low, -high):
        count = (~np.isnan(outward)).sum(axis=-1, keepdims=True)
        middle = np.take_along_axis(np.sort(outward, axis=-1), np.maximum(count - 1, 0) // 2, axis=-1)
        ends.append(middle[..., 0])
    return ends[0], -ends[1]
