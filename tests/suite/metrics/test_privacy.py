import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, log_ndtr, logit, ndtr
from scipy.stats import binom, binomtest

from fourfold.suite.metrics.privacy import AuditedEpsilon, audit_p_value, audited_epsilon, leakage_auc, tpr_at_fpr

DELTA = 1e-5


def fair_coins(rng, m):
    return rng.random(m) < 0.5


def gaussian_mu(epsilon, delta=DELTA):
    """The signal-to-noise ratio of the Gaussian mechanism that is exactly (epsilon, delta)-DP."""

    def excess(mu):
        return ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)) - delta

    return brentq(excess, 1e-3, 50)


def gaussian_canaries(rng, m, epsilon):
    """Each canary in a coordinate of its own, its coin released with Gaussian noise: the strongest white-box attack."""
    coin = fair_coins(rng, m)
    noise = 0.0 if math.isinf(epsilon) else rng.standard_normal(m) / gaussian_mu(epsilon)
    return coin + noise, coin


def randomized_response(rng, m, epsilon, revealed=0.0):
    """Each coin told truly with probability e^epsilon / (1 + e^epsilon), or for certain with probability revealed."""
    coin = fair_coins(rng, m)
    lies = rng.random(m) > expit(epsilon)
    return (coin ^ (lies & (rng.random(m) >= revealed))).astype(float), coin


def laplace_canaries(rng, m, epsilon):
    coin = fair_coins(rng, m)
    return coin + rng.laplace(0, 1 / epsilon, m), coin


canaries = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=60)


# --- leakage_auc ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(canaries)
def test_auc_counts_pairs_in_order_and_ties_half(pairs):
    score, coin = (np.array(column) for column in zip(*pairs, strict=True))
    inside, outside = score[coin], score[~coin]
    estimate = leakage_auc(score, coin)
    if not len(inside) or not len(outside):
        assert estimate is None
        return
    pairwise = np.subtract.outer(inside, outside)
    expected = np.mean((pairwise > 0) + (pairwise == 0) / 2)
    value, low, high = estimate
    assert value == pytest.approx(expected)
    assert 0 <= low <= value + 1e-12
    assert value - 1e-12 <= high <= 1
    assert leakage_auc(-score, coin) == pytest.approx((1 - value, 1 - high, 1 - low))


def test_auc_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    score, coin = gaussian_canaries(rng, 500, 3)
    score = score.round(1)
    assert leakage_auc(score, coin)[0] == pytest.approx(metrics.roc_auc_score(coin, score))


def test_auc_interval_at_half_is_the_rank_sum_tests():
    m = 200
    score, coin = np.zeros(m), np.arange(m) % 2 == 0
    value, low, high = leakage_auc(score, coin)
    error = math.sqrt((m + 1) / (12 * (m / 2) ** 2))  # Mann-Whitney's exact standard error without ties
    assert value == 0.5
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.02)


def test_auc_of_perfect_order_still_has_a_width():
    coin = np.arange(40) % 2 == 0
    value, low, high = leakage_auc(coin.astype(float), coin)
    assert (value, high) == (1, 1)
    assert 0.8 < low < 1


def separated(rng, m):
    coin = fair_coins(rng, m)
    return rng.standard_normal(m) + coin, coin


def some_memorized(rng, m):
    coin = fair_coins(rng, m)
    return rng.random(m) + 2 * (coin & (rng.random(m) < 0.1)), coin


def tied(rng, m):
    return randomized_response(rng, m, logit(0.7))


@pytest.mark.parametrize(("attack", "truth"), [(separated, ndtr(math.sqrt(0.5))), (some_memorized, 0.55), (tied, 0.7)])
@pytest.mark.parametrize("m", [30, 300])
def test_auc_interval_covers_the_truth(attack, truth, m):
    rng = np.random.default_rng(1)
    estimates = [leakage_auc(*attack(rng, m)) for _ in range(1000)]
    covered = np.mean([low <= truth <= high for _, low, high in estimates])
    assert covered >= 0.93  # three standard errors below 0.95 is 0.929


