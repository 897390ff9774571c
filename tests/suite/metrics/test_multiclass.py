"""Metrics of class probabilities, against hand-worked examples, scikit-learn and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.metrics.multiclass import (
    CALIBRATION_BINS,
    calibration_error,
    calibration_residuals,
    class_counts,
    class_gap,
    classified_right,
    log_losses,
    worst_class_accuracy,
)


def drawn(seed: int, n: int = 400, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, k, n)
    scores = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[label]
    return label, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def ece(label: np.ndarray, p: np.ndarray) -> float:
    return float(calibration_error(calibration_residuals(label, p).sum(axis=0), len(label)))


def test_values_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    label, p = drawn(0)
    right = classified_right(label, p)
    counts = class_counts(label, right, 5)
    assert right.mean() == metrics.accuracy_score(label, p.argmax(axis=1))
    assert log_losses(label, p).mean() == pytest.approx(metrics.log_loss(label, p), abs=1e-12)
    recall = metrics.recall_score(label, p.argmax(axis=1), average=None)
    assert counts[:, 0] / counts[:, 1] == pytest.approx(recall)
    assert worst_class_accuracy(counts)[0] == pytest.approx(recall.min())
    assert class_gap(counts)[0] == pytest.approx(np.ptp(recall))


def test_calibration_error_of_a_hand_worked_example():
    p = np.array([[0.9, 0.1, 0.0], [0.9, 0.05, 0.05], [0.55, 0.45, 0.0], [0.2, 0.2, 0.6], [0.0, 1.0, 0.0]])
    label = np.array([0, 1, 1, 2, 1])
    # (12/15, 13/15] has none, (13/15, 14/15] the two of .9: 1.8 - 1; (8/15, 9/15] .55 and .6 on its edge: 1.15 - 1;
    # the last one 1 - 1.
    assert ece(label, p) == pytest.approx((0.8 + 0.15 + 0) / 5)


def test_errors_within_a_bin_cancel_and_those_of_two_bins_do_not():
    p = np.array([[0.75, 0.25]] * 4)
    assert ece(np.array([0, 0, 0, 1]), p) == pytest.approx(0)
    p = np.array([[0.99, 0.01]] * 2 + [[0.51, 0.49]] * 2)
    assert ece(np.array([0, 1, 0, 0]), p) == pytest.approx((2 * 0.49 + 2 * 0.49) / 4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 6))
def test_calibration_error_is_its_definition(seed, n, k):
    label, p = drawn(seed, n, k)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label
    expected = 0.0
    for b in range(CALIBRATION_BINS):
        inside = (confidence > b / CALIBRATION_BINS) & (confidence <= (b + 1) / CALIBRATION_BINS)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ece(label, p) == pytest.approx(expected, abs=1e-12)
    order = np.random.default_rng(seed).permutation(n)
    assert ece(label[order], p[order]) == pytest.approx(expected, abs=1e-12)


def test_a_weight_of_two_is_a_record_twice():
    label, p = drawn(1, 50)
    weight = np.random.default_rng(2).integers(0, 3, 50)
    weighted = calibration_error(weight @ calibration_residuals(label, p), weight.sum())
    assert weighted == pytest.approx(ece(np.repeat(label, weight), np.repeat(p, weight, axis=0)))


def test_a_certain_mistake_costs_what_the_least_probability_costs():
    assert log_losses([1], [[1.0, 0.0]]) == pytest.approx(-np.log(1e-12))
    assert log_losses([0], [[1.0, 0.0]]) == pytest.approx(0)


def test_of_equally_likely_classes_the_first_counts():
    assert classified_right([0, 1, 2], np.full((3, 3), 1 / 3)).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("label", "p"), [([0, 1], [[1.0, 0.0]]), ([2], [[1.0, 0.0]]), ([-1], [[1.0, 0.0]]), ([0], [1.0])]
)
def test_what_does_not_match_is_refused(label, p):
    with pytest.raises(ValueError, match="label"):
        classified_right(label, p)


def test_the_worst_of_one_class_has_the_exact_interval():
    scipy = pytest.importorskip("scipy.stats")
    for right, n in ((81, 263), (0, 20), (29, 29), (1, 29)):
        exact = scipy.binomtest(right, n).proportion_ci(0.95, "exact")
        assert worst_class_accuracy([[right, n]]) == pytest.approx((right / n, exact.low, exact.high))
        assert class_gap([[right, n]]) == (0, 0, 0)


def test_the_gap_of_two_classes_is_near_newcombes():
    """56 of 70 less 48 of 80: 0.0524 to 0.3339 with Wilson's limits (Newcombe 1998, table II, method 10)."""
    value, low, high = class_gap([[56, 70], [48, 80]])
    assert value == pytest.approx(0.2)
    assert 0.3339 < high < 0.36  # exact limits are wider
    assert 0.01 < low < 0.0524  # and at half the level, as either class might be the better one


EQUAL, ONE_WORSE, SPREAD = [0.97] * 10, [0.6] + [0.97] * 9, list(np.linspace(0.7, 0.99, 10))


@pytest.mark.parametrize("n", [50, 1000])
@pytest.mark.parametrize("truth", [EQUAL, ONE_WORSE, SPREAD], ids=["equal", "one worse", "spread"])
def test_intervals_cover_the_truth_although_the_extremes_were_picked(truth, n):
    rng, runs = np.random.default_rng(5), 1000
    worst, gap = 0, 0
    for right in rng.binomial(n, truth, (runs, len(truth))):
        counts = np.stack([right, np.full(len(truth), n)], axis=-1)
        _, low, high = worst_class_accuracy(counts)
        worst += low <= min(truth) <= high
        _, low, high = class_gap(counts)
        gap += low <= max(truth) - min(truth) <= high
    margin = 2 * np.sqrt(0.05 * 0.95 / runs)  # of the simulation
    assert worst / runs >= 0.95 - margin
    assert gap / runs >= 0.95 - margin


def test_a_percentile_bootstrap_of_the_extremes_would_not_cover():
    """Why the intervals are not made of resamples: where all classes are equal, these hardly ever hold the truth."""
    rng, runs, n = np.random.default_rng(6), 200, 500
    held = 0
    for right in rng.binomial(n, EQUAL, (runs, 10)):
        least = rng.binomial(n, right / n, (300, 10)).min(axis=1) / n
        held += np.quantile(least, 0.025) <= EQUAL[0] <= np.quantile(least, 0.975)
    assert held / runs < 0.5


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8))
def test_intervals_hold_their_value_and_stay_in_range(pairs):
    counts = np.array([(right, right + wrong) for right, wrong in pairs])
    if not counts[:, 1].any():
        with pytest.raises(ValueError, match="no record"):
            worst_class_accuracy(counts)
        return
    some = counts[:, 1] > 0
    rate = counts[some, 0] / counts[some, 1]
    for (value, low, high), expected in ((worst_class_accuracy(counts), rate.min()), (class_gap(counts), np.ptp(rate))):
        assert value == pytest.approx(expected)
        assert 0 <= low <= value + 1e-12
        assert value - 1e-12 <= high <= 1
