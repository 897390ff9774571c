import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.baselines.fair_credit.group_thresholds import RelaxedOdds, ThresholdOptimizer, refusal, relaxed_odds
from fourfold.suite import Budget


def odds_gap(refused, label, group):
    """Return the equalized-odds difference in expectation over randomized decisions."""
    rates = [[refused[(group == g) & (label == y)].mean() for g in np.unique(group)] for y in (0, 1)]
    return max(np.ptp(rate) for rate in rates)


def cost(refused, label):
    return np.where(label == 1, 5 * (1 - refused), refused).mean()


def decide(score, label, group, tolerance):
    rules = relaxed_odds(score, label, group, tolerance)
    refused = np.zeros(len(score))
    for g, rule in rules.items():
        refused[group == g] = refusal(rule, score[group == g])
    return refused


cells = [(g, y) for g in (0, 1, 2) for y in (0, 1)]
scored = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(cells)), max_size=40).map(
    lambda records: [(s / 8, *cell) for s, cell in [*records, *((4, cell) for cell in cells)]])


@settings(deadline=None, max_examples=60)
@given(scored, st.sampled_from([0.0, 0.05, 0.2]))
def test_the_programme_keeps_its_tolerance_and_costs_no_more_than_a_constant(records, tolerance):
    score, group, label = (np.array(each) for each in zip(*records, strict=True))
    refused = decide(score, label, group, tolerance)
    assert refused.min() >= -1e-9
    assert refused.max() <= 1 + 1e-9
    assert odds_gap(refused, label, group) <= tolerance + 1e-7
    assert cost(refused, label) <= min(5 * label.mean(), 1 - label.mean()) + 1e-7


@settings(deadline=None, max_examples=40)
@given(scored)
def test_without_a_limit_it_is_each_groups_cheapest_threshold(records):
    score, group, label = (np.array(each) for each in zip(*records, strict=True))
    cheapest = sum(
        min(cost((score[group == g] >= cut).astype(float), label[group == g]) for cut in np.append(score, np.inf))
        * np.mean(group == g) for g in np.unique(group))
    assert cost(decide(score, label, group, 1.0), label) == pytest.approx(cheapest, abs=1e-7)


def test_a_looser_tolerance_is_cheaper(draw):
    records = draw(4000, unknown=0.0)
    score = 1 / (1 + np.exp(-records.features[:, 2])) * 0.5 + 0.5 * (records.features[:, 1] / 100 - 0.5) ** 2
    costs = [cost(decide(score, records.label, records.group, r), records.label) for r in (0, 0.05, 0.2, 1)]
    assert costs[0] > costs[1] > costs[2] >= costs[3]


def fitted(method, train, budget):
    model = method(budget, {})
    model.fit(train, budget)
    return model


def test_fairlearns_thresholds_equalize_odds_where_they_were_fitted(draw):
    train, held = draw(2000), draw(4000, seed=1, unknown=0.0)
    method = fitted(ThresholdOptimizer, train, Budget())
    method.fit_thresholds(held.features, held.label, held.group, 0.05)
    assert odds_gap(method.predict(held.ask(True)), held.label, held.group) < 0.005
    plain = (np.asarray(method.model.predict_proba(held.features))[:, 1] >= 0.5).astype(float)
    assert odds_gap(plain, held.label, held.group) > 0.05


def test_relaxed_odds_generalizes_and_is_cheaper_than_fairlearns_thresholds(draw):
    train, test = draw(8000), draw(20_000, seed=1, unknown=0.0)
    refused = {m: fitted(m, train, Budget()).predict(test.ask(True)) for m in (RelaxedOdds, ThresholdOptimizer)}
    assert odds_gap(refused[RelaxedOdds], test.label, test.group) < 0.1
    assert cost(refused[RelaxedOdds], test.label) < cost(refused[ThresholdOptimizer], test.label)


def test_an_unknown_group_gets_the_mean_of_the_rules(draw):
    method = fitted(RelaxedOdds, draw(2000), Budget())
    query = draw(200, seed=1, unknown=1.0)
    mean = sum(share * method.refused(query.features, g) for g, share in zip(method.groups, method.shares, strict=True))
    assert method.predict(query.ask(True)) == pytest.approx(mean)
    assert sum(method.shares) == pytest.approx(1)


@pytest.mark.parametrize("kind", [ThresholdOptimizer, RelaxedOdds])
def test_groups_that_are_all_too_small_are_treated_as_one(kind, draw):
    method, query = fitted(kind, draw(160, unknown=0), Budget()), draw(100, seed=1, unknown=0)
    assert list(method.groups) == [-1]
    refused = method.predict(query.ask(True))
    assert np.array_equal(refused, method.predict(draw(100, seed=1, unknown=1.0).ask(True)))
