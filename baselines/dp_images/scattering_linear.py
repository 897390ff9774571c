"""A linear classifier on normalized scattering features, private by DP-SGD."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method
from fourfold.suite.descent import descend

CLIP, MOMENTUM, AVERAGED = 0.1, 0.9, 0.3
FASTEST = 16.0  # learning rate
CHANNELS = 3  # Channels to a normalization group: 27 groups of the 81 channels that scattering makes of one.


def normalized(_: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """Group normalization of one image's features, (channels, h, w), as a vector; it looks at no other image."""
    return functional.group_norm(features.float()[None], len(features) // CHANNELS)[0].flatten()


def logits(parameters: Mapping[str, Tensor], vector: Tensor) -> Tensor:
    """The linear head."""
    return functional.linear(vector, parameters["weight"], parameters["bias"])


def loss(parameters: Mapping[str, Tensor], vector: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of one record."""
    return functional.cross_entropy(logits(parameters, vector), label)


def probabilities(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """The probability of each class, of one image."""
    return logits(parameters, normalized(parameters, features)).softmax(0)


class ScatteringLinear(Method):
    """Linear softmax head on group-normalized scattering features by DP-SGD with momentum (Tramèr and Boneh 2021).

    The features depend on no other image, so all of the budget goes into the head.
    """

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "scattering"
    sample_rate: float = 0.125
    steps: int = 320
    spread: float = 6.0  # to which all noise together moves a logit

    def fit(self, train: Any, budget: Budget) -> None:
        """Normalize each record by itself and train the head."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        curator = self.curator(train)
        curator.transform(normalized)
        shapes = {"weight": (len(train.classes), *curator.shapes[0]), "bias": (len(train.classes),)}
        head = {name: torch.zeros(shape, device=budget.device, requires_grad=True) for name, shape in shapes.items()}
        noise = CLIP * curator.noise_multiplier(self.sample_rate, self.steps) / (self.sample_rate * curator.n)
        rate = self.learning_rate(noise, math.prod(curator.shapes[0]))
        self.head = descend(
            curator, loss, head, torch.optim.SGD(head.values(), lr=rate, momentum=MOMENTUM),
            clip=CLIP, sample_rate=self.sample_rate, steps=self.steps, averaged=AVERAGED)

    def learning_rate(self, noise: float, inputs: int) -> float:
        """The rate at which the noise of all steps, a random walk of the weights, moves a logit by ``spread``.

        noise: the standard deviation of a gradient's entry. inputs: how many, each of unit variance, a logit sums.
        """
        walk = noise * math.sqrt(self.steps) / (1 - MOMENTUM) * math.sqrt(inputs)
        return min(FASTEST, self.spread / walk) if walk else FASTEST

    def model(self) -> Any:
        """Hand over the head on features normalized."""
        return probabilities, self.head

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        mapped = torch.func.vmap(probabilities, in_dims=(None, 0), chunk_size=1024)
        return mapped(self.head, torch.from_numpy(np.array(query.features))).double().cpu().numpy()


class VerifiedScatteringLinear(ScatteringLinear):
    """``scattering-linear`` trained through the suite: the head never meets a private record (Tramèr and Boneh 2021).

    The suite draws the batches, clips and adds the noise in a process of its own.
    """

    access = "curator"
