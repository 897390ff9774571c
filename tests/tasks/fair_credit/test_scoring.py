"""Scores of known answers: each value equals a peer's, and the headline cannot be had for nothing."""

import numpy as np
import pytest

from fourfold.suite.method import Budget
from fourfold.suite.task import Draw
from fourfold.tasks.fair_credit import FairCredit
from fourfold.tasks.fair_credit.data import compared
from fourfold.tasks.fair_credit.scoring import SMALLEST, _gaps

DRAW = Draw(b"0123456789abcdef", "fair-credit", "simulated", 1)
PROBABILITY = {"track": "blind", "returns": "probability"}
DECISION = {"track": "aware", "returns": "decision"}


@pytest.fixture(scope="module")
def task():
    return FairCredit()


@pytest.fixture(scope="module")
def problem(task):
    return task.draw(task.load("simulated", None), DRAW, PROBABILITY)


def asked(problem):
    """The dataset's rows behind the queries, in the queries' order; -1 for the counterfactual ones."""
    hidden = problem.answers.hidden
    parts = [hidden[name] for name in ("test", "validation", "canary", "both")]
    rows = np.concatenate([*parts, np.full(len(hidden["both"]), -1)])
    return rows[hidden["order"]]


def scores(task, problem, answer, declared=PROBABILITY, **budget):
    scored = task.score(problem, [None, answer], declared, Budget(**budget), DRAW)
    return scored, {(score.metric, score.group): score for score in scored.scores}


@pytest.fixture(scope="module")
def noisy(problem):
    """A fair guess at who defaults: the label, blurred."""
    rows = asked(problem)
    data = problem.answers.hidden["data"]
    rng = np.random.default_rng(3)
    signal = (
        np.where(rows >= 0, data.label[rows], 0) * 1.2
        + 0.4 * (data.groups[data.protected].code[rows])
        + rng.normal(size=len(rows))
    )
    return 1 / (1 + np.exp(-(signal - 2)))


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0])
def test_a_constant_earns_nothing(task, problem, constant):
    _, found = scores(task, problem, np.full(len(asked(problem)), constant))
    assert found["net_benefit_fair", ""].value == 0
    assert found["net_benefit", ""].value == 0
    assert found["auc", ""].value == 0.5
    assert found["equalized_odds_fair", ""].value == 0


def test_the_truth_earns_everything(task, problem):
    rows = asked(problem)
    _, found = scores(task, problem, np.where(rows >= 0, problem.answers.hidden["data"].label[rows], 0).astype(float))
    for metric in ("net_benefit_fair", "net_benefit", "auc", "ks", "accuracy"):
        assert found[metric, ""].value == pytest.approx(1)
    assert found["h_measure", ""].value == pytest.approx(1)


def test_values_are_the_peers(task, problem, noisy):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    sklearn = pytest.importorskip("sklearn.metrics")
    hidden = problem.answers.hidden
    data, test = hidden["data"], hidden["test"]
    straight = np.empty_like(noisy)
    straight[hidden["order"]] = noisy
    p, label, pair = straight[: len(test)], data.label[test], compared(data)[test]
    _, found = scores(task, problem, noisy)
    assert found["auc", ""].value == pytest.approx(sklearn.roc_auc_score(label, p), abs=1e-12)
    assert found["brier", ""].value == pytest.approx(sklearn.brier_score_loss(label, p), abs=1e-12)
    assert found["log_loss", ""].value == pytest.approx(sklearn.log_loss(label, p), abs=1e-12)

    thresholds = np.unique(p)
    implied = [t for t in thresholds if np.isclose(np.mean(p < t), found_selection(found, data, test))]
    approve, known = (p < implied[0]).astype(int), pair >= 0
    good = dict(y_true=1 - label[known], y_pred=approve[known], sensitive_features=pair[known])
    assert found["equalized_odds_difference", ""].value == pytest.approx(
        fairlearn.equalized_odds_difference(**good), abs=1e-12
    )
    assert found["demographic_parity_difference", ""].value == pytest.approx(
        fairlearn.demographic_parity_difference(**good), abs=1e-12
    )
    assert found["adverse_impact_ratio", ""].value == pytest.approx(
        fairlearn.demographic_parity_ratio(**good), abs=1e-12
    )
    assert found["equal_opportunity_difference", ""].value == pytest.approx(
        fairlearn.equal_opportunity_difference(**good), abs=1e-12
    )


def found_selection(found, data, test):
    """The overall approval rate behind the scores, from the rates of the values of one attribute."""
    attribute = data.groups[data.protected]
    rows = [found["selection_rate", f"{attribute.name}={value}"] for value in attribute.values]
    return sum(row.value * row.n for row in rows) / sum(row.n for row in rows)


def test_a_tighter_tolerance_costs(task, problem, noisy):
    loose, tight = (scores(task, problem, noisy, fairness_tolerance=each)[1] for each in (1.0, 0.01))
    assert loose["net_benefit_fair", ""].value == loose["net_benefit", ""].value
    assert tight["net_benefit_fair", ""].value < loose["net_benefit_fair", ""].value
    assert tight["equalized_odds_fair", ""].value < loose["equalized_odds_fair", ""].value


