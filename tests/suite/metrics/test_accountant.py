import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr

from fourfold.suite.method import Ledger, Mechanism
from fourfold.suite.metrics import accountant as accountant_module
from fourfold.suite.metrics.accountant import (
    AGREEMENT,
    Accounted,
    accounted_epsilon,
    gaussian_epsilon,
)

DELTA = 1e-5


def pld_epsilon(mechanisms, delta=DELTA):
    """The same ledger by the privacy loss distributions of Google's dp_accounting."""
    dp = pytest.importorskip("dp_accounting")
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=1e-4)
    for m in mechanisms:
        noise = {"gaussian": dp.GaussianDpEvent, "laplace": dp.LaplaceDpEvent}[m.kind](m.noise_multiplier)
        accountant.compose(dp.PoissonSampledDpEvent(m.sample_rate, noise) if m.sample_rate < 1 else noise, m.steps)
    return accountant.get_epsilon(delta)


def ledger(*entries):
    """Mechanisms from calls such as ("gaussian", 2.0, 3)."""
    book = Ledger()
    for name, *arguments in entries:
        getattr(book, name)(*arguments)
    return book.mechanisms


def mnist(noise, batch):
    return ledger(("subsampled_gaussian", noise, batch / 60000, 60000 // batch * 40))


# --- subsampled Gaussians ---------------------------------------------------------------------------------------------

SCHEDULES = [
    (1.23, 512, 2.372, 2.361),
    (2.15, 2048, 2.386, 2.376),
    (3.04, 4096, 2.264, 2.254),
    (4.05, 8192, 2.385, 2.375),
]


@pytest.mark.parametrize(("noise", "batch", "prv", "pld"), SCHEDULES)
def test_published_mnist_schedules(noise, batch, prv, pld):
    pytest.importorskip("opacus")
    mechanisms = mnist(noise, batch)
    accounted = accounted_epsilon(mechanisms, DELTA)
    assert replace(accounted, epsilon=0, second=0) == Accounted(0, "prv", "add-or-remove", "poisson", "record", 0)
    assert accounted.epsilon == pytest.approx(prv, abs=1e-3)
    assert accounted.second == pytest.approx(pld, abs=1e-3)
    assert accounted.agrees
    assert pld_epsilon(mechanisms) == pytest.approx(pld, abs=1e-3)


@pytest.mark.parametrize(("noise", "batch", "prv", "pld"), SCHEDULES)
def test_gaussian_dp_approximation_would_under_report(noise, batch, prv, pld):
    """Why Opacus' third accountant is not used: its central-limit epsilon lies below the true one."""
    accountants = pytest.importorskip("opacus.accountants")
    mechanisms = mnist(noise, batch)
    gdp = accountants.GaussianAccountant()
    gdp.history = [(m.noise_multiplier, m.sample_rate, m.steps) for m in mechanisms]
    assert gdp.get_epsilon(DELTA) < pld - 0.05
    accounted = accounted_epsilon(mechanisms, DELTA)
    assert min(accounted.epsilon, accounted.second) > pld - 1e-3


def test_two_accountants_that_disagree_show_the_larger_and_back_nothing(monkeypatch):
    pytest.importorskip("opacus")
    mechanisms = mnist(1.23, 512)
    first = accounted_epsilon(mechanisms, DELTA)
    for other, agrees in ((2.3, False), (2.36, True), (2.39, True), (2.4, False)):
        monkeypatch.setattr(accountant_module, "second_opinion", lambda history, delta, other=other: other)
        accounted = accounted_epsilon(mechanisms, DELTA)
        assert accounted.epsilon == max(first.epsilon, other)
        assert accounted.second == min(first.epsilon, other)
        assert accounted.accountant == ("pld" if other > first.epsilon else "prv")
        assert accounted.agrees is agrees


def test_second_opinion_adds_laplace_as_the_first_does():
    pytest.importorskip("opacus")
    mechanisms = mnist(1.23, 512)
    alone, beside = (accounted_epsilon([*mechanisms, *more], DELTA) for more in ((), ledger(("laplace", 4.0, 2))))
    assert beside.epsilon - alone.epsilon == pytest.approx(0.5)
    assert beside.second - alone.second == pytest.approx(0.5)
    assert beside.accountant == "prv+basic-composition"


def test_units_are_those_of_the_mechanisms():
    user = Mechanism("gaussian", 1.0, unit="user")
    assert accounted_epsilon([user, user], DELTA).unit == "user"
    assert accounted_epsilon([Mechanism("gaussian", 1.0), user], DELTA).unit == "record+user"


entry = st.one_of(
    st.tuples(
        st.just("subsampled_gaussian"),
        st.floats(0.8, 8),
        st.sampled_from([0.002, 0.01, 0.05, 0.3]),
        st.integers(1, 300),
    ),
    st.tuples(st.just("gaussian"), st.floats(2, 50), st.integers(1, 4)),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(entry, min_size=1, max_size=3), st.sampled_from([1e-5, 1e-7]))
def test_agrees_with_privacy_loss_distributions(entries, delta):
    pytest.importorskip("opacus")
    mechanisms = ledger(*entries)
    ours, theirs = accounted_epsilon(mechanisms, delta).epsilon, pld_epsilon(mechanisms, delta)
    assert theirs - 1e-3 <= ours <= theirs + AGREEMENT  # an upper bound, and a tight one
    second = accounted_epsilon(mechanisms, delta).second
    assert second is None or second == pytest.approx(theirs, abs=2e-3)


def test_order_and_splitting_of_entries_do_not_matter():
    pytest.importorskip("opacus")
    one = ledger(("subsampled_gaussian", 1.0, 0.01, 100), ("gaussian", 5.0), ("subsampled_gaussian", 2.0, 0.1, 10))
    other = ledger(
        ("subsampled_gaussian", 2.0, 0.1, 10),
        ("subsampled_gaussian", 1.0, 0.01, 60),
        ("gaussian", 5.0),
        ("subsampled_gaussian", 1.0, 0.01, 40),
    )
    assert accounted_epsilon(one, DELTA).epsilon == pytest.approx(accounted_epsilon(other, DELTA).epsilon, abs=1e-6)
    assert accounted_epsilon(one, DELTA).sampling == "poisson+full"


@pytest.mark.parametrize(
    "mechanisms",
    [
        ledger(("subsampled_gaussian", 1.0, 0.01, 10**6)),  # PRV's grid would take many GiB
        ledger(("subsampled_gaussian", 0.1, 0.5, 1000)),  # so would this, for want of noise
        ledger(("subsampled_gaussian", 1.0, 0.01, 100), ("gaussian", 1e-3)),
        ledger(("subsampled_gaussian", 1.0, 0.01, 10**9)),
    ],
    ids=["many-steps", "little-noise", "no-noise-once", "most-steps"],
)
def test_ledger_too_large_for_the_grid_still_gets_a_bound(mechanisms):
    pytest.importorskip("opacus")
    accounted = accounted_epsilon(mechanisms, DELTA)
    unamplified = math.sqrt(sum(m.steps / m.noise_multiplier**2 for m in mechanisms))
    assert accounted.accountant in ("rdp", "analytic-gaussian")
    assert 50 < accounted.epsilon <= gaussian_epsilon(unamplified, DELTA)


def test_renyi_takes_over_where_delta_is_below_the_grids_resolution():
    pytest.importorskip("opacus")
    mechanisms = ledger(("subsampled_gaussian", 1.0, 0.01, 1000))
    accounted = accounted_epsilon(mechanisms, 1e-12)
    assert accounted.accountant == "rdp"
    assert accounted.epsilon > pld_epsilon(mechanisms, 1e-12)


def test_hardly_any_noise_and_hardly_any_sampling_are_survived():
    pytest.importorskip("opacus")
    assert accounted_epsilon(ledger(("subsampled_gaussian", 1e-300, 0.01, 10)), DELTA).epsilon == math.inf
    assert accounted_epsilon(ledger(("subsampled_gaussian", 1e300, 1e-300, 10)), DELTA).epsilon <= 0.01
    assert accounted_epsilon(ledger(("subsampled_gaussian", 1.0, 0.01, 100)), 0.9).epsilon == 0


@pytest.mark.parametrize(("sigma", "rate", "steps"), [(1e-310, 1.0, 1), (5e-324, 0.5, 10), (5e-324, 1.0, 10**9)])
def test_noise_whose_inverse_overflows_is_none(sigma, rate, steps):
    """Anybody can write such a ledger; it divided by 0 in the suite's own process."""
    sampling = "poisson" if rate < 1 else "full"
    with pytest.raises(ValueError, match="noise_multiplier must be a finite number from 1e-300"):
        accounted_epsilon([Mechanism("gaussian", sigma, rate, steps, sampling)], DELTA)
    assert accounted_epsilon([Mechanism("gaussian", 1e-300, rate, steps, sampling)] * 3, DELTA).epsilon == math.inf


def test_a_loss_that_has_no_end_on_the_grid_is_accounted_by_renyi():
    pytest.importorskip("opacus")
    mechanisms = ledger(("subsampled_gaussian", 0.11, 0.5, 30))
    accounted = accounted_epsilon(mechanisms, 1e-2)
    assert accounted.accountant == "rdp"
    assert 870 < accounted.epsilon < 1500


def test_missing_opacus_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    with pytest.raises(ImportError, match=r"pip install 'fourfold\[dp\]'"):
        accounted_epsilon(mnist(1.2345, 512), DELTA)
    assert accounted_epsilon(ledger(("gaussian", 1.0)), DELTA).accountant == "analytic-gaussian"


# --- Gaussians on all records -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(0.01, 30), st.sampled_from([1e-3, 1e-5, 1e-9]))
def test_gaussian_is_exact(mu, delta):
    epsilon = gaussian_epsilon(mu, delta)
    dp = pytest.importorskip("dp_accounting")
    if epsilon == 0:
        assert math.erf(mu / math.sqrt(8)) <= delta  # total variation alone stays within delta
    else:
        assert dp.get_sigma_gaussian(epsilon, delta) == pytest.approx(1 / mu, rel=1e-6)


def test_gaussians_compose_to_a_gaussian():
    accounted = accounted_epsilon(ledger(("gaussian", 2.0, 3), ("gaussian", 0.5)), DELTA)
    mu = math.sqrt(3 / 2.0**2 + 1 / 0.5**2)
    assert accounted == Accounted(gaussian_epsilon(mu, DELTA), "analytic-gaussian", "add-or-remove", "full")


def test_poisson_sampling_of_every_record_is_no_sampling():
    sampled = accounted_epsilon(ledger(("subsampled_gaussian", 2.0, 1.0, 3)), DELTA)
    assert sampled.epsilon == accounted_epsilon(ledger(("gaussian", 2.0, 3)), DELTA).epsilon


def test_shuffled_batches_earn_no_amplification():
    """The same run: 40 epochs at batch 512, its batches once shuffled, once drawn."""
    pytest.importorskip("opacus")
    shuffled = accounted_epsilon(ledger(("shuffled_gaussian", 1.23, 40)), DELTA)
    assert shuffled.adjacency == "zero-out"
    assert shuffled.sampling == "shuffle"
    assert shuffled.epsilon == gaussian_epsilon(math.sqrt(40) / 1.23, DELTA)
    assert shuffled.epsilon > 10 * accounted_epsilon(mnist(1.23, 512), DELTA).epsilon


def shuffled_epsilon_at_least(noise, batches, delta=DELTA):
    """Chua et al. (2024): one epoch over shuffled batches spends at least this much (zero-out adjacency).

    The pair differs in its mean at a batch drawn at random, 2 or 1; the event is that some batch's release is at
    least a threshold.
    """
    threshold = np.linspace(0, 20, 20001)
    others = (batches - 1) * log_ndtr(threshold / noise)
    present = -np.expm1(log_ndtr((threshold - 2) / noise) + others)
    absent = -np.expm1(log_ndtr((threshold - 1) / noise) + others)
    seen = present > delta
    return np.log((present[seen] - delta) / absent[seen]).max()


@pytest.mark.parametrize(
    ("batches", "noise", "poisson", "at_least"),
    [
        (117, 0.6, 3.62, 8.00),
        (117, 0.8, 1.39, 5.61),
        (117, 1.0, 0.65, 4.02),
        (117, 1.3, 0.35, 2.19),
        (1000, 0.8, 0.31, 5.24),
        (15, 0.4, 18.37, 13.21),  # little noise: here shuffling is the better of the two
    ],
)
def test_shuffled_batches_are_never_below_what_they_are_known_to_spend(batches, noise, poisson, at_least):
    pytest.importorskip("opacus")
    least = shuffled_epsilon_at_least(noise, batches)
    assert least == pytest.approx(at_least, abs=0.01)
    assert accounted_epsilon(ledger(("shuffled_gaussian", noise, 1)), DELTA).epsilon >= least
    as_poisson = accounted_epsilon(ledger(("subsampled_gaussian", noise, 1 / batches, batches)), DELTA)
    assert as_poisson.epsilon == pytest.approx(poisson, abs=0.02)
    assert (as_poisson.epsilon < least) == (noise > 0.5)


# --- Laplace ----------------------------------------------------------------------------------------------------------


def test_laplace_is_pure_and_adds_up():
    accounted = accounted_epsilon(ledger(("laplace", 2.0, 3), ("laplace", 0.5)), DELTA)
    assert accounted == Accounted(3.5, "basic-composition", "add-or-remove", "full")


@settings(max_examples=5, deadline=None)
@given(st.floats(0.5, 10), st.integers(1, 20), st.floats(1, 10))
def test_laplace_beside_gaussian_is_bounded(scale, steps, noise):
    mechanisms = ledger(("laplace", scale, steps), ("gaussian", noise))
    accounted = accounted_epsilon(mechanisms, DELTA)
    assert accounted.accountant == "analytic-gaussian+basic-composition"
    assert accounted.epsilon >= pld_epsilon(mechanisms) - 1e-3
    assert accounted.epsilon == pytest.approx(steps / scale + gaussian_epsilon(1 / noise, DELTA))


# --- ledgers that are none --------------------------------------------------------------------------------------------


def test_empty_ledger_accounts_for_nothing():
    assert accounted_epsilon([], DELTA) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("noise_multiplier", bad) for bad in (0, -1.0, math.nan, math.inf, "1", None, True)],
        *[("sample_rate", bad) for bad in (0, -0.1, 1.1, math.nan, "1", None)],
        *[("steps", bad) for bad in (0, -1, 1.5, math.nan, "1", None, True, 10**10, 10**400)],
        *[("kind", bad) for bad in ("", "exponential", None)],
        *[("sampling", bad) for bad in ("", "round-robin", None)],
    ],
)
def test_bad_entry_is_named_with_its_field(field, value):
    good = {"kind": "gaussian", "noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 10, "sampling": "poisson"}
    with pytest.raises(ValueError, match=rf"^ledger\[1\]\.{field} must be .*, got "):
        accounted_epsilon([Mechanism(**good), Mechanism(**(good | {field: value}))], DELTA)


def test_misspelled_kind_gets_the_nearest_name():
    with pytest.raises(ValueError, match=r"did you mean gaussian\?"):
        accounted_epsilon([Mechanism("gausian", 1.0)], DELTA)
    with pytest.raises(ValueError, match=r"did you mean shuffle\?"):
        accounted_epsilon([Mechanism("gaussian", 1.0, sampling="shuffled")], DELTA)


@pytest.mark.parametrize("sampling", ["shuffle", "full"])
def test_sample_rate_without_poisson_sampling_is_refused(sampling):
    with pytest.raises(ValueError, match=rf"ledger\[0\]\.sample_rate must be 1 for '{sampling}' sampling, got 0.1"):
        accounted_epsilon([Mechanism("gaussian", 1.0, 0.1, 10, sampling)], DELTA)


def test_ledger_of_too_many_different_mechanisms_is_refused():
    pytest.importorskip("opacus")
    with pytest.raises(ValueError, match="300 different subsampled mechanisms and at most 256"):
        accounted_epsilon(ledger(*[("subsampled_gaussian", 1 + i, 0.1, 1) for i in range(300)]), DELTA)


def test_fewer_different_mechanisms_of_little_noise_are_composed_as_each_takes_seconds() -> None:
    ledger = [Mechanism("gaussian", 0.1 + place / 100, 0.01, 1, "poisson") for place in range(17)]
    with pytest.raises(ValueError, match="17 different subsampled mechanisms"):
        accounted_epsilon(ledger, DELTA)



@pytest.mark.parametrize("delta", [0, 1, -1e-5, math.nan])
def test_delta_out_of_range_is_refused(delta):
    with pytest.raises(ValueError, match=r"delta lies in \(0, 1\)"):
        accounted_epsilon(ledger(("gaussian", 1.0)), delta)
