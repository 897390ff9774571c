"""What a run's canaries say against its own ledger: auditing by the ledger's trade-off curve, in the run itself.

``score`` and ``coin`` are those of ``fourfold.suite.metrics.privacy``. Here the claim under test is not one pair
(epsilon, delta) but all that the ledger promises, and so the test finds more. It is a test of that ledger alone: a
mechanism of the same epsilon and another kind, such as randomized response, may lie outside a Gaussian's curve.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from fourfold.suite.method import Mechanism
from fourfold.suite.metrics.accountant import (
    fits_a_grid,
    gaussian_epsilon,
    gaussian_history,
    second_opinion,
    unamplified_mu,
)
from fourfold.suite.metrics.privacy import cuts_of, right_guesses
from fourfold.suite.metrics.tradeoff import TradeOff, tradeoff

CUTS = (0.05, 0.1, 0.25)
"""The shares of the canaries guessed in, and as many out. The larger suit a mechanism that keeps little private."""
SCALES = tuple(2.0**power for power in range(5, -7, -1))
"""The noise tried, in that of the ledger."""


def ledger_p_value(score: ArrayLike, coin: ArrayLike, curve: TradeOff) -> float:
    """How surprising the canaries are for a run of the mechanisms whose trade-off curve this is; at most 0.01: refuted.

    Mahloujifar, Melis, Chaudhuri (ICML 2025), "Auditing f-differential privacy in one run": the k highest scores are
    guessed in and the k lowest out, for each share of ``CUTS``; the least p-value counts, times their number
    (Bonferroni). The test holds its level where

    - each coin is fair and independent of the others and of all else in the run, and the scores depend on the coins
      through the run's output alone;
    - with all other coins given, the run's output with and without one canary obeys the curve (what a ledger promises
      of a record), however the canaries' scores depend on each other;
    - the number of guesses is fixed beforehand, as it is here; which canaries they are made of, and which are abstained
      on, may depend on the output.

    Why: given the others' coins, let an event of the output hold on which canary i is guessed in and at least c - 1
    others rightly. If its probability is x with the canary out, it is at most y, with curve(y) = x, with the canary in;
    and the like for guesses of out. Summed over the canaries this bounds how much more probability c or more right
    guesses can have than c - 1 or more, and with it the probability of the number seen (``tail_is_excluded``).
    Raises ValueError as ``leakage_auc`` does.
    """
    trials = _trials(score, coin)
    return min([1.0, *(len(trials) * _p_value(curve, *trial) for trial in trials)])


def audited_epsilon_of_ledger(
    score: ArrayLike, coin: ArrayLike, mechanisms: Sequence[Mechanism], delta: float, level: float = 0.95
) -> float:
    """The largest epsilon refuted with confidence ``level``, among this ledger's own with all noise scaled alike.

    So it is a lower bound on epsilon for a run of which only the amount of noise is in doubt, as in white-box canaries
    of the suite's own step; a run of other mechanisms it says nothing about, unlike ``audited_epsilon``. The bound
    exceeds the exact one by 1e-3 at most. 0 where nothing is refuted, and for a ledger with a Laplace mechanism or one
    that only loose accountants can hold. Raises ValueError as ``leakage_auc`` does.
    """
    trials = _trials(score, coin)

    def refuted(scale: float) -> bool:
        scaled = _scaled(mechanisms, scale)
        if _exact_epsilon(scaled, delta) is None:
            return False
        curve = tradeoff(scaled)
        return any(tail_is_excluded((1 - level) / len(trials), curve, *trial) for trial in trials)

    scale = SCALES[0]
    if not refuted(scale):
        return 0.0
    for kept in SCALES[1:]:
        if not refuted(kept):
            break
        scale = kept
    kept = scale / 2
    while scale / kept > 1.01:
        middle = math.sqrt(scale * kept)
        scale, kept = (middle, kept) if refuted(middle) else (scale, middle)
    return _exact_epsilon(_scaled(mechanisms, scale), delta) or 0.0


def tail_is_excluded(probability: float, curve: TradeOff, canaries: int, guesses: int, correct: int) -> bool:
    """Whether ``correct`` or more right guesses are less likely than this under the curve.

    The recursion of Mahloujifar et al. (2025). Suppose the tail had this probability. ``right`` and
    ``wrong`` are the expected shares of the canaries guessed rightly and wrongly on runs with at least i right guesses,
    as small as the curve lets them be; it demands of the wrong ones at least curve(right) one guess further down. Their
    sum is guesses / canaries times the probability of i or more: over 1, and the tail was not possible.
    """
    wrong, right = probability * (guesses - correct) / canaries, probability * correct / canaries
    for i in range(correct - 1, -1, -1):
        demanded = curve(right)
        if demanded > wrong:
            right += i / (guesses - i) * (demanded - wrong)
            wrong = demanded
        if right + wrong > guesses / canaries:
            return True
    return False


def _p_value(curve: TradeOff, canaries: int, guesses: int, correct: int) -> float:
    """The least probability that is excluded, to a part in 100; 1 where none is, and never below 1e-12."""
    excluded, possible = 0.0, math.log(1e-12)
    if not tail_is_excluded(1.0, curve, canaries, guesses, correct):
        return 1.0
    while excluded - possible > 0.01:
        middle = (excluded + possible) / 2
        if tail_is_excluded(math.exp(middle), curve, canaries, guesses, correct):
            excluded = middle
        else:
            possible = middle
    return math.exp(excluded)


def _trials(score: ArrayLike, coin: ArrayLike) -> list[tuple[int, int, int]]:
    """For each share of ``CUTS``: the canaries, the guesses made of them, and how many of these are right."""
    canaries = np.size(score)
    cuts = cuts_of(canaries, [(share, share) for share in CUTS]) if canaries else []
    correct = right_guesses(score, coin, cuts)
    return [(canaries, top + bottom, right) for (top, bottom), right in zip(cuts, correct, strict=True)]


def _scaled(mechanisms: Sequence[Mechanism], scale: float) -> list[Mechanism]:
    return [replace(m, noise_multiplier=m.noise_multiplier * scale) for m in mechanisms]


def _exact_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> float | None:
    """The epsilon of Gaussians within 1e-3; None where there are others, or only loose accountants can hold them."""
    history = gaussian_history(mechanisms)
    if not history or any(m.kind != "gaussian" for m in mechanisms):
        return None
    if all(rate == 1 for _, rate, _ in history):
        return gaussian_epsilon(unamplified_mu(history), delta)
    return second_opinion(history, delta) if fits_a_grid(history, delta) else None
