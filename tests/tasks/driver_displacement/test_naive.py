"""The reference forecasts: equal to statsforecast's where these exist, and sane where a history has holes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.driver_displacement.naive import naive, persist, reference, seasonal_naive, seasonal_reference
from fourfold.tasks.driver_displacement.panel import QUANTILES
from fourfold.tasks.driver_displacement.worlds import hidden_windows

MEDIAN = QUANTILES.index(0.5)


def theirs(model, history, horizon):
    """A statsforecast model's quantiles (n, horizon, 11)."""
    found = []
    for row in history:
        made = model.forecast(row, horizon, level=[0, 20, 40, 60, 80, 90])
        low = [made[f"lo-{level}"] for level in (90, 80, 60, 40, 20)]
        high = [made[f"hi-{level}"] for level in (20, 40, 60, 80, 90)]
        found.append(np.stack([*low, made["mean"], *high], axis=-1))
    return np.array(found)


def walks(seed, n, periods):
    return 5000 + np.random.default_rng(seed).normal(0, 30, (n, periods)).cumsum(axis=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(14, 60), st.integers(1, 14), st.sampled_from([1, 4, 12]))
def test_quantiles_are_those_of_statsforecast(seed, n, periods, horizon, season):
    models = pytest.importorskip("statsforecast.models")
    history = walks(seed, n, periods)
    # statsforecast's own models of single precision keep seven digits.
    assert naive(history, horizon) == pytest.approx(theirs(models.Naive(), history, horizon), rel=1e-6)
    seasonal = theirs(models.SeasonalNaive(season), history, horizon)
    assert seasonal_naive(history, horizon, season) == pytest.approx(seasonal, rel=1e-6)
    assert persist(history - 5000, horizon) == pytest.approx(theirs(models.Naive(), history - 5000, horizon), abs=1e-2)


def test_a_late_value_is_forecast_from_the_last_that_was_published():
    history = walks(1, 3, 40)
    late = history.copy()
    late[0, -2:] = np.nan
    assert naive(late, 5)[1:] == pytest.approx(naive(history, 5)[1:])
    assert naive(late, 5)[0] == pytest.approx(naive(history[:1, :-2], 7)[0, 2:])
    assert seasonal_naive(late, 5, 4)[0] == pytest.approx(seasonal_naive(history[:1, :-2], 7, 4)[0, 2:])


def test_an_error_over_a_gap_counts_as_that_of_as_many_steps():
    # Changes of 3 in one step, and of 8 in four: (9 + 64 / 4) / 2.
    history = np.array([[100.0, 103.0, np.nan, np.nan, np.nan, 111.0]])
    spread = naive(history, 1, levels=[0.5, 0.8413447460685429])
    assert spread[0, 0] == pytest.approx([111, 111 + np.sqrt(12.5)])


def test_a_short_a_constant_and_an_absent_history():
    history = np.array([[np.nan] * 4, [np.nan, np.nan, np.nan, 7.0], [5.0] * 4])
    forecast = naive(history, 3)
    assert forecast.shape == (3, 3, 11)
    assert (forecast[0] == 0).all()
    assert (forecast[1] == 7).all()
    assert (forecast[2] == 5).all()
    assert (seasonal_naive(history, 3, 12) == forecast).all(), "where a season has no value, Naive's"


def test_no_head_count_is_under_zero_and_displacement_may_be():
    history = np.array([[0.0, 40.0, 3.0]])
    assert naive(history, 2).min() == 0
    assert persist(history, 2).min() < 0
    assert (np.diff(naive(history, 2), axis=-1) >= 0).all()


def test_persist_knows_no_label_of_the_last_four_periods():
    (window,) = hidden_windows(np.random.default_rng(3), 1)
    known = window.truth.displaced[:, window.origin - 4]
    assert reference(window)[:, 1, :, MEDIAN] == pytest.approx(np.repeat(known[:, None], window.horizon, axis=1))
    assert reference(window).shape == seasonal_reference(window).shape == (204, 2, 8, 11)
    assert (np.diff(reference(window), axis=-1) >= 0).all()
