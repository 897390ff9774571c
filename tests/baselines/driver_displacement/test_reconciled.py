import numpy as np
import pytest

from fourfold.baselines.driver_displacement.reconciled import reconcile, shrunk, summing

SERIES = ("CA truck", "CA taxi", "NY truck", "NY taxi")


def test_names_say_what_adds_up():
    assert summing(SERIES).tolist() == [
        [1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0],
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert summing(("yellow", "green")).tolist() == [[1, 1], [1, 0], [0, 1]]


def test_what_adds_up_already_is_left_alone():
    sums, bottom = summing(SERIES), np.array([[4.0, 5], [3, 2], [8, 9], [1, 1]])
    covariance = shrunk(np.random.default_rng(0).normal(size=(9, 30)))
    assert reconcile(sums @ bottom, sums, covariance) == pytest.approx(bottom)


def test_equal_and_independent_errors_are_reconciled_by_least_squares():
    sums = summing(SERIES)
    forecast = np.random.default_rng(1).normal(100, 10, (9, 3))
    ours = reconcile(forecast, sums, np.eye(9))
    assert ours == pytest.approx(np.linalg.lstsq(sums, forecast, rcond=None)[0])


def test_it_is_more_accurate_than_the_series_alone():
    rng, sums = np.random.default_rng(2), summing(SERIES)
    bottom = rng.normal(100, 5, (4, 2000))
    spread = np.r_[np.full(5, 2.0), np.full(4, 10.0)][:, None]
    forecast = sums @ bottom + spread * rng.normal(size=(9, 2000))
    error = reconcile(forecast, sums, np.diag(spread[:, 0] ** 2)) - bottom
    assert np.std(error) < 0.7 * 10


def test_correlations_are_shrunk_and_variances_are_not():
    errors = np.random.default_rng(3).normal(size=(20, 8)) * np.arange(1, 21)[:, None]
    found = shrunk(errors)
    assert np.diag(found) == pytest.approx(np.mean(errors**2, axis=1))
    assert np.linalg.eigvalsh(found).min() > 0
    plain = errors @ errors.T / 8
    apart = ~np.eye(20, dtype=bool)
    assert np.abs(found[apart]).sum() < 0.5 * np.abs(plain[apart]).sum()
