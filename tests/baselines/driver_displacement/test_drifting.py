import numpy as np
import pytest
from statsforecast.models import RandomWalkWithDrift

from fourfold.baselines.driver_displacement.drifting import drift

LEVELS = np.array([0.05, 0.1, 0.5, 0.9, 0.95])


def test_whole_histories_are_forecast_as_statsforecast_has_it():
    past = 500 + np.cumsum(np.random.default_rng(0).normal(2, 5, (4, 30)), axis=1)
    theirs = [RandomWalkWithDrift().forecast(y=row, h=6, level=[80, 90]) for row in past]
    names = ("lo-90", "lo-80", "mean", "hi-80", "hi-90")
    columns = [np.stack([each[name] for name in names], axis=1) for each in theirs]
    ours = drift(past, 6, LEVELS)
    assert ours[:, :, 2] == pytest.approx(np.stack(columns)[:, :, 2], rel=1e-9)
    assert ours == pytest.approx(np.stack(columns), rel=2e-3)


def test_a_straight_line_goes_on_over_gaps_and_missing_ends():
    past = np.array([[np.nan, 10.0, np.nan, 14.0, 16.0, np.nan]])
    assert drift(past, 3, LEVELS)[0, :, 2] == pytest.approx([20, 22, 24])
    assert np.ptp(drift(past, 3, LEVELS), axis=2) == pytest.approx(0)


def test_a_series_without_a_value_is_none_and_one_of_one_is_held():
    past = np.array([[np.nan] * 3, [np.nan, 7.0, np.nan]])
    assert drift(past, 2, LEVELS)[:, :, 2].tolist() == [[0, 0], [7, 7]]
