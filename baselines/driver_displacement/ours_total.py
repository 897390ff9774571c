"""What series of a kind have in common: their total, forecast from its own few changes."""

import numpy as np
from scipy.special import stdtrit

from fourfold.baselines.driver_displacement.ours_headcount import Kinds, usual_season
from fourfold.baselines.driver_displacement.stock import Floats


def totals(level: Floats, kind: Kinds) -> Floats:
    """The sum over all series of the same kind, (n, T), for levels without gaps; 1 for a series of none."""
    total = np.ones(level.shape)
    for each in set(kind.tolist()) - {""}:
        total[kind == each] = np.maximum(np.nansum(level[kind == each], axis=0), 1.0)
    return total


def grown(still: Floats, total: Floats, season: int, levels: Floats) -> Floats:
    """Quantiles (n, horizon, q) of head-counts, from those ``still`` there would be if no kind's total (n, T) changed.

    The two factors are taken as independent: distances from the median add in squares, which is exact for normal sums.
    """
    middle = [int(np.argmin(np.abs(levels - 0.5)))]
    unique, member = np.unique(total, axis=0, return_inverse=True)
    factor = np.exp(np.stack([growth(each, season, still.shape[1], levels) for each in unique]))[member]
    held, ratio = still[..., middle], factor[..., middle]
    away: Floats = np.hypot((still - held) * ratio, held * (factor - ratio))
    return held * ratio + np.sign(levels - 0.5) * away


def growth(total: Floats, season: int, horizon: int, levels: Floats) -> Floats:
    """Quantiles (horizon, q) of the logarithm of a total (T,) over its last value, as it drifts and by season.

    What strikes a kind strikes all its series, so periods count and not series: Student's t with n - 1 degrees of
    freedom, for n changes with mean m and variance s^2, of which the sum over h periods has a mean of h m and a
    variance of h s^2 + h^2 s^2 / n (Hyndman and Athanasopoulos 2021, section 5.5).
    """
    log, usual = np.log(total), np.zeros(horizon)
    change = np.diff(log)
    if season > 1:
        usual = usual_season(log[None], season, horizon)[0, -1]
        change = (change - usual_season(log[None], season, 1)[0, :-1, 0])[season:]
    n, ahead = len(change), np.arange(1, horizon + 1)
    if n < 2:
        return np.repeat(usual[:, None], len(levels), axis=1)
    spread = np.sqrt((ahead + ahead**2 / n) * change.var(ddof=1))
    quantiles: Floats = (usual + ahead * change.mean())[:, None] + spread[:, None] * stdtrit(n - 1, levels)
    return quantiles
