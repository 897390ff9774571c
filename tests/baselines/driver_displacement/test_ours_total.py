"""The total of a kind: how far it may go, and what that does to its series."""

import numpy as np
import pytest

from fourfold.baselines.driver_displacement.ours_total import grown, growth, totals
from fourfold.tasks.driver_displacement.panel import QUANTILES

LEVELS = np.array(QUANTILES)
LOW, MEDIAN, HIGH = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))


def test_totals_are_of_a_kind_and_one_for_series_of_none():
    level = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    assert totals(level, np.array(["bus", "bus", ""])).tolist() == [[4.0, 2.0], [4.0, 2.0], [1.0, 1.0]]


def test_growth_is_a_random_walks_with_a_drift_and_as_wide_as_few_changes_make_it():
    around = growth(np.exp([0.0, 0.1, 0.0, 0.1, 0.0]), 1, 2, LEVELS)  # s^2 = 0.04 / 3, and no drift
    assert around[:, HIGH] == pytest.approx(1.6377 * np.array([np.sqrt(0.05 / 3), 0.2]), rel=1e-4)  # t of 3 at 0.9
    assert around[:, LOW] == pytest.approx(-around[:, HIGH])
    along = growth(np.exp([0.0, 0.3, 0.4, 0.7, 0.8]), 1, 2, LEVELS)  # the same about a drift of 0.2
    assert along == pytest.approx(around + np.array([[0.2], [0.4]]))


@pytest.mark.parametrize("drift", [0.0, 0.02, 0.04])
def test_growth_covers_what_it_says_of_short_random_walks_with_or_without_a_drift(drift):
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(drift, 0.04, (500, 11)), axis=1)
    made = np.stack([growth(np.exp(walk[:8]), 1, 3, LEVELS) for walk in walks])
    ahead = walks[:, 8:] - walks[:, 7:8]
    covered = np.mean((ahead >= made[..., LOW]) & (ahead <= made[..., HIGH]))
    assert 0.75 < covered < 0.9


def test_growth_follows_the_usual_season():
    total = 1000 * np.exp(np.tile([0.0, 0.1, 0.0, -0.1], 12))
    made, blind = (growth(total, season, 4, LEVELS) for season in (4, 1))  # from the last quarter of a year
    assert made[:, MEDIAN] == pytest.approx([0.1, 0.2, 0.1, 0.0], rel=0.2, abs=2e-3)
    assert (np.ptp(made, axis=1) < 0.3 * np.ptp(blind, axis=1)).all()


def test_a_past_too_short_to_vary_tells_nothing_of_growth():
    assert (growth(np.array([100.0, 120.0]), 1, 3, LEVELS) == 0).all()
    assert (growth(np.full(5, 100.0), 4, 3, LEVELS) == 0).all()


def test_series_of_no_kind_are_left_as_they_are():
    still = 100 + np.random.default_rng(1).uniform(0, 10, (2, 3, 1)) * np.linspace(-1, 1, len(LEVELS))
    assert grown(still, np.ones((2, 6)), 1, LEVELS) == pytest.approx(still)


def test_a_certain_share_is_as_uncertain_as_its_total_and_doubts_add_in_squares():
    total = np.tile(np.exp([0.0, 0.1, 0.0, 0.1, 0.0]), (2, 1))
    factor = np.exp(growth(total[0], 1, 2, LEVELS))
    still = np.full((2, 2, len(LEVELS)), 100.0)
    still[1] += (4 / 3 * 100 * np.abs(factor - 1)) * np.sign(LEVELS - 0.5)
    certain, doubted = grown(still, total, 1, LEVELS)
    assert certain == pytest.approx(100 * factor)
    assert doubted - 100 == pytest.approx(5 / 3 * (certain - 100))
