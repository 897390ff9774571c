"""Softmax regression on pixels."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from fourfold.suite import Budget, Method


class LinearPixels(Method):
    """Multinomial logistic regression on pixels in [0, 1]; what a model that sees no shapes can do. Not private."""

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    features = "pixels"
    strength: float = 3e-4  # of the L2 penalty, beside the mean of the losses

    def fit(self, train: Any, budget: Budget) -> None:
        """Fit by L-BFGS."""
        self.regression = LogisticRegression(C=1 / (self.strength * train.n), max_iter=200, tol=1e-3)
        self.regression.fit(_rows(train.images), train.labels)

    def predict(self, query: Any) -> np.ndarray:
        """Return a probability of each class."""
        return self.regression.predict_proba(_rows(query.images))


def _rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / np.float32(255)
