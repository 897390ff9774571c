"""Forecasts whose intervals are widened, or narrowed, until they cover what they say, on outcomes kept for that."""

from typing import Any

import numpy as np
from lightgbm import Booster

from fourfold.baselines.driver_displacement import boosted_quantiles, examples
from fourfold.baselines.driver_displacement.drifting import drift
from fourfold.baselines.driver_displacement.stock import Floats, histories, no_less_than_none
from fourfold.suite import Budget, Method

ORIGINS = 24
"""Past origins at most on which a forecast from its own past is calibrated."""


def widening(quantiles: Floats, forecast: Floats, outcome: Floats, scale: Floats) -> Floats:
    """How far each quantile (q,) is to move, in units of ``scale``, for its interval to cover what it says.

    forecast: (m, q) on m outcomes (m,) that it has not learnt from, NaN where unknown, and scale (m,). An interval's
    score is by how much the outcome lies outside of it, negative within; it is widened by the (1 - a)(1 + 1/m) quantile
    of these scores (conformalized quantile regression: Romano, Patterson and Candes 2019, equations 6 to 8).
    """
    known = ~np.isnan(outcome) & ~np.isnan(forecast).any(axis=1)
    y, made, unit = outcome[known], forecast[known], scale[known]
    moved, last = np.zeros(len(quantiles)), len(quantiles) - 1
    for low in range(len(quantiles) // 2 if len(y) else 0):
        outside = np.maximum(made[:, low] - y, y - made[:, last - low]) / unit
        level = min(1.0, (quantiles[last - low] - quantiles[low]) * (1 + 1 / len(y)))
        moved[last - low] = np.quantile(outside, level, method="higher")
        moved[low] = -moved[last - low]
    return moved


def widened(forecast: Floats, moved: Floats, scale: Floats) -> Floats:
    """The forecast (m, q) with its quantiles moved; an interval narrowed past its middle is that point."""
    half = len(moved) // 2
    made, middle = forecast + scale[:, None] * moved, forecast[:, [half]]
    return np.concatenate([np.minimum(made[:, :half], middle), middle, np.maximum(made[:, half + 1 :], middle)], axis=1)


class ConformalDrift(Method):
    """The random walk with drift, its intervals conformalized on its own forecasts from earlier origins.

    Scores are in units of each series' spread at the horizon and pooled over series, horizon by horizon (Romano et al.
    2019). As origins are not exchangeable, coverage is not guaranteed.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Forecast earlier origins, see what came, and forecast."""
        past = histories(self.train, query)
        parts = [self.calibrated(past[:, target], query) for target in range(past.shape[1])]
        return no_less_than_none(np.stack(parts, axis=1))

    def calibrated(self, past: Floats, query: Any) -> Floats:
        """Quantiles (n, h, q) of one target."""
        known = np.flatnonzero(~np.isnan(past).all(axis=0))
        blind = past.shape[1] - 1 - (known[-1] if len(known) else 0)
        ahead = query.horizon + blind
        made = drift(past[:, : past.shape[1] - blind], ahead, query.quantiles)
        origins = [origin for origin in range(known[0] + 2, known[-1]) if origin >= 3][-ORIGINS:] if len(known) else []
        before = [drift(past[:, : origin + 1], ahead, query.quantiles) for origin in origins]
        for step in range(blind, ahead):
            over = [place for place, origin in enumerate(origins) if origin + 1 + step < past.shape[1]]
            if over:
                forecast = np.concatenate([before[place][:, step] for place in over])
                outcome = np.concatenate([past[:, origins[place] + 1 + step] for place in over])
                moved = widening(query.quantiles, forecast, outcome, _spread(forecast))
                made[:, step] = widened(made[:, step], moved, _spread(made[:, step]))
        return made[:, blind:]


def _spread(forecast: Floats) -> Floats:
    """The width of the widest interval, and of none less than a thousandth of the middle."""
    return np.maximum(forecast[:, -1] - forecast[:, 0], 1e-3 * np.abs(forecast[:, forecast.shape[1] // 2]) + 1.0)


def _came(target: Floats, origin: int, horizon: int) -> Floats:
    """Outcomes (h, n) after an origin; NaN beyond the last known one."""
    whole = np.full((horizon, len(target)), np.nan)
    after = target[:, origin + 1 : origin + 1 + horizon].T
    whole[: len(after)] = after
    return whole


class ConformalLightGBM(Method):
    """LightGBM's quantiles, conformalized on origins, or on public worlds, that it has not learnt from.

    Split conformal (Romano et al. 2019), in units of the width forecast and horizon by horizon: a quarter of the public
    worlds, or where there are none, the outcomes of the last two horizons,
    after which it learns from those too.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    rounds: int = 60

    def fit(self, train: Any, budget: Budget) -> None:
        """Learn from most of the public worlds, and calibrate on the others."""
        self.train = train
        if len(train.headcount) > 1:
            given = examples.worlds(train)
            kept = -(-len(given) // 4)
            self.models = self.learn(given[kept:], train)
            periods = train.headcount.shape[2]
            origins = range(periods // 2, periods - train.horizon, train.season)
            self.moved = self.calibrate(given[:kept], list(origins), train)

    def learn(self, given: list[examples.World], of: Any) -> list[list[Booster]]:
        """Trees for each target and quantile."""
        threads = max(1, int(self.budget.cpus))
        return boosted_quantiles.trees(given, of, self.rounds, self.budget.seed, threads)

    def calibrate(self, given: list[examples.World], origins: list[int], of: Any) -> Floats:
        """How far each quantile is to move, (targets, h, q)."""
        moved = np.zeros((len(of.targets), of.horizon, len(of.quantiles)))
        for target, models in enumerate(self.models):
            over = [(world, origin) for world in given for origin in origins]
            made = [boosted_quantiles.predicted(models, world, origin, target, of.horizon) for world, origin in over]
            came = [_came(world.targets[:, target], origin, of.horizon) for world, origin in over]
            forecast, outcome = np.concatenate(made, axis=1), np.concatenate(came, axis=1)
            for step in range(of.horizon):
                moved[target, step] = widening(of.quantiles, forecast[step], outcome[step], _spread(forecast[step]))
        return moved

    def predict(self, query: Any) -> Floats:
        """Forecast, and move the quantiles."""
        here = examples.asked(self.train, query)
        if query.world < 0:
            self.recalibrate(here, query)
        last, parts = query.headcount.shape[1] - 1, []
        for target, models in enumerate(self.models):
            made = boosted_quantiles.predicted(models, here, last, target, query.horizon)
            moved = zip(made, self.moved[target], strict=True)
            parts.append([widened(each, by, _spread(each)) for each, by in moved])
        return no_less_than_none(np.moveaxis(np.array(parts), 2, 0))

    def recalibrate(self, here: examples.World, query: Any) -> None:
        """Learn from what is known at an origin but its end, calibrate on that, and learn from all."""
        last = query.headcount.shape[1] - 1
        kept = min(2 * query.horizon, last // 3)
        self.models = self.learn([examples.until(here, last - kept)], query)
        self.moved = self.calibrate([here], list(range(last - kept, last)), query)
        self.models = self.learn([here], query)
