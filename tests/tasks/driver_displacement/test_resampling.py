"""The bootstrap of worlds and origins: it spreads as it should, and its intervals cover."""

import numpy as np
import pytest

from fourfold.tasks.driver_displacement.panel import Panel
from fourfold.tasks.driver_displacement.resampling import Table, window_weights
from fourfold.tasks.driver_displacement.window import Window

PANEL = Panel(("one",), tuple(f"p{place}" for place in range(60)), 1, np.ones((1, 60)), None, {}, {}, {}, {})


@pytest.fixture
def windows():
    """Six worlds, one origin each."""
    return [Window(PANEL, PANEL, origin, horizon=4, world=object()) for origin in (31, 35, 39, 43, 47, 51)]


@pytest.fixture
def eras():
    """One history: four origins, one and four, in eras of their own."""
    places = [*((place, "before") for place in range(20, 28, 2)), (33, "covid")]
    places += [(place, "after") for place in range(40, 48, 2)]
    return [Window(PANEL, PANEL, place, horizon=4, era=era) for place, era in places]


def test_resampled_worlds_spread_as_the_mean_of_a_few_does(windows):
    weights = window_weights(windows, np.random.default_rng(0), 20_000)
    assert weights.sum(axis=1) == pytest.approx(np.full(20_000, 6))
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.04)
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    student = 2.5706 / 1.95996  # 97.5 % quantiles, with 5 degrees of freedom and of the normal.
    assert (weights @ values / 6).std() == pytest.approx(student * values.std(ddof=1) / np.sqrt(6), rel=0.02)


def test_an_interval_of_six_worlds_covers_the_mean_of_all_worlds(windows):
    resampled = Table(windows, window_weights(windows, np.random.default_rng(0), 1000))
    rng = np.random.default_rng(1)
    found = [resampled.score("wql", rng.normal(size=6), 6) for _ in range(2000)]
    assert np.mean([each.low < 0 < each.high for each in found]) == pytest.approx(0.95, abs=0.025)


def test_overlapping_origins_are_resampled_in_blocks_within_their_era(eras):
    # Origins are 2 apart and horizons 4 long, so blocks are of two; of four origins a replicate holds two blocks.
    weights = window_weights(eras, np.random.default_rng(0), 5_000)
    before, covid, after = weights[:, :4], weights[:, 4], weights[:, 5:]
    assert (covid == 1).all()
    assert before.sum(axis=1) == pytest.approx(np.full(5_000, 4))
    assert after.sum(axis=1) == pytest.approx(np.full(5_000, 4))
    stretch = np.sqrt(2) * 12.7062 / 1.95996  # Two blocks know half of their variance, with one degree of freedom.
    times = np.rint(1 + (before - 1) / stretch).astype(int)
    assert 1 + stretch * (times - 1) == pytest.approx(before, abs=1e-4)
    blocks = [np.roll([1, 1, 0, 0], start) for start in range(4)]
    assert {tuple(row) for row in times.tolist()} == {tuple(one + other) for one in blocks for other in blocks}
    assert times.mean(axis=0) == pytest.approx(np.ones(4), abs=0.03)


@pytest.mark.parametrize(("origins", "step", "horizon"), [(9, 3, 12), (11, 3, 12), (4, 1, 3), (3, 6, 6)])
def test_an_interval_of_one_history_covers_the_mean_of_all_histories(origins, step, horizon):
    history = object()
    places = [20 + step * place for place in range(origins)]
    windows = [Window(PANEL, PANEL, place, horizon, world=history) for place in places]
    resampled = Table(windows, window_weights(windows, np.random.default_rng(0), 1000))
    rng, hits = np.random.default_rng(1), 0
    for noise in rng.normal(size=(1000, 80)):  # A window's error is the mean of its periods'.
        found = resampled.score("bias", [noise[place + 1 : place + 1 + horizon].mean() for place in places], 1)
        hits += found.low < 0 < found.high
    assert hits / 1000 > 0.89
