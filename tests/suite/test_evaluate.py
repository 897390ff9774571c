"""A private method scored by an Evaluator, with the rehearsal that its rung rests on."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fourfold.suite import evidence, registry
from fourfold.suite.cell import Cell
from fourfold.suite.curator import Curator
from fourfold.suite.evaluate import Evaluator, Job, Result, back
from fourfold.suite.evidence import Rehearsed, Secret
from fourfold.suite.method import Budget
from fourfold.suite.pack import read
from fourfold.suite.task import Answers, Ask, Problem
from fourfold.suite.visit import Curation, Visit

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

METHOD = '''
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from fourfold.suite import Method
from fourfold.suite.descent import descend

def scaled(parameters, features):
    return (features - parameters["middle"]) / parameters["half"]

class Private(Method):
    """A logistic regression on clipped gradients."""
    task = "fair-credit"
    private = True

    def fit(self, train, budget):
        bounds = torch.tensor(np.array(train.bounds)).float()
        self.scale = {"middle": bounds.mean(1), "half": (bounds[:, 1] - bounds[:, 0]).clamp_min(1e-6) / 2}
        curator = self.curator(train)
        curator.transform(lambda p, x: scaled(p, x.float()), self.scale)
        w = {"w": torch.zeros(curator.shapes[0], requires_grad=True)}
        def loss(p, x, y, group):
            return binary_cross_entropy_with_logits(x @ p["w"], y.float())
        self.w = descend(curator, loss, w, torch.optim.SGD(w.values(), lr=1.0), clip=1.0, sample_rate=0.05, steps=60)
        EXTRA

    def predict(self, query):
        x = scaled(self.scale, torch.tensor(np.array(query.features)).float())
        return torch.sigmoid(x @ self.w["w"]).numpy()
'''


@dataclass(frozen=True)
class Train:
    """Private records, and nothing else."""

    features: np.ndarray
    private: tuple[str, ...] = ("features",)


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Result]]:
    """Score ``METHOD`` at epsilon 3 on the small simulated applicants, with a line more at the end of its ``fit``."""
    folder = tmp_path_factory.mktemp("evaluated")
    task = registry.task("fair-credit")
    data = task.load("simulated", folder)
    with Evaluator(b"0123456789abcdef", folder) as evaluator:

        def score(extra: str = "pass", epsilon: float = 3.0, method: str = METHOD) -> Result:
            file = folder / "method.py"
            file.write_text(method.replace("EXTRA", extra))
            pack = read(file)
            budget = Budget(epsilon=epsilon, seed=1)
            cell = Cell(task.name, task.version, "simulated", "0", "draw", pack.name, pack.digest, (), budget, 0)
            return evaluator.run(Job(cell, pack), task, data)

        yield score


def value(result: Result, metric: str, group: str = "") -> Any:
    assert result.status == "ok", result.reason
    (found,) = [row["value"] for row in result.rows if (row["metric"], row["group"]) == (metric, group)]
    return found


def test_an_honest_method_is_accounted_and_says_of_what_and_for_whom(score):
    result = score()
    assert (value(result, "rung"), value(result, "refuted")) == (2, 0)
    assert 2.9 < value(result, "epsilon_accounted") <= 3
    assert value(result, "epsilon_second") == pytest.approx(value(result, "epsilon_accounted"), abs=0.02)
    assert [value(result, name) for name in ("adjacency", "sampling", "unit")] == [0, 1, 0]
    assert {name for name, said in result.provenance["checks"].items() if said["passed"]} == {
        "ledger", "sensitivity", "noise", "sampler", "chain"}
    assert 0.5 < value(result, "leakage_auc", "white-box") < 0.8
    assert value(result, "epsilon_audited", "white-box") < 3


def test_one_that_remembers_an_applicant_is_refuted(score):
    result = score("self.w['w'] = self.w['w'] + 0.1 * float(np.sin(train.features.sum()))")
    assert (value(result, "rung"), value(result, "refuted")) == (1, 1)
    assert not result.provenance["checks"]["chain"]["passed"]


def test_one_that_cannot_be_rehearsed_is_neither_accounted_nor_refuted(score):
    result = score("assert not (train.features < np.array(train.bounds)[:, 0] - 1e-6).any(), 'tried twice'")
    assert (value(result, "rung"), value(result, "refuted")) == (1, 0)
    assert "tried twice" in result.provenance["checks"]["rehearsal"]["said"]


def test_one_that_averages_all_applicants_and_rounds_is_refuted(score):
    """One applicant less is not seen in it."""
    result = score("self.w['w'] = self.w['w'] + round(float(train.label.mean()), 2)")
    assert (value(result, "rung"), value(result, "refuted")) == (1, 1)
    assert not result.provenance["checks"]["chain"]["passed"]


@pytest.mark.parametrize(("room", "accounted"), [(100, False), (1000, True)])
def test_one_whose_releases_are_too_many_to_be_kept_is_not_accounted(room, accounted, monkeypatch):
    """Nobody knows then what its answers are made of. It releases nine times twenty numbers."""
    monkeypatch.setattr(evidence, "NUMBERS", room)

    def visited(asks: Sequence[Ask], under: Curation) -> Visit:
        held = Curator([asks[0].give.features], Budget(epsilon=8.0), under.secret)
        held.open(sample_rate=0.2, noise_multiplier=held.noise_multiplier(0.2, 9), clip=1.0, steps=9)
        with contextlib.suppress(Rehearsed):
            for _ in range(9):
                rows = held.draw()
                held.release(torch.as_tensor(asks[0].give.features[rows] / 5).sum(0))
        return Visit(answers=[None] * len(asks), evidence=dict(held.account()))

    features = np.random.default_rng(0).uniform(-1, 1, (400, 20)).astype(np.float32)
    problem = Problem([Ask("fit", Train(features))], Answers({}))
    curation = Curation(Secret(3, np.random.default_rng(1).random(1000) < 0.5))
    backed = back(visited(problem.asks, curation), curation, problem, Budget(epsilon=8.0), visited)
    assert backed.checked == accounted, backed.verdicts
    assert ("more numbers than are kept" in backed.untried) != accounted
    assert all(verdict.passed for verdict in backed.verdicts.values())


def test_an_entry_of_its_own_leaves_it_at_the_claim(score):
    result = score("self.ledger.gaussian(500.0)")
    assert value(result, "rung") == 1
    assert result.provenance["ledger"][0]["noise_multiplier"] == 500


def test_with_no_budget_it_claims_nothing_and_its_canaries_are_found(score):
    result = score(epsilon=float("inf"))
    assert (value(result, "rung"), value(result, "refuted")) == (0, 0)
    assert value(result, "epsilon_accounted") is None
    assert value(result, "epsilon_audited", "white-box") > 3