# --- tpr_at_fpr -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(canaries, st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0]))
def test_tpr_is_the_best_of_all_thresholds_within_the_rate(pairs, fpr):
    score, coin = (np.array(column) for column in zip(*pairs, strict=True))
    estimate = tpr_at_fpr(score, coin, fpr)
    if coin.all() or not coin.any():
        assert estimate is None
        return
    thresholds = [-1, *score]
    best = max((score[coin] > t).mean() for t in thresholds if (score[~coin] > t).mean() <= fpr)
    assert estimate[0] == pytest.approx(best)
    assert 0 <= estimate[1] <= estimate[0] <= estimate[2] <= 1


def test_tpr_known_answer():
    coin = np.repeat([True, False], [100, 200])
    outside = np.arange(200.0)  # 1 % of 200: two false accusations, so the threshold is the third largest, 197
    inside = np.repeat([197.0, 197.5, 300.0], [50, 20, 30])
    value, low, high = tpr_at_fpr(np.concatenate((inside, outside)), coin)
    assert value == 0.5
    assert (low, high) == pytest.approx((0.3983, 0.6017), abs=1e-4)  # Clopper and Pearson (1934) for 50 of 100


@pytest.mark.parametrize(("found", "members"), [(0, 1), (1, 1), (0, 40), (1, 40), (39, 40), (40, 40), (7, 900)])
def test_tpr_interval_is_scipys_exact_one(found, members):
    score = np.concatenate((np.arange(members) < found, np.full(50, 0.5)))
    exact = binomtest(found, members).proportion_ci(0.95, "exact")
    estimate = tpr_at_fpr(score, np.arange(members + 50) < members, 0.0)
    assert estimate == pytest.approx((found / members, exact.low, exact.high), abs=1e-9)


def test_tpr_with_few_canaries_out_is_taken_at_a_rate_of_zero():
    score, coin = separated(np.random.default_rng(2), 150)
    assert (~coin).sum() < 100
    assert tpr_at_fpr(score, coin, 0.01) == tpr_at_fpr(score, coin, 0.0)
    assert tpr_at_fpr(score, coin, 0.1)[0] > tpr_at_fpr(score, coin, 0.0)[0]


@pytest.mark.parametrize(("out", "expected"), [(999, 0.0), (1000, 0.5), (1999, 0.5), (2000, 1.0)])
def test_tpr_at_a_thousandth_accuses_one_in_each_full_thousand(out, expected):
    """Of the canaries in, half lie above all canaries out but one, and half above all but two; none above all."""
    outside = np.concatenate((np.zeros(out - 2), [2.0, 4.0]))
    score, coin = np.concatenate(([1.0] * 50 + [3.0] * 50, outside)), np.arange(100 + out) < 100
    assert tpr_at_fpr(score, coin, 0.001)[0] == expected


def test_tpr_at_a_thousandth_with_a_thousand_canaries_finds_what_none_out_would_and_says_how_surely():
    """So few cannot show the rate itself: the value is the share above all that were out, never more."""
    score, coin = gaussian_canaries(np.random.default_rng(12), 1000, 8)
    value, low, high = tpr_at_fpr(score, coin, 0.001)
    assert value == np.mean(score[coin] > score[~coin].max())
    assert value <= tpr_at_fpr(score, coin, 0.01)[0]
    exact = binomtest(round(value * coin.sum()), int(coin.sum())).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_tpr_of_one_score_for_all_finds_none():
    assert tpr_at_fpr(np.zeros(400), np.arange(400) % 2 == 0)[0] == 0


def test_tpr_interval_covers_its_thresholds_rate():
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(500):
        score, coin = separated(rng, 300)
        _, low, high = tpr_at_fpr(score, coin, 0.1)
        out = np.sort(score[~coin])[::-1]
        truth = ndtr(1 - out[math.floor(0.1 * len(out))])
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.94  # Clopper-Pearson never falls below 0.95; three standard errors is 0.921


# --- audited_epsilon: the theorem -------------------------------------------------------------------------------------


