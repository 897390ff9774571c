"""Leaks are told apart by whose they are, and a twin's gap is the identity's alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from fourfold.suite.task import Score
from fourfold.tasks.dicom_deid.fairness import scores, shares
from fourfold.tasks.dicom_deid.key import GROUPS, Instance, Key, Person, Planted
from fourfold.tasks.dicom_deid.measures import METRICS

ITEMS = 10
"""Planted in each file, the last two in pixels."""


def person(script: str, **changes: object) -> Person:
    plain = Person("A^B", ("A", "B"), ("A", "B"), "xx", script, "F", 50, "19700101", {})
    return replace(plain, **changes)  # type: ignore[arg-type]


def key_of(people: Sequence[Person], documents: Sequence[int] = ()) -> Key:
    """Two files a patient, the first of the document named."""
    instances = [
        Instance(f"{p}/{f}", p, f, "CT", documents[p] if documents and not f else -1)
        for p in range(len(people))
        for f in range(2)
    ]
    planted = [
        Planted(each.path, each.patient, "name", "pixels" if i >= ITEMS - 2 else "text", "(0010,0010)", "A", ("A",))
        for each in instances
        for i in range(ITEMS)
    ]
    return Key(people, instances, planted, (), ())


def flags(key: Key, leaks: Callable[[Planted], bool]) -> np.ndarray:
    return np.array([leaks(item) for item in key.planted], bool)


def exact(leaked: int, patients: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval."""
    found = binomtest(leaked, patients).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def found(leaked: np.ndarray, key: Key, seed: int = 0) -> dict[tuple[str, str], Score]:
    return {(each.metric, each.group): each for each in scores(leaked, key, np.random.default_rng(seed))}


SCRIPTS = ("Latin", "Hangul", "Thai")
KEY = key_of(
    [person(script, sex="FM"[number % 2]) for number, script in enumerate(SCRIPTS * 4)], [0, 0, 0, 1, 1, 1] * 2
)


def test_every_score_is_of_a_metric_described_and_within_its_range() -> None:
    described = {metric.name: metric for metric in METRICS if metric.family == "fairness"}
    for score in found(flags(KEY, lambda item: item.patient % 3 == 0), KEY).values():
        metric = described.pop(score.metric, None) or next(each for each in METRICS if each.name == score.metric)
        if score.value is None:
            continue
        assert metric.low is not None
        assert metric.high is not None
        assert score.low is not None
        assert score.high is not None
        assert metric.low <= score.low <= score.value <= score.high <= metric.high
    assert not described


def test_what_leaks_for_one_script_is_told_of_that_script_alone() -> None:
    leaked = flags(KEY, lambda item: KEY.patients[item.patient].script == "Hangul")
    of = found(leaked, KEY)
    assert {script: of["group_leak_rate", f"script={script}"].value for script in SCRIPTS} == {
        "Latin": 0.0,
        "Hangul": 1.0,
        "Thai": 0.0,
    }
    assert of["worst_group_leak", "script"].value == of["leak_gap", "script"].value == of["leak_gap", ""].value == 1.0
    assert of["worst_group_leak", "sex"].value == pytest.approx(1 / 3)
    assert of["leak_gap", "sex"].value == 0.0
    assert of["pixel_recall", "script=Hangul"].value == of["worst_pixel_recall", ""].value == 0.0
    assert of["pixel_recall", "script=Thai"].value == 1.0
    assert of["swap_gap", "script=Hangul-Latin"].value == 1.0
    assert of["swap_gap", "script=Thai-Latin"].value == 0.0
    assert of["swap_gap", ""].value == 0.5
    assert of["group_leak_rate", "script=Hangul"].n == 4 * 2 * ITEMS
    assert of["pixel_recall", "script=Hangul"].n == 4 * 2 * 2
    assert of["swap_gap", "script=Hangul-Latin"].n == 2


