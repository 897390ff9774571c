"""Epsilon from a ledger of mechanisms, the noise that keeps to an epsilon, and what backs a claim of it."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr

from fourfold.suite.method import Mechanism

History = tuple[tuple[float, float, int], ...]
"""Gaussians as (noise multiplier, sample rate, steps)."""

KINDS = ("gaussian", "laplace")
SAMPLINGS = ("poisson", "shuffle", "full")
UNITS = ("record", "user")

PRV_ERROR = 0.01
"""What Opacus' PRV accountant adds to its estimate of epsilon to make it an upper bound."""
AGREEMENT = 0.02
"""How far two sound accountants may differ on one ledger: a claim made with the other one is not refuted by less."""
PRV_POINTS = 1 << 23
"""The most discretized privacy losses one composition may hold (1.5 GiB); a ledger that needs more is bounded."""
ENTRIES = 256
"""The most different mechanisms a ledger may hold; each costs the accountant about a tenth of a second."""
DEAR = 16
"""For how many of them one counts whose noise is under half its sensitivity: of wide losses, it takes seconds."""
LEAST_DELTA = 1e-10
"""The least delta that PRV's floating-point grid resolves; below, it comes out under the true epsilon."""
STEPS = 10**9
"""The most steps of one mechanism; beyond, rounding errors of a step add up to something."""
LEAST_NOISE = 1e-300
"""The least noise there is: the inverse of less may overflow, and the inverse of that is 0, which divides nothing."""
LITTLE_NOISE, MUCH_NOISE = 0.1, 1e4
"""Where the series of a subsampled Gaussian stay tame. Less noise than that earns no amplification, more no credit."""


@dataclass(frozen=True)
class Accounted:
    """What a ledger costs one record in total.

    epsilon: an upper bound: everything in the ledger together is (epsilon, delta)-DP.
    accountant: how it was computed, joined by ``+``: ``prv`` (Gopi, Lee, Wutschitz 2021, in Opacus), ``rdp`` (Mironov
      2017, in Opacus; looser), ``analytic-gaussian`` (Balle and Wang 2018; exact), ``basic-composition`` (of Laplace);
      ``pld`` (Doroshenko et al. 2022, in dp_accounting) in place of ``prv`` where it came out larger.
    adjacency: ``add-or-remove`` a record; ``zero-out`` (its contribution becomes zero and the batches stay as they
      were) where any mechanism is shuffled. Epsilons of different adjacency do not compare.
    sampling: the kinds of sampling in the ledger, joined by ``+``.
    unit: what one such record is: the mechanisms' units, joined by ``+``.
    second: the smaller of PRV's and PLD's epsilon, where both were asked (``epsilon`` is the larger); None where the
      first is exact or only a loose bound, so that there is nothing to agree with.
    """

    epsilon: float
    accountant: str
    adjacency: str
    sampling: str
    unit: str = "record"
    second: float | None = None

    @property
    def agrees(self) -> bool:
        """The two accountants differ by ``AGREEMENT`` at most; if not, one is wrong and the ledger backs no claim."""
        return self.second is None or self.epsilon - self.second <= AGREEMENT


def accounted_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> Accounted | None:
    """What a ledger's mechanisms spend together at ``delta``; None for an empty ledger, which accounts for nothing.

    Poisson-subsampled Gaussians compose by Opacus' PRV accountant, with dp_accounting's PLD accountant as a second
    opinion on the same mechanisms. Gaussians on all records are, alone, exactly one Gaussian with
    mu^2 = sum of steps / noise_multiplier^2. A shuffled Gaussian is such a release every epoch: shuffling earns no
    amplification (Chua et al. 2024). Laplace is 1/noise_multiplier-DP a step whatever its sampling, and its
    epsilons are added: a sound bound that leaves delta to the Gaussians, though not the tightest over many steps.

    Raises ValueError naming the entry and field that make no mechanism, or a delta outside (0, 1); ImportError where
    a subsampled Gaussian needs Opacus and dp_accounting and they are not installed.
    """
    _check_ledger(mechanisms, delta)
    if not mechanisms:
        return None
    epsilon, accountant = _epsilon(mechanisms, delta)
    second = None
    if "prv" in accountant:
        second = second_opinion(gaussian_history(mechanisms), delta) + laplace_epsilon(mechanisms)
        if second > epsilon:
            epsilon, second, accountant = second, epsilon, accountant.replace("prv", "pld")
    samplings = [kind for kind in SAMPLINGS if any(m.sampling == kind for m in mechanisms)]
    return Accounted(
        epsilon=epsilon,
        accountant=accountant,
        adjacency="zero-out" if "shuffle" in samplings else "add-or-remove",
        sampling="+".join(samplings),
        unit="+".join(dict.fromkeys(getattr(m, "unit", "record") for m in mechanisms)),
        second=second,
    )


