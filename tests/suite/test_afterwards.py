"""A curator gives out nothing once the fit is over and its ledger taken."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.suite import registry
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Evaluator, Job, Result
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget
from fourfold.suite.pack import read

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

from fourfold.suite.curator import Curator, CuratorError  # noqa: E402

METHOD = '''
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from fourfold.suite import Method
from fourfold.suite.curator import CuratorError

def loss(p, x, y, group):
    return binary_cross_entropy_with_logits(x.float() @ p["w"] * 1e-3, y.float())

class Late(Method):
    """Enters one step of much noise, and learns in model() what no ledger has."""
    task = "fair-credit"
    access = "curator"
    refused = False

    def fit(self, train, budget):
        self.held = self.curator(train)
        self.w = {"w": torch.zeros(self.held.shapes[0])}
        self.step(noise_multiplier=50.0)

    def step(self, noise_multiplier):
        self.held.open(sample_rate=0.5, noise_multiplier=noise_multiplier, clip=1.0, steps=1, loss=loss,
                       parameters=self.w)
        return self.held.noisy_sum(self.w)

    def model(self):
        try:
            self.w = self.step(noise_multiplier=0.0)
        except CuratorError as error:
            assert "over" in str(error), error
            self.w = {"w": torch.zeros(self.held.shapes[0])}
        return (lambda p, x: torch.sigmoid(-(x.float() @ p["w"]) * 1e-3)), self.w

    def predict(self, query):
        raise NotImplementedError
'''


def test_neither_a_plan_nor_a_step_nor_a_total_comes_after_the_account():
    held = Curator([np.ones((9, 2), np.float32)], Budget(epsilon=math.inf), Secret(1, np.zeros(0, bool)))
    held.open(sample_rate=0.5, noise_multiplier=1.0, clip=1.0, steps=3)
    held.draw()
    held.release(torch.zeros(2))
    held.draw()
    held.account()
    for late in (
        lambda: held.open(sample_rate=0.5, noise_multiplier=1.0, clip=1.0, steps=3),
        held.draw,
        lambda: held.release(torch.zeros(2)),
        lambda: held.noisy_total(lambda _, x: x, clip=1.0, noise_multiplier=0.0),
    ):
        with pytest.raises(CuratorError, match="the fit is over"):
            late()
    assert sum(each.steps for each in held.spent()) == 1


def scored(folder: Path) -> Result:
    task = registry.task("fair-credit")
    data = task.load("simulated", folder)
    file = folder / "method.py"
    file.write_text(METHOD)
    pack = read(file)
    cell = Cell(task.name, task.version, "simulated", "0", "draw", pack.name, pack.digest, (), Budget(seed=1), 0)
    with Evaluator(b"0123456789abcdef", folder) as evaluator:
        return evaluator.run(Job(cell, pack), task, data)


def value(result: Result, metric: str) -> Any:
    assert result.status == "ok", result.reason
    (found,) = [row["value"] for row in result.rows if (row["metric"], row["group"]) == (metric, "")]
    return found


def test_what_is_asked_while_the_model_is_handed_over_is_refused(tmp_path):
    """It went into no ledger: the row said verified, at the epsilon of its one noisy step."""
    result = scored(tmp_path)
    assert (value(result, "rung"), value(result, "epsilon_accounted")) == (3, pytest.approx(0.0, abs=0.1))
    assert value(result, "auc") == 0.5  # Nothing was learnt.