def theorem(epsilon, delta, m, r, v):
    """Steinke et al. (2023), as it is written."""
    accuracy = math.exp(epsilon) / (1 + math.exp(epsilon))
    beta = sum(binom.pmf(k, r, accuracy) for k in range(v, r + 1))
    alpha = max((sum(binom.pmf(k, r, accuracy) for k in range(v - i, v)) / i for i in range(1, v + 1)), default=0)
    return min(1, beta + 2 * m * delta * alpha)


@settings(deadline=None)
@given(st.floats(0, 6), st.sampled_from([0, 1e-5, 1e-3]), st.integers(1, 40), st.data())
def test_p_value_is_the_theorems(epsilon, delta, guesses, data):
    correct = data.draw(st.integers(0, guesses))
    canaries = guesses + data.draw(st.integers(0, 50))
    expected = theorem(epsilon, delta, canaries, guesses, correct)
    assert audit_p_value(epsilon, delta, canaries, guesses, correct) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("guesses", "cap"), [(100, 3.5), (500, 5.1), (1000, 5.8)])
def test_p_value_of_perfect_guessing_crosses_five_percent_at_the_papers_cap(guesses, cap):
    assert audit_p_value(cap - 0.05, 0, guesses, guesses, guesses) < 0.05 < audit_p_value(cap + 0.05, 0, *[guesses] * 3)


def test_p_value_is_not_conservative_for_randomized_response():
    """Randomized response attains the theorem, so a test at 5 % refutes it nearly that often, and no more often."""
    rng = np.random.default_rng(4)
    hits = rng.binomial(400, expit(1.0), size=2000)
    refuted = np.mean([audit_p_value(1.0, 0, 400, 400, v) <= 0.05 for v in hits])
    assert 0.025 < refuted < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


# --- audited_epsilon: what it refutes ---------------------------------------------------------------------------------


POWER = {
    500: (0.04, 0.67, 2.48, 3.57, 4.32),
    1000: (0.17, 0.84, 2.74, 4.06, 4.97),
    2000: (0.22, 1.13, 2.75, 4.43, 5.56),
    5000: (0.32, 1.29, 3.14, 4.93, 5.92),
    20000: (0.42, 1.43, 3.23, 4.87, 5.78),
}
"""Canaries: what another implementation showed at a true epsilon of 1, 3, 8, 16 and infinity, each the mean of 6."""


@pytest.mark.parametrize(("m", "column"), [(m, column) for m in POWER for column in range(5)])
def test_power_against_white_box_gaussian_canaries(m, column):
    rng = np.random.default_rng(5)
    epsilon, expected = (1, 3, 8, 16, math.inf)[column], POWER[m][column]
    runs = 2 if math.isinf(epsilon) else 24
    values = [audited_epsilon(*gaussian_canaries(rng, m, epsilon), DELTA).value for _ in range(runs)]
    error = 0.01 if math.isinf(epsilon) else 3 * np.std(values) * math.sqrt(1 / runs + 1 / 6)
    assert np.mean(values) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(
    ("mechanism", "epsilon", "delta"),
    [
        (lambda rng: randomized_response(rng, 300, 1.0), 1.0, 0.0),
        (lambda rng: randomized_response(rng, 300, 4.0), 4.0, 0.0),
        (lambda rng: randomized_response(rng, 300, 1.0, revealed=1e-3), 1.0, 1e-3),
        (lambda rng: gaussian_canaries(rng, 1000, 1.0), 1.0, DELTA),
        (lambda rng: gaussian_canaries(rng, 1000, 8.0), 8.0, DELTA),
        (lambda rng: laplace_canaries(rng, 300, 1.0), 1.0, 0.0),
        (lambda rng: laplace_canaries(rng, 300, 4.0), 4.0, 0.0),
        (lambda rng: (rng.standard_normal(300), fair_coins(rng, 300)), 0.0, 0.0),
    ],
    ids=[
        "response-1",
        "response-4",
        "response-revealing",
        "gaussian-1",
        "gaussian-8",
        "laplace-1",
        "laplace-4",
        "nothing",
    ],
)
def test_honest_mechanism_is_seldom_refuted(mechanism, epsilon, delta):
    rng = np.random.default_rng(6)
    runs = 300
    refuted = sum(audited_epsilon(*mechanism(rng), delta).value > epsilon for _ in range(runs))
    assert refuted <= binom.ppf(0.999, runs, 0.05)


