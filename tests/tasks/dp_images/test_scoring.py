"""Scores of known answers: each value equals a peer's, and memory of the canaries shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.leaderboard.ranking import beats_by_replicates
from fourfold.suite.method import Budget
from fourfold.suite.metrics import privacy
from fourfold.suite.metrics.bootstrap import clustered_mean
from fourfold.suite.task import Draw, Scored
from fourfold.tasks.dp_images import DPImages
from fourfold.tasks.dp_images.data import ImageData
from fourfold.tasks.dp_images.problem import draw
from fourfold.tasks.dp_images.scoring import REPLICATES, attacked

DRAW = Draw(b"0123456789abcdef", "dp-images", "made", 1)
DECLARED = {"features": "pixels", "access": "records"}
CLASSES = ("red", "green", "blue", "grey")
N, TEST = 22_000, 2_000


@pytest.fixture(scope="module")
def problem():
    labels = np.random.default_rng(7).integers(0, 4, N)
    rows = np.arange(N)
    return draw(ImageData("made", np.zeros((N, 2, 2), np.uint8), labels, CLASSES, rows[:-TEST], rows[-TEST:]), DRAW)


def answered(problem, test: np.ndarray, canary: np.ndarray | None = None) -> np.ndarray:
    """An answer in the order of the queries, from those to the test images and to the canaries."""
    hidden = problem.answers.hidden
    ignorant = np.full((len(hidden["canary"]), 4), 0.25)
    return np.concatenate([test, ignorant if canary is None else canary])[hidden["order"]]


def scored(problem, answer: np.ndarray) -> tuple[Scored, dict]:
    result = DPImages().score(problem, [None, answer], DECLARED, Budget(), DRAW)
    return result, {(score.metric, score.group): score for score in result.scores}


def guess(label: np.ndarray, seed: int = 3, skill: float = 1.5) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(len(label), 4)) + skill * np.eye(4)[label]
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_the_truth_is_perfect(problem):
    label = problem.answers.hidden["label"]
    _, found = scored(problem, answered(problem, np.eye(4)[label]))
    for metric, value in (("accuracy", 1), ("nll", 0), ("ece", 0), ("worst_class_accuracy", 1), ("class_gap", 0)):
        assert found[metric, ""].value == pytest.approx(value), metric
    assert found["accuracy", ""].high == 1
    assert found["accuracy", ""].low == pytest.approx(1 - 3.8415 / (TEST + 3.8415), abs=1e-6)  # Wilson, all right


def test_values_are_scikit_learns(problem):
    metrics = pytest.importorskip("sklearn.metrics")
    label = problem.answers.hidden["label"]
    p = guess(label)
    _, found = scored(problem, answered(problem, p))
    assert found["accuracy", ""].value == pytest.approx(metrics.accuracy_score(label, p.argmax(axis=1)))
    assert found["nll", ""].value == pytest.approx(metrics.log_loss(label, p))
    recall = metrics.recall_score(label, p.argmax(axis=1), average=None)
    assert [found["accuracy", f"class={name}"].value for name in CLASSES] == pytest.approx(recall.tolist())
    assert [found["accuracy", f"class={name}"].n for name in CLASSES] == np.bincount(label).tolist()
    assert found["worst_class_accuracy", ""].value == pytest.approx(recall.min())
    assert found["class_gap", ""].value == pytest.approx(np.ptp(recall))


def test_accuracy_under_attack_has_wilsons_interval():
    """81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3)."""
    label = np.r_[np.zeros(81, int), np.ones(182, int)]
    score = attacked("pgd", label, np.tile([0.9, 0.1], (263, 1)))
    assert score.metric == "pgd_accuracy"
    assert (score.value, score.low, score.high) == pytest.approx((81 / 263, 0.2553, 0.3662), abs=5e-5)
    assert attacked("fgsm", label[:0], np.empty((0, 2))).value is None


def test_rows_that_sum_nearly_to_one_gain_nothing_by_it(problem):
    p = guess(problem.answers.hidden["label"])
    _, exact = scored(problem, answered(problem, p))
    _, swollen = scored(problem, answered(problem, p) * 1.0009)
    for metric in ("nll", "ece", "accuracy"):
        assert swollen[metric, ""].value == pytest.approx(exact[metric, ""].value, abs=1e-12)


def test_a_method_that_remembers_the_canaries_is_found_out_and_an_ignorant_one_is_not(problem):
    hidden = problem.answers.hidden
    truth = np.random.default_rng(1).integers(0, 4, len(hidden["wrong"]))
    remembered = np.where(hidden["coin"], hidden["wrong"], (hidden["wrong"] + 1) % 4)
    test = np.full((TEST, 4), 0.25)
    result, _ = scored(problem, answered(problem, test, np.eye(4)[remembered]))
    assert np.array_equal(result.coin, hidden["coin"])
    assert privacy.leakage_auc(result.membership, result.coin)[0] == 1

    result, _ = scored(problem, answered(problem, test, guess(truth)))
    auc, low, high = privacy.leakage_auc(result.membership, result.coin)
    assert low < 0.5 < high
    assert abs(auc - 0.5) < 0.15
    assert np.isfinite(result.membership).all()


def test_half_remembered_is_half_found_out(problem):
    """The planted label made likelier by a factor of e for those in, among noise of the same size."""
    hidden = problem.answers.hidden
    noise = np.random.default_rng(2).normal(size=(len(hidden["wrong"]), 4))
    noise[np.arange(len(noise)), hidden["wrong"]] += hidden["coin"]
    p = np.exp(noise) / np.exp(noise).sum(axis=1, keepdims=True)
    result, _ = scored(problem, answered(problem, np.full((TEST, 4), 0.25), p))
    assert 0.6 < privacy.leakage_auc(result.membership, result.coin)[0] < 0.9


def test_replicates_pair_methods_and_spread_as_the_binomial_does(problem):
    label = problem.answers.hidden["label"]
    p = guess(label)
    better = np.where(np.random.default_rng(4).random(TEST)[:, None] < 0.1, np.eye(4)[label], p)
    first, second = (scored(problem, answered(problem, each))[1]["accuracy", ""] for each in (p, better))
    assert len(first.replicates) == REPLICATES
    assert np.corrcoef(first.replicates, second.replicates)[0, 1] > 0.5
    expected = np.sqrt(first.value * (1 - first.value) / TEST)
    assert np.std(first.replicates) == pytest.approx(expected, rel=0.25)


def test_scores_are_pure_and_of_declared_metrics(problem):
    answer = answered(problem, guess(problem.answers.hidden["label"]))
    (first, found), (again, _) = scored(problem, answer), scored(problem, answer)
    for left, right in zip(first.scores, again.scores, strict=True):
        assert (left.metric, left.group, left.value, left.low, left.high) == (
            right.metric, right.group, right.value, right.low, right.high)
    declared = {metric.name: metric for metric in DPImages.metrics}
    assert {metric for metric, _ in found} <= set(declared)
    assert len(declared) == len(DPImages.metrics)
    assert DPImages.headline in declared


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 8))
def test_every_interval_holds_its_value_and_every_value_its_range(problem, seed, skill):
    _, found = scored(problem, answered(problem, guess(problem.answers.hidden["label"], seed, skill)))
    ranges = {metric.name: (metric.low, metric.high) for metric in DPImages.metrics}
    for (metric, _), score in found.items():
        assert score.low <= score.value + 1e-12, score
        assert score.value <= score.high + 1e-12, score
        low, high = ranges[metric]
        assert low <= score.value, score
        assert high is None or score.value <= high, score
    each = [found["accuracy", f"class={name}"] for name in CLASSES]
    assert found["worst_class_accuracy", ""].value <= found["accuracy", ""].value <= max(s.value for s in each) + 1e-12
    total = sum(s.value * s.n for s in each) / TEST
    assert total == pytest.approx(found["accuracy", ""].value)


def test_an_image_has_the_same_weights_on_every_seed(problem):
    hidden = problem.answers.hidden
    answer = answered(problem, guess(hidden["label"]))
    again = [
        DPImages().score(problem, [None, answer], DECLARED, Budget(), Draw(b"0123456789abcdef", "dp-images", "made", s))
        for s in (1, 2)
    ]
    first, second = (next(x.replicates for x in each.scores if x.metric == "accuracy") for each in again)
    assert np.array_equal(first, second)


def test_equal_methods_on_the_same_images_are_seldom_set_apart_by_many_seeds():
    rng, n, seeds, apart = np.random.default_rng(8), 200, 10, 0
    labels, rows = rng.integers(0, 4, n + 1_000), np.arange(n + 1_000)
    data = ImageData("made", np.zeros((len(rows), 2, 2), np.uint8), labels, CLASSES, rows[n:], rows[:n])
    draws = [Draw(b"0123456789abcdef", "dp-images", "made", seed) for seed in range(seeds)]
    problems = [draw(data, each) for each in draws]
    for _ in range(60):
        replicates = np.empty((2, seeds, REPLICATES), np.float32)
        for method in replicates:
            chance = rng.beta(0.5, 0.2, n)  # of the method to get an image right: its own, on every seed
            for place, (each, of) in enumerate(zip(draws, problems, strict=True)):
                right = rng.random(n) < chance
                answer = answered(of, np.eye(4)[np.where(right, labels[:n], (labels[:n] + 1) % 4)])
                scores = DPImages().score(of, [None, answer], DECLARED, Budget(), each).scores
                method[place] = scores[0].replicates
        apart += beats_by_replicates(clustered_mean(replicates, rng), True).any()
    assert apart <= 7
