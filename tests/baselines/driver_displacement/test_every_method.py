"""What the contract asks of each method, on small made-up problems."""

import ast
import importlib
import inspect
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from fourfold.suite import Budget
from fourfold.suite.curator import Curator
from fourfold.suite.evidence import Secret

METHODS = {
    "unchanged:Naive": {}, "unchanged:SeasonalNaive": {}, "unchanged:Drift": {}, "statistical:ETS": {},
    "statistical:BoundedARIMA": {}, "statistical:Theta": {}, "statistical:MedianEnsemble": {},
    "boosted_quantiles:LightGBMQuantiles": {"rounds": 10}, "quantile_network:QuantileNetwork": {"epochs": 3},
    "diffusion:BassDiffusion": {}, "private_diffusion:PrivateDiffusion": {}, "conformal:ConformalDrift": {},
    "conformal:ConformalLightGBM": {"rounds": 10}, "reconciled:ReconciledETS": {},
}
"""Fewer rounds and epochs than they have by default, for speed."""

LEVEL = ("unchanged:Naive", "unchanged:SeasonalNaive", "statistical:BoundedARIMA")
"""Those whose jobs lost need not go on growing."""

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:statsforecast")


def load(name):
    module, cls = name.split(":")
    return getattr(importlib.import_module(f"fourfold.baselines.driver_displacement.{module}"), cls)


def answers(name, train, queries, epsilon=None):
    method = load(name)
    budget = Budget(epsilon=epsilon or (3.0 if method.private else math.inf), seed=4)
    fitted, curators = method(budget, METHODS[name]), []

    def curate(records, unit):
        columns = [getattr(records, name) for name in records.private]
        curators.append(Curator(columns, budget, Secret(5, np.zeros(0, bool)), unit))
        return curators[0]

    fitted._curate = curate
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fitted.fit(train, budget)
        found = [fitted.predict(query) for query in queries]
    spent = [*fitted.ledger.mechanisms, *(each for curator in curators for each in curator.spent())]
    assert bool(spent) == (method.private and bool(train.private) and budget.epsilon < math.inf)
    return found


@pytest.mark.parametrize("problem", ["simulated", "monthly", "annual"])
@pytest.mark.parametrize("name", METHODS)
def test_answers_are_quantiles_in_order(name, problem, problems):
    train, queries, _ = problems[problem]()
    for query, one in zip(queries, answers(name, train, queries), strict=True):
        assert one.shape == (len(query.series), len(query.targets), query.horizon, 11)
        assert np.isfinite(one).all()
        assert (np.diff(one, axis=-1) >= 0).all()
        assert one[:, 0].min() >= 0


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name] or load(name).private])
def test_random_ones_repeat_under_their_seed(name, problems):
    train, queries, _ = problems["simulated"]()
    assert np.array_equal(*(answers(name, train, queries[:1]) for _ in range(2)))


@pytest.mark.parametrize("name", [name for name in METHODS if name not in LEVEL])
def test_jobs_lost_that_grow_are_forecast_better_than_by_holding_them(name, problems):
    train, queries, secret = problems["simulated"]()

    def error(method):
        return sum(np.abs(found[:, 1, :, 5] - whole["displaced"][:, -8:]).sum()
                   for found, whole in zip(answers(method, train, queries[:1]), secret[:1], strict=True))

    assert error(name) < 0.9 * error("unchanged:Naive")


@pytest.mark.parametrize("name", METHODS)
def test_series_that_came_since_are_forecast_too(name, problems):
    train, queries, _ = problems["monthly"]()
    [query] = queries[1:]
    wider = replace(
        query, series=(*query.series, "new"), headcount=np.concatenate([query.headcount, query.headcount[:1]]),
        past=np.concatenate([query.past, query.past[:, :1]], axis=1),
        known=np.concatenate([query.known, query.known[:, :1]], axis=1), static=np.empty((6, 0)))
    [found] = answers(name, train, [wider])
    assert found.shape == (6, 1, 6, 11)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", METHODS)
def test_declarations_are_literals_and_the_docstring_is_short(name):
    method = load(name)
    bodies = [node for node in ast.parse(inspect.getsource(inspect.getmodule(method))).body
              if isinstance(node, ast.ClassDef) and node.name == method.__name__]
    assigned = {target.id: ast.literal_eval(node.value)
                for node in bodies[0].body if isinstance(node, ast.Assign) for target in node.targets}
    assert assigned["task"] == "driver-displacement"
    assert assigned["author"] == "fourfold"
    assert assigned["licence"] == "Apache-2.0"
    assert 1 <= ast.get_docstring(bodies[0]).replace("et al.", "").count(".") <= 5
