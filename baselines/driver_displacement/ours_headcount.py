"""Head-counts by one regression on past trends that all series share."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.special import ndtri

from fourfold.baselines.driver_displacement.stock import Floats

Kinds = npt.NDArray[np.str_]

SPAN = 4.0  # periods over which a level is taken
REVERSION, TREND, SEASONAL = 0.3, 0.8, 0.7  # what is expected of each effect before the first window
TRUST = 20.0  # windows that do not overlap that the expectation weighs as much as
DAMPING = 0.95  # of a trend, from a period to the next


def forecast(headcount: Floats, noise: Floats, kind: Kinds, horizon: int, season: int, levels: Floats) -> Floats:
    """Normal quantiles (n, horizon, q) of head-counts (n, T) with NaN where nothing was published.

    The change over each horizon is regressed on the effects in all past windows. Every series has the coefficients in
    common, shrunk towards what is expected; its own is how far it strays. noise: (n, T) standard errors of the
    head-counts, up to a factor; kind: (n,) those of one kind have the parts of their variance in common.
    """
    level = filled(headcount)
    size = np.maximum(recent_mean(level, 6.0), 1.0)
    effect = effects(level, season, horizon)
    change = np.full((*headcount.shape, horizon), np.nan)
    for ahead in range(1, min(horizon, headcount.shape[1] - 1) + 1):
        change[:, :-ahead, ahead - 1] = headcount[:, ahead:] - level[:, :-ahead]
    first = np.argmax(~np.isnan(level), axis=1)
    old = np.arange(headcount.shape[1]) - first[:, None] >= max(2, season // 2)
    usable = ~np.isnan(change) & old[:, :, None]
    weight = np.where(usable, 1 / (size[:, :, None] ** 2 * np.arange(1, horizon + 1)), 0.0)
    expected = np.array([REVERSION, *[TREND / 3] * 3, *[SEASONAL] * (season > 1)])
    coefficient = pooled(effect, change, usable, weight, expected)
    residual = change - np.tensordot(coefficient, effect, 1)
    spread, sampling = np.empty((len(level), horizon)), filled(noise)
    for each in np.unique(kind):
        rows = kind == each
        spread[rows] = np.sqrt(variance(residual[rows], usable[rows], sampling[rows], size[rows]))
    middle = level[:, -1:] + np.tensordot(coefficient, effect[:, :, -1], 1)
    return np.nan_to_num(middle[..., None] + spread[..., None] * ndtri(levels))


def effects(level: Floats, season: int, horizon: int) -> Floats:
    """What may move each series (n, T) over the next periods: (effects, n, T, horizon), from what was known at each.

    Its return to its recent mean, its damped trends over a quarter, half and all of a year (of four periods, where data
    are yearly), and, unless they are, its usual season.
    """
    ahead = np.arange(1, horizon + 1)
    change, seasonal = np.diff(level, axis=1, prepend=np.nan), np.zeros((*level.shape, horizon))
    if season > 1:
        usual = usual_season(level, season, 1)[:, :, 0]
        change = change - np.pad(usual, ((0, 0), (1, 0)))[:, :-1]
        seasonal = usual_season(level, season, horizon)
    made = [np.repeat((recent_mean(level, SPAN) - level)[:, :, None], horizon, axis=2)]
    year = max(season, 4)
    total, count = (np.cumsum(each, axis=1) for each in (np.nan_to_num(change), ~np.isnan(change)))
    for span in (year // 4, year // 2, year):
        rise, known = (each - np.pad(each, ((0, 0), (span, 0)))[:, : each.shape[1]] for each in (total, count))
        made.append((rise / np.maximum(known, 1))[:, :, None] * np.cumsum(DAMPING**ahead))
    return np.nan_to_num(np.stack([*made, seasonal] if season > 1 else made))


def usual_season(level: Floats, season: int, horizon: int) -> Floats:
    """The change over the next periods in up to four past years less that years' trend, (n, T, horizon), shrunk."""
    n, periods = level.shape
    total, count = np.zeros((n, periods, horizon)), np.zeros((n, periods, horizon))
    for lag in range(season, min(4 * season, periods - 1) + 1, season):
        start, end = level[:, : periods - lag], level[:, season : periods - lag + season]
        for step in range(horizon):
            part = step % season + 1
            moved = level[:, part : periods - lag + part] - start - part / season * (end - start)
            total[:, lag:, step] += np.nan_to_num(moved)
            count[:, lag:, step] += ~np.isnan(moved)
    return total / (count + 0.5)