def test_where_nothing_leaks_an_interval_claims_no_more_than_its_patients_can_tell() -> None:
    of = found(flags(KEY, lambda item: False), KEY)
    assert {score.value for (metric, _), score in of.items() if "recall" in metric} == {1.0}
    low, high = exact(0, 4)
    rate = of["group_leak_rate", "script=Thai"]
    assert (rate.value, rate.low, rate.high) == (0.0, low, pytest.approx(high, abs=0.02))
    gap = of["leak_gap", "script"]
    assert gap.value == gap.low == 0.0
    assert gap.high == pytest.approx(high, abs=0.02)
    assert of["leak_gap", "origin"].value is None, "one origin cannot differ from itself"


def test_a_gap_that_patients_tell_for_sure_excludes_none() -> None:
    key = key_of([person(script) for script in ("Latin", "Hangul") for _ in range(60)])
    of = found(flags(key, lambda item: (item.patient >= 60) == (item.patient % 10 > 0)), key)
    gap = of["leak_gap", "script"]
    assert gap.value == pytest.approx(0.8)
    assert gap.low is not None
    assert 0.55 < gap.low < 0.8


def test_intervals_are_of_patients_and_not_of_items() -> None:
    key = key_of([person("Latin") for _ in range(40)])
    by_patient = found(flags(key, lambda item: item.patient % 2 == 0), key)["group_leak_rate", "script=Latin"]
    by_item = found(np.arange(len(key.planted)) % 2 == 0, key)["group_leak_rate", "script=Latin"]
    assert by_patient.value == by_item.value == 0.5
    assert by_patient.low is not None
    assert by_patient.high is not None
    assert (by_patient.low, by_patient.high) == pytest.approx(exact(20, 40), abs=0.01)


@pytest.mark.parametrize(
    ("patients", "rates", "truth"),
    [
        (6, lambda rng, n: rng.random(n), 0.5),
        (12, lambda rng, n: np.where(rng.random(n) < 0.05, 1.0, 0.05), 0.0975),
        (30, lambda rng, n: rng.beta(0.04, 1.96, n), 0.02),
        (30, lambda rng, n: rng.beta(1.96, 0.04, n), 0.98),
        (4, lambda rng, n: rng.beta(0.25, 0.25, n), 0.5),
    ],
    ids=["at any rate", "few of whom all leaks", "seldom", "nearly always", "all or nothing, nearly"],
)
def test_the_95_percent_interval_of_a_group_holds_the_truth_as_often(patients, rates, truth) -> None:
    """Patients of a group leak at rates of their own, of which the truth is the mean."""
    rng, held = np.random.default_rng(1), 0
    key = key_of([person("Latin") for _ in range(patients)])
    of = np.array([item.patient for item in key.planted])
    for _ in range(100):
        leaked = rng.random(len(of)) < rates(rng, patients)[of]
        held += holds(shares(leaked, key, "script", rng)["Latin"].interval(), truth)
    assert held >= 91  # One in 1,000 times would 95 % be so few.


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.98])
def test_the_worst_and_the_gap_of_groups_that_are_alike_hold_the_truth(rate: float) -> None:
    """Ten scripts of four patients, who leak at rates of their own of the same mean: no gap, and no script is worse."""
    rng, worst, gap = np.random.default_rng(2), 0, 0
    key = key_of([person(f"script {number % 10}") for number in range(40)])
    of = np.array([item.patient for item in key.planted])
    for _ in range(60):
        leaked = rng.random(len(of)) < rng.beta(2 * rate, 2 * (1 - rate), 40)[of]
        scores_of = found(leaked, key)
        worst += holds(ends(scores_of["worst_group_leak", "script"]), rate)
        gap += holds(ends(scores_of["leak_gap", "script"]), 0)
    assert min(worst, gap) >= 53  # Also one in 1,000 times.


