"""Head-counts by candidate forecasts, weighed by what each would have lost at earlier origins, and recalibrated."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fourfold.baselines.driver_displacement.ours_recalibrated import recalibrated
from fourfold.baselines.driver_displacement.stock import Floats

Candidate = Callable[[int], Floats]
"""Quantiles (n, horizon, q) from so many first periods."""

FEWEST = 4  # periods of a series, and a year, before what it did counts
EARLIER = 8  # origins to weigh and to calibrate on
FAVOUR = 4.0  # weight of the first candidate before anything is known, that of each other being 1
POWER = 16.0  # of a candidate's past loss that its weight falls with
HALF_LIFE = 3.0  # origins after which a loss counts half


def calibrated(headcount: Floats, candidates: Sequence[Candidate], cell: npt.NDArray[np.int64], season: int,
               levels: Floats) -> Floats:
    """Quantiles (n, horizon, q), none below 0, of head-counts (n, T) with NaN where nothing was published.

    The mean of the candidates' quantiles, by ``weights``, moved to where outcomes lay in such forecasts from earlier
    origins, of which one counts half of one a year later; see ``recalibrated``. cell: (n,) which series are calibrated
    together; season: periods of a year.
    """
    periods, fewest = headcount.shape[1], max(season, FEWEST)
    now = np.stack([candidate(periods) for candidate in candidates])
    horizon = now.shape[2]
    step = max(1, horizon // 4)
    ends = range(periods - step, fewest - 1, -step)[:EARLIER]
    earlier = [np.stack([candidate(end) for candidate in candidates]) for end in ends]
    outcomes = [outcome(headcount, end, horizon, fewest) for end in ends]
    losses = [pinball(truth, made, levels) for truth, made in zip(outcomes, earlier, strict=True)]
    weight = weights(np.stack(losses) if losses else np.full((1, *now.shape[:2]), np.nan))[:, :, None, None]
    before = [(truth, np.sum(made * weight, axis=0)) for truth, made in zip(outcomes, earlier, strict=True)]
    return recalibrated(np.sum(now * weight, axis=0), before, cell, max(1.0, season / step), levels)


def outcome(headcount: Floats, end: int, horizon: int, fewest: int) -> Floats:
    """What came after the first ``end`` periods, (n, horizon), NaN where it is not known or too little was before."""
    answer = np.full((len(headcount), horizon), np.nan)
    seen = headcount[:, end : end + horizon]
    answer[:, : seen.shape[1]] = seen
    answer[np.sum(~np.isnan(headcount[:, :end]), axis=1) < fewest] = np.nan
    return answer


def pinball(truth: Floats, made: Floats, levels: Floats) -> Floats:
    """Mean pinball loss of each candidate and series, (candidates, n), over what is known of ``truth``; else NaN."""
    off = truth[..., None] - made
    loss = np.mean(np.maximum(levels * off, (levels - 1) * off), axis=-1)
    known = np.sum(~np.isnan(loss), axis=-1)
    mean: Floats = np.where(known, np.nansum(loss, axis=-1) / np.maximum(known, 1), np.nan)
    return mean


def weights(losses: Floats) -> Floats:
    """How much each candidate counts in the forecast of each series, (candidates, n), by a power of its past loss.

    losses: (origins, candidates, n), the latest first, NaN where not known; the fewer are, the lower the power.
    """
    origins = np.sum(~np.isnan(losses[:, 0]), axis=0)
    decay = 0.5 ** (np.arange(len(losses)) / HALF_LIFE)
    loss = np.maximum(np.nansum(losses * decay[:, None, None], axis=0), 1e-9)
    logs = -POWER * origins / (origins + 1) * np.log(loss)
    logs[0] += np.log(FAVOUR)
    weight = np.exp(logs - logs.max(axis=0))
    return weight / weight.sum(axis=0)
