"""The forecasts that every other is measured against: that nothing changes from what was last published."""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from fourfold.tasks.driver_displacement.panel import QUANTILES, Floats
from fourfold.tasks.driver_displacement.window import Window


def naive(headcount: npt.ArrayLike, horizon: int, levels: npt.ArrayLike = QUANTILES) -> Floats:
    """Head-counts as last published: (n, T), NaN where nothing was, to quantiles (n, horizon, q), none under 0.

    A random walk's normal quantiles, those of ``statsforecast.models.Naive``: the deviation of the changes from one
    period to the next, times the square root of how many periods ago the last value is. A series of which nothing was
    ever published is forecast as 0.
    """
    return np.maximum(_held(headcount, horizon, levels), 0.0)


def seasonal_naive(headcount: npt.ArrayLike, horizon: int, season: int, levels: npt.ArrayLike = QUANTILES) -> Floats:
    """Head-counts as last published for the same part of the year: as `naive`, those of ``SeasonalNaive``.

    Where none was published for that part of the year, it is Naive's.
    """
    return np.maximum(_held(headcount, horizon, levels, season), 0.0)


def persist(displaced: npt.ArrayLike, horizon: int, levels: npt.ArrayLike = QUANTILES, season: int = 1) -> Floats:
    """Jobs lost as last known: (n, T), NaN for the periods whose labels are still to come, to (n, horizon, q).

    The same random walk, which may fall below 0; a longer ``season`` makes it the seasonal one.
    """
    return _held(displaced, horizon, levels, season)


def reference(window: Window) -> Floats:
    """Naive and, where displacement is known, Persist for one window: (n, targets, h, q)."""
    parts = [naive(window.seen.headcount, window.horizon)]
    if window.seen.displaced is not None:
        parts.append(persist(window.seen.displaced, window.horizon))
    return np.stack(parts, axis=1)


def seasonal_reference(window: Window) -> Floats:
    """As `reference`, of the same part of the year: (n, targets, h, q)."""
    season = window.seen.season
    parts = [seasonal_naive(window.seen.headcount, window.horizon, season)]
    if window.seen.displaced is not None:
        parts.append(persist(window.seen.displaced, window.horizon, season=season))
    return np.stack(parts, axis=1)


def _held(history: npt.ArrayLike, horizon: int, levels: npt.ArrayLike, season: int = 1) -> Floats:
    """The seasonal random walk; without the season where that has no value, and 0 where there is none at all."""
    walk = _random_walk(history, horizon, levels, season)
    if season > 1 and np.isnan(walk).any():
        walk = np.where(np.isnan(walk), _random_walk(history, horizon, levels), walk)
    return np.nan_to_num(walk)


def _random_walk(history: npt.ArrayLike, horizon: int, levels: npt.ArrayLike, season: int = 1) -> Floats:
    """Quantiles (n, horizon, q) of a random walk by seasons; nan where a part of the year was never published.

    An error over a gap of k seasons has k times the variance, and counts so.
    """
    past = np.asarray(history, dtype=np.float64)
    padding = np.full((len(past), -past.shape[1] % season), np.nan)
    years = np.concatenate([padding, past], axis=1).reshape(len(past), -1, season)
    place = np.arange(years.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(np.isnan(years), -1, place), axis=1)
    filled = np.take_along_axis(years, np.maximum(last, 0), axis=1)

    gap = place[:, 1:] - last[:, :-1]
    squares = np.where(last[:, :-1] >= 0, (years[:, 1:] - filled[:, :-1]) ** 2 / gap, np.nan)
    count = (~np.isnan(squares)).sum(axis=(1, 2))
    deviation = np.sqrt(np.nansum(squares, axis=(1, 2)) / np.maximum(count, 1))

    ahead = np.arange(horizon)
    level, steps = filled[:, -1, ahead % season], years.shape[1] + ahead // season - last[:, -1, ahead % season]
    spread = deviation[:, None] * np.sqrt(steps)
    return level[..., None] + spread[..., None] * ndtri(np.asarray(levels, dtype=np.float64))
