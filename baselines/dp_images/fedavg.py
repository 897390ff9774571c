"""Federated averaging with privacy for whole clients."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method

RECORDS = 10  # a client
LOCAL_STEPS, LOCAL_RATE = 2, 1.0
CLIENT_RATE, ROUNDS, CLIP, MOMENTUM = 0.125, 160, 0.5, 0.9
SPREAD = 6.0  # to which all noise together moves a logit


def vector(features: Tensor) -> Tensor:
    """One image's features, normalized by groups of three channels, as a vector of length one."""
    x = functional.group_norm(features.float()[None], len(features) // 3).flatten()
    return x / math.sqrt(len(x))


def probabilities(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """The probability of each class, of one image's features, by a linear head."""
    return functional.linear(vector(features), parameters["weight"], parameters["bias"]).softmax(0)


class DPFedAvg(Method):
    """Federated averaging with clipped, noisy client updates (McMahan et al. 2018): privacy for users, not records.

    Records are dealt to simulated clients of ten each; a client drawn takes local steps on a linear head over
    scattering features, and only its update leaves it.
    """

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "scattering"

    def fit(self, train: Any, budget: Budget) -> None:
        """Run the rounds."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        client = np.arange(train.n) // RECORDS  # The records come in random order.
        curator = self.curator(train, unit=client)
        noise = curator.noise_multiplier(CLIENT_RATE, ROUNDS)
        curator.open(sample_rate=CLIENT_RATE, noise_multiplier=noise, clip=CLIP, steps=ROUNDS)
        features, label = torch.from_numpy(np.array(train.features)), torch.tensor(train.labels)
        vectors = torch.func.vmap(vector)
        weights = torch.zeros(len(train.classes), features[0].numel() + 1)
        walk = noise * CLIP / (CLIENT_RATE * curator.n) * math.sqrt(ROUNDS) / (1 - MOMENTUM)
        rate = min(1.0, SPREAD / walk) if walk else 1.0
        velocity, mean = torch.zeros_like(weights), torch.zeros_like(weights)
        for step in range(ROUNDS):
            rows = curator.draw()
            total = torch.zeros_like(weights)
            for one in np.split(rows, np.flatnonzero(np.diff(client[rows])) + 1) if len(rows) else []:
                update = local_update(weights, vectors(features[one]), label[one])
                total += update * min(1.0, CLIP / max(float(update.norm()), 1e-12))
            update = curator.release(total, weights) / (CLIENT_RATE * curator.n)
            velocity = MOMENTUM * velocity + rate * update
            weights = weights + velocity
            mean += (weights / (ROUNDS - ROUNDS // 2)) if step >= ROUNDS // 2 else 0
        self.weights = {"weight": mean[:, :-1], "bias": mean[:, -1]}

    def model(self) -> Any:
        """Hand over the head on features normalized."""
        return probabilities, self.weights

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        mapped = torch.func.vmap(probabilities, (None, 0), chunk_size=1024)
        return mapped(self.weights, torch.from_numpy(np.array(query.features))).double().numpy()


def local_update(weights: Tensor, x: Tensor, label: Tensor) -> Tensor:
    """What a client's own steps of gradient descent change, from the common weights, (classes, inputs + 1)."""
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    local = weights.clone()
    for _ in range(LOCAL_STEPS):
        error = (x @ local.T).softmax(1) - functional.one_hot(label, len(weights))
        local -= LOCAL_RATE * error.T @ x / len(x)
    return local - weights
