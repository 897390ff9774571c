"""Logistic regression on scattering features, without privacy."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method

BATCH, EPOCHS, LEARNING_RATE = 256, 12, 0.3


def vector(features: Tensor) -> Tensor:
    """One image's features, normalized by groups of three channels, as a vector of length one."""
    x = functional.group_norm(features.float()[None], len(features) // 3).flatten()
    return x / x.numel() ** 0.5


def logits(parameters: Any, x: Tensor) -> Tensor:
    """The linear head."""
    return functional.linear(x, parameters["weight"], parameters["bias"])


def probabilities(parameters: Any, features: Tensor) -> Tensor:
    """The probability of each class, of one image's features."""
    return logits(parameters, vector(features)).softmax(0)


class ScatteringLogistic(Method):
    """Softmax regression on scattering features by Adam (Oyallon and Mallat 2015): what a linear head reaches.

    Not private.
    """

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    features = "scattering"

    def fit(self, train: Any, budget: Budget) -> None:
        """Train the head."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        coins = torch.Generator().manual_seed(budget.seed)
        features, label = torch.from_numpy(np.array(train.features)), torch.tensor(train.labels)
        head = {"weight": torch.zeros(len(train.classes), features[0].numel(), requires_grad=True),
                "bias": torch.zeros(len(train.classes), requires_grad=True)}
        optimizer = torch.optim.Adam(head.values(), lr=LEARNING_RATE)
        steps = EPOCHS * -(-train.n // BATCH)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
        for _ in range(steps):
            rows = torch.randint(train.n, (BATCH,), generator=coins)
            optimizer.zero_grad()
            functional.cross_entropy(logits(head, torch.func.vmap(vector)(features[rows])), label[rows]).backward()
            optimizer.step()
            falling.step()
        self.head = {name: value.detach() for name, value in head.items()}

    def model(self) -> Any:
        """Hand over the head on features normalized."""
        return probabilities, self.head

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        mapped = torch.func.vmap(probabilities, (None, 0), chunk_size=1024)
        return mapped(self.head, torch.from_numpy(np.array(query.features))).double().numpy()
