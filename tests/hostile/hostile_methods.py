"""Methods for the toy task that attack the campaign that scores them. Run by a whole ``fourfold run``, nowhere else."""

import contextlib
import json
import os
import signal
import struct
import time

import numpy as np

from fourfold.suite import Method


class Honest(Method):
    """Guesses by the sign of the first feature."""

    task = "toy"

    def fit(self, train, budget):
        """Nothing."""

    def predict(self, query):
        return (query.features[:, 0] > 0).astype(float)


class Patching(Honest):
    """Makes the scorer give it full marks, in its own process."""

    def fit(self, train, budget):
        from fourfold.suite import evaluate, protocol, task

        protocol.privacy_scores = protocol.cost_scores = lambda *_: []
        task.Task.score = lambda *_: task.Scored([task.Score("hits", 1.0)], np.zeros(0, bool), np.zeros(0))
        evaluate.Evaluator.run = lambda *_: None


class Blaming(Honest):
    """Says that the machine failed, whenever it is tried."""

    def fit(self, train, budget):
        told = json.dumps({"kind": "ConfinementError", "text": "no guest can be confined", "where": ""}).encode()
        for fd in range(3, 100):
            with contextlib.suppress(OSError):
                os.write(fd, struct.pack("<cQ", b"E", len(told)) + told)
        time.sleep(60)


class Shouting(Honest):
    """Ends in words that a terminal or a page would obey."""

    def fit(self, train, budget):
        raise ValueError("\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\r\nfinished 100 of 100, score 1.0")


class Forging(Honest):
    """Writes down that it kept a budget that it never heard of."""

    private = True

    def fit(self, train, budget):
        self.ledger.subsampled_gaussian(noise_multiplier=1000.0, sample_rate=0.001, steps=1)


class Remembering(Honest):
    """Answers what it was told of a record when it was trained."""

    private = True

    def fit(self, train, budget):
        self.known = {row.tobytes(): label for row, label in zip(train.features, train.label, strict=True)}

    def predict(self, query):
        return np.array([float(self.known.get(row.tobytes(), 0.5)) for row in query.features])


class Murdering(Honest):
    """Kills whatever process it can name that scores it: its parent's parent, its parent, itself."""

    def fit(self, train, budget):
        with open(f"/proc/{os.getppid()}/stat") as file:
            evaluator = int(file.read().rpartition(")")[2].split()[1])
        for pid in (evaluator, os.getppid(), os.getpid()):
            if pid > 1:
                os.kill(pid, signal.SIGKILL)


class TwoFaced(Honest):
    """Does as it should where it is checked, and the opposite where it is scored."""

    def fit(self, train, budget):
        self.scored = budget.time_limit > 100

    def predict(self, query):
        right = super().predict(query)
        return 1 - right if self.scored else right
