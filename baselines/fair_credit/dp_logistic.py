"""Logistic regression that keeps its training records private."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method
from fourfold.suite.descent import descend

SAMPLE_RATE, STEPS, LEARNING_RATE, CLIP = 0.1, 300, 0.1, 2.0  # chosen on simulated applicants

Parameters = Mapping[str, Tensor]


def public_scale(bounds: np.ndarray) -> dict[str, Tensor]:
    """How ``scaled`` maps each column to [-1, 1] by its public bounds; flags stay 0 or 1.

    A column that spans 500 or more is money, whose records crowd near zero: it is scaled by its signed logarithm.
    No record has a say in any of it, so it spends no privacy.
    """
    low, high = bounds.T
    wide = high - low >= 500
    low, high = (np.where(wide, np.sign(v) * np.log1p(np.abs(v)), v) for v in (low, high))
    flag = (low == 0) & (high == 1)
    middle, half = np.where(flag, 0, (low + high) / 2), np.where(flag, 1, np.maximum(high - low, 1e-9) / 2)
    return {name: torch.tensor(value, dtype=torch.float32)
            for name, value in (("wide", wide), ("middle", middle), ("half", half))}


def scaled(parameters: Parameters, features: Tensor) -> Tensor:
    """One record's columns, (d,), by their public scale."""
    features = features.float()
    values = torch.where(parameters["wide"] > 0, features.sign() * features.abs().log1p(), features)
    return (values - parameters["middle"]) / parameters["half"]


def margin(parameters: Parameters, x: Tensor) -> Tensor:
    """The log-odds of default, of one scaled record."""
    return functional.linear(x, parameters["weight"], parameters["bias"])[0]


def loss(parameters: Parameters, x: Tensor, label: Tensor, group: Tensor) -> Tensor:
    """Cross-entropy of one record; its group has no say."""
    return functional.binary_cross_entropy_with_logits(margin(parameters, x), label.float())


def probability(parameters: Parameters, features: Tensor) -> Tensor:
    """The probability of default, of one record."""
    return torch.sigmoid(margin(parameters, scaled(parameters, features)))


class DPLogistic(Method):
    """Logistic regression by DP-SGD (Abadi et al. 2016): Poisson batches, clipped gradients, Gaussian noise.

    Columns are scaled by their public bounds; the number of records counts as public. It never looks at the group.
    """

    task = "fair-credit"
    version = "2"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True

    def fit(self, train: Any, budget: Budget) -> None:
        """Take noisy steps from zero; the answer is the mean of the later half."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        scale, curator = public_scale(np.array(train.bounds)), self.curator(train)
        curator.transform(scaled, scale)
        weights = {"weight": torch.zeros(1, len(train.bounds), requires_grad=True),
                   "bias": torch.zeros(1, requires_grad=True)}
        learnt = descend(
            curator, loss, weights, torch.optim.Adam(weights.values(), lr=LEARNING_RATE),
            clip=CLIP, sample_rate=SAMPLE_RATE, steps=STEPS, averaged=0.5)
        self.parameters = learnt | scale

    def model(self) -> Any:
        """Hand over the regression on scaled columns."""
        return probability, self.parameters

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        features = torch.from_numpy(np.array(query.features))
        return torch.func.vmap(probability, (None, 0))(self.parameters, features).double().numpy()


class VerifiedDPLogistic(DPLogistic):
    """``dp-logistic`` trained through the suite, without ever meeting a private record (Abadi et al. 2016).

    The suite draws the batches, clips and adds the noise in a process of its own.
    """

    access = "curator"
