"""How well quantile forecasts agree with what happened: sharpness, calibration and bias.

outcome: (...), NaN where it is unknown, which every metric leaves out. forecast: (..., q), the quantiles at ``levels``
(q,), ascending. A mean over nothing is nan, never 0. Series come first and horizons after them, (n, h), where a metric
speaks of series; a scale is (n,), in the unit of the outcome, nan for series that are to be left out.
"""

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics.bootstrap import Floats


def known_sum(values: npt.ArrayLike, axis: int | tuple[int, ...] | None = None) -> Floats:
    """Sum of what is not nan; nan where all is."""
    array = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(array)
    return np.where(known.any(axis=axis), np.sum(array, axis=axis, where=known), np.nan)


def known_mean(values: npt.ArrayLike, axis: int | tuple[int, ...] | None = None) -> Floats:
    """Mean of what is not nan; nan where all is."""
    count = np.sum(~np.isnan(np.asarray(values, dtype=np.float64)), axis=axis)
    return known_sum(values, axis) / np.maximum(count, 1)


def uncrossed(forecast: npt.ArrayLike) -> tuple[Floats, int]:
    """The forecasts with the quantiles of each in ascending order, and how many had to be re-sorted.

    Sorting never raises the quantile loss (Chernozhukov, Fernandez-Val and Galichon 2010, proposition 4).
    """
    given = np.asarray(forecast, dtype=np.float64)
    crossing = (np.diff(given, axis=-1) < 0).any(axis=-1)
    return np.sort(given, axis=-1), int(crossing.sum())