@pytest.mark.parametrize("pairs", [2, 10])
def test_the_gap_of_twins_holds_the_truth(pairs: int) -> None:
    """One pair of ten leaks for the other script alone; the others' leaks do not tell them apart."""
    rng, held = np.random.default_rng(3), 0
    key = key_of([person(("Latin", "Thai")[number % 2]) for number in range(2 * pairs)],
                 [number // 2 for number in range(2 * pairs)])  # fmt: skip
    of = np.array([item.patient for item in key.planted])
    for _ in range(60):
        rate = np.full(2 * pairs, 0.1)
        rate[1::2] = np.where(rng.random(pairs) < 0.1, 1.0, 0.1)
        held += holds(ends(found(rng.random(len(of)) < rate[of], key)["swap_gap", ""]), 0.09)
    assert held >= 53


def ends(score: Score) -> tuple[float, float]:
    assert score.low is not None
    assert score.high is not None
    return score.low, score.high


def holds(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(len(KEY.planted))), seed=st.integers(0, 99))
def test_the_order_of_items_tells_nothing(order: list[int], seed: int) -> None:
    leaked = np.random.default_rng(seed).random(len(KEY.planted)) < 0.3
    turned = replace(KEY, planted=[KEY.planted[place] for place in order])
    plain, other = found(leaked, KEY), found(leaked[order], turned)
    assert plain.keys() == other.keys()
    for at, score in plain.items():
        assert (score.value, score.low, score.high, score.n) == pytest.approx(
            (other[at].value, other[at].low, other[at].high, other[at].n)
        )


@settings(max_examples=10, deadline=None)
@given(st.lists(st.booleans(), min_size=len(KEY.planted), max_size=len(KEY.planted)))
def test_worst_and_gap_are_those_of_the_groups(flagged: list[bool]) -> None:
    of = found(np.array(flagged), KEY)
    overall = []
    for attribute in GROUPS:
        rates = [s.value for (m, g), s in of.items() if m == "group_leak_rate" and g.startswith(f"{attribute}=")]
        assert of["worst_group_leak", attribute].value == max(rates)  # type: ignore[type-var]
        gap = of["leak_gap", attribute].value
        assert gap == (max(rates) - min(rates) if len(rates) > 1 else None)  # type: ignore[operator,type-var]
        overall.append(max(rates))  # type: ignore[type-var]
    assert of["worst_group_leak", ""].value == max(overall)
    items = np.array(flagged).mean()
    assert of["group_leak_rate", "origin=xx"].value == pytest.approx(items)


def test_documents_of_the_same_two_patients_are_one_trial() -> None:
    """Twenty documents of one pair tell as little as one; of twenty pairs they tell more."""
    people = [person("Latin"), person("Thai")]
    instances = [Instance(f"{p}/{d}", p, 0, "CT", d) for d in range(20) for p in range(2)]
    items = [Planted(each.path, each.patient, "name", "text", "", "A", ("A",)) for each in instances]
    one = Key(people, instances, items, (), ())
    many = key_of(people * 20, [place // 2 for place in range(40)])
    wide, narrow = (found(np.zeros(len(of.planted), bool), of)["swap_gap", ""] for of in (one, many))
    assert wide.n == narrow.n == 20
    assert wide.high == pytest.approx(exact(0, 1)[1], abs=0.01)
    assert narrow.high == pytest.approx(exact(0, 20)[1], abs=0.01)


def test_without_pixels_or_twins_their_metrics_are_undefined() -> None:
    key = key_of([person("Latin"), person("Thai")])
    key = replace(key, planted=[item for item in key.planted if item.locus != "pixels"])
    of = found(np.ones(len(key.planted), bool), key)
    assert of["worst_pixel_recall", ""].value is of["swap_gap", ""].value is None
    assert ("pixel_recall", "script=Thai") not in of


def test_flags_of_another_key_are_refused() -> None:
    with pytest.raises(ValueError, match="240 planted"):
        found(np.ones(3, bool), KEY)
