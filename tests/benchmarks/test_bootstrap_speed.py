"""The multinomial row bootstrap beside fairlearn's, on the same table, in the same run.

1,000 resamples of selection rate, both approval rates and accuracy of four groups on 30,000 rows. MetricFrame's cost is
linear in its resamples, so it runs 10 and is scaled, unless FOURFOLD_BENCH_FULL=1 asks for all 1,000 (some 8 minutes).

    pytest tests/benchmarks/test_bootstrap_speed.py --benchmark-only -s
"""

import os
import time

import numpy as np
import pytest

from fourfold.suite.metrics import bootstrap, fairness

ROWS, GROUPS, RESAMPLES = 30_000, 4, 1000


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    group = rng.integers(0, GROUPS, ROWS)
    label = (rng.random(ROWS) < 0.15 + 0.05 * group).astype(int)
    return label, (rng.random(ROWS) < 0.85 - 0.3 * label).astype(int), group


def resample_group_rates(label, approve, group):
    """From the rows to 1,000 values of four rates in four groups."""
    counts = fairness.confusion(label, approve, group, GROUPS)
    drawn = bootstrap.multinomial_counts(np.random.default_rng(0), counts, RESAMPLES)
    return (
        fairness.selection_rate(drawn),
        fairness.approval_rate(drawn, fairness.GOOD),
        fairness.approval_rate(drawn, fairness.BAD),
        fairness.accuracy_by_group(drawn),
    )


def metric_frame_seconds(label, approve, group, resamples):
    """CPU seconds of MetricFrame with this many resamples, 0 meaning the point values alone."""
    metrics, theirs = pytest.importorskip("sklearn.metrics"), pytest.importorskip("fairlearn.metrics")
    bootstrapped = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": 0} if resamples else {}
    start = time.process_time()
    theirs.MetricFrame(
        metrics={
            "selected": theirs.selection_rate,
            "good": theirs.true_positive_rate,
            "bad": theirs.false_positive_rate,
            "accuracy": metrics.accuracy_score,
        },
        y_true=1 - label,
        y_pred=approve,
        sensitive_features=group,
        **bootstrapped,
    )
    return time.process_time() - start


def test_group_rates_beside_metric_frame(benchmark, table):
    rates = benchmark.pedantic(resample_group_rates, args=table, rounds=20, warmup_rounds=2)
    assert [rate.shape for rate in rates] == [(RESAMPLES, GROUPS)] * 4
    start = time.process_time()
    for _ in range(20):
        resample_group_rates(*table)
    ours = (time.process_time() - start) / 20
    ran = RESAMPLES if os.environ.get("FOURFOLD_BENCH_FULL") == "1" else 10
    theirs = metric_frame_seconds(*table, ran)
    if ran < RESAMPLES:
        theirs = (theirs - metric_frame_seconds(*table, 0)) * RESAMPLES / ran
    benchmark.extra_info["cpu_seconds"] = ours
    benchmark.extra_info["metric_frame_cpu_seconds"] = theirs
    benchmark.extra_info["metric_frame_resamples_run"] = ran
    benchmark.extra_info["ratio"] = theirs / ours
    print(f"\n{ours:.4f} CPU s; MetricFrame {theirs:.0f} CPU s (ran {ran} of {RESAMPLES}); {theirs / ours:,.0f} times")


def test_auc_of_a_thousand_resamples(benchmark, table):
    label, *_ = table
    rng = np.random.default_rng(1)
    p, weights = rng.random(ROWS) + 0.2 * label, bootstrap.poisson_weights(rng, RESAMPLES, ROWS)
    area = benchmark.pedantic(bootstrap.auc_replicates, args=(label, p, weights), rounds=3, warmup_rounds=1)
    assert area.shape == (RESAMPLES,)


def test_ranks_of_300_methods_over_5_seeds(benchmark):
    replicates = np.random.default_rng(2).normal(size=(300, 5, RESAMPLES)).astype(np.float32)

    def rank():
        mean = bootstrap.clustered_mean(replicates, np.random.default_rng(0))
        return bootstrap.rank_intervals(mean, higher_is_better=True)

    assert len(benchmark.pedantic(rank, rounds=5, warmup_rounds=1)) == 300
