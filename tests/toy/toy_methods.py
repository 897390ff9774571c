"""Methods for the toy task, good and bad."""

import os
import signal
import time

import numpy as np

from fourfold.suite import Method


class Noop(Method):
    """Learns nothing."""

    task = "toy"

    def fit(self, train, budget):
        """Nothing."""

    def predict(self, query):
        return np.zeros(len(query.features))


class Slope(Method):
    """Least squares, a little noisy, so that its seed matters."""

    task = "toy"
    noise: float = 0.01

    def fit(self, train, budget):
        rng = np.random.default_rng(budget.seed)
        features = train.features + self.noise * rng.normal(size=train.features.shape)
        self.slope = np.linalg.lstsq(features, train.label - 0.5, rcond=None)[0]

    def predict(self, query):
        return 1 / (1 + np.exp(-4 * query.features @ self.slope))


class Sleeper(Noop):
    """Takes its time."""

    seconds: float = 0.5

    def fit(self, train, budget):
        time.sleep(self.seconds)


class Busy(Noop):
    """Computes all the while."""

    seconds: float = 0.5

    def fit(self, train, budget):
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass


class Failing(Noop):
    """Cannot."""

    def fit(self, train, budget):
        raise ValueError("no idea")


class Murderer(Noop):
    """Kills the process that forked it."""

    def fit(self, train, budget):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


class Hungry(Noop):
    """Wants a GPU."""

    gpus = 1
