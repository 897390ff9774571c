"""Epsilon from a ledger of mechanisms, and what backs a claim of it."""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real

import numpy as np
from scipy.special import log_ndtr, ndtr

from fourfold.suite.method import Mechanism

KINDS = ("gaussian", "laplace")
SAMPLINGS = ("poisson", "shuffle", "full")

PRV_ERROR = 0.01
"""What Opacus' PRV accountant adds to its estimate of epsilon to make it an upper bound."""
AGREEMENT = 0.02
"""How far two sound accountants may differ on one ledger: a claim made with the other one is not refuted by less."""
PRV_POINTS = 1 << 23
"""The most discretized privacy losses one composition may hold (1.5 GiB); a ledger that needs more is bounded."""
ENTRIES = 256
"""The most different mechanisms a ledger may hold; each costs the accountant about a tenth of a second."""
LEAST_DELTA = 1e-10
"""The least delta that PRV's floating-point grid resolves; below, it comes out under the true epsilon."""
STEPS = 10**9
"""The most steps of one mechanism; beyond, rounding errors of a step add up to something."""
LITTLE_NOISE, MUCH_NOISE = 0.1, 1e4
"""Where the series of a subsampled Gaussian stay tame. Less noise than that earns no amplification, more no credit."""


@dataclass(frozen=True)
class Accounted:
    """What a ledger costs one record in total.

    epsilon: an upper bound: everything in the ledger together is (epsilon, delta)-DP.
    accountant: how it was computed, joined by ``+``: ``prv`` (Gopi, Lee, Wutschitz 2021, in Opacus), ``rdp`` (Mironov
      2017, in Opacus; looser), ``analytic-gaussian`` (Balle and Wang 2018; exact), ``basic-composition`` (of Laplace).
    adjacency: ``add-or-remove`` a record; ``zero-out`` (its contribution becomes zero and the batches stay as they
      were) where any mechanism is shuffled. Epsilons of different adjacency do not compare.
    sampling: the kinds of sampling in the ledger, joined by ``+``.
    unit: what one such record is; a ledger counts training ``record``s.
    """

    epsilon: float
    accountant: str
    adjacency: str
    sampling: str
    unit: str = "record"


