"""Boosted trees, one ensemble a quantile, that learn across all series, origins and horizons."""

from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np

from fourfold.baselines.driver_displacement import examples
from fourfold.baselines.driver_displacement.stock import Floats, no_less_than_none
from fourfold.suite import Budget, Method

EXAMPLES = 20_000
"""Examples of one target at most, drawn at random."""
_FIXED = {"objective": "quantile", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20, "verbose": -1,
          "deterministic": True, "force_row_wise": True}


class LightGBMQuantiles(Method):
    """LightGBM (Ke et al. 2017) with the pinball loss: eleven quantiles of the change from the last known value.

    One model for all series and horizons, a horizon being a feature. It learns from the public worlds where there are
    any, else at each origin from what was known there; crossing quantiles are re-sorted.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    rounds: int = 60

    def fit(self, train: Any, budget: Budget) -> None:
        """Learn from the public worlds."""
        self.train, self.threads = train, max(1, int(budget.cpus))
        if len(train.headcount) > 1:
            self.models = trees(examples.worlds(train), train, self.rounds, self.budget.seed, self.threads)

    def predict(self, query: Any) -> Floats:
        """Forecast all series."""
        here = examples.asked(self.train, query)
        if query.world < 0:
            self.models = trees([here], query, self.rounds, self.budget.seed, self.threads)
        last = query.headcount.shape[1] - 1
        parts = [predicted(models, here, last, target, query.horizon) for target, models in enumerate(self.models)]
        return no_less_than_none(np.moveaxis(np.array(parts), 2, 0))


def trees(
    given: Sequence[examples.World], of: Any, rounds: int, seed: int, threads: int
) -> list[list[lightgbm.Booster]]:
    """A model for each target and quantile of ``of``, a ``Train`` or a ``Query``."""
    rng, models = np.random.default_rng(seed), []
    for target in range(len(of.targets)):
        table, came = examples.drawn(given, target, of.horizon, EXAMPLES, rng)
        data = lightgbm.Dataset(table.features, came, params={"verbose": -1}, free_raw_data=False)
        models.append([
            lightgbm.train({**_FIXED, "alpha": float(q), "seed": seed, "num_threads": threads}, data, rounds)
            for q in of.quantiles])
    return models


def predicted(
    models: Sequence[lightgbm.Booster], here: examples.World, origin: int, target: int, horizon: int
) -> Floats:
    """Quantiles (h, n, q) of one target from one origin, in order."""
    table = examples.at_origin(here, origin, target, horizon)
    change = np.stack([model.predict(table.features) for model in models], axis=1)
    whole = np.nan_to_num(table.base)[:, None] + table.scale[:, None] * np.sort(change, axis=1)
    return whole.reshape(horizon, -1, len(models))