def pooled(effect: Floats, change: Floats, usable: npt.NDArray[np.bool_], weight: Floats, expected: Floats) -> Floats:
    """Ridge regression of the change on the effects towards what is expected; steady series weigh more."""
    horizon, windows = change.shape[2], max(int(usable.any(axis=2).sum()), 1)
    change, coefficient = np.where(usable, change, 0.0), expected
    own = independent(usable)
    for _ in range(3):
        square = np.sum((change - np.tensordot(coefficient, effect, 1)) ** 2 * weight, axis=(1, 2))
        square = square / np.maximum(usable.sum(axis=(1, 2)), 1)
        typical = square[own > 0].mean() if (own > 0).any() else 1.0
        scaled = weight / np.maximum((own * square + typical) / (own + 1), 1e-12)[:, None, None]
        gram = np.einsum("intk,jntk->ij", effect * scaled, effect, optimize=True)
        aim = np.einsum("intk,ntk->i", effect * scaled, change, optimize=True)
        ridge = np.diag(np.diag(gram) * TRUST * horizon / windows + 1e-9)
        coefficient = expected + np.linalg.solve(gram + ridge, aim - gram @ expected)
    return coefficient


def variance(residual: Floats, usable: npt.NDArray[np.bool_], noise: Floats, size: Floats) -> Floats:
    """Variance of the next changes, (n, horizon): the noise of the counts, and a share of their size that grows.

    The parts are those that fit past squares best, in proportion; each series then has a factor of its own, drawn
    towards their mean as if that had been seen in one window more; in logarithms, so that wild ones widen no other.
    """
    ahead = np.arange(1.0, residual.shape[2] + 1)
    parts = np.stack([part[:, :, None] * power for part, power in (
        (noise**2, ahead**0), (size**2, ahead**0), (size**2, ahead), (size**2, ahead**2))], axis=-1)
    parts = np.nan_to_num(parts, nan=1.0)
    share = np.array([1.0, 0.001, 0.001, 0.0])
    if usable.any():
        square, known = residual[usable] ** 2, parts[usable]
        for _ in range(6):
            fitted = np.maximum(known @ share, 1e-9)
            share = nnls(known / fitted[:, None], square / fitted)[0]
    whole, own = np.maximum(parts @ share, 1e-9), independent(usable)
    factor = np.where(usable, residual**2 / whole, 0.0).sum(axis=(1, 2)) / np.maximum(usable.sum(axis=(1, 2)), 1)
    typical = factor[own > 0].mean() if (own > 0).any() else 1.0
    logs = (own * np.log(np.maximum(factor, 1e-6)) + np.log(max(typical, 1e-6))) / (own + 1)
    return whole[:, -1] * np.exp(logs)[:, None]


def independent(usable: npt.NDArray[np.bool_]) -> Floats:
    """How many windows that do not overlap the past windows of each series are worth, (n,)."""
    horizon = usable.shape[2]
    return usable.sum(axis=(1, 2)) / horizon / (1 + horizon / 2)


def recent_mean(history: Floats, span: float) -> Floats:
    """Exponentially weighted mean up to each period, (n, T), of what is known, ``span`` periods weighing most."""
    keep, total, count = 1 - 1 / span, np.zeros(len(history)), np.zeros(len(history))
    means = np.full(history.shape, np.nan)
    for period, now in enumerate(history.T):
        total, count = total * keep + np.nan_to_num(now), count * keep + ~np.isnan(now)
        means[:, period] = np.where(count > 0, total / np.maximum(count, 1e-9), np.nan)
    return means


def filled(history: Floats) -> Floats:
    """The last known value at each period, (n, T); NaN before the first."""
    place = np.maximum.accumulate(np.where(np.isnan(history), 0, np.arange(history.shape[1])), axis=1)
    return np.take_along_axis(history, place, axis=1)
