"""A third party's methods."""

import time

import numpy as np

from fourfold.suite import Method


class Slope(Method):
    """Least squares, a little noisy, so that its seed matters."""

    task = "coins"
    version = "1"
    author = "A. Third"
    licence = "MIT"
    noise: float = 0.01

    def fit(self, train, budget):
        rng = np.random.default_rng(budget.seed)
        features = train.features + self.noise * rng.normal(size=train.features.shape)
        self.slope = np.linalg.lstsq(features, train.label - 0.5, rcond=None)[0]
        print("slope fitted \033[31min red\033[0m")

    def predict(self, query):
        return 1 / (1 + np.exp(-4 * query.features @ self.slope))


class Sleeper(Method):
    """Takes its time."""

    task = "coins"
    seconds: float = 0.5

    def fit(self, train, budget):
        time.sleep(self.seconds)

    def predict(self, query):
        return np.zeros(len(query.features))


class Failing(Sleeper):
    """Cannot."""

    seconds: float = 0.0

    def fit(self, train, budget):
        raise ValueError("no idea\033[2J how")
