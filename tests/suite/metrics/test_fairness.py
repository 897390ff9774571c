"""Fairness metrics against fairlearn, brute force and worked examples, and the honesty of the upper bound."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from fourfold.suite.metrics import fairness
from fourfold.suite.metrics.accuracy import calibration_error, expected_cost

K = 3
CELLS = np.array(list(itertools.product(range(K), (0, 1))))
unhurried = settings(deadline=None, max_examples=25)


@st.composite
def decided(draw):
    """Records that fill every cell of three groups by label at least once, since fairlearn calls an empty rate 0."""
    n = draw(st.integers(0, 40))
    more = draw(st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, 1)), min_size=n, max_size=n))
    records = np.concatenate([CELLS, np.array(more, dtype=int).reshape(-1, 2)])
    approve = np.array(draw(st.lists(st.integers(0, 1), min_size=len(records), max_size=len(records))))
    return records[:, 1], approve, records[:, 0]


def random_decisions(rng, n, k=K):
    return rng.integers(0, 2, n), rng.random(n), rng.integers(-1, k, n)


@unhurried
@given(decided())
def test_gaps_equal_fairlearn(data):
    theirs = pytest.importorskip("fairlearn.metrics")
    label, approve, group = data
    counts = fairness.confusion(label, approve, group, K)
    call = {"y_true": 1 - label, "y_pred": approve, "sensitive_features": group}
    for ours, other in [
        (fairness.demographic_parity_difference, theirs.demographic_parity_difference(**call)),
        (fairness.adverse_impact_ratio, theirs.demographic_parity_ratio(**call)),
        (fairness.equal_opportunity_difference, theirs.equal_opportunity_difference(**call)),
        (fairness.equalized_odds_difference, theirs.equalized_odds_difference(**call, agg="worst_case")),
    ]:
        assert_allclose(ours(counts), other, atol=1e-12, equal_nan=True, err_msg=ours.__name__)


@unhurried
@given(decided())
def test_rates_equal_metric_frame(data):
    theirs, metrics = pytest.importorskip("fairlearn.metrics"), pytest.importorskip("sklearn.metrics")
    label, approve, group = data
    frame = theirs.MetricFrame(
        metrics={
            "selected": theirs.selection_rate,
            "good": theirs.true_positive_rate,
            "bad": theirs.false_positive_rate,
            "accuracy": metrics.accuracy_score,
            "repaid": lambda y, a: metrics.precision_score(y, a, zero_division=np.nan),
        },
        y_true=1 - label,
        y_pred=approve,
        sensitive_features=group,
    )
    counts = fairness.confusion(label, approve, group, K)
    for name, ours in [
        ("selected", fairness.selection_rate(counts)),
        ("good", fairness.approval_rate(counts, fairness.GOOD)),
        ("bad", fairness.approval_rate(counts, fairness.BAD)),
        ("accuracy", fairness.accuracy_by_group(counts)),
        ("repaid", fairness.repayment_rate(counts)),
    ]:
        assert_allclose(ours, frame.by_group[name], atol=1e-12, equal_nan=True, err_msg=name)
    if not np.isnan(fairness.repayment_rate(counts)).any():
        gap = frame.difference(method="between_groups")["repaid"]
        assert_allclose(fairness.predictive_parity_difference(counts), gap, atol=1e-12)


def test_counts_of_randomized_decisions_are_expectations():
    rng = np.random.default_rng(0)
    label, _, group = random_decisions(rng, 60)
    all_approved, none = (fairness.confusion(label, np.full(60, a), group, K) for a in (1, 0))
    mixed = fairness.confusion(label, np.full(60, 0.3), group, K)
    assert_allclose(mixed, 0.3 * all_approved + 0.7 * none, atol=1e-12)
    assert_allclose(fairness.selection_rate(mixed), 0.3, atol=1e-12)


def test_unknown_group_is_left_out():
    label, approve = np.array([0, 1, 0, 1]), np.array([1, 0, 1, 1])
    counts = fairness.confusion(label, approve, [0, 0, -1, -1], 2)
    assert_array_equal(counts.sum(axis=(1, 2)), [2, 0])


def test_weights_count_copies_of_each_record():
    rng = np.random.default_rng(1)
    label, approve, group = random_decisions(rng, 50)
    weight = rng.integers(0, 4, (2, 5, 50))
    counts = fairness.confusion(label, approve, group, K, weight)
    assert counts.shape == (2, 5, K, 2, 2)
    copies = np.repeat(np.arange(50), weight[1, 4])
    assert_allclose(counts[1, 4], fairness.confusion(label[copies], approve[copies], group[copies], K), atol=1e-12)


@pytest.mark.parametrize(
    "metric",
    [
        fairness.selection_rate,
        fairness.repayment_rate,
        fairness.accuracy_by_group,
        fairness.demographic_parity_difference,
        fairness.adverse_impact_ratio,
        fairness.equal_opportunity_difference,
        fairness.equalized_odds_difference,
        fairness.predictive_parity_difference,
        fairness.equalized_odds_upper_bound,
    ],
)
def test_leading_axes_are_kept(metric):
    counts = np.random.default_rng(2).integers(0, 5, (4, 6, K, 2, 2))
    batch = metric(counts, minimum=3)
    for at in np.ndindex(4, 6):
        assert_allclose(batch[at], metric(counts[at], minimum=3), atol=1e-12, equal_nan=True)


def test_an_undefined_rate_is_nan_and_its_group_leaves_the_gap():
    counts = np.array([[[2, 8], [5, 5]], [[4, 6], [5, 5]], [[0, 3], [0, 0]]])  # group 2 has no bad record
    assert_allclose(fairness.approval_rate(counts, fairness.BAD), [0.5, 0.5, np.nan])
    assert_allclose(fairness.equal_opportunity_difference(counts), 0.4)
    assert_allclose(fairness.equal_opportunity_difference(counts, minimum=4), 0.2)
    assert_allclose(fairness.equalized_odds_difference(counts, minimum=4), 0.2)


def test_a_gap_needs_two_groups_and_half_of_equalized_odds_is_none_of_it():
    one_with_bad = np.array([[[2, 8], [5, 5]], [[4, 6], [0, 0]]])
    assert_allclose(fairness.equal_opportunity_difference(one_with_bad), 0.2)
    assert np.isnan(fairness.equalized_odds_difference(one_with_bad))
    assert np.isnan(fairness.equalized_odds_upper_bound(one_with_bad))
    assert np.isnan(fairness.demographic_parity_difference(one_with_bad[:1]))
    assert np.isnan(fairness.demographic_parity_difference(fairness.confusion([], [], [], 2)))
    assert np.isnan(fairness.demographic_parity_difference(fairness.confusion([], [], [], 0)))
    assert np.isnan(fairness.predictive_parity_difference([[[5, 0], [5, 0]], [[5, 0], [5, 0]]]))
    assert np.isnan(fairness.adverse_impact_ratio([[[5, 0], [5, 0]], [[5, 0], [5, 0]]]))


def test_signed_gaps_follow_pairs():
    rates = np.array([[0.9, 0.7, 0.4], [0.1, np.nan, 0.4]])
    assert fairness.pairs(3) == [(0, 1), (0, 2), (1, 2)]
    assert_allclose(fairness.signed_gaps(rates), [[0.2, 0.5, 0.3], [np.nan, -0.3, np.nan]])


def test_intersections_number_every_combination_and_keep_unknown():
    race, sex = np.array([0, 2, 1, -1, 2]), np.array([1, 0, 1, 0, -1])
    combined = fairness.intersections([race, sex], [3, 2])
    assert_array_equal(combined, [1, 4, 3, -1, -1])
    assert_array_equal(np.unravel_index(combined[:3], (3, 2)), [race[:3], sex[:3]])


def test_calibration_by_group():
    rng = np.random.default_rng(4)
    label, p, group = random_decisions(rng, 300)
    bias, error = fairness.calibration_by_group(label, p, group, K + 1)
    for g in range(K):
        assert_allclose(bias[g], p[group == g].mean() - label[group == g].mean(), atol=1e-12)
        assert_allclose(error[g], calibration_error(label[group == g], p[group == g]), atol=1e-12)
    assert np.isnan(bias[K])
    assert np.isnan(error[K])
    assert np.isnan(fairness.calibration_by_group(label, p, group, K, minimum=301)[0]).all()


def test_standardized_mean_difference_of_a_worked_example():
    p = np.array([0.0, 0.2, 0.6, 0.8, 99.0])  # the last of unknown group
    gap = fairness.standardized_mean_difference(p, [0, 0, 1, 1, -1], 2)
    assert_allclose(gap, [-0.6 / math.sqrt(0.1)], atol=1e-12)
    assert np.isnan(fairness.standardized_mean_difference([0.5, 0.5], [0, 1], 2)).all()
    assert np.isnan(fairness.standardized_mean_difference(p, [0, 0, 0, 0, -1], 2)).all()


@st.composite
def scored(draw):
    n = draw(st.integers(1, 40))
    lists = [draw(st.lists(values, min_size=n, max_size=n)) for values in
             (st.integers(0, 1), st.integers(0, 8).map(lambda i: i / 8), st.integers(-1, 2))]  # fmt: skip
    return [np.array(values) for values in lists]


@unhurried
@given(scored(), st.sampled_from([None, 0.0, 0.05, 0.25, 0.5]), st.sampled_from([0, 3]))
def test_cheapest_threshold_is_the_cheapest_fair_one_by_trying_all(data, tolerance, minimum):
    label, p, group = data
    best = (math.inf, math.inf)
    for t in [-math.inf, *np.unique(p)[1:], math.inf]:
        approve = p < t
        difference = fairness.equalized_odds_difference(fairness.confusion(label, approve, group, 3), minimum)
        if tolerance is None or math.isinf(t) or difference <= tolerance + 1e-12:
            best = min(best, (round(expected_cost(label, approve) * len(p)), t))
    assert fairness.cheapest_threshold(label, p, group, tolerance, minimum=minimum) == best[1]


def test_cheapest_threshold_follows_the_costs():
    # Calibrated p: approving pays where p * 5 < (1 - p) * 1, that is p < 1/6; at equal costs where p < 1/2.
    rng = np.random.default_rng(5)
    p = np.repeat(np.linspace(0.01, 0.99, 99), 2000)
    label, group = (rng.random(len(p)) < p).astype(int), np.zeros(len(p), dtype=int)
    assert abs(fairness.cheapest_threshold(label, p, group, None) - 1 / 6) < 0.03
    assert abs(fairness.cheapest_threshold(label, p, group, None, 1, 1) - 1 / 2) < 0.03


def exact_coverage(n, rate):
    """Chance that the bound covers the true gap of two groups with n[g] records of a label, approved at rate[g].

    By enumeration of one label; the other has as many records as makes its bound never the larger one.
    """
    first, second = np.meshgrid(np.arange(n[0] + 1), np.arange(n[1] + 1), indexing="ij")
    counts = np.zeros((*first.shape, 2, 2, 2))
    counts[..., 0, fairness.BAD, :] = np.stack([n[0] - first, first], axis=-1)
    counts[..., 1, fairness.BAD, :] = np.stack([n[1] - second, second], axis=-1)
    counts[..., fairness.GOOD, :] = [0, 1e9]
    chance = np.multiply.outer(stats.binom.pmf(np.arange(n[0] + 1), n[0], rate[0]),
                               stats.binom.pmf(np.arange(n[1] + 1), n[1], rate[1]))  # fmt: skip
    covered = fairness.equalized_odds_upper_bound(counts) >= abs(rate[0] - rate[1]) - 1e-12
    return np.sum(chance * covered)


@pytest.mark.parametrize("n", [(40, 40), (50, 400), (400, 50), (150, 150)])
@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("gap", [0, 0.02, 0.05, 0.1, 0.3])
def test_upper_bound_covers_the_true_gap_of_two_groups(n, rate, gap):
    assert exact_coverage(n, (rate, rate - gap)) >= 0.945


@pytest.mark.parametrize("gap", [0.0, 0.05])
def test_upper_bound_covers_the_worst_of_many_gaps(gap):
    rng = np.random.default_rng(6)
    size = np.array([[4000, 500], [900, 200], [500, 100], [300, 80]])
    rate = np.array([[0.9, 0.5]] * 3 + [[0.9 - gap, 0.5 - gap]])
    approved = rng.binomial(size, rate, size=(4000, 4, 2))
    bound = fairness.equalized_odds_upper_bound(np.stack([size - approved, approved], axis=-1))
    assert np.mean(bound >= gap) >= 0.95


def test_upper_bound_is_tight_enough_to_certify_where_cells_are_large():
    # HMDA's black and white applicants, good and bad, under a perfectly fair rule.
    rng = np.random.default_rng(7)
    size = np.array([[8501, 2351], [105_000, 10_000]])
    approved = rng.binomial(size, [0.8, 0.5], size=(2000, 2, 2))
    bound = fairness.equalized_odds_upper_bound(np.stack([size - approved, approved], axis=-1))
    assert np.mean(bound <= 0.05) > 0.95
    small = rng.binomial(size // 20, [0.8, 0.5], size=(2000, 2, 2))
    bound = fairness.equalized_odds_upper_bound(np.stack([size // 20 - small, small], axis=-1))
    assert np.mean(bound <= 0.05) < 0.05


def test_upper_bound_is_made_of_exact_limits():
    counts = np.array([[[10, 90], [20, 30]], [[30, 70], [25, 25]]])
    exact = [[stats.binomtest(int(c[1]), int(c.sum())).proportion_ci(0.90, "exact") for c in of] for of in counts]
    by_hand = 0.9 - 0.7 + math.hypot(exact[0][0].high - 0.9, 0.7 - exact[1][0].low)
    assert_allclose(fairness.equalized_odds_upper_bound(counts), by_hand, atol=1e-12)
    assert fairness.equalized_odds_upper_bound([[[0, 1], [1, 0]], [[1, 0], [0, 1]]]) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fairness.confusion([0, 1], [1, 0], [0, 2], 2), "-1..1"),
        (lambda: fairness.confusion([0, 1], [1, 0], [0, -2], 2), "-1..1"),
        (lambda: fairness.confusion([0, 1], [1, 2], [0, 1], 2), "approve must lie"),
        (lambda: fairness.confusion([0, 3], [1, 0], [0, 1], 2), "label must be 0"),
        (lambda: fairness.confusion([0, 1], [1, 0], [0], 2), "must match"),
        (lambda: fairness.cheapest_threshold([0.1, 0.2], [0, 1], [0, 1], None), "label must be 0"),
    ],
)
def test_bad_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()
