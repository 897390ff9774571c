import math

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from fourfold.baselines.fair_credit.dp_logistic import CLIP, DPLogistic, probability, public_scale, scaled
from fourfold.suite import Budget
from fourfold.suite.cell import Cell
from fourfold.suite.curator import Curator
from fourfold.suite.evaluate import Evaluator, Job
from fourfold.suite.evidence import Secret
from fourfold.suite.registry import installed
from fourfold.tasks.fair_credit import FairCredit


def fitted(train, seed=0, **budget):
    method, given, made = DPLogistic(Budget(**budget), {}), Budget(**budget), []

    def curate(records, unit):
        columns = [getattr(records, name) for name in records.private]
        made.append(Curator(columns, given, Secret(seed, np.zeros(0, bool)), unit))
        return made[0]

    method._curate = curate
    method.fit(train, given)
    return method, made[0]


def mapped(features, bounds):
    return torch.func.vmap(scaled, (None, 0))(public_scale(bounds), torch.tensor(features))


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_the_budget_is_used_up_and_not_exceeded(epsilon, draw):
    (entry,) = fitted(draw(600), epsilon=epsilon, delta=1e-5)[1].spent()
    assert (entry.kind, entry.sampling) == ("gaussian", "poisson")
    opacus = PRVAccountant()
    opacus.history = [(entry.noise_multiplier, entry.sample_rate, entry.steps)]
    assert 0.95 * epsilon < opacus.get_epsilon(delta=1e-5) <= epsilon + 0.01


def test_without_a_budget_it_is_logistic_regression(draw):
    train, test = draw(3000), draw(3000, seed=1)
    method, curator = fitted(train, epsilon=math.inf)
    assert curator.spent() == []
    plain = LogisticRegression(C=1e6, max_iter=2000).fit(mapped(train.features, train.bounds), train.label)
    theirs = plain.predict_proba(mapped(test.features, test.bounds))[:, 1]
    ours = method.predict(test.ask(False))
    assert roc_auc_score(test.label, ours) == pytest.approx(roc_auc_score(test.label, theirs), abs=0.01)


def test_a_record_is_clipped_before_the_noise(draw):
    train = draw(600)
    _, curator = fitted(train, epsilon=3.0)
    sums = curator.account()["sums"].reshape(-1, len(train.bounds) + 1)
    # No gradient of logistic regression on columns within [-1, 1] is longer than sqrt(d + 1) = 2.6, and the clip is 2.
    sizes = curator.account()["sizes"][: len(sums)]
    assert (np.linalg.norm(sums, axis=1) <= CLIP * sizes + 1e-3).all()


def test_less_privacy_is_more_accurate(draw):
    train, test = draw(1500), draw(8000, seed=1)
    auc = [np.mean([roc_auc_score(test.label, fitted(train, seed, epsilon=e)[0].predict(test.ask(False)))
                    for seed in range(2)]) for e in (0.1, math.inf)]
    assert auc[0] < auc[1] - 0.03


def test_the_scale_of_a_record_depends_on_no_other(draw):
    records = draw(300)
    scale = mapped(records.features, records.bounds)
    assert torch.equal(scale[:7], mapped(records.features[:7], records.bounds))
    assert scale.abs().max() <= 1
    assert torch.equal(scale[:, 4], torch.tensor(records.features[:, 4], dtype=torch.float32))


def test_what_it_hands_over_is_what_it_answers_with(draw):
    method, _ = fitted(draw(600), epsilon=3.0)
    function, parameters = method.model()
    query = draw(5, seed=1).ask(False)
    singly = [float(function(parameters, torch.tensor(row))) for row in query.features]
    assert function is probability
    assert method.predict(query) == pytest.approx(singly, abs=1e-6)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    with Evaluator(b"0123456789abcdef", tmp_path_factory.mktemp("evaluated")) as evaluator:
        yield evaluator


@pytest.mark.parametrize(("name", "rung"), [("dp-logistic", 2), ("verified-dp-logistic", 3)])
def test_its_rung(name, rung, evaluator, tmp_path):
    task, pack = FairCredit(), installed(name)
    budget = Budget(epsilon=3.0, seed=1)
    cell = Cell(task.name, task.version, "simulated", "0", "draw", name, pack.digest, (), budget, 0)
    result = evaluator.run(Job(cell, pack), task, task.load("simulated", tmp_path))
    assert result.status == "ok", result.reason
    found = {row["metric"]: row["value"] for row in result.rows if row["metric"] in ("rung", "refuted")}
    assert found == {"rung": rung, "refuted": 0}
