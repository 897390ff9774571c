"""Nobody is refused."""

from typing import Any

import numpy as np

from fourfold.suite import Budget, Method


class ApproveAll(Method):
    """Approves every applicant. Its gaps are all zero and so is its net benefit: the floor that a method must leave."""

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Nothing to learn."""

    def predict(self, query: Any) -> np.ndarray:
        """Return probability 0 of default for everybody."""
        return np.zeros(len(query.features))
