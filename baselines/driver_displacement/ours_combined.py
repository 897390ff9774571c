"""Head-counts by candidate forecasts, weighed and calibrated by what each would have missed at earlier origins."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fourfold.baselines.driver_displacement.ours_headcount import Kinds
from fourfold.baselines.driver_displacement.stock import Floats

Candidate = Callable[[int], Floats]
"""Quantiles (n, horizon, q) from so many first periods."""

EARLIER = 8  # origins to weigh and to calibrate on
FAVOUR = 4.0  # weight of the first candidate before anything is known, that of each other being 1
POWER = 16.0  # of a candidate's past loss that its weight falls with
HALF_LIFE = 3.0  # origins after which a loss counts half
DOUBT = 4.0  # origins after which half of what they show of widths is believed, of all series and of each cell


def calibrated(headcount: Floats, candidates: Sequence[Candidate], cell: npt.NDArray[np.int64], fewest: int,
               levels: Floats) -> Floats:
    """Quantiles (n, horizon, q), none below 0, of head-counts (n, T) with NaN where nothing was published.

    The mean of the candidates' quantiles, by ``weights``. Its widths are multiplied by what would have made central
    80 % intervals cover 80 % from earlier origins whose outcomes are known, the nearer to 1 the fewer those are: after
    Romano, Patterson and Candès 2019, "Conformalized quantile regression", without its guarantee, as origins are not
    exchangeable. cell: (n,) which series are calibrated together; a series counts from ``fewest`` periods on.
    """
    periods = headcount.shape[1]
    now = np.stack([candidate(periods) for candidate in candidates])
    horizon = now.shape[2]
    step = max(1, horizon // 4)
    ends = range(periods - step, fewest - 1, -step)[:EARLIER]
    earlier = [np.stack([candidate(end) for candidate in candidates]) for end in ends]
    outcomes = [outcome(headcount, end, horizon, fewest) for end in ends]
    losses = [pinball(truth, made, levels) for truth, made in zip(outcomes, earlier, strict=True)]
    weight = weights(np.stack(losses) if losses else np.full((1, *now.shape[:2]), np.nan))[:, :, None, None]
    low, middle, high = (int(np.argmin(np.abs(levels - level))) for level in (0.1, 0.5, 0.9))
    misses: list[Floats] = []
    for truth, made in zip(outcomes, earlier, strict=True):
        mean = np.sum(made * weight, axis=0)
        off = truth - mean[..., middle]
        width = np.where(off > 0, mean[..., high] - mean[..., middle], mean[..., middle] - mean[..., low])
        misses.append(np.abs(off) / np.maximum(width, 1e-9))
    answer = np.sum(now * weight, axis=0)
    median = answer[..., middle, None]
    return np.maximum(median + (answer - median) * factors(misses, cell)[:, None, None], 0.0)


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


def factors(misses: list[Floats], cell: npt.NDArray[np.int64]) -> Floats:
    """By what to multiply the width of each series, (n,): the 0.8 quantile of its cell's misses, in widths.

    misses: of each earlier origin, (n, horizon). A cell's is drawn towards that of all, and that towards 1.
    """
    found = np.stack(misses) if misses else np.full((1, len(cell), 1), np.nan)
    answer = np.ones(len(cell))
    if np.isnan(found).all():
        return answer
    origins = np.sum(~np.isnan(found).all(axis=(1, 2)))
    common = np.log(np.clip(np.nanquantile(found, 0.8), 0.5, 2.0)) * origins / (origins + DOUBT)
    for each in np.unique(cell):
        of_cell = found[:, cell == each]
        windows = np.sum(~np.isnan(of_cell).all(axis=(1, 2)))
        own = np.log(np.clip(np.nanquantile(of_cell, 0.8), 0.5, 2.0)) if windows else 0.0
        answer[cell == each] = np.exp((windows * own + DOUBT * common) / (windows + DOUBT))
    return answer


def cells(kind: Kinds, share: Floats) -> npt.NDArray[np.int64]:
    """Series calibrated together, (n,): thirds of those that have a kind, others by themselves (Mondrian).

    share: (n,) of minorities among the people of a series' place, by which the thirds are, so that widths suit each.
    """
    cell, rows = np.arange(len(kind)), np.flatnonzero(kind != "")
    if len(rows):
        cell[rows] = rows[0] + len(cell) * np.searchsorted(np.quantile(share[rows], [1 / 3, 2 / 3]), share[rows])
    return cell