def noise_multiplier(
    epsilon: float, delta: float, sample_rate: float, steps: int, spent: Sequence[Mechanism] = ()
) -> float:
    """The least noise with which ``steps`` Poisson-subsampled Gaussians, after what is ``spent``, keep to the budget.

    A root of the epsilon that ``accounted_epsilon`` gives, found by secants in logarithms between brackets: never over
    ``epsilon``, and within 0.1 % of it or of the least noise. It looks at no data.
    Raises ValueError where no noise up to ``MUCH_NOISE`` keeps to it, as when ``spent`` is above it already.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon is a finite number above 0, got {epsilon}: without a budget there is no least noise")

    def excess(log_noise: float) -> float:
        step = Mechanism("gaussian", math.exp(log_noise), sample_rate, steps, "poisson")
        return math.log(max(_epsilon([*spent, step], delta)[0], 1e-300) / epsilon)

    noise = Mechanism("gaussian", MUCH_NOISE, sample_rate, steps, "poisson")
    _check_ledger([*spent, noise], delta)
    safe = math.log(MUCH_NOISE)
    if excess(safe) > 0:
        raise ValueError(
            f"no noise keeps {steps} steps within epsilon {epsilon:g} at delta {delta:g}"
            + (" after what is already spent: plan a larger epsilon, or spend less before" if spent else "")
        )
    mu = gaussian_mu(epsilon, delta)
    limit = math.log1p(mu**2 / (sample_rate**2 * steps)) ** -0.5  # Bu et al. (2020): many steps tend to one Gaussian
    return math.exp(_least(excess, math.log(limit), safe))


def laplace_epsilon(mechanisms: Sequence[Mechanism]) -> float:
    """What the Laplace mechanisms of a ledger spend, by basic composition."""
    return math.fsum(m.steps / m.noise_multiplier for m in mechanisms if m.kind == "laplace")


@lru_cache(maxsize=256)
def second_opinion(history: History, delta: float) -> float:
    """The epsilon of (noise multiplier, sample rate, steps) by dp_accounting's privacy loss distributions."""
    return float(privacy_loss(history).get_epsilon_for_delta(delta))


@lru_cache(maxsize=4)
def privacy_loss(history: History) -> Any:
    """dp_accounting's PrivacyLossDistribution of a history, both directions of add-or-remove, never too optimistic.

    Doroshenko, Ghazi, Kamath, Kumar, Manurangsi (2022), "Connect the dots". Their error grows with the steps and the
    square of the interval between losses: this one keeps epsilon within about 1e-3.
    """
    try:
        from dp_accounting.pld import privacy_loss_distribution as pld
    except ImportError as missing:
        raise ImportError(
            "a second opinion on a subsampled Gaussian needs dp_accounting: pip install 'fourfold[dp]'"
        ) from missing

    signal = sum(steps * (rate / noise) ** 2 for noise, rate, steps in history)
    interval = min(1e-3 if signal > 0.01 else 1e-4, 0.02 / math.sqrt(sum(steps for *_, steps in history)))
    total = pld.identity(value_discretization_interval=interval)
    for noise, rate, steps in history:
        step = pld.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=interval)
        total = total.compose(step.self_compose(steps))
    return total


