import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.baselines.driver_displacement.conformal import widened, widening

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


def normal(n, spread, rng):
    """Forecasts of n standard normal outcomes that believe in another spread, with scales of their own."""
    from scipy.special import ndtri

    scale = np.exp(rng.normal(0, 1, n))
    return scale[:, None] * spread * ndtri(LEVELS), scale * rng.normal(0, 1, n), scale


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_coverage_is_repaired_whether_too_narrow_or_too_wide(spread):
    rng = np.random.default_rng(3)
    moved = widening(LEVELS, *normal(4000, spread, rng))
    forecast, outcome, scale = normal(20_000, spread, rng)
    repaired = widened(forecast, moved, scale)
    for low, nominal in ((0, 0.9), (1, 0.8), (3, 0.4)):
        inside = (outcome >= repaired[:, low]) & (outcome <= repaired[:, -1 - low])
        assert np.mean(inside) == pytest.approx(nominal, abs=0.02)


@given(st.integers(1, 60), st.integers(0, 99))
def test_the_level_is_that_of_romano_and_others(n, seed):
    forecast, outcome, scale = normal(n, 0.5, np.random.default_rng(seed))
    moved = widening(LEVELS, forecast, outcome, scale)[-1]
    scores = np.maximum(forecast[:, 0] - outcome, outcome - forecast[:, -1]) / scale
    rank = min(n, int(np.ceil(0.9 * (n + 1) - 1e-9)))
    assert np.sum(scores <= moved + 1e-12) >= rank


def test_nothing_known_moves_nothing():
    forecast, _, scale = normal(5, 1.0, np.random.default_rng(0))
    assert not widening(LEVELS, forecast, np.full(5, np.nan), scale).any()


def test_an_interval_narrowed_past_its_middle_is_that_point():
    forecast = np.linspace(-1, 1, 11)[None]
    found = widened(forecast, np.r_[np.full(5, 2.0), 0, np.full(5, -2.0)], np.ones(1))
    assert found.tolist() == [[0.0] * 11]
