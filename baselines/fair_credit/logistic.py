"""Logistic regression."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fourfold.suite import Budget, Method


class Logistic(Method):
    """Logistic regression on standardized columns. It never looks at the group."""

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    strength: float = 1.0  # of the L2 penalty

    def fit(self, train: Any, budget: Budget) -> None:
        """Standardize and fit."""
        self.model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / self.strength, max_iter=1000))
        self.model.fit(train.features, train.label)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        return self.model.predict_proba(query.features)[:, 1]
