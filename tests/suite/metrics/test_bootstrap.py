"""Resampling kernels against the plain row bootstrap, scipy, scikit-learn and fairlearn; ranks against their level."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from fourfold.suite.metrics import accuracy, bootstrap, fairness


def lending(rng, n, k=2):
    """Labels, scores with ties, decisions and groups that have to do with one another."""
    group = rng.integers(0, k, n)
    label = (rng.random(n) < 0.2 + 0.1 * group).astype(int)
    p = np.round(np.clip(rng.beta(2, 6, n) + 0.15 * label, 0, 1), 2)
    return label, p, (p < 0.35).astype(int), group


def test_poisson_weights_have_the_poisson_distribution():
    weights = bootstrap.poisson_weights(np.random.default_rng(0), 400, 5000)
    assert weights.dtype == np.uint8
    share = np.bincount(weights.ravel(), minlength=8)[:8] / weights.size
    expected = stats.poisson.pmf(np.arange(8), 1)
    assert np.all(np.abs(share - expected) < 5 * np.sqrt(expected / weights.size) + 2**-16)


def test_poisson_weights_are_a_function_of_the_generator():
    first, again, other = (bootstrap.poisson_weights(np.random.default_rng(seed), 5, 50) for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert (first != other).any()


def test_multinomial_counts_have_the_moments_of_the_row_bootstrap():
    counts = np.array([[[30, 70], [40, 10]], [[5, 15], [20, 10]]])
    drawn = bootstrap.multinomial_counts(np.random.default_rng(0), counts, 20_000)
    assert drawn.shape == (20_000, 2, 2, 2)
    assert_array_equal(drawn.sum(axis=(1, 2, 3)), 200)
    deviation = np.sqrt(counts * (1 - counts / 200))
    assert_allclose(drawn.mean(axis=0), counts, atol=5 * np.max(deviation) / math.sqrt(20_000))
    assert_allclose(drawn.std(axis=0), deviation, rtol=0.05)


def test_multinomial_counts_of_fractional_counts_draw_whole_records():
    counts = np.array([[2.5, 7.5], [1 / 3, 2 / 3]])
    drawn = bootstrap.multinomial_counts(np.random.default_rng(0), counts, 4000)
    assert_array_equal(drawn.sum(axis=(1, 2)), 11)
    assert_allclose(drawn.mean(axis=0), counts, atol=0.2)
    assert_array_equal(bootstrap.multinomial_counts(np.random.default_rng(0), np.zeros((2, 2)), 3), np.zeros((3, 2, 2)))


def test_intervals_agree_with_metric_frame():
    theirs, metrics = pytest.importorskip("fairlearn.metrics"), pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    label, _, approve, group = lending(rng, 600)
    draws, quantiles = 100, [0.025, 0.1, 0.5, 0.9, 0.975]
    frame = theirs.MetricFrame(
        metrics={
            "selected": theirs.selection_rate,
            "good": theirs.true_positive_rate,
            "bad": theirs.false_positive_rate,
            "accuracy": metrics.accuracy_score,
        },
        y_true=1 - label,
        y_pred=approve,
        sensitive_features=group,
        n_boot=draws,
        ci_quantiles=quantiles,
        random_state=0,
    )
    counts = bootstrap.multinomial_counts(rng, fairness.confusion(label, approve, group, 2), 20_000)
    for name, rates in [
        ("selected", fairness.selection_rate(counts)),
        ("good", fairness.approval_rate(counts, fairness.GOOD)),
        ("bad", fairness.approval_rate(counts, fairness.BAD)),
        ("accuracy", fairness.accuracy_by_group(counts)),
    ]:
        for quantile, frame_ci in zip(quantiles, frame.by_group_ci, strict=True):
            density = stats.norm.pdf(stats.norm.ppf(quantile)) / rates.std(axis=0)
            standard_error = math.sqrt(quantile * (1 - quantile) / draws) / density
            off = np.quantile(rates, quantile, axis=0) - frame_ci[name].to_numpy(dtype=float)
            assert np.all(np.abs(off) < 4 * standard_error), (name, quantile)


def test_poisson_and_multinomial_give_one_interval():
    rng = np.random.default_rng(2)
    label, _, approve, group = lending(rng, 3000)
    weights = bootstrap.poisson_weights(rng, 4000, 3000)
    poisson = fairness.signed_gaps(fairness.selection_rate(fairness.confusion(label, approve, group, 2, weights)))
    counts = bootstrap.multinomial_counts(rng, fairness.confusion(label, approve, group, 2), 4000)
    multinomial = fairness.signed_gaps(fairness.selection_rate(counts))
    width = multinomial.std()
    for ours, other in zip(
        bootstrap.percentile_interval(poisson), bootstrap.percentile_interval(multinomial), strict=True
    ):
        assert abs(ours - other) < 0.25 * width


def test_weighted_sums_are_the_same_in_parts_and_whole():
    rng = np.random.default_rng(3)
    n = bootstrap._CHUNK // 2 + 1  # so that each part is a single row
    column, weights = rng.random(n), bootstrap.poisson_weights(rng, 3, n)
    sums = bootstrap.weighted_sums(column[:, None], weights)
    assert_allclose(sums[:, 0], [np.sum(column * row) for row in weights], rtol=1e-12)
    assert_allclose(bootstrap.mean_replicates(column, weights), [np.average(column, weights=row) for row in weights])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 50), st.integers(1, 12))
def test_auc_replicates_equal_scikit_learn_under_weights(seed, n, levels):
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    rng = np.random.default_rng(seed)
    label, p = rng.integers(0, 2, n), rng.integers(0, levels, n) / levels
    weights = bootstrap.poisson_weights(rng, 6, n)
    for row, ours in zip(weights, bootstrap.auc_replicates(label, p, weights), strict=True):
        if len(np.unique(label[row > 0])) < 2:
            assert np.isnan(ours)
        else:
            assert_allclose(ours, roc_auc_score(label, p, sample_weight=row), atol=1e-12)


def test_auc_replicates_spread_as_the_row_bootstrap():
    rng = np.random.default_rng(4)
    label, p, *_ = lending(rng, 400)
    replicates = bootstrap.auc_replicates(label, p, bootstrap.poisson_weights(rng, 4000, 400))
    rows = [accuracy.auc(label[at], p[at]) for at in rng.integers(0, 400, (2000, 400))]
    assert abs(replicates.mean() - accuracy.auc(label, p)) < 0.1 * replicates.std()
    assert_allclose(replicates.std(), np.std(rows), rtol=0.1)


@pytest.mark.parametrize("metric", [accuracy.ks, accuracy.h_measure, accuracy.calibration_error, accuracy.auc])
def test_score_replicates_are_the_metric_under_each_weight(metric):
    rng = np.random.default_rng(5)
    label, p, *_ = lending(rng, 80)
    weights = bootstrap.poisson_weights(rng, 7, 80)
    weights[3] *= label == 0
    ours = bootstrap.score_replicates(metric, label, p, weights)
    assert_allclose(ours, [np.nan if (m := metric(label, p, row)) is None else m for row in weights], atol=1e-12)


def test_percentile_interval_leaves_out_a_few_undefined_replicates_and_refuses_many():
    values = np.arange(1000.0)
    assert bootstrap.percentile_interval(values) == pytest.approx((24.975, 974.025))
    assert bootstrap.percentile_interval(values, level=0.5) == pytest.approx((249.75, 749.25))
    values[:100] = np.nan
    assert bootstrap.percentile_interval(values) == pytest.approx(tuple(np.quantile(values[100:], [0.025, 0.975])))
    values[100] = np.nan
    assert bootstrap.percentile_interval(values) == (None, None)
    assert bootstrap.percentile_interval([]) == (None, None)


def test_wilson_interval_equals_scipy():
    x, n = np.array([0, 1, 5, 10, 300]), np.array([10, 7, 9, 10, 1000])
    low, high = bootstrap.wilson_interval(x, n, 0.9)
    for i in range(len(x)):
        exact = stats.binomtest(x[i], n[i]).proportion_ci(0.9, "wilson")
        assert_allclose([low[i], high[i]], [exact.low, exact.high], atol=1e-12)
    assert np.isnan(bootstrap.wilson_interval(0, 0)).all()


def test_clustered_mean_of_equal_clusters_is_their_mean():
    values = np.random.default_rng(6).normal(size=(4, 1, 500))
    assert_allclose(bootstrap.clustered_mean(values, np.random.default_rng(0)), values[:, 0], atol=1e-12)
    five = np.repeat(values, 5, axis=1)
    assert_allclose(bootstrap.clustered_mean(five, np.random.default_rng(0)), values[:, 0], atol=1e-12)


def test_clustered_mean_spreads_as_student_says_between_clusters():
    centre = np.random.default_rng(7).normal(size=(3, 5))
    values = np.repeat(centre[:, :, None], 40_000, axis=2)
    ours = bootstrap.clustered_mean(values, np.random.default_rng(0))
    half = stats.t.ppf(0.975, 4) * stats.sem(centre, axis=1)
    assert_allclose(ours.mean(axis=1), centre.mean(axis=1), atol=0.02)
    assert_allclose(ours.std(axis=1) * stats.norm.ppf(0.975), half, rtol=0.02)


def test_clustered_mean_draws_the_same_clusters_for_every_method():
    one = np.random.default_rng(8).normal(size=(1, 5, 300))
    both = bootstrap.clustered_mean(np.concatenate([one, one, one + 0.25]), np.random.default_rng(0))
    assert_array_equal(both[0], both[1])
    assert_allclose(both[2] - both[0], 0.25, atol=1e-12)


def test_ranks_of_equal_and_of_separated_methods():
    rng = np.random.default_rng(9)
    noise = rng.normal(size=1000)
    replicates = np.stack([noise, noise, noise + 0.1, noise - 10, rng.normal(size=1000)])
    # The third beats its two copies in every replicate though their intervals overlap; the fifth ties with all three.
    assert bootstrap.rank_intervals(replicates, higher_is_better=True) == [(2, 4), (2, 4), (1, 2), (5, 5), (1, 4)]
    assert bootstrap.rank_intervals(-replicates, higher_is_better=False) == [(2, 4), (2, 4), (1, 2), (5, 5), (1, 4)]


def test_methods_without_values_have_no_rank_and_count_for_none():
    replicates = np.array([[1.0] * 100, [np.nan] * 100, [2.0] * 100, [np.nan] * 11 + [5.0] * 89, [np.nan] + [0.5] * 99])
    assert bootstrap.rank_intervals(replicates, higher_is_better=True) == [(2, 2), None, (1, 1), None, (3, 3)]
    replicates[3, 10] = 5.0
    assert bootstrap.rank_intervals(replicates, higher_is_better=True)[3] is not None
    assert bootstrap.rank_intervals(np.full((2, 10), np.nan), higher_is_better=True) == [None, None]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(0, 3))
def test_ranks_are_the_intervals_of_all_paired_differences(seed, methods, spread):
    rng = np.random.default_rng(seed)
    replicates = (rng.normal(size=(methods, 200)) + spread * rng.normal(size=(methods, 1))).astype(np.float32)
    below = [[np.mean(a <= b) < 0.025 for b in replicates] for a in replicates]  # [a][b]: a is above b
    expected = [(1 + sum(row[i] for row in below), methods - sum(below[i])) for i in range(methods)]
    assert bootstrap.rank_intervals(replicates, higher_is_better=True) == expected


@pytest.mark.parametrize(("record_noise", "seed_noise"), [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
def test_equal_methods_are_set_apart_at_about_the_level(record_noise, seed_noise):
    rng = np.random.default_rng(10)
    methods, seeds, draws, rounds = 8, 5, 800, 150
    apart = 0
    for _ in range(rounds):
        observed = seed_noise * rng.normal(size=(methods, seeds, 1)) + record_noise * rng.normal(size=(methods, 1, 1))
        replicates = observed + record_noise * rng.normal(size=(methods, 1, draws))
        ranks = bootstrap.rank_intervals(bootstrap.clustered_mean(replicates, rng), higher_is_better=True)
        apart += sum(best - 1 for best, _ in ranks)
    # Pairs of a round share methods; 0.02 is four times the standard error over rounds.
    assert 0.02 < apart / (rounds * methods * (methods - 1) / 2) < 0.07


def test_a_record_weighs_the_same_whichever_rows_are_asked_for():
    first, second = (
        bootstrap.weights_of_rows(np.random.default_rng(3), 50, 200, rows) for rows in ([5, 120, 7], [120, 9])
    )
    assert first.shape == (50, 3)
    assert np.array_equal(first[:, 1], second[:, 0])
    assert not np.array_equal(first[:, 0], second[:, 1])