def accounted_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> Accounted | None:
    """What a ledger's mechanisms spend together at ``delta``; None for an empty ledger, which accounts for nothing.

    Poisson-subsampled Gaussians compose by Opacus' PRV accountant. Gaussians on all records are, alone, exactly one
    Gaussian with mu^2 = sum of steps / noise_multiplier^2. A shuffled Gaussian is such a release every epoch: shuffling
    earns no amplification (Chua et al. 2024). Laplace is 1/noise_multiplier-DP a step whatever its sampling, and its
    epsilons are added: a sound bound that leaves delta to the Gaussians, though not the tightest over many steps.

    Raises ValueError naming the entry and field that make no mechanism, or a delta outside (0, 1); ImportError where
    a subsampled Gaussian needs Opacus and it is not installed.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta lies in (0, 1), got {delta}")
    for position, mechanism in enumerate(mechanisms):
        _check(position, mechanism)
    if not mechanisms:
        return None
    parts = []
    if gaussians := [m for m in mechanisms if m.kind == "gaussian"]:
        parts.append(_gaussian_epsilon(gaussians, delta))
    if laplaces := [m for m in mechanisms if m.kind == "laplace"]:
        parts.append((math.fsum(m.steps / m.noise_multiplier for m in laplaces), "basic-composition"))
    samplings = [kind for kind in SAMPLINGS if any(m.sampling == kind for m in mechanisms)]
    return Accounted(
        epsilon=sum(epsilon for epsilon, _ in parts),
        accountant="+".join(accountant for _, accountant in parts),
        adjacency="zero-out" if "shuffle" in samplings else "add-or-remove",
        sampling="+".join(samplings),
    )


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
    checked: the mechanisms in the ledger passed the suite's checks. verified: the suite itself ran them.

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


def _gaussian_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> tuple[float, str]:
    """The epsilon of Gaussians, sampled or not, and the accountant that gives it."""
    sampled = Counter[tuple[float, float]]()
    whole = 0.0  # mu of the releases that touch all records
    for m in mechanisms:
        if m.sample_rate < 1 and m.noise_multiplier >= LITTLE_NOISE:
            sampled[min(m.noise_multiplier, MUCH_NOISE), m.sample_rate] += m.steps
        else:
            whole = math.hypot(whole, math.sqrt(m.steps) / m.noise_multiplier)
    if not sampled:
        return gaussian_epsilon(whole, delta), "analytic-gaussian"
    if len(sampled) > ENTRIES:
        raise ValueError(
            f"the ledger has {len(sampled)} different subsampled mechanisms and at most {ENTRIES} can be composed: "
            "use fewer noise multipliers and sample rates"
        )
    history = [(noise, rate, steps) for (noise, rate), steps in sampled.items()]
    return _composed_epsilon(history + ([(min(1 / whole, MUCH_NOISE), 1.0, 1)] if whole else []), delta)


def _composed_epsilon(history: list[tuple[float, float, int]], delta: float) -> tuple[float, str]:
    """The epsilon of (noise multiplier, sample rate, steps) by PRV.

    Where PRV's grid has no room: the lower of Renyi DP's and that of the same noise with no credit for sampling.
    """
    try:
        from opacus.accountants import PRVAccountant, RDPAccountant
    except ImportError as missing:
        raise ImportError("accounting a subsampled Gaussian needs Opacus: pip install 'fourfold[dp]'") from missing

    prv, rdp = PRVAccountant(), RDPAccountant()
    prv.history, rdp.history = list(history), list(history)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample rate of 1 takes log(0); Renyi's grid of orders may end too early
        # The grid that Gopi et al. (2021), Remark 5.6, ask for, at Opacus' default delta_error of delta / 1000.
        reach = max(0.0, rdp.get_epsilon(delta / 4000)) + 3
        mesh = PRV_ERROR / math.sqrt(sum(steps for *_, steps in history) * math.log(12000 / delta) / 2)
        if delta >= LEAST_DELTA and 2 * reach / mesh * len(history) <= PRV_POINTS:
            try:
                return max(0.0, float(prv.get_epsilon(delta, eps_error=PRV_ERROR))), "prv"
            except RuntimeError:
                pass  # the loss is too steep for the grid: its discretized mean is off
        renyi = max(0.0, float(rdp.get_epsilon(delta)))
    unamplified = gaussian_epsilon(math.sqrt(math.fsum(n / noise**2 for noise, _, n in history)), delta)
    return min((renyi, "rdp"), (unamplified, "analytic-gaussian"))


def _check(position: int, mechanism: Mechanism) -> None:
    """Raises ValueError, naming the entry of the ledger and the field, where that is no mechanism."""

    def demand(holds: bool, field: str, wanted: str) -> None:
        if not holds:
            raise ValueError(f"ledger[{position}].{field} must be {wanted}, got {getattr(mechanism, field)!r}")

    for field, names in (("kind", KINDS), ("sampling", SAMPLINGS)):
        name = getattr(mechanism, field)
        near = get_close_matches(str(name), names, 1)
        demand(name in names, field, f"one of {', '.join(names)}" + (f" (did you mean {near[0]}?)" if near else ""))
    noise, rate, steps = mechanism.noise_multiplier, mechanism.sample_rate, mechanism.steps
    demand(_is(noise, Real) and math.isfinite(noise) and noise > 0, "noise_multiplier", "a finite number above 0")
    demand(_is(rate, Real) and 0 < rate <= 1, "sample_rate", "in (0, 1]")
    demand(rate == 1 or mechanism.sampling == "poisson", "sample_rate", f"1 for {mechanism.sampling!r} sampling")
    demand(_is(steps, Integral) and 1 <= steps <= STEPS, "steps", f"a whole number from 1 to {STEPS}")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
