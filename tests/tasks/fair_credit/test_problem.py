"""What a problem asks, and what it must never give away."""

import numpy as np
import pytest

from fourfold.suite.task import Draw
from fourfold.tasks.fair_credit import FairCredit, simulated
from fourfold.tasks.fair_credit.data import Attribute, CreditData, compared
from fourfold.tasks.fair_credit.problem import CANARY_SHARE, FOLDS, draw, folds, with_twins

KEY = b"0123456789abcdef"


@pytest.fixture(scope="module")
def loaded():
    return with_twins(simulated.load())


def drawn(loaded, seed=0, key=KEY, aware=False):
    return draw(loaded, Draw(key, "fair-credit", "simulated", seed), aware)


def test_five_seeds_test_every_applicant_once(loaded):
    tested = np.concatenate([drawn(loaded, seed).answers.hidden["test"] for seed in range(FOLDS)])
    assert np.array_equal(np.sort(tested), np.arange(len(loaded.data.label)))


def test_train_validation_test_and_left_out_canaries_are_apart_and_complete(loaded):
    problem = drawn(loaded)
    hidden, train = problem.answers.hidden, problem.asks[0].give
    out = hidden["canary"][~hidden["coin"]]
    parts = [hidden["test"], hidden["validation"], out]
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
    assert len(train.label) + sum(map(len, parts)) == len(loaded.data.label)


def test_canaries_are_few_and_those_in_carry_a_flipped_label(loaded):
    problem = drawn(loaded)
    hidden, train = problem.answers.hidden, problem.asks[0].give
    pool = 0.6 * len(loaded.data.label)
    assert 0 < len(hidden["canary"]) <= CANARY_SHARE * pool + 1
    rows = {row.tobytes(): label for row, label in zip(train.features, train.label, strict=True)}
    for row, coin in zip(hidden["canary"], hidden["coin"], strict=True):
        label = rows.get(loaded.data.features[row].tobytes())
        assert label == (1 - loaded.data.label[row] if coin else None)


def test_queries_are_test_validation_and_all_canaries_in_an_order_that_says_nothing(loaded):
    problem = drawn(loaded)
    hidden, query = problem.answers.hidden, problem.asks[1].give
    asked = np.concatenate([hidden["test"], hidden["validation"], hidden["canary"]])
    straight = np.empty_like(query.features)
    straight[hidden["order"]] = query.features
    assert np.array_equal(straight[: len(asked)], loaded.data.features[asked])
    once, again = np.split(straight[len(asked) :], 2)
    assert np.array_equal(once, loaded.data.features[hidden["both"]])
    assert np.array_equal(again, loaded.data.counterfactual[hidden["both"]])
    places = np.flatnonzero(np.isin(hidden["order"], np.arange(len(asked) - len(hidden["canary"]), len(asked))))
    assert abs(places.mean() / len(query.features) - 0.5) < 0.15


def test_no_query_is_a_test_applicant_as_they_would_be_in_the_other_group(loaded):
    problem = drawn(loaded)
    hidden, given = problem.answers.hidden, problem.asks[0].give.features
    asked = {row.tobytes() for row in problem.asks[1].give.features}
    for part in ("test", "validation", "canary"):  # Whoever finds the other of two knows the group, and the part.
        own, other = (of[hidden[part]] for of in (loaded.data.features, loaded.data.counterfactual))
        told = [twin.tobytes() in asked for row, twin in zip(own, other, strict=True) if (row != twin).any()]
        assert len(told) > 100
        assert not any(told), part
    learned = {row.tobytes() for row in given}
    assert all(row.tobytes() in learned for row in loaded.data.features[hidden["both"]])


def test_the_group_is_given_at_prediction_in_the_aware_track_alone(loaded):
    assert drawn(loaded).asks[1].give.group is None
    aware = drawn(loaded, aware=True)
    group, hidden = aware.asks[1].give.group, aware.answers.hidden
    straight = np.empty_like(group)
    straight[hidden["order"]] = group
    code = compared(loaded.data)
    assert np.array_equal(straight[: len(hidden["test"])], code[hidden["test"]])
    flipped = straight[-len(hidden["both"]) :]
    assert np.all(flipped == 1 - code[hidden["both"]])


def test_neither_labels_nor_coins_are_in_what_is_given(loaded):
    query = drawn(loaded).asks[1].give
    assert set(vars(query)) == {"features", "columns", "bounds", "group", "group_names", "private"}
    assert not set(loaded.data.groups) & set(query.columns)


def test_another_key_draws_other_folds_and_coins_and_the_same_key_the_same(loaded):
    first, again, other = drawn(loaded), drawn(loaded), drawn(loaded, key=KEY[::-1])
    for name in ("test", "canary", "coin", "order"):
        assert np.array_equal(first.answers.hidden[name], again.answers.hidden[name])
    assert not np.array_equal(first.answers.hidden["test"], other.answers.hidden["test"])
    assert Draw(KEY, "t", "d", 0).digest != Draw(KEY[::-1], "t", "d", 0).digest


def test_duplicate_rows_stay_in_one_fold():
    rng = np.random.default_rng(0)
    features = np.repeat(rng.random((300, 2)), 3, axis=0)
    data = CreditData(
        "twins",
        features,
        ("a", "b"),
        np.array([[0.0, 1.0]] * 2),
        (rng.random(900) < 0.3).astype(np.int8),
        {"sex": Attribute("sex", ("f", "m"), (rng.random(900) < 0.5).astype(np.int8))},
        "sex",
        ("f", "m"),
    )
    fold = folds(with_twins(data), rng).reshape(-1, 3)
    assert np.all(fold == fold[:, :1])
    assert set(fold[:, 0]) == set(range(FOLDS))


def test_a_small_problem_is_small():
    task = FairCredit()
    data = task.load("simulated", None)
    small = task.draw(
        data, Draw(KEY, "fair-credit", "simulated", 0), {"track": "blind", "returns": "probability"}, small=True
    )
    assert len(small.asks[0].give.label) < 1000


def test_members_are_the_canaries_that_are_in_as_they_are_given_and_as_they_are_asked_about(loaded):
    problem = draw(loaded, Draw(b"k", "fair-credit", "simulated", 3), False)
    train, query, hidden = problem.asks[0].give, problem.asks[1].give, problem.answers.hidden
    rows, places = problem.members.T
    assert len(rows) == hidden["coin"].sum()
    np.testing.assert_array_equal(train.features[rows], query.features[places])
    assert (train.label[rows] == 1 - loaded.data.label[hidden["canary"][hidden["coin"]]]).all()
