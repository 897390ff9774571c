"""Classical models of one series at a time, chosen by information criteria: statsforecast's, their search bounded.

Hyndman and Khandakar 2008, "Automatic time series forecasting: the forecast package for R". A season is taken out of
head-counts first, so that no model has one to search for; see ``univariate``.
"""

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from statsforecast.models import ARIMA, AutoARIMA, AutoETS, AutoTheta

from fourfold.baselines.driver_displacement.stock import Floats
from fourfold.baselines.driver_displacement.univariate import Model, forecast_each
from fourfold.suite import Budget, Method

SEARCHED = 6
"""Histories of a target for which an order of ARIMA is searched: the largest ones."""


def ets_models(histories: list[Floats]) -> list[Model]:
    """Exponential smoothing with additive errors: of no trend, a trend or a damped one, by AICc."""
    return [AutoETS(season_length=1, model="AZN") for _ in histories]


def theta_models(histories: list[Floats]) -> list[Model]:
    """The four Theta models, standard or optimized, static or dynamic, by squared error."""
    return [AutoTheta(season_length=1) for _ in histories]


def arima_models(histories: list[Floats]) -> list[Model]:
    """ARIMA of an order that AutoARIMA found: for the largest series their own, for others the most frequent one."""
    sizes = np.array([y[-1] for y in histories])
    orders = {place: _order(histories[place]) for place in np.argsort(-sizes, kind="stable")[:SEARCHED]}
    frequent = Counter(orders.values()).most_common(1)[0][0] if orders else _WALK
    return [_ARIMA(*orders.get(place, frequent)) for place in range(len(histories))]


Order = tuple[tuple[int, int, int], bool]
_WALK: Order = ((0, 1, 0), False)


def _order(y: Floats) -> Order:
    """(p, d, q) and whether there is a drift, by a stepwise search from p = 1 and q = 0."""
    try:
        found = AutoARIMA(season_length=1, start_p=1, start_q=0, method="CSS").fit(y / np.std(y)).model_
    except Exception:  # A history too short, or too even, to search on.
        return _WALK
    p, q, d = (int(found["arma"][place]) for place in (0, 1, 5))
    return (p, d, q), "drift" in found["coef"]


class _ARIMA:
    """ARIMA whose parameters minimize the conditional sum of squares, and whose forecasts are the Kalman filter's."""

    def __init__(self, order: tuple[int, int, int], drift: bool) -> None:
        self.order, self.drift = order, drift

    def forecast(self, y: Floats, h: int, level: list[int], fitted: bool) -> Any:
        """As statsforecast's: its own, after a fit by that method, starts the filter from nothing known."""
        model = partial(ARIMA, order=self.order, season_length=1, include_drift=self.drift)
        unit = float(np.std(y))  # The optimizer's steps suit values near 1.
        coefficients = model(method="CSS").fit(y / unit).model_["coef"]
        found = model(fixed=dict(coefficients)).forecast(y=y / unit, h=h, level=level, fitted=fitted)
        return {name: unit * np.asarray(values) for name, values in found.items()}


class ETS(Method):
    """Exponential smoothing, its trend chosen for each series (AutoETS; Hyndman et al. 2002).

    Errors are additive, and a season is taken out beforehand: 3 models instead of 15.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Smooth each series."""
        return forecast_each(self.train, query, ets_models)


class BoundedARIMA(Method):
    """ARIMA, its order searched for the largest six series of a target; the others have the most frequent one found.

    Orders by AICc, stepwise from (1, d, 0) (AutoARIMA; Hyndman and Khandakar 2008); parameters by conditional sums of
    squares, for each series. A season is taken out beforehand.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Search few orders and fit all series."""
        return forecast_each(self.train, query, arima_models)


class Theta(Method):
    """The Theta method, its variant chosen for each series (AutoTheta; Fiorucci et al. 2016)."""

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Fit each series."""
        return forecast_each(self.train, query, theta_models)


class MedianEnsemble(Method):
    """The median, quantile by quantile, of ETS, ARIMA and Theta (Petropoulos and Svetunkov 2020, fourth in M4)."""

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Take the median of the three."""
        members = (forecast_each(self.train, query, models) for models in (ets_models, arima_models, theta_models))
        return np.median(np.stack(list(members)), axis=0)