def test_mechanism_that_lies_about_its_epsilon_is_refuted():
    score, coin = randomized_response(np.random.default_rng(7), 1000, 3.0)
    audit = audited_epsilon(score, coin, 0.0)
    assert 2.0 < audit.value < 3.0
    assert audit.correct / audit.guesses > 0.9


def test_few_memorized_canaries_are_shown_by_guessing_in_alone():
    rng = np.random.default_rng(8)
    coin = fair_coins(rng, 1000)
    score = rng.standard_normal(1000) + 9 * (coin & (rng.random(1000) < 0.1))
    audit = audited_epsilon(score, coin, DELTA)
    assert audit.guesses == audit.correct == 30
    assert audit.value > 1.5


def test_value_is_where_the_p_value_meets_its_share_of_the_level():
    score, coin = gaussian_canaries(np.random.default_rng(9), 1000, 8)
    audit = audited_epsilon(score, coin, DELTA, level=0.9)
    assert audit_p_value(audit.value, DELTA, 1000, audit.guesses, audit.correct) == pytest.approx(0.1 / 8, abs=1e-5)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([40, 200]))
def test_value_falls_with_delta_and_level_and_ignores_all_but_the_order_of_scores(seed, m):
    rng = np.random.default_rng(seed)
    score, coin = gaussian_canaries(rng, m, 16)
    value = audited_epsilon(score, coin, DELTA).value
    assert audited_epsilon(score, coin, 1e-3).value <= value <= audited_epsilon(score, coin, 0).value
    assert audited_epsilon(score, coin, DELTA, level=0.99).value <= value
    shuffled = rng.permutation(m)
    assert audited_epsilon(np.exp(score)[shuffled], coin[shuffled], DELTA).value == value


# --- hard inputs ------------------------------------------------------------------------------------------------------


def test_ties_do_not_give_away_coins_that_come_in_order():
    coin = np.arange(2000) < 1000
    for ordered in (coin, ~coin):
        assert audited_epsilon(np.zeros(2000), ordered, DELTA).value == 0


def test_infinite_scores_are_ranks_like_others():
    coin = np.arange(1000) % 2 == 0
    audit = audited_epsilon(np.where(coin, np.inf, -np.inf), coin, DELTA)
    assert audit.value == pytest.approx(4.97, abs=0.01)
    assert leakage_auc(np.where(coin, np.inf, -np.inf), coin)[0] == 1


@pytest.mark.parametrize("m", [0, 1, 2, 3, 5])
def test_few_canaries_refute_nothing(m):
    coin = np.arange(m) % 2 == 0
    assert audited_epsilon(coin.astype(float), coin, DELTA) == AuditedEpsilon(0.0, 0, 0)


def test_delta_that_explains_everything_leaves_nothing_to_refute():
    coin = np.arange(1000) % 2 == 0
    assert audited_epsilon(coin.astype(float), coin, delta=0.5).value == 0


@pytest.mark.parametrize(
    ("score", "coin", "message"),
    [
        ([0.1, math.nan], [True, False], "score is NaN for 1 of 2"),
        ([0.1, 0.2], [True], r"got \(2,\) and \(1,\)"),
        ([[0.1]], [[True]], r"\(m,\) arrays"),
        ([0.1, 0.2], [1, 0], "array of bool"),
    ],
)
def test_what_is_no_canary_is_refused(score, coin, message):
    for metric in (leakage_auc, tpr_at_fpr, lambda s, c: audited_epsilon(s, c, DELTA)):
        with pytest.raises(ValueError, match=message):
            metric(score, coin)


def test_rates_out_of_range_are_refused():
    score, coin = [0.1, 0.2], [True, False]
    with pytest.raises(ValueError, match=r"rate in \[0, 1\], got 1.5"):
        tpr_at_fpr(score, coin, 1.5)
    with pytest.raises(ValueError, match="delta=-1"):
        audited_epsilon(score, coin, -1)
    with pytest.raises(ValueError, match="level=95"):
        audited_epsilon(score, coin, DELTA, level=95)
