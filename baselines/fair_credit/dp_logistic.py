"""Logistic regression that keeps its training records private."""

import math
import warnings
from typing import Any

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.accountants.utils import get_noise_multiplier
from opacus.optimizers import DPOptimizer
from torch import nn
from torch.nn import functional

from fourfold.suite import Budget, Method

SAMPLE_RATE, STEPS, LEARNING_RATE, CLIP = 0.1, 300, 0.1, 2.0  # chosen on simulated applicants


def public_scale(features: np.ndarray, bounds: np.ndarray) -> torch.Tensor:
    """Map each column to [-1, 1] by its public bounds; flags stay 0 or 1.

    A column that spans over 100, such as money, is scaled by its signed logarithm, for its records crowd near zero.
    No record has a say in any of it, so it spends no privacy.
    """
    low, high = bounds.T
    wide = high - low > 100
    values, low, high = (np.where(wide, np.sign(v) * np.log1p(np.abs(v)), v) for v in (features, low, high))
    flag = (low == 0) & (high == 1)
    middle, half = np.where(flag, 0, (low + high) / 2), np.where(flag, 1, np.maximum(high - low, 1e-9) / 2)
    return torch.tensor((values - middle) / half, dtype=torch.float32)


class DPLogistic(Method):
    """Logistic regression by DP-SGD (Abadi et al. 2016, Opacus): Poisson batches, clipped gradients, Gaussian noise.

    Columns are scaled by their public bounds; the number of records counts as public. It never looks at the group.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True

    def fit(self, train: Any, budget: Budget) -> None:
        """Take a fixed number of noisy steps, and average the later half of them."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        coins = torch.Generator().manual_seed(budget.seed)
        noise = 0.0
        if budget.epsilon < math.inf:
            noise = get_noise_multiplier(
                target_epsilon=budget.epsilon, target_delta=budget.delta, sample_rate=SAMPLE_RATE, steps=STEPS,
                accountant="prv", epsilon_tolerance=0.02 * budget.epsilon)
            self.ledger.subsampled_gaussian(noise, SAMPLE_RATE, STEPS)
        x, y = public_scale(train.features, train.bounds), torch.tensor(train.label, dtype=torch.float32)
        model = GradSampleModule(nn.Linear(x.shape[1], 1))
        for weights in model.parameters():
            nn.init.zeros_(weights)
        optimizer = DPOptimizer(torch.optim.Adam(model.parameters(), lr=LEARNING_RATE), noise_multiplier=noise,
                                max_grad_norm=CLIP, expected_batch_size=SAMPLE_RATE * len(x), generator=coins)
        self.weights = [torch.zeros_like(weights) for weights in model.parameters()]
        for step in range(STEPS):
            batch = torch.rand(len(x), generator=coins) < SAMPLE_RATE  # a coin a record: Poisson sampling
            optimizer.zero_grad()
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Full backward hook is firing")  # its input is data
                functional.binary_cross_entropy_with_logits(model(x[batch])[:, 0], y[batch]).backward()
            optimizer.step()
            if step >= STEPS // 2:
                for mean, weights in zip(self.weights, model.parameters(), strict=True):
                    mean += weights.detach() / (STEPS - STEPS // 2)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        margin = functional.linear(public_scale(query.features, query.bounds), *self.weights)[:, 0]
        return torch.sigmoid(margin).double().numpy()
