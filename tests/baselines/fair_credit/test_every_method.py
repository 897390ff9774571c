"""What the contract asks of each method, on few records, some of unknown group."""

import ast
import importlib
import inspect
import math
from dataclasses import replace

import numpy as np
import pytest

from fourfold.suite import Budget
from fourfold.suite.curator import Curator
from fourfold.suite.evidence import Secret

METHODS = {
    "approve_all:ApproveAll": {}, "logistic:Logistic": {}, "scorecard:Scorecard": {}, "boosted_trees:LightGBM": {},
    "boosted_trees:ReweighedLightGBM": {}, "correlation_remover:CorrelationRemover": {},
    "reductions:ExponentiatedGradient": {}, "reductions:GridSearch": {}, "group_thresholds:ThresholdOptimizer": {},
    "group_thresholds:RelaxedOdds": {}, "adversarial:Adversarial": {}, "dp_logistic:DPLogistic": {"epsilon": 3.0},
    "dp_logistic:VerifiedDPLogistic": {"epsilon": 3.0},
}


def load(name):
    module, cls = name.split(":")
    return getattr(importlib.import_module(f"fourfold.baselines.fair_credit.{module}"), cls)


def answer(name, train, query):
    method, budget = load(name), Budget(**METHODS[name])
    fitted, curators = method(budget, {}), []

    def curate(records, unit):
        record = [getattr(records, name) for name in records.private]
        curators.append(Curator(record, budget, Secret(5, np.zeros(0, bool)), unit))
        return curators[0]

    fitted._curate = curate
    fitted.fit(train, budget)
    spent = [*fitted.ledger.mechanisms, *(each for curator in curators for each in curator.spent())]
    assert bool(spent) == method.private == (budget.epsilon < math.inf)
    return fitted.predict(query.ask(getattr(method, "track", "blind") == "aware"))


@pytest.mark.parametrize("name", METHODS)
def test_answers_are_probabilities_and_repeat_under_their_seed(name, draw):
    train, query = draw(600), draw(500, seed=1)
    before = train.features.copy(), query.features.copy()
    first, second = (answer(name, train, query) for _ in range(2))
    assert isinstance(first, np.ndarray)
    assert first.shape == (500,)
    assert np.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.array_equal(first, second)
    assert np.array_equal(before[0], train.features)
    assert np.array_equal(before[1], query.features)


@pytest.mark.parametrize("name", [name for name in METHODS if not name.startswith("dp_logistic:")])
@pytest.mark.parametrize("unknown", ["everybody", "all but one group"])
def test_works_where_no_two_groups_are_known(name, unknown, draw):
    train, query = draw(600), draw(300, seed=1)
    nobody = np.full_like(train.group, -1)
    train = replace(train, group=nobody if unknown == "everybody" else np.where(train.group == 0, -1, train.group))
    refused = answer(name, train, query)
    assert np.isfinite(refused).all()
    assert refused.shape == (300,)


@pytest.mark.parametrize("name", [name for name in METHODS if getattr(load(name), "track", "blind") == "aware"])
def test_an_applicant_of_unknown_or_new_group_is_scored_like_others(name, draw):
    train, query = draw(2000, unknown=0.2), draw(1500, seed=1, unknown=0)
    known = answer(name, train, query)
    unknown = answer(name, train, replace(query, group=np.full_like(query.group, -1)))
    new = answer(name, train, replace(query, group=np.full_like(query.group, 7)))
    assert np.array_equal(unknown, new)
    assert np.mean(unknown) == pytest.approx(np.mean(known), abs=0.05)
    assert np.corrcoef(unknown, known)[0, 1] > 0.7


@pytest.mark.parametrize("name", METHODS)
def test_declarations_are_literals_and_the_docstring_is_short(name):
    method = load(name)
    above = {parent.__name__ for parent in method.__mro__}
    bodies = [node for node in ast.parse(inspect.getsource(inspect.getmodule(method))).body
              if isinstance(node, ast.ClassDef) and node.name in above]
    assigned = {target.id: ast.literal_eval(node.value)
                for body in bodies for node in body.body if isinstance(node, ast.Assign) for target in node.targets}
    [body] = [each for each in bodies if each.name == method.__name__]
    assert assigned["task"] == "fair-credit"
    assert assigned["author"] == "fourfold"
    assert assigned["licence"] == "Apache-2.0"
    assert assigned.get("track", "blind") in ("blind", "aware")
    assert assigned.get("returns", "probability") in ("probability", "decision")
    assert 1 <= ast.get_docstring(body).replace("et al.", "").count(".") <= 3
    assert all(isinstance(ast.literal_eval(node.value), float) for node in body.body if isinstance(node, ast.AnnAssign))
