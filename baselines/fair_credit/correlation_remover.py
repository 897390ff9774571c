"""Features from which the group can no longer be told by a linear rule."""

from typing import Any

import numpy as np
from fairlearn.preprocessing import CorrelationRemover as Remover
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fourfold.suite import Budget, Method


class CorrelationRemover(Method):
    """Logistic regression on what is left of the columns after regressing them on the group (fairlearn).

    It needs the group to score. Where that is unknown the columns stay as they are.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    track = "aware"

    def fit(self, train: Any, budget: Budget) -> None:
        """Regress the columns on the group, then fit on the residuals."""
        self.groups, counts = np.unique(train.group[train.group >= 0], return_counts=True)
        self.shares = counts / counts.sum()
        self.model = make_pipeline(
            Remover(sensitive_feature_ids=list(range(len(self.groups)))), StandardScaler(),
            LogisticRegression(max_iter=1000))
        self.model.fit(self.with_group(train), train.label)

    def with_group(self, records: Any) -> np.ndarray:
        """Put a 0/1 column a group before the features; an unknown group gets the mean, which corrects nothing."""
        member = (records.group[:, None] == self.groups).astype(float)
        member[~np.isin(records.group, self.groups)] = self.shares
        return np.hstack([member, records.features])

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        return self.model.predict_proba(self.with_group(query))[:, 1]
