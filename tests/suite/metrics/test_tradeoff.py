import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from fourfold.suite.method import Ledger
from fourfold.suite.metrics.accountant import gaussian_mu
from fourfold.suite.metrics.tradeoff import tradeoff


def ledger(*entries):
    book = Ledger()
    for name, *arguments in entries:
        getattr(book, name)(*arguments)
    return book.mechanisms


@settings(deadline=None)
@given(st.floats(0.05, 8), st.floats(1e-3, 1 - 1e-6))
def test_gaussians_curve_is_dong_roth_and_sus(mu, rate):
    """Their G_mu, turned round; lines under it lie a little below."""
    exact = ndtr(ndtri(rate) - mu)
    assert exact - 2e-3 <= tradeoff(ledger(("gaussian", 1 / mu)))(rate) <= exact + 1e-9


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 1))
def test_laplaces_curve_is_that_of_pure_privacy(epsilon, rate):
    curve = tradeoff(ledger(("laplace", 1 / max(epsilon, 1e-9))))
    expected = max(math.exp(-epsilon) * rate, 1 - math.exp(epsilon) * (1 - rate))
    assert curve(rate) == pytest.approx(expected, abs=1e-6)


def test_subsampled_gaussians_curve_bounds_the_best_test_of_its_releases():
    """One step at rate 1/2: of a million releases, no threshold is better than the curve; the best is near."""
    pytest.importorskip("dp_accounting")
    pytest.importorskip("opacus")
    curve = tradeoff(ledger(("subsampled_gaussian", 0.7, 0.5, 1)))
    rng = np.random.default_rng(0)
    drawn = np.sort((rng.random(10**6) < 0.5) + 0.7 * rng.standard_normal(10**6))
    threshold = np.quantile(drawn, np.linspace(0.01, 0.99, 50))
    inside, outside = 1 - np.searchsorted(drawn, threshold) / 1e6, ndtr(-threshold / 0.7)
    for found, accused in ((inside, outside), (1 - outside, 1 - inside)):  # told in, and told out
        bound = np.array([curve(rate) for rate in found])
        assert (bound <= accused + 2e-3).all()
    both = np.minimum(outside, np.interp(inside, (1 - outside), (1 - inside)))
    assert np.abs(np.array([curve(rate) for rate in inside]) - both).max() < 0.02


def test_many_subsampled_steps_tend_to_a_gaussian():
    """Bu et al. (2020): mu = rate sqrt(steps (e^(1 / noise^2) - 1))."""
    pytest.importorskip("dp_accounting")
    pytest.importorskip("opacus")
    curve = tradeoff(ledger(("subsampled_gaussian", 2.0, 0.01, 10_000)))
    mu = 0.01 * math.sqrt(10_000 * math.expm1(1 / 2.0**2))
    for rate in (0.01, 0.1, 0.5, 0.9):
        assert curve(rate) == pytest.approx(ndtr(ndtri(rate) - mu), abs=5e-3)


def test_ledger_without_room_gets_no_credit_for_sampling():
    pytest.importorskip("opacus")
    curve = tradeoff(ledger(("subsampled_gaussian", 1e4, 0.5, 10**9)))
    for rate in (0.1, 0.5, 0.99):
        assert curve(rate) == pytest.approx(tradeoff(ledger(("gaussian", 1e4, 10**9)))(rate), rel=1e-9)


@settings(deadline=None)
@given(st.floats(0.1, 6), st.floats(0.1, 6), st.floats(0, 1), st.floats(0, 1))
def test_curve_is_convex_rises_and_falls_with_epsilon(epsilon, other, one, two):
    more, less = (
        tradeoff(ledger(("gaussian", 1 / gaussian_mu(each, 1e-5)))) for each in sorted((epsilon, other), reverse=True)
    )
    assert more(one) <= less(one) + 2e-3
    assert more(min(one, two)) <= more(max(one, two))
    assert more((one + two) / 2) <= (more(one) + more(two)) / 2 + 1e-9
    assert 0 <= more(one) <= one + 1e-9
