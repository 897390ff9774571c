"""The scorecard that lenders use."""

import warnings
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from fourfold.suite import Budget, Method

BINS = 10


class Scorecard(Method):
    """Points per answer: each column is cut at its deciles and a logistic regression gives every bin its points.

    The regulated lender's model, after Siddiqi, Credit Risk Scorecards (2006). It never looks at the group.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    strength: float = 1.0  # of the L2 penalty on the points

    def fit(self, train: Any, budget: Budget) -> None:
        """Cut the columns into bins and fit the points."""
        distinct = np.array([len(np.unique(column)) for column in train.features.T])
        # Columns with few values (flags, codes) keep a bin a value: their deciles would coincide.
        bins = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), np.flatnonzero(distinct <= BINS)),
            (KBinsDiscretizer(BINS, strategy="quantile", quantile_method="averaged_inverted_cdf", subsample=None),
             np.flatnonzero(distinct > BINS)))
        self.model = make_pipeline(bins, LogisticRegression(C=1 / self.strength, max_iter=1000))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Bins whose width are too small")  # deciles that coincide share a bin
            self.model.fit(train.features, train.label)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        return self.model.predict_proba(query.features)[:, 1]
