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

    A column that spans 500 or more is money, whose records crowd near zero: it is scaled by its signed logarithm.
    No record has a say in any of it, so it spends no privacy.
    """
    low, high = bounds.T
    wide = high - low >= 500
    values, low, high = (np.where(wide, np.sign(v) * np.log1p(np.abs(v)), v) for v in (features, low, high))
    flag = (low == 0) & (high == 1)
    middle, half = np.where(flag, 0, (low + high) / 2), np.where(flag, 1, np.maximum(high - low, 1e-9) / 2)
    return torch.tensor((values - middle) / half, dtype=torch.float32)


def noisy_descent(x: torch.Tensor, y: torch.Tensor, noise: float, coins: torch.Generator) -> list[torch.Tensor]:
    """Fit a logistic regression by noisy steps from zero; return weights and bias, averaged over the later half."""
    model = GradSampleModule(nn.Linear(x.shape[1], 1))
    for weights in model.parameters():
        nn.init.zeros_(weights)
    optimizer = DPOptimizer(torch.optim.Adam(model.parameters(), lr=LEARNING_RATE), noise_multiplier=noise,
                            max_grad_norm=CLIP, expected_batch_size=SAMPLE_RATE * len(x), generator=coins)
    means = [torch.zeros_like(weights) for weights in model.parameters()]
    for step in range(STEPS):
        batch = torch.rand(len(x), generator=coins) < SAMPLE_RATE  # a coin a record: Poisson sampling
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(x[batch])[:, 0], y[batch]).backward()
        optimizer.step()
        if step >= STEPS // 2:
            for mean, weights in zip(means, model.parameters(), strict=True):
                mean += weights.detach() / (STEPS - STEPS // 2)
    return means


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
        """Find the noise that the budget asks for and train with it; with none asked for, train without."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        x, y = public_scale(train.features, train.bounds), torch.tensor(train.label, dtype=torch.float32)
        noise = 0.0
        with warnings.catch_warnings():
            # Opacus remarks on the first guesses of its search, torch on an input that needs no gradient.
            warnings.filterwarnings("ignore", "Optimal order is the largest|Full backward hook is firing")
            if budget.epsilon < math.inf:
                noise = get_noise_multiplier(
                    target_epsilon=budget.epsilon, target_delta=budget.delta, sample_rate=SAMPLE_RATE, steps=STEPS,
                    accountant="prv", epsilon_tolerance=0.02 * budget.epsilon)
                self.ledger.subsampled_gaussian(noise, SAMPLE_RATE, STEPS)
            # Whoever knows the seed can take the noise away: outside a benchmark, draw it and tell nobody.
            self.weights = noisy_descent(x, y, noise, torch.Generator().manual_seed(budget.seed))

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        margin = functional.linear(public_scale(query.features, query.bounds), *self.weights)[:, 0]
        return torch.sigmoid(margin).double().numpy()
