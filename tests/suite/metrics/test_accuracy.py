"""Accuracy metrics against scikit-learn, numerical integration and worked examples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from fourfold.suite.metrics import accuracy

METRICS = [
    accuracy.auc,
    accuracy.gini,
    accuracy.ks,
    accuracy.h_measure,
    accuracy.brier,
    accuracy.log_loss,
    accuracy.calibration_error,
]
NEED_BOTH_CLASSES = METRICS[:4]
unhurried = settings(deadline=None, max_examples=50)


@st.composite
def scored(draw):
    """Both classes, probabilities with ties and with 0 and 1 among them, and whole weights."""
    n = draw(st.integers(2, 60))
    label = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))])
    probability = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))
    p = np.array(draw(st.lists(probability, min_size=n, max_size=n)))
    weight = np.array([1, 1, *draw(st.lists(st.integers(0, 3), min_size=n - 2, max_size=n - 2))])
    return label, p, weight


@unhurried
@given(scored())
def test_point_values_equal_scikit_learn(data):
    metrics = pytest.importorskip("sklearn.metrics")
    label, p, weight = data
    for w in (None, weight):
        assert_allclose(accuracy.auc(label, p, w), metrics.roc_auc_score(label, p, sample_weight=w), atol=1e-12)
        assert_allclose(accuracy.brier(label, p, w), metrics.brier_score_loss(label, p, sample_weight=w), atol=1e-12)
        assert_allclose(accuracy.log_loss(label, p, w), metrics.log_loss(label, p, sample_weight=w), rtol=1e-12)
        fpr, tpr, _ = metrics.roc_curve(label, p, sample_weight=w, drop_intermediate=False)
        assert_allclose(accuracy.ks(label, p, w), np.max(np.abs(tpr - fpr)), atol=1e-12)


@unhurried
@given(scored())
def test_ks_equals_scipy_and_gini_is_the_accuracy_ratio(data):
    label, p, _ = data
    assert_allclose(accuracy.ks(label, p), stats.ks_2samp(p[label == 1], p[label == 0]).statistic, atol=1e-12)
    assert_allclose(accuracy.gini(label, p), 2 * accuracy.auc(label, p) - 1, atol=1e-12)


@unhurried
@given(scored())
def test_a_weight_is_a_number_of_copies_and_order_does_not_matter(data):
    label, p, weight = data
    shuffled = np.random.default_rng(0).permutation(np.repeat(np.arange(len(label)), weight))
    for metric in METRICS:
        copies = metric(label[shuffled], p[shuffled])
        assert_allclose(metric(label, p, weight), copies, atol=1e-12, rtol=1e-12, err_msg=metric.__name__)


def h_by_integration(label, p):
    """The definition itself: integrate the least cost over all thresholds, found by trying each of them."""
    pi1 = np.mean(label)
    thresholds = np.append(np.unique(p), np.inf)
    refused_good = np.array([np.mean((label == 0) & (p >= t)) for t in thresholds])
    approved_bad = np.array([np.mean((label == 1) & (p < t)) for t in thresholds])
    density = stats.beta(1 + pi1, 2 - pi1).pdf

    def expected(least):
        breaks = np.linspace(0, 1, 201)
        return sum(integrate.quad(lambda c: least(c) * density(c), a, b)[0] for a, b in itertools.pairwise(breaks))

    loss = expected(lambda c: np.min(c * refused_good + (1 - c) * approved_bad))
    return 1 - loss / expected(lambda c: min(c * (1 - pi1), (1 - c) * pi1))


@pytest.mark.parametrize("seed", range(4))
def test_h_measure_equals_its_definition_integrated(seed):
    rng = np.random.default_rng(seed)
    label = (rng.random(80) < 0.3).astype(int)
    p = np.round(rng.beta(2, 5, 80) + 0.15 * label, 2)
    assert_allclose(accuracy.h_measure(label, p), h_by_integration(label, p), atol=1e-6)


def test_h_measure_equals_the_hmeasure_package():
    # The ten records of its README; version 0.1.6 gives this with severity_ratio=-1, which asks for the 2014 costs.
    label = [1, 1, 0, 1, 1, 0, 1, 1, 1, 0]
    p = [0.84901876, 0.10282827, 0.43752488, 0.46004468, 0.90878931, 0.79177719, 0.5297229, 0.13803906, 0.73166264,
         0.22959056]  # fmt: skip
    assert_allclose(accuracy.h_measure(label, p), 0.1831094651207934, rtol=1e-12)


@unhurried
@given(scored())
def test_h_measure_depends_on_the_order_alone_and_stays_in_its_range(data):
    label, p, _ = data
    h = accuracy.h_measure(label, p)
    assert -1e-12 <= h <= 1 + 1e-12
    assert_allclose(accuracy.h_measure(label, np.searchsorted(np.unique(p), p)), h, atol=1e-12)
    assert_allclose(accuracy.h_measure(label, label), 1, atol=1e-12)
    assert_allclose(accuracy.h_measure(label, np.zeros(len(label))), 0, atol=1e-12)


def test_calibration_error_bins_are_the_deciles_without_ties():
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(3)
    p = rng.permutation(rng.beta(2, 5, 500))
    label = (rng.random(500) < p**1.5).astype(int)
    observed, predicted = calibration_curve(label, p, n_bins=10, strategy="quantile")
    assert_allclose(accuracy.calibration_error(label, p), np.mean(np.abs(observed - predicted)), atol=1e-12)


def test_calibration_error_keeps_ties_in_one_bin():
    # 12 of 20 records share p = 0.3; their middle, 6 of 20, opens the fourth bin. Default rate there: 6/12.
    p = np.array([0.3] * 12 + [0.9] * 8)
    label = np.array([1] * 6 + [0] * 6 + [1] * 8)
    expected = 12 / 20 * abs(0.3 - 0.5) + 8 / 20 * abs(0.9 - 1)
    assert_allclose(accuracy.calibration_error(label, p), expected, atol=1e-12)


def test_calibration_error_of_a_constant_is_its_bias():
    label = np.array([1, 0, 0, 0])
    assert_allclose(accuracy.calibration_error(label, np.full(4, 0.4)), 0.15, atol=1e-12)


def test_cost_and_net_benefit_of_a_worked_example():
    label = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    approve = np.array([1, 0, 1, 1, 1, 1, 1, 1, 0, 0])
    assert accuracy.expected_cost(label, approve) == pytest.approx((5 + 2) / 10)
    assert accuracy.net_benefit(label, approve) == pytest.approx(1 - 7 / 8)  # refusing all costs 8, approving all 10
    assert accuracy.accuracy(label, approve) == pytest.approx(0.7)
    assert accuracy.expected_cost(label, approve, 1, 1) == pytest.approx(0.3)


@unhurried
@given(scored(), st.floats(0, 1))
def test_no_constant_decision_has_net_benefit_above_zero(data, share):
    label, _, _ = data
    constant = accuracy.net_benefit(label, np.full(len(label), share))
    best = max(accuracy.net_benefit(label, np.full(len(label), a)) for a in (0, 1))
    assert constant <= 1e-12
    assert_allclose(best, 0, atol=1e-12)
    assert_allclose(accuracy.net_benefit(label, 1 - label), 1, atol=1e-12)


def test_randomized_decisions_are_scored_in_expectation():
    rng = np.random.default_rng(0)
    label, approve = rng.integers(0, 2, 40), rng.random(40)
    draws = rng.random((40_000, 40)) < approve
    costs = np.mean(5 * draws * label + (1 - draws) * (1 - label), axis=1)
    assert abs(accuracy.expected_cost(label, approve) - costs.mean()) < 5 * costs.std() / math.sqrt(40_000)


def test_weights_with_leading_axes_give_counts_of_each_replicate():
    rng = np.random.default_rng(0)
    label, approve, weight = rng.integers(0, 2, 50), rng.random(50), rng.integers(0, 4, (7, 50))
    counts = accuracy.decision_counts(label, approve, weight)
    assert counts.shape == (7, 2, 2)
    for b in range(7):
        copies = np.repeat(np.arange(50), weight[b])
        assert_allclose(
            accuracy.net_benefit_from_counts(counts)[b],
            accuracy.net_benefit(label[copies], approve[copies]),
            atol=1e-12,
        )


@pytest.mark.parametrize("metric", NEED_BOTH_CLASSES)
@pytest.mark.parametrize("label", [0, 1])
def test_what_needs_two_classes_is_none_with_one(metric, label):
    assert metric([label] * 3, [0.1, 0.2, 0.3]) is None
    assert metric([0, 1, 1], [0.1, 0.2, 0.3], [0, 1, 1]) is None


@pytest.mark.parametrize("metric", METRICS)
def test_no_record_is_none(metric):
    assert metric([], []) is None


def test_decisions_without_records_or_without_one_class_are_none():
    assert accuracy.expected_cost([], []) is None
    assert accuracy.accuracy([], []) is None
    assert accuracy.net_benefit([0, 0], [1, 0]) is None
    assert accuracy.net_benefit([1, 1], [1, 0]) is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: accuracy.auc([0, 2], [0.1, 0.2]), "label must be 0"),
        (lambda: accuracy.auc([0, 1], [0.1, 0.2, 0.3]), "shapes"),
        (lambda: accuracy.brier([0, 1], [0.1, math.nan]), "finite"),
        (lambda: accuracy.expected_cost([0, 1], [0, 1.5]), "approve must lie"),
        (lambda: accuracy.expected_cost([0, 1], [0, math.nan]), "approve must lie"),
        (lambda: accuracy.expected_cost([0, 1], [1]), "must match"),
    ],
)
def test_bad_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()
