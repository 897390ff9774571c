"""A standing summed over its seeds: means, intervals, and who beats whom by the headline."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.leaderboard import ranking
from fourfold.leaderboard.standing import Standing
from fourfold.suite.metrics.bootstrap import MINIMUM_DEFINED, clustered_mean

SEED = 20230  # of the bootstrap over seeds: equal results make equal boards
WORST: Mapping[str, Callable[..., Any]] = {
    "epsilon_claimed": np.nanmax,
    "epsilon_accounted": np.nanmax,
    "epsilon_audited": np.nanmax,
    "refuted": np.nanmax,
    "rung": np.nanmin,
    "mechanism_check": np.nanmin,
}
"""A guarantee is as good as the worst cell that it is given for: these are not averaged over seeds."""
PROMISED = ("epsilon_claimed", "epsilon_accounted")
"""Where one cell of a row that ended well has none of these, the row has none."""


def _agreed(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """What all values are, those unknown left out; NaN where they differ."""
    least = np.nanmin(values, axis=axis)
    return np.where(least == np.nanmax(values, axis=axis), least, np.nan)


_KINDS: Mapping[str, Callable[..., Any]] = {"higher": np.nanmin, "lower": np.nanmax, "none": _agreed}


def worst(name: str, metric: Mapping[str, Any]) -> Callable[..., Any] | None:
    """How a metric's values over seeds become one where a mean would say nothing; None where it is the mean.

    Of a guarantee, or of kinds that go from worse to better, the worst stands; of any others the one of all seeds.
    """
    return WORST.get(name) or (_KINDS[metric.get("better", "none")] if metric.get("names") else None)


@dataclass(frozen=True)
class Summary:
    """mean, low, high: (rows, columns), NaN where unknown. beats: (rows, rows), see ``ranking``.

    replicates: (rows, B) of the headline's mean over seeds, paired; None where no bootstrap was stored. Then ``beats``
    comes of paired t intervals over the seeds. averages: (columns,), whether the errors of seeds average out.
    """

    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    beats: npt.NDArray[np.bool_]
    replicates: npt.NDArray[np.floating[Any]] | None
    averages: npt.NDArray[np.bool_]


def summed(
    standing: Standing,
    metrics: Mapping[str, Mapping[str, Any]],
    headline: str,
    fresh: int | None = None,
    *,
    fixed: bool = False,
) -> Summary:
    """Sum over the seeds that count. metrics: the task's, by name, for their range and direction.

    fresh: how many seeds in a row rest on different records, of which further ones score the same again.
    fixed: every seed scores the same records, so that no error of accuracy or fairness averages out.
    """
    seeds = slice(0, standing.asked)
    kept = np.where(standing.ok[:, None, seeds], standing.value[:, :, seeds], np.nan)
    averages = np.array([_averages(metrics.get(name, {}), fixed) for name, _ in standing.columns], bool)
    own = standing.low[:, :, seeds], standing.high[:, :, seeds]
    repeats = 1 if fresh is None else max(1, math.ceil(standing.asked / fresh))
    mean, low, high = ranking.mean_intervals(kept, *own, averages, repeats)
    place = standing.column(headline)
    higher = metrics.get(headline, {}).get("better", "higher") == "higher"
    replicates, beats = None, np.zeros((len(mean), len(mean)), bool)
    if place is not None and standing.replicates is not None:
        replicates = clustered_mean(mended(standing.replicates), np.random.default_rng(SEED))
        known = ~np.isnan(replicates).any(axis=1)
        edges = ((1 - ranking.CONFIDENCE) / 2, (1 + ranking.CONFIDENCE) / 2)
        below, above = np.quantile(replicates[known], edges, axis=1)
        told = below < above  # Resamples of none, or of all, are all alike and leave the cells' own intervals to tell.
        rows = np.flatnonzero(known)[told]
        low[rows, place], high[rows, place] = below[told], above[told]
        beats = ranking.beats_by_replicates(replicates, higher)
    elif place is not None:
        beats = ranking.beats_by_seeds(kept[:, place], higher)
    for column, (name, _) in enumerate(standing.columns):
        if reduce := worst(name, metrics.get(name, {})):
            mean[:, column] = _reduced(reduce, kept[:, column])
            if name in PROMISED:
                lacking = standing.ok[:, seeds] & np.isnan(kept[:, column])
                mean[lacking.any(axis=1), column] = np.nan
            low[:, column] = high[:, column] = np.nan
        ends = (metrics.get(name, {}).get(end) for end in ("low", "high"))
        least, most = (limit if end is None else end for end, limit in zip(ends, (-np.inf, np.inf), strict=True))
        low[:, column], high[:, column] = (np.clip(bound[:, column], least, most) for bound in (low, high))
    return Summary(mean, low, high, beats, replicates, averages)


def _averages(metric: Mapping[str, Any], fixed: bool) -> bool:
    """Whether the errors of seeds average out in a metric."""
    return bool(metric.get("averages", True)) and not (fixed and metric.get("family") in ("accuracy", "fairness"))


def mended(replicates: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Put the mean of a cell's defined resamples in place of a few undefined ones; a cell with many stays undefined."""
    unknown = np.isnan(replicates)
    if not unknown.any():
        return replicates
    few = unknown.mean(axis=-1, keepdims=True) <= 1 - MINIMUM_DEFINED
    total, count = np.nansum(replicates, axis=-1, keepdims=True), (~unknown).sum(axis=-1, keepdims=True)
    return np.where(unknown & few, total / np.maximum(count, 1), replicates).astype(np.float32)


def _reduced(reduce: Callable[..., Any], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without any value stays NaN
        return np.asarray(reduce(values, axis=1))
