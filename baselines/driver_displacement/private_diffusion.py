"""The diffusion model on a table of jobs lost that is released once, with the noise of differential privacy."""

from typing import Any

import numpy as np
import torch

from fourfold.baselines.driver_displacement.diffusion import both, forecast_displaced
from fourfold.baselines.driver_displacement.stock import Floats
from fourfold.suite import Budget, Method

WORLDS = 32
"""Worlds that the table has room for; which ones have records is theirs to know."""


class PrivateDiffusion(Method):
    """Bass' law (1969) on the jobs lost by world, place and year's end, released by the Gaussian mechanism.

    A worker counts for at most 1 at each year's end, so for the root of their number in all. The ceilings of small
    places, which the noise drowns, are drawn towards that of their occupation.
    """

    task = "driver-displacement"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True

    def fit(self, train: Any, budget: Budget) -> None:
        """Spend the whole budget on one noisy table."""
        self.label_lag = train.label_lag
        if not train.private:
            return
        self.ends = np.arange(train.season - 1, len(train.periods), train.season)
        curator, clip = self.curator(train), float(np.sqrt(len(self.ends)))
        noise = curator.noise_multiplier(1.0, 1)
        curator.open(sample_rate=1.0, noise_multiplier=noise, clip=clip, steps=1)
        table = counted(train, curator.draw(), self.ends)
        released = curator.release(torch.from_numpy(table).float()).double().numpy()
        self.table, self.noise = released / train.recorded, noise * clip / train.recorded

    def predict(self, query: Any) -> Floats:
        """Follow the curves fitted to the noisy table."""
        if "displaced" not in query.targets:
            return both(query, None)
        stock = np.full(query.headcount.shape, np.nan)
        ends = self.ends[self.ends < stock.shape[1] - self.label_lag]
        stock[:, ends] = self.table[query.world, :, : len(ends)]
        return both(query, forecast_displaced(stock, query, self.noise))


def counted(train: Any, rows: np.ndarray, ends: np.ndarray) -> Floats:
    """How many of the workers in ``rows`` are without their job at each of ``ends``: (WORLDS, n, ends).

    Whatever a record holds, it counts once at an end or not at all.
    """
    n = len(train.series)
    world = np.clip(train.world[rows].astype(np.int64), 0, WORLDS - 1)
    place = np.clip(train.place[rows].astype(np.int64), 0, n - 1)
    lost, returned = train.lost[rows], train.returned[rows]
    table = np.zeros((WORLDS * n, len(ends)))
    for column, end in enumerate(ends):
        out = (lost <= end) & ((returned < 0) | (returned > end))
        table[:, column] = np.bincount((world * n + place)[out], minlength=WORLDS * n)
    return table.reshape(WORLDS, n, len(ends))
