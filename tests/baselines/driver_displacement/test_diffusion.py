import numpy as np
import pytest

from fourfold.baselines.driver_displacement.diffusion import _P, _Q, bass, diffused, forecast_displaced
from fourfold.baselines.driver_displacement.stock import displaced_stock


def test_bass_solves_his_equation():
    years = np.linspace(0, 15, 3001)
    share = bass(years, 0.03, 0.38)
    slope = np.gradient(share, years)[1:-1]
    assert slope == pytest.approx(((0.03 + 0.38 * share) * (1 - share))[1:-1], abs=1e-5)
    assert share[0] == 0
    assert bass(np.array([-2.0]), 0.03, 0.38) == 0


def test_rates_and_ceilings_of_noiseless_curves_are_found():
    launch, ceiling = np.array([2.0, 6.0, 10.0]), np.array([0.3, 0.2, 0.4])
    years = (np.arange(48) - launch[:, None]) / 4
    truth = ceiling[:, None] * bass(years, _P[4], _Q[6])
    found = diffused(truth[:, :36], np.full(3, 1e6), launch, np.array(["taxi"] * 3), 4, 12, 1.0)
    assert found == pytest.approx(truth, abs=1e-3)


def test_noise_draws_small_places_towards_their_occupation():
    launch, years = np.zeros(2), np.arange(24) / 4
    truth = np.array([0.3, 0.6])[:, None] * bass(years, _P[4], _Q[6])
    size, kind = np.array([1e5, 10.0]), np.array(["taxi", "taxi"])
    near = [diffused(truth, size, launch, kind, 4, 0, noise)[1, -1] / truth[1, -1] for noise in (1e-9, 100.0)]
    assert near[1] == pytest.approx(0.5, abs=0.05)
    assert near[1] < near[0]


def test_the_forecast_starts_at_what_is_known(problems):
    train, queries, secret = problems["simulated"]()
    for query, whole in zip(queries, secret, strict=True):
        found = forecast_displaced(displaced_stock(train, query), query)
        truth = whole["displaced"][:, -8:]
        assert np.abs(found[..., 5] - truth).mean() < 0.6 * np.abs(whole["displaced"][:, [27]] - truth).mean()
