"""Boosted trees whose score is cut at randomized thresholds, other ones for each group, so as to equalize odds."""

from typing import Any

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer as Optimizer
from lightgbm import LGBMClassifier
from scipy.optimize import linprog
from sklearn.metrics import roc_curve
from sklearn.model_selection import train_test_split

from fourfold.suite import Budget, Method

APPROVED_BAD, REFUSED_GOOD = 5.0, 1.0  # costs
SMALLEST = 30  # records of each label; a rate of fewer is uncertain by 9 points and more, and cannot be held to 5


def equalizable_groups(group: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the codes of the known groups that are large enough; -1, everybody as one, where there are none."""
    large = [g for g in np.unique(group[group >= 0])
             if min(np.sum(label[group == g] == y) for y in (0, 1)) >= SMALLEST]
    return np.array(large or [-1])


def relaxed_odds(score: np.ndarray, label: np.ndarray, group: np.ndarray, tolerance: float) -> dict[int, np.ndarray]:
    """Find the cheapest randomized threshold a group with an equalized-odds difference of at most the tolerance.

    The linear programme of Cruz and Hardt (ICLR 2024, "Unprocessing seven years of algorithmic fairness", section 4):
    a group's operating point is a mixture of the points on its ROC curve. Returns, a group, an array (2, k): cuts,
    ascending, and the probability of refusing a score at or above each (and below the next).
    """
    groups = np.unique(group)
    curves = [roc_curve(label[group == g], score[group == g]) for g in groups]  # (refused goods, refused bads, cuts)
    ends = np.cumsum([len(cuts) for *_, cuts in curves])
    size, bounds = ends[-1], ends[-1] + np.arange(4)  # the last four: least and greatest rate, of goods and of bads
    cost, above, one = np.zeros(size + 4), [], np.zeros((len(groups), size + 4))
    for i, (g, (*rates, cuts)) in enumerate(zip(groups, curves, strict=True)):
        part = slice(ends[i] - len(cuts), ends[i])
        one[i, part] = 1
        cost[part] = REFUSED_GOOD * np.mean((group == g) & (label == 0)) * rates[0]
        cost[part] -= APPROVED_BAD * np.mean((group == g) & (label == 1)) * rates[1]
        for rate, least, greatest in zip(rates, bounds[::2], bounds[1::2], strict=True):
            within = np.zeros((2, size + 4))
            within[0, part], within[0, greatest] = rate, -1
            within[1, part], within[1, least] = -rate, 1
            above.append(within)
    gaps = np.zeros((2, size + 4))
    gaps[[0, 1], bounds[::2]], gaps[[0, 1], bounds[1::2]] = -1, 1
    limit = np.append(np.zeros(4 * len(groups)), [tolerance, tolerance])
    weights = linprog(cost, np.vstack([*above, gaps]), limit, one, np.ones(len(groups)), bounds=(0, 1)).x
    return {int(g): np.array([cuts[::-1], np.cumsum(weights[end - len(cuts):end][::-1])])
            for g, (*_, cuts), end in zip(groups, curves, ends, strict=True)}


def refusal(rule: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the probability of refusing each score, by the highest cut of the rule that it reaches."""
    cuts, refused = rule
    return np.append(0.0, refused)[np.searchsorted(cuts, score, side="right")]


class GroupThresholds(Method):
    """What the two methods of this file share: the score, and what becomes of an applicant of no known group."""

    def fit(self, train: Any, budget: Budget) -> None:
        """Fit the trees on three quarters of the records, the thresholds on the rest."""
        rows, held = train_test_split(
            np.arange(len(train.label)), test_size=0.25, stratify=train.label, random_state=budget.seed)
        self.model = LGBMClassifier(
            n_estimators=150, learning_rate=0.05, num_leaves=15, deterministic=True, force_row_wise=True, verbose=-1,
            random_state=budget.seed, n_jobs=max(1, int(budget.cpus)))
        self.model.fit(train.features[rows], train.label[rows])
        self.groups = equalizable_groups(train.group[held], train.label[held])
        group = np.where(np.isin(train.group[held], self.groups), train.group[held], -1)
        held, group = (each[np.isin(group, self.groups)] for each in (held, group))
        self.shares = [np.mean(group == g) for g in self.groups]
        self.fit_thresholds(train.features[held], train.label[held], group, budget.fairness_tolerance)

    def fit_thresholds(self, features: np.ndarray, label: np.ndarray, group: np.ndarray, tolerance: float) -> None:
        """Choose the thresholds of each group."""
        raise NotImplementedError

    def refused(self, features: np.ndarray, group: int) -> np.ndarray:
        """Return the probability with which each would be refused as a member of this group."""
        raise NotImplementedError

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of refusing; for an unknown or new group, its mean over the groups' rules."""
        refused = np.zeros(len(query.features))
        unknown = ~np.isin(query.group, self.groups)
        for g, share in zip(self.groups, self.shares, strict=True):
            rows = unknown | (query.group == g)
            if rows.any():
                refused[rows] += np.where(unknown[rows], share, 1) * self.refused(query.features[rows], g)
        return np.clip(refused, 0, 1)


class ThresholdOptimizer(GroupThresholds):
    """LightGBM cut at thresholds with exactly equal odds and the best balanced accuracy (Hardt et al. 2016, fairlearn).

    It needs the group to score, knows no costs, and returns the probability of refusing under randomized thresholds.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    track = "aware"
    returns = "decision"

    def fit_thresholds(self, features: np.ndarray, label: np.ndarray, group: np.ndarray, tolerance: float) -> None:
        """Intersect the groups' ROC curves."""
        self.optimizer = Optimizer(estimator=self.model, prefit=True, predict_method="predict_proba",
                                   constraints="equalized_odds", objective="balanced_accuracy_score")
        self.optimizer.fit(features, label, sensitive_features=group)

    def refused(self, features: np.ndarray, group: int) -> np.ndarray:
        """Return the probability itself; ``predict`` would draw from it."""
        return self.optimizer._pmf_predict(features, sensitive_features=np.full(len(features), group))[:, 1]


class RelaxedOdds(GroupThresholds):
    """LightGBM cut at the cheapest thresholds at 5:1 within the tolerated equalized-odds difference.

    A linear programme over each group's ROC curve (Cruz and Hardt 2024). It needs the group to score, and returns the
    probability of refusing.
    """

    task = "fair-credit"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    track = "aware"
    returns = "decision"

    def fit_thresholds(self, features: np.ndarray, label: np.ndarray, group: np.ndarray, tolerance: float) -> None:
        """Solve the programme."""
        self.rules = relaxed_odds(self.score(features), label, group, tolerance)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Return the trees' probability of default."""
        return np.asarray(self.model.predict_proba(features))[:, 1]

    def refused(self, features: np.ndarray, group: int) -> np.ndarray:
        """Apply the group's thresholds."""
        return refusal(self.rules[group], self.score(features))
