import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.driver_displacement.allocation import allocate, by_headcount
from fourfold.tasks.driver_displacement.panel import QUANTILES

LEVELS = np.array(QUANTILES)


def chance_of(quantiles: np.ndarray, levels: np.ndarray, needed: int) -> float:
    """That this many or more need a place, by the distribution through the quantiles (ascending strictly)."""
    at = needed - 0.5
    if at <= quantiles[0]:
        return 1.0
    return 0.0 if at > quantiles[-1] else float(1 - np.interp(at, quantiles, levels))


def expected(given_out: tuple[int, ...], quantiles: np.ndarray, levels: np.ndarray, gain: np.ndarray) -> float:
    return sum(
        gain[series] * chance_of(quantiles[series], levels, needed)
        for series, places in enumerate(given_out)
        for needed in range(1, places + 1)
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    n = draw(st.integers(1, 3))
    levels = np.array(draw(st.sampled_from([(0.05, 0.5, 0.95), (0.1, 0.9), QUANTILES])))
    steps = st.lists(st.floats(0.01, 3), min_size=len(levels), max_size=len(levels))
    quantiles = np.cumsum([draw(steps) for _ in range(n)], axis=1)
    gain = np.array(draw(st.lists(st.floats(-5, 20).filter(lambda g: abs(g) > 1e-3), min_size=n, max_size=n)))
    return quantiles, levels, gain, draw(st.integers(0, 7))


@settings(max_examples=150, deadline=None)
@given(problems())
def test_no_other_allocation_is_expected_to_gain_more(problem):
    quantiles, levels, gain, places = problem
    ours = allocate(quantiles, levels, gain, places)
    every = (each for each in itertools.product(range(places + 1), repeat=len(gain)) if sum(each) <= places)
    best = max(expected(each, quantiles, levels, gain) for each in every)

    assert ours.sum() <= places
    assert (ours >= 0).all()
    assert expected(tuple(ours.tolist()), quantiles, levels, gain) == pytest.approx(best, abs=1e-6)


def test_places_go_first_where_a_sure_worker_gains_most():
    sure = np.repeat(np.array([[5.0], [3.0], [10.0], [4.0]]), len(LEVELS), axis=1)
    gain = np.array([2.0, 9.0, 1.0, -1.0])
    assert allocate(sure, LEVELS, gain, 6).tolist() == [3, 3, 0, 0]
    assert allocate(sure, LEVELS, gain, 1000).tolist() == [5, 3, 10, 0]
    assert allocate(sure, LEVELS, gain, 0).tolist() == [0, 0, 0, 0]


def test_a_doubtful_worker_of_high_gain_gives_way_to_a_sure_one():
    """The tenth place of the first series is needed one time in ten, and worth 0.1 x 5 < 1."""
    doubtful = np.array([[0.0, 2.0, 4.0, 6.0, 9.6], [20.0, 20.0, 20.0, 20.0, 20.0]])
    levels = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    assert allocate(doubtful, levels, np.array([5.0, 1.0]), 20).tolist() == [8, 12]


def test_nobody_needed_or_nothing_gained_is_nothing_given():
    nobody = np.zeros((3, len(LEVELS)))
    assert allocate(nobody, LEVELS, np.ones(3), 10).tolist() == [0, 0, 0]
    assert allocate(nobody + 5, LEVELS, np.zeros(3), 10).tolist() == [0, 0, 0]


def test_the_same_worth_is_shared_out_whole():
    same = np.repeat(np.full((4, 1), 100.0), len(LEVELS), axis=1)
    given_out = allocate(same, LEVELS, np.full(4, 3.0), 250)
    assert given_out.sum() == 250
    assert given_out.max() <= 100


def test_a_forecast_beyond_all_bounds_takes_no_more_than_there_is():
    wild = np.array([np.linspace(0, 1e300, len(LEVELS)), np.full(len(LEVELS), 2.0)])
    given_out = allocate(wild, LEVELS, np.array([1.0, 2.0]), 50)
    assert given_out.tolist() == [48, 2]


def test_head_counts_part_places_by_largest_remainders():
    at_work = np.array([50.0, 30.0, 15.0, 5.0])
    assert by_headcount(at_work, np.full(4, True), 10).tolist() == [5, 3, 2, 0]
    assert by_headcount(at_work, np.array([True, True, False, False]), 8).tolist() == [5, 3, 0, 0]
    assert by_headcount(at_work, np.full(4, False), 8).tolist() == [0, 0, 0, 0]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9), st.integers(0, 10_000))
def test_head_counts_part_all_places_or_none(at_work, places):
    given_out = by_headcount(np.array(at_work), np.full(len(at_work), True), places)
    assert given_out.sum() == (places if sum(at_work) > 0 else 0)
    assert (given_out >= 0).all()
