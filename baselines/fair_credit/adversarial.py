"""A network that learns to score while another one tries to tell the group from its scores."""

from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from fourfold.suite import Budget, Method

EPOCHS, BATCHES = 20, 50


class Adversarial(Method):
    """A small network trained against an adversary that guesses the group from score and label (Zhang et al. 2018).

    An adversary that fails means equalized odds. The method sees the group while it learns, not when it scores.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    weight: float = 1.0  # of the adversary's loss against the predictor's

    def fit(self, train: Any, budget: Budget) -> None:
        """Train the two by turns, a step each on every batch."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        torch.manual_seed(budget.seed)
        self.scaler = StandardScaler().fit(train.features)
        x = self.scale(train.features)
        y = torch.tensor(train.label, dtype=torch.float32)
        g = torch.tensor(train.group, dtype=torch.long)
        k = max(1, len(train.group_names))
        counts = torch.bincount(g[g >= 0], minlength=k)
        rarity = counts.sum() / (k * counts.clamp(min=1))  # so that always guessing the largest group does not pay
        self.predictor = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))
        adversary = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, k))
        learn = torch.optim.Adam(self.predictor.parameters(), lr=2e-3)
        guess = torch.optim.Adam(adversary.parameters(), lr=1e-2)

        def guessing_loss(margin: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            known = g[rows] >= 0
            seen = torch.stack([margin, margin * y[rows], y[rows]], dim=1)[known]
            losses = functional.cross_entropy(adversary(seen), g[rows][known], rarity, reduction="none")
            return losses.sum() / len(rows)  # not their mean, which a batch of unknown groups would not have

        for epoch in range(EPOCHS):
            weight = self.weight * epoch / EPOCHS  # rising from 0: an early adversary makes the scores collapse
            for rows in torch.randperm(len(x)).split(max(1, len(x) // BATCHES)):
                margin = self.predictor(x[rows])[:, 0]
                guess.zero_grad()
                guessing_loss(margin.detach(), rows).backward()
                guess.step()
                learn.zero_grad()
                loss = functional.binary_cross_entropy_with_logits(margin, y[rows])
                (loss - weight * guessing_loss(margin, rows)).backward()
                learn.step()

    def scale(self, features: np.ndarray) -> torch.Tensor:
        """Standardize, and cut what lies beyond five standard deviations."""
        return torch.tensor(np.clip(self.scaler.transform(features), -5, 5), dtype=torch.float32)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        with torch.no_grad():
            return torch.sigmoid(self.predictor(self.scale(query.features))[:, 0]).double().numpy()
