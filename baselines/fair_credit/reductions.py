"""Fair classification by reduction to a sequence of weighted ones (Agarwal et al. 2018), in its two forms."""

from typing import Any

import numpy as np
from fairlearn import reductions
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fourfold.suite import Budget, Method

COSTS = {"fp": 1.0, "fn": 5.0}  # of refusing a good and of approving a bad; the positive class is default
SMALLEST = 30  # records of each label; a rate of fewer is uncertain by 9 points and more, and cannot be held to 5


def constrained_group(group: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the group codes with -1 for whoever cannot be constrained: unknown, or of too small a group.

    Where that is everybody, all are one group 0, which constrains nothing.
    """
    large = [g for g in np.unique(group[group >= 0])
             if min(np.sum(label[group == g] == y) for y in (0, 1)) >= SMALLEST]
    return np.where(np.isin(group, large), group, -1) if large else np.zeros_like(group)


def largest_distance(group: np.ndarray, label: np.ndarray, tolerance: float) -> float:
    """Return how far a group's error rates may lie from all records' together, so that no two groups differ by more.

    Two groups straddle the whole by their shares: the smaller lies at the larger's share of their difference. Three or
    more may lie on opposite sides of it, each at half the difference.
    """
    groups = np.unique(group)
    if len(groups) > 2:
        return tolerance / 2
    return tolerance * min(max(np.mean(group[label == y] == g) for g in groups) for y in (0, 1))


def cheapest_fair_cost(score: np.ndarray, label: np.ndarray, group: np.ndarray, tolerance: float) -> float:
    """Return the least cost a record of one threshold on the score whose equalized-odds difference is <= tolerance."""
    cuts = np.append(np.quantile(score, np.linspace(0, 1, 200)), np.inf)
    refused = score[:, None] >= cuts
    rates = np.array([[refused[(group == g) & (label == y)].mean(axis=0) for g in np.unique(group[group >= 0])]
                      for y in (0, 1)])
    cost = np.where(label[:, None] == 1, COSTS["fn"] * ~refused, COSTS["fp"] * refused).mean(axis=0)
    return float(cost[np.ptp(rates, axis=1).max(axis=0) <= tolerance].min())


class ExponentiatedGradient(Method):
    """A randomized mixture of logistic regressions, the cheapest at 5:1 with equalized odds.

    After Agarwal et al. 2018, by fairlearn. It sees the group while it learns, not when it scores, and returns the
    mixture's probability of refusing.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    returns = "decision"

    def fit(self, train: Any, budget: Budget) -> None:
        """Find the mixture, on the records whose group can be constrained."""
        group = constrained_group(train.group, train.label)
        rows = group >= 0
        group, label = group[rows], train.label[rows]
        self.scaler = StandardScaler().fit(train.features)
        # fairlearn bounds each group's distance from all records, not that between groups.
        odds = reductions.EqualizedOdds(difference_bound=largest_distance(group, label, budget.fairness_tolerance))
        self.mixture = reductions.ExponentiatedGradient(
            LogisticRegression(max_iter=1000), odds, objective=reductions.ErrorRate(costs=COSTS))
        self.mixture.fit(self.scaler.transform(train.features[rows]), label, sensitive_features=group)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of refusing: the weight of the members that would."""
        features = self.scaler.transform(query.features)
        refused = sum(weight * self.mixture.predictors_[member].predict(features)
                      for member, weight in self.mixture.weights_.items() if weight > 0)
        return np.clip(refused, 0, 1)


class GridSearch(Method):
    """Of 30 logistic regressions weighed towards equalized odds, the one cheapest under it on records held out.

    After Agarwal et al. 2018, by fairlearn. It sees the group while it learns, not when it scores.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Fit the candidates, choose among them and calibrate the choice on the held-out fifth."""
        self.scaler = StandardScaler().fit(train.features)
        features = self.scaler.transform(train.features)
        rows, held = train_test_split(
            np.arange(len(features)), test_size=0.2, stratify=train.label, random_state=budget.seed)
        group = constrained_group(train.group, train.label)
        learn = rows[group[rows] >= 0]
        plain = LogisticRegression(max_iter=1000)
        candidates = [plain.fit(features[rows], train.label[rows])]
        if len(np.unique(group[learn])) > 1:
            grid = reductions.GridSearch(LogisticRegression(max_iter=1000), reductions.EqualizedOdds(), grid_size=30)
            grid.fit(features[learn], train.label[learn], sensitive_features=group[learn])
            candidates += [c for c in grid.predictors_ if len(c.classes_) == 2]
        costs = [cheapest_fair_cost(c.decision_function(features[held]), train.label[held],
                                    constrained_group(train.group[held], train.label[held]), budget.fairness_tolerance)
                 for c in candidates]
        self.chosen = candidates[int(np.argmin(costs))]
        # The weights that made it fair moved its probabilities: Platt's two parameters bring them back.
        margin = self.chosen.decision_function(features[held])
        self.calibration = LogisticRegression().fit(margin[:, None], train.label[held])

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of default."""
        margin = self.chosen.decision_function(self.scaler.transform(query.features))
        return self.calibration.predict_proba(margin[:, None])[:, 1]
