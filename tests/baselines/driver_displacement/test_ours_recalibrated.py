"""Moving quantiles to where outcomes lay before: on misses whose distribution is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri

from fourfold.baselines.driver_displacement.ours import numerous
from fourfold.baselines.driver_displacement.ours_recalibrated import (
    TOO_NARROW,
    Masses,
    cells,
    misses,
    moved,
    recalibrated,
)
from fourfold.tasks.driver_displacement.panel import QUANTILES

LEVELS = np.array(QUANTILES)
LOW, MEDIAN, HIGH = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))
NORMAL = ndtri(LEVELS) / ndtri(0.9)
OFF = st.floats(-5, 5).map(lambda each: round(each, 3)) | st.just(np.nan)


def around(median: np.ndarray, width: float) -> np.ndarray:
    """Normal quantiles whose 0.1 and 0.9 lie so far from the median in logarithms."""
    return np.expm1(np.log1p(median)[..., None] + width * NORMAL)


def test_where_nothing_is_known_the_next_miss_is_twice_as_wide_as_is_said():
    made = around(np.full((2, 3), 1000.0), 0.1)
    found = recalibrated(made, [], np.zeros(2, int), 1.0, LEVELS)
    assert found == pytest.approx(around(np.full((2, 3), 1000.0), TOO_NARROW * 0.1), rel=1e-2)


def test_origins_weigh_what_is_said_whatever_number_of_misses_they_have():
    base = Masses(np.array([0.0]), np.array([1.0]))
    made = base.with_those([np.array([2.0, np.nan, 2.0]), np.array([-2.0])], np.array([1.0, 0.5]))
    assert made.weight.sum() == pytest.approx(2.5)
    assert {value: made.weight[made.values == value].sum() for value in (-2.0, 0.0, 2.0)} == {-2: 0.5, 0: 1, 2: 1}
    assert made.weighing(1.0).weight == pytest.approx(made.weight / 2.5)
    assert base.with_those([np.array([np.nan])], np.array([1.0])).weight.sum() == 1


def test_quantiles_are_those_of_a_sample_where_all_weigh_alike():
    values = np.random.default_rng(0).normal(size=999)
    found = Masses(values, np.full(999, 3.0)).quantiles(LEVELS)
    assert found == pytest.approx(np.quantile(values, LEVELS, method="hazen"))


@given(arrays(float, (4, 5), elements=OFF))
def test_quantiles_rise_and_turn_with_the_sign_of_misses(off):
    prior, decay = Masses(NORMAL, np.ones(len(NORMAL))), 0.5 ** np.arange(4)
    found = prior.with_those([*off], decay).quantiles(LEVELS)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert prior.with_those([*-off], decay).quantiles(LEVELS) == pytest.approx(-found[::-1], abs=1e-9)


@given(arrays(float, 11, elements=st.floats(-4, 4)).map(np.sort))
def test_an_outcome_at_a_moved_quantile_misses_by_what_it_was_moved(miss):
    made = np.log1p(around(np.array([[500.0, 2000.0]]), 0.2))
    for place, quantile in enumerate(np.moveaxis(moved(made, miss, LEVELS), -1, 0)):
        assert misses(quantile, made, LEVELS) == pytest.approx(miss[place], abs=1e-6)


def drifting(growth: np.ndarray, origins: int, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outcomes that lie by ``growth`` (n,) over the medians forecast, in logarithms, beside noise of known width."""
    rng, median = np.random.default_rng(seed), np.full((len(growth), 3), 1000.0)
    return [(median * np.exp(growth[:, None] + rng.normal(0, 0.05, median.shape)), around(median, 0.05 * ndtri(0.9)))
            for _ in range(origins)]


def test_a_cell_that_outgrew_its_forecasts_before_is_expected_to_again():
    cell = np.repeat([0, 1], 20)
    before, now = drifting(np.where(cell == 0, 0.15, 0.0), 8), around(np.full((40, 3), 1000.0), 0.05 * ndtri(0.9))
    found = recalibrated(now, before, cell, 4.0, LEVELS)
    assert np.log(found[:20, :, MEDIAN] / 1000) == pytest.approx(0.14, abs=0.02)
    assert np.log(found[20:, :, MEDIAN] / 1000) == pytest.approx(0.01, abs=0.02)
    for rows in (slice(0, 20), slice(20, 40)):
        covered = [(truth[rows] >= found[rows, :, LOW]) & (truth[rows] <= found[rows, :, HIGH]) for truth, _ in before]
        assert 0.75 < np.mean(covered) < 0.99


def test_one_series_alone_is_moved_less_than_many_of_a_cell():
    still, rising = np.zeros(30), np.full(30, 0.15)
    rising[1:] = 0.0
    before, now = drifting(rising, 4), around(np.full((30, 3), 1000.0), 0.05 * ndtri(0.9))
    alone = recalibrated(now, before, np.arange(30), 4.0, LEVELS)[0, 0, MEDIAN]
    together = recalibrated(now, drifting(still + 0.15, 4), np.zeros(30, int), 4.0, LEVELS)[0, 0, MEDIAN]
    assert 1000 < alone < 1050 < 1130 < together


def test_the_latest_origins_count_most():
    before = drifting(np.full(20, 0.1), 1) + drifting(np.full(20, -0.1), 1)
    now, cell = around(np.full((20, 3), 1000.0), 0.05 * ndtri(0.9)), np.zeros(20, int)
    assert recalibrated(now, before, cell, 1.0, LEVELS)[..., MEDIAN].max() > 1010
    assert recalibrated(now, before[::-1], cell, 1.0, LEVELS)[..., MEDIAN].min() < 990


def test_nothing_stays_nothing_and_a_wild_miss_is_bounded():
    none = np.zeros((1, 2, len(LEVELS)))
    assert recalibrated(none, [], np.zeros(1, int), 1.0, LEVELS) == pytest.approx(0)
    held = np.full((1, 2, len(LEVELS)), 100.0)  # of no width at all
    assert np.isfinite(recalibrated(held, [(np.full((1, 2), 1e6), held)], np.zeros(1, int), 1.0, LEVELS)).all()


def test_cells_are_thirds_by_minority_share_of_each_kind_that_is_numerous():
    kind = numerous(np.array(["truck"] * 12 + ["bus"] * 12 + ["taxi"] * 3))
    assert set(kind) == {"truck", "bus", ""}
    share = np.concatenate([np.tile(np.linspace(0.1, 0.9, 12), 2), np.zeros(3)])
    found = cells(kind, share)
    for of_kind in (found[:12], found[12:24]):
        assert [len(set(third)) for third in np.split(of_kind, 3)] == [1, 1, 1]
    assert len(set(found.tolist())) == 3 + 3 + 3  # the others by themselves