def backing(
    claimed: float | None,
    accounted: float | None,
    audited: float | None,
    checked: bool = False,
    verified: bool = False,
) -> tuple[str, bool]:
    """What backs a claim of privacy, and whether what was measured refutes it: (rung, refuted).

    claimed, accounted: epsilon as the author states it and as the ledger adds up; None or inf: there is none.
    audited: the epsilon below which the run's canaries refute every claim; None: not audited.
    checked: the mechanisms in the ledger passed the suite's checks. verified: the suite itself ran them. Both hold
      only of a ledger on which the accountants agree (``Accounted.agrees``): pass False for one on which they do not.

    The rung is ``verified`` or ``accounted`` for a ledger so backed, ``claimed`` for a claim or a ledger without, and
    ``none`` for neither. Refuted: the audit exceeds the claim or the ledger, or the ledger the claim (by more than
    ``AGREEMENT``). A refuted row keeps its rung and does not rank. Raises ValueError for an epsilon that is NaN.
    """
    claim, ledger = (math.inf if epsilon is None else epsilon for epsilon in (claimed, accounted))
    audit = audited or 0.0
    if math.isnan(claim + ledger + audit):
        raise ValueError(f"epsilon is NaN: claimed {claimed}, accounted {accounted}, audited {audited}")
    refuted = audit > min(claim, ledger) + 1e-6 or (ledger < math.inf and ledger > claim + AGREEMENT)
    if ledger < math.inf and (verified or checked):
        return ("verified" if verified else "accounted"), refuted
    return ("claimed" if min(claim, ledger) < math.inf else "none"), refuted


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The exact epsilon at ``delta`` of Gaussian noise whose sensitivity is ``mu`` standard deviations.

    The root of Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu) = delta (Balle and Wang 2018, Theorem 8), or
    0 where even that leaves less than delta.
    """
    from scipy.optimize import brentq

    bound = mu * (mu / 2 + math.sqrt(2 * math.log(1 / delta)))  # from Phi(-t) <= exp(-t^2 / 2) on the first term
    if mu > 1e4:  # there the two terms can no longer be told apart from rounding, and the bound is within a part in 1e3
        return bound

    def excess(epsilon: float) -> float:
        return float(ndtr(mu / 2 - epsilon / mu) - np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))) - delta

    return float(brentq(excess, 0.0, bound)) if excess(0.0) > 0 else 0.0


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The sensitivity, in standard deviations, at which Gaussian noise is exactly (``epsilon``, ``delta``)-DP."""
    from scipy.optimize import brentq

    high = 1.0
    while gaussian_epsilon(high, delta) < epsilon:
        high *= 2
    low = high / 2
    while gaussian_epsilon(low, delta) > epsilon:
        low /= 2
    return float(brentq(lambda mu: gaussian_epsilon(mu, delta) - epsilon, low, high))


def unamplified_mu(history: History) -> float:
    """The sensitivity, in standard deviations, of the one Gaussian that a history is with no credit for sampling."""
    return math.hypot(*(math.sqrt(steps) / noise for noise, _, steps in history))


def _epsilon(mechanisms: Sequence[Mechanism], delta: float) -> tuple[float, str]:
    """The epsilon of a ledger that has been checked, and the first accountants that give it."""
    parts = []
    if history := gaussian_history(mechanisms):
        parts.append(_composed_epsilon(history, delta))
    if any(m.kind == "laplace" for m in mechanisms):
        parts.append((laplace_epsilon(mechanisms), "basic-composition"))
    return sum(epsilon for epsilon, _ in parts), "+".join(accountant for _, accountant in parts)


def gaussian_history(mechanisms: Sequence[Mechanism]) -> History:
    """The Gaussians of a ledger: the subsampled, like with like, then all others as one release."""
    sampled = Counter[tuple[float, float]]()
    whole = 0.0  # mu of the releases that touch all records
    for m in mechanisms:
        if m.kind != "gaussian":
            continue
        if m.sample_rate < 1 and m.noise_multiplier >= LITTLE_NOISE:
            sampled[min(m.noise_multiplier, MUCH_NOISE), m.sample_rate] += m.steps
        else:
            whole = math.hypot(whole, math.sqrt(m.steps) / m.noise_multiplier)
    if sum(DEAR if noise < 0.5 else 1 for noise, _ in sampled) > ENTRIES:
        raise ValueError(
            f"the ledger has {len(sampled)} different subsampled mechanisms and at most {ENTRIES} can be composed, "
            f"of which one of noise under 0.5 counts as {DEAR}: use fewer noise multipliers and sample rates"
        )
    history = [(noise, rate, steps) for (noise, rate), steps in sampled.items()]
    if whole:
        history.append((min(1 / whole, MUCH_NOISE) if sampled else 1 / whole, 1.0, 1))
    return tuple(history)


@lru_cache(maxsize=1024)
def _composed_epsilon(history: History, delta: float) -> tuple[float, str]:
    """The epsilon of a history by PRV; of one release of all records exactly.

    Where PRV's grid has no room: the lower of Renyi DP's and that of the same noise with no credit for sampling.
    """
    unamplified = gaussian_epsilon(unamplified_mu(history), delta)
    if all(rate == 1 for _, rate, _ in history):
        return unamplified, "analytic-gaussian"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample rate of 1 takes log(0); Renyi's grid of orders may end too early
        if fits_a_grid(history, delta):
            try:
                epsilon = float(_opacus("prv", history).get_epsilon(delta, eps_error=PRV_ERROR))
            except RuntimeError:
                epsilon = math.inf  # the loss is too steep for the grid: its discretized mean is off
            if epsilon < math.inf:
                return max(0.0, epsilon), "prv"
        renyi = max(0.0, float(_opacus("rdp", history).get_epsilon(delta)))
    return min((renyi, "rdp"), (unamplified, "analytic-gaussian"))


