"""The random walk with drift, of all series at once."""

import numpy as np
from scipy.special import ndtri

from fourfold.baselines.driver_displacement.stock import Floats


def drift(past: Floats, horizon: int, quantiles: Floats) -> Floats:
    """Quantiles (n, h, q) of series (n, T), NaN where a value is not known, by the mean change from first to last.

    Errors over a gap of k periods have k times the variance. Hyndman and Athanasopoulos 2021, sections 5.2 and 5.5:
    h periods ahead the variance is sigma^2 h (1 + h / (k - 1)) for k known periods. A series of none is 0.
    """
    n, periods = past.shape
    place = np.arange(periods)
    known = ~np.isnan(past)
    first, last = known.argmax(axis=1), periods - 1 - known[:, ::-1].argmax(axis=1)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)[:, :-1]
    rows = np.arange(n)
    filled = np.where(before >= 0, past[rows[:, None], np.maximum(before, 0)], np.nan)
    level, span = np.nan_to_num(past[rows, last]), np.maximum(last - first, 1)
    slope = (level - np.nan_to_num(past[rows, first])) / span
    gap = place[1:] - before
    squares = np.where(known[:, 1:], (past[:, 1:] - filled - slope[:, None] * gap) ** 2 / gap, np.nan)
    count = (~np.isnan(squares)).sum(axis=1)
    variance = np.nansum(squares, axis=1) / np.maximum(count - 1, 1)
    steps = periods - 1 - last[:, None] + np.arange(1, horizon + 1)
    spread = np.sqrt(variance[:, None] * steps * (1 + steps / span[:, None]))
    return (level[:, None] + slope[:, None] * steps)[..., None] + spread[..., None] * ndtri(quantiles)
