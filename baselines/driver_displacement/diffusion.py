"""Bass' law of diffusion, fitted to the jobs lost so far of all states together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.baselines.driver_displacement.stock import Floats, displaced_stock, no_less_than_none
from fourfold.suite import Budget, Method
from fourfold.tasks.driver_displacement import naive

_P = np.geomspace(0.0005, 0.02, 10)
_Q = np.geomspace(0.05, 0.9, 14)
"""Rates a year among which those of an occupation are searched."""
BLIND = 4
"""Periods before the last known ones at which the forecast is tried, to see how far off it is."""


def bass(years: Floats, p: Floats, q: Floats) -> Floats:
    """Share of adopters, of innovators at the rate p a year and imitators at q (Bass 1969, equation 9)."""
    fallen = np.exp(-(p + q) * np.maximum(years, 0))
    return (1 - fallen) / (1 + q / p * fallen)


def diffused(
    rate: Floats, size: Floats, launch: Floats, kind: npt.NDArray[np.str_], season: int, ahead: int, noise: float
) -> Floats:
    """Shares of jobs lost (n, T + ahead) by Bass' law: rate (n, T), NaN where unknown, is what is known of them.

    size: (n,) jobs; launch: (n,) the period before the first of service; kind: (n,) occupations, each of which has a p
    and a q, while every series has a ceiling of its own: the least squares' one, drawn towards that of its occupation
    by as much as the ``noise`` (in jobs) of a known value makes it uncertain.
    """
    periods = rate.shape[1] + ahead
    years = (np.arange(periods) - launch[:, None]) / season
    answer = np.zeros((len(rate), periods))
    for each in np.unique(kind):
        rows = kind == each
        share = np.stack([bass(years[rows], p, q) for p in _P for q in _Q])  # (grid, n, T + ahead)
        seen = np.where(np.isnan(rate[rows]), 0.0, 1.0) * size[rows, None] ** 2
        target = np.nan_to_num(rate[rows])
        cross = np.einsum("gnt,nt->gn", share[..., : rate.shape[1]], seen * target)
        square = np.einsum("gnt,nt->gn", share[..., : rate.shape[1]] ** 2, seen)
        pooled = cross.sum(axis=1, keepdims=True) / np.maximum(square.sum(axis=1, keepdims=True), 1e-9)
        spread = np.maximum(0.1 * pooled, 1e-6)  # Ceilings of one occupation lie some tenths apart.
        prior = max(noise, 1.0) ** 2 / spread**2
        ceiling = np.clip((cross + prior * pooled) / (square + prior), 0.0, 1.0)
        loss = (seen * (target - ceiling[..., None] * share[..., : rate.shape[1]]) ** 2).sum(axis=(1, 2))
        best = int(np.argmin(loss))
        answer[rows] = ceiling[best][:, None] * share[best]
    return answer


def forecast_displaced(stock: Floats, query: Any, noise: float = 1.0) -> Floats:
    """Quantiles (n, h, q) of the jobs lost: what is known last, and on from there as Bass' law has it.

    stock: (n, T), NaN where unknown; noise: the deviation of its values. The quantiles are those of the errors that the
    same forecast would have made BLIND periods earlier, in units of what was forecast to be lost and of what chance
    makes of it, and grow with the root of the time.
    """
    known = np.flatnonzero(~np.isnan(stock).all(axis=0))
    if not len(known):
        return naive.persist(stock, query.horizon, query.quantiles)
    last, then = known[-1], known[max(0, np.searchsorted(known, known[-1] - BLIND, side="right") - 1)]
    size = np.maximum(naive.naive(query.headcount, 1, np.array([0.5]))[:, 0, 0], 1.0)
    launch, kind = _launch(stock, query), np.array([name.split()[-1] for name in query.series])

    def grown(origin: int, end: int) -> Floats:
        """Jobs lost from an origin to each period until ``end``, (n, end - origin)."""
        seen = stock[:, : origin + 1] / size[:, None]
        curve = diffused(seen, size, launch, kind, query.season, end - origin, noise)
        return size[:, None] * (curve[:, origin + 1 :] - curve[:, [origin]])

    chance = np.sqrt(size) + noise
    spread = np.zeros(len(query.quantiles))
    if then < last:
        tried = grown(then, last)[:, -1]
        missed = (stock[:, last] - stock[:, then] - tried) / (np.abs(tried) + chance)
        spread = np.quantile(missed[size >= np.median(size)], query.quantiles)
    ahead = stock.shape[1] - last + np.arange(query.horizon)
    growth = grown(last, last + ahead[-1])[:, ahead - 1]
    unit = (np.abs(growth) + chance[:, None]) * np.sqrt(np.maximum(ahead / max(last - then, 1), 1))
    return (stock[:, [last]] + growth)[..., None] + unit[..., None] * spread


def _launch(stock: Floats, query: Any) -> Floats:
    """The period before service begins, (n,): as announced, else before the first job lost."""
    if "launched" in query.known_names:
        launched = query.known[query.known_names.index("launched")]
        return np.where(launched[:, -1] > 0, launched.shape[1] - 1 - launched[:, -1], launched.shape[1])
    return np.argmax(np.nan_to_num(stock) > 0, axis=1).astype(np.float64)


def both(query: Any, displaced: Floats | None) -> Floats:
    """Naive head-counts, less what more is forecast to be lost, beside the jobs lost: (n, targets, h, q)."""
    heads = naive.naive(query.headcount, query.horizon, query.quantiles)
    return no_less_than_none(np.stack([heads] if displaced is None else [heads, displaced], axis=1))


class BassDiffusion(Method):
    """Jobs lost grow from each state's launch by Bass' law (1969), an occupation's rates pooled over states.

    Rates are found on a grid, ceilings by least squares; quantiles from the errors of a year ago. Head-counts are
    Naive's, and so is all where no jobs lost are to be forecast.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Fit the curves and follow them."""
        lost = "displaced" in query.targets
        return both(query, forecast_displaced(displaced_stock(self.train, query), query) if lost else None)
