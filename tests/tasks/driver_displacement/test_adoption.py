import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import curve_fit

from fourfold.tasks.driver_displacement import adoption

P, Q = 0.004, 0.4
YEARS = np.linspace(0, 20, 81)

rates = st.tuples(st.floats(0.002, 0.01), st.floats(0.25, 0.55))


def paths(p: float, q: float) -> dict[str, np.ndarray]:
    half = adoption.half_time(p, q)
    return {
        "bass": adoption.bass(YEARS, p, q),
        "logistic": adoption.waves(YEARS, 0.7 * half, 1.5 * half, 2 * (p + q), 0.45),
        "stalled": adoption.gompertz(adoption.paused(YEARS, 3.0, 3.0), half, 2 / half),
        "halted": adoption.withdrawn(adoption.bass(np.minimum(YEARS, 8.0), p, q), YEARS - 8.0, 0.2),
    }


def test_bass_solves_its_equation():
    path = adoption.bass(YEARS, P, Q)
    exact = {"rtol": 1e-9, "atol": 1e-12}
    found = solve_ivp(lambda _, share: (P + Q * share) * (1 - share), (0, 20), [0.0], t_eval=YEARS, **exact)
    assert path == pytest.approx(found.y[0], abs=1e-6)
    assert adoption.bass(adoption.half_time(P, Q), P, Q) == pytest.approx(0.5)
    peak = np.log(Q / P) / (P + Q)  # Bass 1969, equation 12
    steps = np.diff(adoption.bass(np.arange(0, 20, 0.01), P, Q))
    assert np.argmax(steps) * 0.01 == pytest.approx(peak, abs=0.02)


def test_logistic_and_gompertz_are_those_of_the_textbook_but_for_what_they_had_at_launch():
    half, rate = 9.0, 0.5
    at_launch = 1 / (1 + np.exp(rate * half))
    logistic = at_launch + (1 - at_launch) * adoption.logistic(YEARS, half, rate)
    assert np.gradient(logistic, YEARS)[1:-1] == pytest.approx((rate * logistic * (1 - logistic))[1:-1], abs=2e-3)
    assert logistic[half == YEARS] == pytest.approx(0.5)

    at_launch = 0.5 ** np.exp(rate * half)
    gompertz = at_launch + (1 - at_launch) * adoption.gompertz(YEARS, half, rate)
    expected = -rate * gompertz * np.log(np.maximum(gompertz, 1e-300))
    assert np.gradient(gompertz, YEARS)[1:-1] == pytest.approx(expected[1:-1], abs=3e-3)
    assert gompertz[half == YEARS] == pytest.approx(0.5)


@given(rates)
def test_every_law_starts_from_nothing_and_stays_a_share(drawn):
    for law, path in paths(*drawn).items():
        assert path[0] == pytest.approx(0, abs=1e-12), law
        assert (path >= -1e-12).all(), law
        assert (path <= 1).all(), law
        if law != "halted":
            assert (np.diff(path) >= -1e-12).all(), law
    before = np.linspace(-5, 0, 11)
    assert not adoption.bass(before, *drawn).any()
    assert adoption.logistic(before, 8.0, 0.5) == pytest.approx(0, abs=1e-12)
    assert adoption.gompertz(before, 8.0, 0.3) == pytest.approx(0, abs=1e-12)


def test_a_logistic_from_nothing_is_bass():
    half, rate = 9.0, 0.5
    fitted, _ = curve_fit(adoption.bass, YEARS, adoption.logistic(YEARS, half, rate), p0=(0.01, 0.3))
    assert fitted.sum() == pytest.approx(rate)
    assert adoption.bass(YEARS, *fitted) == pytest.approx(adoption.logistic(YEARS, half, rate), abs=1e-6)


def test_waves_pause_between():
    path = adoption.waves(YEARS, 5.0, 15.0, 1.5, 0.4)
    assert path[YEARS == 10] == pytest.approx(0.4, abs=0.005)
    steps = np.diff(path)
    assert steps[YEARS[1:] == 10] < 0.05 * min(steps[YEARS[1:] == 5], steps[YEARS[1:] == 15])


def test_a_pause_stands_still_and_then_goes_on():
    years = np.array([0.0, 1.0, 2.0, 3.5, 5.0, 6.0])
    assert adoption.paused(years, 2.0, 3.0).tolist() == [0.0, 1.0, 2.0, 2.0, 2.0, 3.0]


def test_a_halt_lets_the_fleet_retire():
    share = np.full(4, 0.4)
    left = adoption.withdrawn(share, np.array([-3.0, 0.0, 1.0, 5.0]), 0.2)
    assert left == pytest.approx(0.4 * np.exp([0, 0, -0.2, -1.0]))


def test_who_knows_one_law_alone_misses_the_others():
    """Bass fitted to 8 years of each path, and how far it is off at the worst of the 12 that follow."""
    seen, miss = YEARS <= 8, {}
    for law, path in paths(P, Q).items():
        fitted, _ = curve_fit(adoption.bass, YEARS[seen], path[seen], (0.01, 0.3), bounds=([1e-5, 0.01], [0.2, 2.0]))
        miss[law] = np.abs(adoption.bass(YEARS, *fitted) - path)[~seen].max()

    assert miss.pop("bass") < 1e-3
    assert min(miss.values()) > 0.1
