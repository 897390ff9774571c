"""What a problem asks, and what it must never give away."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fourfold.suite import boundary
from fourfold.suite.task import Draw
from fourfold.tasks.dp_images.data import ImageData
from fourfold.tasks.dp_images.problem import CANARY_SHARE, SMALL_TEST, SMALL_TRAIN, TESTED, Query, Train, draw

KEY = b"0123456789abcdef"
N, TEST, K = 20_000, 2_000, 7


def numbered(n: int = N, test: int = TEST, k: int = K) -> ImageData:
    """Images whose pixels are the number of their row."""
    rows = np.arange(n)
    images = np.stack([rows % 256, rows // 256, rows * 0, rows * 0], axis=-1).astype(np.uint8).reshape(n, 2, 2)
    labels = np.random.default_rng(0).integers(0, k, n)
    return ImageData("numbered", images, labels, tuple("abcdefg"[:k]), rows[: n - test], rows[n - test :])


def numbers(images: np.ndarray) -> np.ndarray:
    return images[:, 0, :2].astype(int) @ [1, 256]


def drawn(data=None, seed=0, key=KEY, **options):
    return draw(numbered() if data is None else data, Draw(key, "dp-images", "numbered", seed), **options)


@pytest.fixture(scope="module")
def problem():
    return drawn()


def test_the_official_test_images_are_asked_for_and_never_trained_on(problem):
    hidden, (fit, predict) = problem.answers.hidden, problem.asks
    trained, asked = numbers(fit.give.images), numbers(predict.give.images)
    official = np.arange(N - TEST, N)
    assert np.array_equal(hidden["test"], official)
    assert np.array_equal(np.sort(asked), np.sort(np.concatenate([official, hidden["canary"]])))
    assert not set(trained) & set(official)
    assert len(set(trained)) == len(trained) == fit.give.n == len(fit.give.labels)


def test_every_training_image_is_given_but_the_canaries_that_are_out(problem):
    hidden = problem.answers.hidden
    trained = set(numbers(problem.asks[0].give.images))
    assert set(range(N - TEST)) - trained == set(hidden["canary"][~hidden["coin"]])
    assert len(hidden["canary"]) == CANARY_SHARE * (N - TEST)


def test_a_canary_that_is_in_has_its_wrong_label_and_every_other_image_the_right_one(problem):
    hidden, train, truth = problem.answers.hidden, problem.asks[0].give, numbered().labels
    wrong = dict(zip(hidden["canary"], hidden["wrong"], strict=True))
    for row, label in zip(numbers(train.images), train.labels, strict=True):
        assert label == wrong.get(row, truth[row])
    assert (hidden["wrong"] != truth[hidden["canary"]]).all()


def test_coins_are_fair_and_wrong_labels_uniform_over_the_other_classes():
    data = numbered()
    hidden = [drawn(data, seed).answers.hidden for seed in range(20)]
    coins = np.concatenate([each["coin"] for each in hidden])
    assert stats.binomtest(int(coins.sum()), len(coins)).pvalue > 1e-4
    canary, wrong = (np.concatenate([each[name] for each in hidden]) for name in ("canary", "wrong"))
    shift = np.bincount((wrong - data.labels[canary]) % K, minlength=K)
    assert shift[0] == 0
    assert stats.chisquare(shift[1:]).pvalue > 1e-4
    out = (wrong - data.labels[canary])[~coins] % K
    assert stats.chisquare(np.bincount(out, minlength=K)[1:]).pvalue > 1e-4
    assert stats.kstest(canary / (N - TEST), "uniform").pvalue > 1e-4


def test_neither_the_order_of_the_queries_nor_that_of_the_training_images_tells_canaries():
    data, asked, trained = numbered(), [], []
    for seed in range(10):
        problem = drawn(data, seed)
        hidden = problem.answers.hidden
        places = np.empty(len(hidden["order"]))
        places[hidden["order"]] = np.arange(len(places)) / len(places)
        asked.append((places[-len(hidden["canary"]) :], hidden["coin"]))
        rows = numbers(problem.asks[0].give.images)
        trained.append(np.flatnonzero(np.isin(rows, hidden["canary"])) / len(rows))
    places, coins = (np.concatenate(each) for each in zip(*asked, strict=True))
    assert stats.kstest(places, "uniform").pvalue > 1e-4
    assert stats.ks_2samp(places[coins], places[~coins]).pvalue > 1e-4
    assert stats.kstest(np.concatenate(trained), "uniform").pvalue > 1e-4


def test_the_order_leads_from_the_queries_back_to_test_images_and_canaries(problem):
    hidden = problem.answers.hidden
    straight = np.empty(len(hidden["order"]), int)
    straight[hidden["order"]] = numbers(problem.asks[1].give.images)
    assert np.array_equal(straight, np.concatenate([hidden["test"], hidden["canary"]]))
    assert np.array_equal(hidden["label"], numbered().labels[hidden["test"]])


def test_nothing_but_records_and_public_facts_is_given(problem):
    fit, predict = problem.asks
    assert {each.name for each in fields(Train)} == {"images", "features", "labels", "classes", "n", "private"}
    assert {each.name for each in fields(Query)} == {"images", "features", "private"}
    assert fit.give.private == ("images", "labels")
    assert predict.give.private == ("images",)
    for record in (fit.give, predict.give):
        crossed = boundary.decode(boundary.encode(record))
        assert np.array_equal(crossed.images, record.images)
        assert crossed.images.dtype == np.uint8
        assert crossed.features is None
        assert all(len(getattr(crossed, name)) == len(record.images) for name in record.private)
    want = predict.want
    assert (want.shape, want.low, want.high, want.total) == ((TEST + 180, K), 0, 1, 1)


def test_features_are_given_instead_of_images():
    data = numbered(1_000, 100)
    rows = np.arange(1_000, dtype=np.float16)
    values = np.broadcast_to(rows[:, None, None, None], (1_000, 3, 2, 2))
    plain, given = drawn(data), drawn(data, features=values)
    for ask, other in zip(plain.asks, given.asks, strict=True):
        assert np.array_equal(other.give.features[:, 0, 0, 0].astype(int), numbers(ask.give.images))
        assert other.give.features.dtype == np.float16
        assert other.give.images.shape == (0, 2, 2)
        assert other.give.private == tuple(name.replace("images", "features") for name in ask.give.private)
    assert np.array_equal(plain.asks[0].give.labels, given.asks[0].give.labels)
    assert given.asks[0].give.n == plain.asks[0].give.n
    crossed = boundary.decode(boundary.encode(given.asks[0].give))
    assert np.array_equal(crossed.features, given.asks[0].give.features)


def test_the_key_and_the_seed_decide_everything(problem):
    again, other_seed, other_key = drawn(), drawn(seed=1), drawn(key=KEY[::-1])
    for name in ("canary", "coin", "wrong", "order"):
        assert np.array_equal(problem.answers.hidden[name], again.answers.hidden[name])
        for other in (other_seed, other_key):
            assert not np.array_equal(problem.answers.hidden[name], other.answers.hidden[name])
    assert np.array_equal(problem.asks[0].give.images, again.asks[0].give.images)


def test_without_an_official_split_the_seed_draws_one(digits):
    first, second = (draw(digits, Draw(KEY, "dp-images", "digits", seed)) for seed in (0, 1))
    tested = [set(each.answers.hidden["test"]) for each in (first, second)]
    assert [len(each) for each in tested] == [TESTED, TESTED]
    assert tested[0] != tested[1]
    hidden = first.answers.hidden
    assert first.asks[0].give.n + TESTED + int((~hidden["coin"]).sum()) == len(digits.images)
    assert not tested[0] & set(hidden["canary"])


def test_a_small_problem_is_small():
    problem = drawn(small=True)
    assert problem.asks[0].give.n <= SMALL_TRAIN
    assert len(problem.answers.hidden["test"]) == SMALL_TEST
    assert len(problem.answers.hidden["canary"]) == SMALL_TRAIN * CANARY_SHARE


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(200, 900), st.integers(2, K), st.integers(10, 60))
def test_whatever_the_dataset_records_are_conserved(seed, n, k, test):
    data = numbered(n, test, k)
    problem = drawn(data, seed)
    hidden, train = problem.answers.hidden, problem.asks[0].give
    assert train.n + int((~hidden["coin"]).sum()) == n - test
    assert problem.asks[1].want.shape == (test + len(hidden["canary"]), k)
    assert ((train.labels >= 0) & (train.labels < k)).all()
    assert (hidden["wrong"] != data.labels[hidden["canary"]]).all()


@pytest.mark.data
def test_of_the_imbalanced_digits_fewer_eights_are_given_and_as_many_asked_for(loaded):
    whole, cut = (drawn(loaded(name)) for name in ("mnist", "mnist-imbalanced"))
    eights = [np.count_nonzero(each.asks[0].give.labels == 8) for each in (whole, cut)]
    assert eights[1] < 700 < 5_000 < eights[0]
    assert np.array_equal(whole.answers.hidden["test"], cut.answers.hidden["test"])


@pytest.mark.parametrize(("change", "said"), [
    (dict(images=np.zeros((N, 2, 2))), "images are uint8"),
    (dict(images=np.zeros((N, 2, 2, 4), np.uint8)), "images are uint8"),
    (dict(labels=np.zeros(3, int)), "20000 images and 3 labels"),
    (dict(classes=("a",)), "labels from 0 to 6 for 1 classes"),
    (dict(train=np.arange(N)), "overlap"),
    (dict(test=np.array([N])), "not among"),
])
def test_a_dataset_that_breaks_its_promises_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        replace(numbered(), **change)


def test_members_are_the_canaries_that_are_in_as_they_are_given_and_as_they_are_asked_about(problem):
    train, query, hidden = problem.asks[0].give, problem.asks[1].give, problem.answers.hidden
    rows, places = problem.members.T
    assert len(rows) == hidden["coin"].sum()
    np.testing.assert_array_equal(train.images[rows], query.images[places])
    np.testing.assert_array_equal(train.labels[rows], hidden["wrong"][hidden["coin"]])