def test_every_interval_holds_its_value_and_replicates_are_few_and_paired(task, problem, noisy):
    scored, found = scores(task, problem, noisy)
    for score in scored.scores:
        if score.value is not None and score.low is not None and score.high is not None:
            assert score.low - 1e-9 <= score.value <= score.high + 1e-9, score
    rows = asked(problem)
    better = np.where(rows >= 0, noisy + 0.05 * problem.answers.hidden["data"].label[rows], noisy).clip(0, 1)
    _, other = scores(task, problem, better)
    left, right = (each["auc", ""].replicates for each in (found, other))
    assert len(left) == 200
    assert np.corrcoef(left, right)[0, 1] > 0.3


def test_decisions_are_scored_in_expectation_and_probabilistic_metrics_left_blank(task, problem):
    coin = np.full(len(asked(problem)), 0.5)
    _, found = scores(task, problem, coin, DECISION)
    assert ("auc", "") not in found
    assert found["demographic_parity_difference", ""].value == pytest.approx(0)
    assert found["net_benefit", ""].value < 0
    assert found["selection_rate", f"{problem.answers.hidden['data'].protected}=A"].value == pytest.approx(0.5)


def test_an_unfair_decision_is_thinned_until_it_is_fair_on_validation(task, problem):
    data, rows = problem.answers.hidden["data"], asked(problem)
    refuse = compared(data)[rows] == 0
    _, found = scores(task, problem, np.where(rows >= 0, refuse, 0).astype(float), DECISION)
    assert found["equalized_odds_difference", ""].value == pytest.approx(1)
    assert found["equalized_odds_fair", ""].value == pytest.approx(0.05, abs=0.01)


def test_who_learned_the_canaries_is_found_out_and_who_did_not_is_not(task, problem):
    hidden, rows = problem.answers.hidden, asked(problem)
    data = hidden["data"]
    trained_on = set(hidden["canary"][hidden["coin"]])
    memory = np.array(
        [1.0 - data.label[row] if row in trained_on else data.label[row] if row >= 0 else 0.5 for row in rows]
    )
    for answer, auc in ((memory, 1.0), (np.full(len(rows), 0.4), None)):
        scored, _ = scores(task, problem, answer)
        assert len(scored.coin) == len(hidden["canary"])
        won = np.mean(scored.membership[scored.coin][:, None] > scored.membership[~scored.coin][None])
        if auc:
            assert won == auc
    assert len(np.unique(scored.membership)) <= 2


def test_small_cells_are_undefined_and_not_zero(task, problem, noisy):
    _, found = scores(task, problem, noisy)
    for (_, group), score in found.items():
        if "," in group and score.n < 50 and score.metric in ("approval_good", "approval_bad", "selection_rate"):
            assert score.value is None


def test_scores_are_pure(task, problem, noisy):
    first, again = (scores(task, problem, noisy)[0].scores for _ in range(2))
    for left, right in zip(first, again, strict=True):
        assert (left.metric, left.group, left.value, left.low, left.high, left.n) == (
            right.metric,
            right.group,
            right.value,
            right.low,
            right.high,
            right.n,
        )


def test_every_score_is_of_a_declared_metric(task, problem, noisy):
    known = {metric.name for metric in task.metrics}
    assert {metric for metric, _ in scores(task, problem, noisy)[1]} == known


@pytest.mark.parametrize("rates", [(0.7, 0.7), (0.7, 0.5), (0.5, 0.7)])
def test_the_interval_of_the_adverse_impact_ratio_covers_the_true_one(rates):
    rng, n, covered = np.random.default_rng(4), np.array([900, 400]), 0
    for _ in range(200):
        approved = rng.binomial(n, rates)
        counts = np.zeros((2, 2, 2))
        counts[:, 0] = np.stack([n - approved, approved], axis=-1)
        found = {score.metric: score for score in _gaps(counts, "", SMALLEST, rng)}["adverse_impact_ratio"]
        assert found.low <= found.value <= found.high
        covered += found.low <= min(rates) / max(rates) <= found.high
    assert covered >= 180


def test_the_adverse_impact_ratio_of_several_groups_has_no_interval():
    counts = np.full((3, 2, 2), 50.0)
    found = {score.metric: score for score in _gaps(counts, "", SMALLEST, np.random.default_rng(4))}
    assert found["adverse_impact_ratio"].value == 1
    assert found["adverse_impact_ratio"].low is None


def test_an_applicant_has_the_same_weights_on_every_seed(task, problem, noisy):
    found = []
    for seed in (1, 6):
        draw = Draw(b"0123456789abcdef", "fair-credit", "simulated", seed)
        scored = task.score(problem, [None, noisy], PROBABILITY, Budget(), draw)
        found.append(next(score.replicates for score in scored.scores if score.metric == "net_benefit"))
    assert np.array_equal(*found)


def test_no_distance_from_calibration_averages_out_over_seeds(task):
    averages = {metric.name: metric.averages for metric in task.metrics}
    assert not averages["ece"]  # Noise pushes it up on each seed.
    assert not averages["calibration_error"]
