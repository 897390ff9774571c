import numpy as np
import pytest
from fairlearn.metrics import equalized_odds_difference
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.baselines.fair_credit.logistic import Logistic
from fourfold.baselines.fair_credit.reductions import (
    ExponentiatedGradient,
    GridSearch,
    cheapest_fair_cost,
    constrained_group,
    largest_distance,
)
from fourfold.suite import Budget


def fitted(method, train, budget):
    model = method(budget, {})
    model.fit(train, budget)
    return model


def odds_gap(refused, records):
    """Return the equalized-odds difference in expectation over randomized decisions."""
    rates = [[refused[(records.group == g) & (records.label == y)].mean() for g in (0, 1)] for y in (0, 1)]
    return max(abs(a - b) for a, b in rates)


def cost(refused, label):
    return np.where(label == 1, 5 * (1 - refused), refused).mean()


@pytest.mark.parametrize("tolerance", [0.02, 0.1])
def test_exponentiated_gradient_keeps_the_tolerance_that_plain_regression_breaks(tolerance, draw):
    train = draw(4000)
    plain = (fitted(Logistic, train, Budget()).predict(train.ask(False)) >= 1 / 6).astype(float)
    fair = fitted(ExponentiatedGradient, train, Budget(fairness_tolerance=tolerance)).predict(train.ask(False))
    assert odds_gap(plain, train) > 0.15
    assert odds_gap(fair, train) < tolerance + 0.015
    assert cost(fair, train.label) < min(5 * train.label.mean(), 1 - train.label.mean())


def test_exponentiated_gradient_returns_what_fairlearn_would_draw_from(draw):
    train, test = draw(1000), draw(400, seed=1)
    method = fitted(ExponentiatedGradient, train, Budget())
    expected = method.mixture._pmf_predict(method.scaler.transform(test.features))[:, 1]
    assert method.predict(test.ask(False)) == pytest.approx(expected, abs=1e-9)


def test_grid_search_is_cheaper_than_plain_regression_once_odds_must_be_equal(draw):
    costs = {GridSearch: 0.0, Logistic: 0.0}
    for seed in (10, 12, 14):
        train, test = draw(6000, seed, unknown=0.0), draw(20_000, seed + 1, unknown=0.0)
        for method in costs:
            p = fitted(method, train, Budget()).predict(test.ask(False))
            costs[method] += cheapest_fair_cost(p, test.label, test.group, 0.05)
    assert costs[GridSearch] < costs[Logistic] - 0.01


def test_grid_search_is_calibrated_whatever_its_weights_were(draw):
    test = draw(20_000, seed=1)
    p = fitted(GridSearch, draw(6000), Budget()).predict(test.ask(False))
    assert p.mean() == pytest.approx(test.label.mean(), abs=0.03)


@settings(deadline=None, max_examples=6)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 1)), max_size=40),
       st.sampled_from([0.0, 0.1, 0.5]))
def test_cheapest_fair_cost_is_found_by_trying_every_threshold(records, tolerance):
    score, label, group = np.array([*records, (0, 0, 0), (1, 1, 0), (2, 0, 1), (4, 1, 1)]).T
    fair = [cost((score >= cut).astype(float), label) for cut in [*range(5), np.inf]
            if equalized_odds_difference(label, score >= cut, sensitive_features=group) <= tolerance]
    assert cheapest_fair_cost(score, label, group, tolerance) == pytest.approx(min(fair))


def test_small_groups_are_left_alone():
    group = np.repeat([0, 1, -1], [60, 79, 50])
    label = np.concatenate([np.repeat([0, 1], [30, 30]), np.repeat([0, 1], [50, 29]), np.repeat([0, 1], [25, 25])])
    assert set(constrained_group(group, label)) == {0, -1}
    assert set(constrained_group(np.full(189, -1), label)) == {0}


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1))
def test_groups_within_the_distance_from_all_are_within_the_tolerance_of_each_other(a, b, c, d, first, second):
    group, label = np.repeat([0, 1, 0, 1], [a, b, c, d]), np.repeat([0, 0, 1, 1], [a, b, c, d])
    tolerance = 0.05
    distance = largest_distance(group, label, tolerance)
    together = (a * first + b * second) / (a + b)
    if max(abs(first - together), abs(second - together)) <= distance:
        assert abs(first - second) <= tolerance * 1.0001
