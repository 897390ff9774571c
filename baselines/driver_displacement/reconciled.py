"""Forecasts of states, occupations and the nation that add up."""

from typing import Any

import numpy as np
from statsforecast.models import AutoETS

from fourfold.baselines.driver_displacement.stock import Floats, histories, no_less_than_none
from fourfold.baselines.driver_displacement.univariate import YEARS, seasonal_factors, with_errors
from fourfold.suite import Budget, Method

KEPT = 24
"""The last one-step errors, from which the covariance of all errors is estimated."""


def summing(series: tuple[str, ...]) -> Floats:
    """The matrix (nodes, n) that sums series to all of them, to the first and to the last word of their names, and to
    themselves: nation, state, occupation and series of ``CA truck``.
    """
    names = [name.split() for name in series]
    rows = [np.ones(len(series))]
    for column in ([each[0] for each in names], [each[-1] for each in names]):
        words = sorted(set(column)) if len(set(column)) < len(series) else []
        rows += [np.array([float(each == word) for each in column]) for word in words]
    return np.concatenate([np.stack(rows), np.eye(len(series))])


def shrunk(errors: Floats) -> Floats:
    """Covariance (nodes, nodes) of errors (nodes, t), its correlations drawn towards 0 by as much as they are noise.

    Schaefer and Strimmer 2005, section 2.4, the estimator of MinT-shrink.
    """
    scale = np.maximum(np.sqrt(np.mean(errors**2, axis=1)), 1e-6)
    z = errors / scale[:, None]
    t = z.shape[1]
    correlation = z @ z.T / t
    noise = ((z**2 @ (z**2).T) / t - correlation**2) / max(t - 1, 1)
    apart = ~np.eye(len(z), dtype=bool)
    weight = np.clip(noise[apart].sum() / max(float((correlation[apart] ** 2).sum()), 1e-12), 0.01, 1.0)
    return scale[:, None] * np.where(apart, (1 - weight) * correlation, 1.0) * scale


def reconcile(forecast: Floats, sums: Floats, covariance: Floats) -> Floats:
    """The series' forecasts (n, h) that minimize the trace of the errors' covariance, of those of all nodes (nodes, h).

    MinT: Wickramasuriya, Athanasopoulos and Hyndman 2019, equation 9.
    """
    weighted = np.linalg.solve(covariance, sums)
    return np.asarray(np.linalg.solve(sums.T @ weighted, weighted.T @ forecast))


class ReconciledETS(Method):
    """ETS of the nation, states, occupations and series, reconciled by MinT-shrink (Wickramasuriya et al. 2019).

    Each series keeps the spread of its own quantiles around the reconciled median. Series whose names say neither state
    nor occupation have their sum above them alone.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Forecast all nodes and make them agree."""
        past, sums = histories(self.train, query), summing(query.series)
        parts = [self.target(past[:, target], sums, query, query.season if target == 0 else 1)
                 for target in range(past.shape[1])]
        return no_less_than_none(np.stack(parts, axis=1))

    def target(self, past: Floats, sums: Floats, query: Any, season: int) -> Floats:
        """Quantiles (n, h, q) of one target."""
        known = ~np.isnan(past)
        ends = np.flatnonzero(known.any(axis=0))
        if not len(ends):
            return np.zeros((len(past), query.horizon, len(query.quantiles)))
        ahead = past.shape[1] - 1 - ends[-1]
        whole = sums @ np.stack([_even(row)[: ends[-1] + 1] for row in past])
        nodes = [node(y, ahead + query.horizon, query.quantiles, season) for y in whole]
        base = np.stack([forecast[ahead:] for forecast, _ in nodes])
        middle = base[:, :, base.shape[2] // 2]
        covariance = shrunk(np.stack([errors[-KEPT:] for _, errors in nodes]))
        moved = reconcile(middle, sums, covariance) - middle[-len(past) :]
        return base[-len(past) :] + moved[..., None]


def node(y: Floats, horizon: int, quantiles: Floats, season: int) -> tuple[Floats, Floats]:
    """Quantiles (h, q) of one node by ETS, as ``statistical.ETS`` makes them, and its one-step errors (T,)."""
    y = y[-YEARS * season :] if season > 1 else y
    factor = seasonal_factors(y, season)
    model = AutoETS(season_length=1, model="AZN")
    made, errors = with_errors(model, y / np.resize(factor, len(y)), horizon, quantiles)
    back = np.resize(np.roll(factor, -len(y)), horizon)
    return made * back[:, None], errors * np.resize(factor, len(y))


def _even(past: Floats) -> Floats:
    """One series (T,) without gaps: straight lines within, its first and last known values beyond them, else 0."""
    known = np.flatnonzero(~np.isnan(past))
    if not len(known):
        return np.zeros(len(past))
    return np.interp(np.arange(len(past)), known, past[known])
