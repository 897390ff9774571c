"""Forecasts that hardly forecast: nothing changes, nothing but the season changes, or all goes on as on average."""

from typing import Any

import numpy as np

from fourfold.baselines.driver_displacement.drifting import drift
from fourfold.baselines.driver_displacement.stock import Floats, displaced_stock, histories, no_less_than_none
from fourfold.suite import Budget, Method
from fourfold.tasks.driver_displacement import naive


class Naive(Method):
    """The last head-count and the last known stock of jobs lost, held, with a random walk's quantiles.

    It is what the losses of all others are relative to.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Hold what was last known."""
        parts = [naive.naive(query.headcount, query.horizon, query.quantiles)]
        if "displaced" in query.targets:
            parts.append(naive.persist(displaced_stock(self.train, query), query.horizon, query.quantiles))
        return np.stack(parts, axis=1)


class SeasonalNaive(Method):
    """What was last known of the same part of the year, held, with a seasonal random walk's quantiles."""

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Hold what was known a season before."""
        h, season, levels = query.horizon, query.season, query.quantiles
        parts = [naive.seasonal_naive(query.headcount, h, season, levels)]
        if "displaced" in query.targets:
            parts.append(naive.persist(displaced_stock(self.train, query), h, levels, season))
        return np.stack(parts, axis=1)


class Drift(Method):
    """A random walk that goes on by its mean change (Hyndman and Athanasopoulos 2021, section 5.2)."""

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Keep the records."""
        self.train = train

    def predict(self, query: Any) -> Floats:
        """Draw the line on."""
        past = histories(self.train, query)
        parts = [drift(past[:, target], query.horizon, query.quantiles) for target in range(past.shape[1])]
        return no_less_than_none(np.stack(parts, axis=1))
