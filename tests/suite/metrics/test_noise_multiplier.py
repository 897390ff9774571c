"""The noise for a budget."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.method import Ledger, Mechanism
from fourfold.suite.metrics.accountant import accounted_epsilon, gaussian_epsilon, gaussian_mu, noise_multiplier

DELTA = 1e-5


def ledger(*entries):
    """Mechanisms from calls such as ("gaussian", 2.0, 3)."""
    book = Ledger()
    for name, *arguments in entries:
        getattr(book, name)(*arguments)
    return book.mechanisms


@pytest.mark.parametrize(("batch", "steps", "opacus"), [(512, 4680, 1.072), (4096, 585, 2.471), (8192, 292, 3.408)])
def test_noise_is_opacus_own_and_spends_the_budget_more_fully(batch, steps, opacus):
    """Opacus' values for epsilon 3, read from ``get_noise_multiplier(accountant="prv")``, which stops 0.01 short."""
    pytest.importorskip("opacus")
    noise = noise_multiplier(3.0, DELTA, batch / 60000, steps)
    spent = accounted_epsilon(ledger(("subsampled_gaussian", noise, batch / 60000, steps)), DELTA).epsilon
    assert 0.995 * opacus < noise <= opacus
    assert 2.997 <= spent <= 3.0


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0.1, 8),
    st.sampled_from([1e-5, 1e-6]),
    st.sampled_from([0.005, 0.05, 1.0]),
    st.integers(20, 2000),
    st.sampled_from([(), ledger(("gaussian", 80.0)), ledger(("laplace", 50.0, 2))]),
)
def test_noise_keeps_to_the_budget_and_uses_it_up(epsilon, delta, rate, steps, spent):
    pytest.importorskip("opacus")
    noise = noise_multiplier(epsilon, delta, rate, steps, spent)

    def all_together(noise):
        step = Mechanism("gaussian", noise, rate, steps, "poisson")
        return accounted_epsilon([*spent, step], delta).epsilon

    assert epsilon - 0.02 <= all_together(noise) <= epsilon
    assert all_together(0.997 * noise) > epsilon


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_no_noise_is_found_for_a_budget_that_is_none(epsilon):
    with pytest.raises(ValueError, match="epsilon is a finite number above 0"):
        noise_multiplier(epsilon, DELTA, 0.01, 100)


def test_budget_already_spent_is_said_so():
    pytest.importorskip("opacus")
    with pytest.raises(ValueError, match=r"no noise keeps 100 steps within epsilon 1 .* after what is already spent"):
        noise_multiplier(1.0, DELTA, 0.01, 100, ledger(("laplace", 1.0)))
    with pytest.raises(ValueError, match=r"ledger\[0\]\.sample_rate must be in \(0, 1\], got 1.5"):
        noise_multiplier(1.0, DELTA, 1.5, 100)


@settings(deadline=None)
@given(st.floats(1e-3, 500), st.sampled_from([1e-3, 1e-5, 1e-9]))
def test_mu_inverts_the_gaussians_epsilon(epsilon, delta):
    assert gaussian_epsilon(gaussian_mu(epsilon, delta), delta) == pytest.approx(epsilon, rel=1e-6)