def pinball(outcome: npt.ArrayLike, forecast: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Loss of each quantile by itself (..., q): level (y - f) above the forecast f, (1 - level)(f - y) below it.

    Koenker and Bassett 1978.
    """
    tau = np.asarray(levels, dtype=np.float64)
    above = np.asarray(outcome, dtype=np.float64)[..., None] - np.asarray(forecast, dtype=np.float64)
    return np.maximum(tau * above, (tau - 1) * above)


def quantile_loss(outcome: npt.ArrayLike, forecast: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Twice the mean pinball loss over the levels (...), in the unit of the outcome.

    Over many equally spaced levels it is the continuous ranked probability score (Gneiting and Ranjan 2011), and of a
    forecast whose quantiles are all alike, at levels symmetric about one half, the absolute error; hence the factor 2.
    """
    return 2 * pinball(outcome, forecast, levels).mean(axis=-1)


def weighted_quantile_loss(
    outcome: npt.ArrayLike, forecast: npt.ArrayLike, levels: npt.ArrayLike, size: npt.ArrayLike | None = None
) -> float:
    """Sum of the quantile losses over the sum of ``size`` (...), which is ``|outcome|`` unless given.

    With its own size it is GluonTS' ``mean_weighted_sum_quantile_loss`` (Park et al. 2022, section 4).
    """
    loss = quantile_loss(outcome, forecast, levels)
    return _ratio(loss, np.abs(np.asarray(outcome, dtype=np.float64)) if size is None else size)


def bias(outcome: npt.ArrayLike, point: npt.ArrayLike, size: npt.ArrayLike | None = None) -> float:
    """Sum of point forecast less outcome over the sum of ``size``, ``|outcome|`` unless given: positive if too high."""
    actual = np.asarray(outcome, dtype=np.float64)
    return _ratio(np.asarray(point, dtype=np.float64) - actual, np.abs(actual) if size is None else size)


def seasonal_scale(history: npt.ArrayLike, season: int) -> Floats:
    """Mean absolute error (n,) of the seasonal naive forecast within each history (n, T), ascending in time.

    Hyndman and Koehler 2006, section 3; nan for a series without two values a season apart.
    """
    past = np.asarray(history, dtype=np.float64)
    return known_mean(np.abs(past[:, season:] - past[:, :-season]), axis=1)


def floored(scale: npt.ArrayLike, floor: float = 1.0) -> tuple[Floats, int]:
    """The scale, nowhere under ``floor``, and how many series had less: a constant series would divide by 0."""
    given = np.asarray(scale, dtype=np.float64)
    return np.maximum(given, floor), int((given < floor).sum())


def scaled_quantile_loss(
    outcome: npt.ArrayLike, forecast: npt.ArrayLike, levels: npt.ArrayLike, scale: npt.ArrayLike
) -> float:
    """Quantile loss over the scale, averaged over each series' horizons and then over series.

    Twice ``scaled_mqloss`` of utilsforecast, for the factor 2 of `quantile_loss`.
    """
    return _scaled(quantile_loss(outcome, forecast, levels), scale)


def mase(outcome: npt.ArrayLike, point: npt.ArrayLike, scale: npt.ArrayLike) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006): outcome and point (n, h)."""
    return _scaled(np.abs(np.asarray(outcome, dtype=np.float64) - np.asarray(point, dtype=np.float64)), scale)


def interval_score(outcome: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, alpha: float) -> Floats:
    """Width of the central 1 - alpha interval, and 2/alpha times how far the outcome lies outside (...).

    Gneiting and Raftery 2007, equation 43.
    """
    y, under, over = (np.asarray(each, dtype=np.float64) for each in (outcome, low, high))
    return over - under + 2 / alpha * (np.maximum(under - y, 0) + np.maximum(y - over, 0))


def msis(
    outcome: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, alpha: float, scale: npt.ArrayLike
) -> float:
    """Mean scaled interval score (Makridakis, Spiliotis and Assimakopoulos 2020): outcome, low and high (n, h)."""
    return _scaled(interval_score(outcome, low, high, alpha), scale)


def inside(outcome: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> Floats:
    """1 where the outcome lies within the interval, its ends included, 0 where outside (...)."""
    y = np.asarray(outcome, dtype=np.float64)
    within = (y >= np.asarray(low)) & (y <= np.asarray(high))
    return np.where(np.isnan(y), np.nan, within)


def coverage(outcome: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> float:
    """Share of the outcomes within their interval."""
    return float(known_mean(inside(outcome, low, high)))


def pit_cdf(outcome: npt.ArrayLike, forecast: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Distribution function of each outcome's probability integral transform, at the levels (..., q).

    Of a forecast that is calibrated its mean over outcomes is the level. An outcome between two quantiles adds what
    counting it as under the upper one adds. One that equals quantiles is a jump of the forecast's distribution, over
    which the transform is spread evenly (Czado, Gneiting and Held 2009, equation 2), so that a forecast that is sure,
    and right, is calibrated too.
    """
    y, tau = np.asarray(outcome, dtype=np.float64)[..., None], np.asarray(levels, dtype=np.float64)
    given, edges = np.asarray(forecast, dtype=np.float64), np.concatenate([[0.0], tau, [1.0]])
    least = edges[(given < y).sum(axis=-1, keepdims=True)]
    most = edges[(given <= y).sum(axis=-1, keepdims=True) + 1]
    return np.where(np.isnan(y), np.nan, np.clip((tau - least) / (most - least), 0, 1))


def pit_deviation(cdf: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Mean distance over the levels between the PIT's distribution, a mean of `pit_cdf` (..., q), and the uniform's.

    The mean absolute calibration error (Chung et al. 2021, "Beyond pinball loss", section 2).
    """
    return np.abs(np.asarray(cdf, dtype=np.float64) - np.asarray(levels, dtype=np.float64)).mean(axis=-1)


def _ratio(part: Floats, size: npt.ArrayLike) -> float:
    """Sum of the part over the sum of its size, both where the part is known; nan where that is 0."""
    known = ~np.isnan(part)
    whole = np.sum(np.broadcast_to(np.asarray(size, dtype=np.float64), part.shape), where=known)
    return float(np.sum(part, where=known) / whole) if whole > 0 else float("nan")


def _scaled(errors: Floats, scale: npt.ArrayLike) -> float:
    """Errors (n, h) over the scale (n,): the mean over series of each one's mean, so that gaps weigh nothing."""
    return float(known_mean(known_mean(errors, axis=1) / np.asarray(scale, dtype=np.float64)))
