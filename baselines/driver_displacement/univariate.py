"""Forecasts of each series by itself, from nothing but its own past, by models of statsforecast."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fourfold.baselines.driver_displacement.stock import Floats, histories, no_less_than_none
from fourfold.tasks.driver_displacement import naive

Model = Any
"""A model of ``statsforecast.models``, of no season."""

YEARS = 10
"""Seasons that a history goes back at most, where there are any."""
SHORTEST = 4
"""Periods below which a history is held as it is, by Naive."""


def forecast_each(train: Any, query: Any, models: Callable[[list[Floats]], list[Model]]) -> Floats:
    """Quantiles (n, targets, h, q); ``models`` takes the histories of one target and gives a model for each.

    A history begins and ends with its first and last known value, and goes back YEARS seasons at most; what is missing
    at its end is forecast first, gaps within are filled by straight lines. A season that head-counts show is taken out
    before, and put back in.
    """
    past = histories(train, query)
    answer = np.zeros((*past.shape[:2], query.horizon, len(query.quantiles)))
    for target in range(past.shape[1]):
        season = query.season if target == 0 else 1  # Jobs lost so far have none.
        rows = np.flatnonzero(~np.isnan(past[:, target]).all(axis=1))
        whole = [history(past[row, target], query.season) for row in rows]
        factors = [seasonal_factors(y, season) for y in whole]
        plain = [y / np.resize(factor, len(y)) for y, factor in zip(whole, factors, strict=True)]
        for row, y, factor, model in zip(rows, plain, factors, models(plain), strict=True):
            ahead = past.shape[2] - 1 - np.flatnonzero(~np.isnan(past[row, target]))[-1]
            found = quantiles_of(model, y, ahead + query.horizon, query.quantiles)
            back = np.resize(np.roll(factor, -len(y)), len(found))
            answer[row, target] = (found * back[:, None])[ahead:]
    return no_less_than_none(answer)


def history(past: Floats, season: int) -> Floats:
    """What is known of one series (T,), gaps filled by straight lines."""
    known = np.flatnonzero(~np.isnan(past))
    last = known[-1]
    first = max(known[0], last + 1 - YEARS * season) if season > 1 else known[0]
    return np.interp(np.arange(first, last + 1), known, past[known])


def seasonal_factors(y: Floats, season: int) -> Floats:
    """The factor (season,) of each part of the year, from the first on: means of ratios to a moving average.

    All 1 where the changes of y are not correlated at the season's lag at 90 %, the test by which the Theta method
    adjusts for a season (Assimakopoulos and Nikolopoulos 2000; Fiorucci et al. 2016, section 3).
    """
    if season == 1 or len(y) < 3 * season or y.min() <= 0:
        return np.ones(season)
    change = np.diff(np.log(y))
    change -= change.mean()
    power = max(float(change @ change), 1e-300)
    lags = np.array([change[lag:] @ change[:-lag] for lag in range(1, season + 1)]) / power
    if lags[-1] <= 1.645 * np.sqrt((1 + 2 * np.sum(lags[:-1] ** 2)) / len(change)):
        return np.ones(season)
    weights = np.r_[0.5, np.ones(season - 1), 0.5] / season
    half = season // 2
    ratio = np.full(len(y), np.nan)
    ratio[half:-half] = y[half:-half] / np.convolve(y, weights, "valid")
    factors = np.array([np.nanmean(ratio[part::season]) for part in range(season)])
    return factors / factors.mean()


def quantiles_of(model: Model, y: Floats, horizon: int, quantiles: Floats) -> Floats:
    """Quantiles (h, q) of one history, from central intervals; Naive's where it is too short or the model fails."""
    found = _asked(model, y, horizon, quantiles, fitted=False)
    return naive.persist(y[None], horizon, quantiles)[0] if found is None else _columns(found, quantiles)


def with_errors(model: Model, y: Floats, horizon: int, quantiles: Floats) -> tuple[Floats, Floats]:
    """``quantiles_of``, and the errors of the model one period ahead over its history, (T,)."""
    found = _asked(model, y, horizon, quantiles, fitted=True)
    if found is None:
        return naive.persist(y[None], horizon, quantiles)[0], np.diff(y, prepend=y[0])
    return _columns(found, quantiles), np.nan_to_num(y - found["fitted"])


def _asked(model: Model, y: Floats, horizon: int, quantiles: Floats, *, fitted: bool) -> Any:
    """What a model says, or None. What it fitted is asked for where needed alone: it costs as much as the forecast."""
    levels = sorted({_level(q) for q in quantiles} - {0})
    if len(y) >= SHORTEST and np.ptp(y) > 0:
        with contextlib.suppress(Exception):  # The library fails in many ways on histories that suit a model ill.
            found = model.forecast(y=y.copy(), h=horizon, level=levels, fitted=fitted)
            if np.isfinite(_columns(found, quantiles)).all():
                return found
    return None


def _columns(forecast: Any, quantiles: Floats) -> Floats:
    """A forecast's quantiles (h, q): the ends of its central intervals, and its mean for the median."""
    names = [f"{'lo' if q < 0.5 else 'hi'}-{_level(q)}" if _level(q) else "mean" for q in quantiles]
    return np.stack([np.asarray(forecast[name]) for name in names], axis=1)


def _level(quantile: float) -> int:
    """The percentage that the central interval covers of which a quantile is an end; 0 of the median."""
    return round(100 * abs(2 * quantile - 1))