def fits_a_grid(history: History, delta: float) -> bool:
    """Privacy losses as wide and as finely cut as this history's at ``delta`` can be held in memory.

    The grid is the one that Gopi et al. (2021), Remark 5.6, ask for, at Opacus' default delta_error of delta / 1000.
    """
    if delta < LEAST_DELTA:
        return False
    mesh = PRV_ERROR / math.sqrt(sum(steps for *_, steps in history) * math.log(12000 / delta) / 2)
    room = PRV_POINTS * mesh / (2 * len(history)) - 3
    # Renyi's reach is dear to compute. Where twice that of the noise with no credit for sampling has room, it has too.
    if 2 * gaussian_epsilon(unamplified_mu(history), delta / 4000) <= room:
        return True
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return max(0.0, float(_opacus("rdp", history).get_epsilon(delta / 4000))) <= room


def _opacus(accountant: str, history: History) -> Any:
    """Opacus' accountant of that name, of a history."""
    try:
        from opacus.accountants import create_accountant
    except ImportError as missing:
        raise ImportError("accounting a subsampled Gaussian needs Opacus: pip install 'fourfold[dp]'") from missing

    of = create_accountant(accountant)
    of.history = list(history)
    return of


def _least(excess: Callable[[float], float], guess: float, safe: float) -> float:
    """The least argument, to 1e-3, at which the falling ``excess`` is not above 0; ``safe`` is one."""
    unsafe, slope, before = -math.inf, -1.2, (math.nan, math.nan)
    at = min(guess, safe)
    for turn in range(100):
        value = excess(at)
        unsafe, safe = (at, safe) if value > 0 else (unsafe, at)
        if -1e-3 <= value <= 0 or safe - unsafe <= 1e-3:
            break
        secant = (value - before[1]) / (at - before[0])
        slope = min(-0.2, max(-5.0, secant)) if math.isfinite(secant) else slope
        before = at, value
        at -= (value + 5e-4) / slope  # the middle of what ends the search
        if turn % 4 == 3 or not unsafe < at < safe:  # at a jump, secants alone creep
            at = (unsafe + safe) / 2 if unsafe > -math.inf else safe - 1
    return safe


def _check_ledger(mechanisms: Sequence[Mechanism], delta: float) -> None:
    """Raises ValueError for a delta outside (0, 1), or as ``_check`` for an entry."""
    if not 0 < delta < 1:
        raise ValueError(f"delta lies in (0, 1), got {delta}")
    check_entries(mechanisms)


def check_entries(mechanisms: Sequence[Mechanism]) -> None:
    """Raises ValueError, naming the entry of a ledger and the field, where that is no mechanism: anybody wrote it."""
    for position, mechanism in enumerate(mechanisms):
        _check(position, mechanism)


def _check(position: int, mechanism: Mechanism) -> None:
    def demand(holds: bool, field: str, wanted: str) -> None:
        if not holds:
            raise ValueError(f"ledger[{position}].{field} must be {wanted}, got {getattr(mechanism, field)!r:.100}")

    for field, names in (("kind", KINDS), ("sampling", SAMPLINGS), ("unit", UNITS)):
        name = getattr(mechanism, field)
        near = get_close_matches(str(name)[:100], names, 1)
        demand(name in names, field, f"one of {', '.join(names)}" + (f" (did you mean {near[0]}?)" if near else ""))
    noise, rate, steps = mechanism.noise_multiplier, mechanism.sample_rate, mechanism.steps
    demand(
        _is(noise, Real) and LEAST_NOISE <= noise < math.inf, "noise_multiplier", f"a finite number from {LEAST_NOISE}"
    )
    demand(_is(rate, Real) and 0 < rate <= 1, "sample_rate", "in (0, 1]")
    demand(rate == 1 or mechanism.sampling == "poisson", "sample_rate", f"1 for {mechanism.sampling!r} sampling")
    demand(_is(steps, Integral) and 1 <= steps <= STEPS, "steps", f"a whole number from 1 to {STEPS}")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
