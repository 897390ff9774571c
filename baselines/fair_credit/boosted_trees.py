"""Boosted trees, as they come and with the training records reweighed."""

from typing import Any

import numpy as np
from lightgbm import LGBMClassifier

from fourfold.suite import Budget, Method


def reweighing(group: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Weights P(group) P(label) / P(group, label), a record each; under them group and label are independent.

    Kamiran and Calders (2012), "Data preprocessing techniques for classification without discrimination", section
    5.2. Records of unknown group (-1) weigh 1 and enter none of the frequencies.
    """
    weights = np.ones(len(label))
    known = group >= 0
    for g in np.unique(group[known]):
        for y in (0, 1):
            cell = (group == g) & (label == y)
            expected = np.mean(group[known] == g) * np.mean(label[known] == y)
            weights[cell] = expected * known.sum() / max(cell.sum(), 1)
    return weights


class LightGBM(Method):
    """Gradient-boosted trees (Ke et al. 2017), 150 of 15 leaves. It never looks at the group."""

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Fit the trees."""
        self.model = LGBMClassifier(
            n_estimators=150, learning_rate=0.05, num_leaves=15, deterministic=True, force_row_wise=True, verbose=-1,
            random_state=budget.seed, n_jobs=max(1, int(budget.cpus)))
        self.model.fit(train.features, train.label, sample_weight=self.weights(train))

    def weights(self, train: Any) -> np.ndarray | None:
        """Weigh all records alike."""
        return None

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        return np.asarray(self.model.predict_proba(query.features))[:, 1]


class ReweighedLightGBM(LightGBM):
    """LightGBM on records weighed so that group and default are independent (Kamiran and Calders 2012).

    It sees the group while it learns, not when it scores.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def weights(self, train: Any) -> np.ndarray:
        """Weigh each (group, label) cell to its expected count."""
        return reweighing(train.group, train.label)
