"""A small neural network that learns quantiles across all series, origins and horizons."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.baselines.driver_displacement import examples
from fourfold.baselines.driver_displacement.stock import Floats, no_less_than_none
from fourfold.suite import Budget, Method

EXAMPLES, BATCH, WIDTH, LEARNING_RATE, DECAY = 20_000, 256, 64, 2e-3, 0.01


class _Network(nn.Module):
    """A median and gaps above and below it, none negative: quantiles (b, q) that cannot cross."""

    def __init__(self, features: int, quantiles: int) -> None:
        super().__init__()
        self.middle = quantiles // 2
        self.layers = nn.Sequential(
            nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, quantiles))

    def forward(self, x: Tensor) -> Tensor:
        out = self.layers(x)
        median, gaps = out[:, self.middle : self.middle + 1], functional.softplus(out)
        below = median - gaps[:, : self.middle].flip(1).cumsum(1).flip(1)
        return torch.cat([below, median, median + gaps[:, self.middle + 1 :].cumsum(1)], dim=1)


class _Fitted:
    """A trained network of changes in units of their spread, and what its columns are standardized by."""

    def __init__(self, table: examples.Examples, came: Floats, quantiles: Floats, epochs: int, seed: int) -> None:
        self.columns = np.flatnonzero(~np.isnan(table.features).all(axis=0))
        features = table.features[:, self.columns]
        self.centre = np.nanmedian(features, axis=0)
        self.deviation = np.maximum(np.nanstd(features, axis=0), 1e-6)
        coins = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.network = _Network(len(self.columns), len(quantiles))
        x, q = self.ready(table.features), torch.tensor(quantiles, dtype=torch.float32)
        unit = np.mean(table.spread)
        y, spread = (torch.tensor(column / unit, dtype=torch.float32) for column in (came, table.spread))
        steps = -(-epochs * len(x) // BATCH)
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
        for _ in range(steps):
            rows = torch.randint(len(x), (BATCH,), generator=coins)
            error = y[rows, None] - spread[rows, None] * self.network(x[rows])
            optimizer.zero_grad()
            torch.maximum(q * error, (q - 1) * error).mean().backward()  # Koenker and Bassett 1978.
            optimizer.step()
            falling.step()

    def ready(self, features: Floats) -> Tensor:
        """Columns standardized and cut at five deviations; 0 where unknown."""
        scaled = np.clip((features[:, self.columns] - self.centre) / self.deviation, -5, 5)
        return torch.tensor(np.nan_to_num(scaled), dtype=torch.float32)

    def __call__(self, table: examples.Examples) -> Floats:
        """Quantiles (m, q) of (outcome - base) / scale."""
        with torch.no_grad():
            return table.spread[:, None] * self.network(self.ready(table.features)).double().numpy()


class QuantileNetwork(Method):
    """A network of two layers of 64 on lags and covariates, trained with the pinball loss (after Wen et al. 2017).

    One network a target for all series and horizons. It learns from the public worlds where there are any, else at each
    origin from what was known there.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    epochs: int = 20

    def fit(self, train: Any, budget: Budget) -> None:
        """Learn from the public worlds."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        self.train = train
        if len(train.headcount) > 1:
            self.networks = self.learn(examples.worlds(train), train)

    def learn(self, given: Sequence[examples.World], of: Any) -> list[_Fitted]:
        """A network for each target."""
        rng, networks = np.random.default_rng(self.budget.seed), []
        for target in range(len(of.targets)):
            table, came = examples.drawn(given, target, of.horizon, EXAMPLES, rng)
            networks.append(_Fitted(table, came, of.quantiles, self.epochs, self.budget.seed))
        return networks

    def predict(self, query: Any) -> Floats:
        """Forecast all series."""
        here = examples.asked(self.train, query)
        if query.world < 0:
            self.networks = self.learn([here], query)
        parts = []
        for target, network in enumerate(self.networks):
            table = examples.at_origin(here, query.headcount.shape[1] - 1, target, query.horizon)
            whole = np.nan_to_num(table.base)[:, None] + table.scale[:, None] * network(table)
            parts.append(whole.reshape(query.horizon, len(query.series), -1).transpose(1, 0, 2))
        return no_less_than_none(np.stack(parts, axis=1))
