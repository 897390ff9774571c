"""What a run leaks about its canaries: membership inference, and the lower bound on epsilon that it proves.

``coin`` (m,) bool: canary i was among the training records, each by its own fair coin. ``score`` (m,) float: how likely
it looks to have been, from the run's output alone; only the order counts, infinities are allowed, larger is likelier.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaln, log_expit, logit, ndtri

Estimate = tuple[float, float, float]
"""A value with the two ends of its 95 % interval."""

CUTS = ((0.02, 0.02), (0.05, 0.05), (0.1, 0.1), (0.2, 0.2), (0.4, 0.4), (0.03, 0), (0.1, 0), (0.25, 0))
"""The shares of the canaries guessed in (highest scores) and out (lowest); the rest are abstained on.

The symmetric ones suit noise that blurs all canaries alike, the one-sided ones a method that remembers only some.
"""


@dataclass(frozen=True)
class AuditedEpsilon:
    """The run refutes every epsilon below ``value``; shown by ``correct`` of ``guesses`` coins guessed rightly.

    All three are 0 when the run refutes nothing. That is no evidence of privacy: a better attack may refute more.
    """

    value: float
    guesses: int
    correct: int


def leakage_auc(score: ArrayLike, coin: ArrayLike) -> Estimate | None:
    """How often a canary that was in scores above one that was out, ties counting half: membership AUC, 0.5 = nothing.

    Returns (value, low, high), a 95 % interval after Newcombe (2006), Statistics in Medicine 25:559-573, method 5: the
    AUCs whose Hanley-McNeil standard error explains the observed one. It keeps a width where all pairs are in order.
    Canaries count as independent: where a run learns many of them together or none, it tells of this run alone. Where
    a few are found and surely so, it covers some 90 % instead of 95. None where all canaries were in, or all out: then
    nothing can be told apart. Raises ValueError as ``_canaries``.
    """
    score, coin = _canaries(score, coin)
    members, others = int(coin.sum()), int((~coin).sum())
    if not members or not others:
        return None
    out = np.sort(score[~coin])
    twice_above = sum(np.searchsorted(out, score[coin], side).sum() for side in ("left", "right"))
    value = float(twice_above / 2 / (members * others))
    return value, _auc_low(value, members, others), 1 - _auc_low(1 - value, members, others)


def _auc_low(value: float, members: int, others: int) -> float:
    """The lower end; the variance is the same for an AUC and its complement, so the upper end follows from it."""
    from scipy.optimize import brentq

    if value <= 0:
        return 0.0
    peers = (members + others) / 2 - 1
    z = ndtri(0.975)

    def excess(auc: float) -> float:
        variance = auc * (1 - auc) * (1 + peers * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (members * others)
        return value - auc - z * math.sqrt(variance)

    return float(brentq(excess, 0.0, value * (1 - 1e-12)))  # at an AUC of 1 itself the variance vanishes


def tpr_at_fpr(score: ArrayLike, coin: ArrayLike, fpr: float = 0.01) -> Estimate | None:
    """The share of the canaries that were in which an attack finds while it accuses at most ``fpr`` of those out.

    The attack accuses the scores strictly above the (n + 1)-th largest score of the canaries that were out, with
    n = floor(fpr * out). So a tie at the threshold is accused of nothing, and where fpr * out < 1 the operating point
    is a false-positive rate of 0: with fewer than 100 canaries out, the value at 1 % is the one at 0, and so it is with
    fewer than 1,000 at 0.1 %. That errs towards finding less; what the attack would find at the rate itself cannot be
    seen with so few, and the interval does not cover it.

    Returns (value, low, high), the Clopper-Pearson 95 % interval of that threshold's true-positive rate; the threshold
    is taken as given. None where all canaries were in, or all out. Raises ValueError as ``_canaries``, and for a rate
    outside [0, 1].
    """
    score, coin = _canaries(score, coin)
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr is a rate in [0, 1], got {fpr}")
    if coin.all() or not coin.any():
        return None
    out = np.sort(score[~coin])[::-1]
    allowed = math.floor(fpr * len(out) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    members = int(coin.sum())
    found = members if allowed >= len(out) else int((score[coin] > out[allowed]).sum())
    low = float(betaincinv(found, members - found + 1, 0.025)) if found else 0.0
    high = float(betaincinv(found + 1, members - found, 0.975)) if found < members else 1.0
    return found / members, low, high


def audited_epsilon(score: ArrayLike, coin: ArrayLike, delta: float, level: float = 0.95) -> AuditedEpsilon:
    """The largest epsilon that this one run refutes with confidence ``level``, for (epsilon, delta) add-or-remove DP.

    Steinke, Nasr, Jagielski (NeurIPS 2023), "Privacy auditing with one (1) training run": of the canaries the highest
    scores are guessed in, the lowest out, and the others abstained on; under (epsilon, delta)-DP the number guessed
    rightly exceeds a binomial's with little probability (``audit_p_value``). Every pair of ``CUTS`` is tried, each at
    its share of 1 - level (Bonferroni), so a method that keeps its epsilon is refuted at most that often.

    Perfect guessing shows about log(guesses / 5) at most; ``len(score) * delta`` should be far below 1. It holds for
    every mechanism; where the mechanism is known, ``ledger_audit`` tests its own trade-off curve and finds more.
    Raises ValueError as ``_canaries``, and for delta outside [0, 1) or level outside (0, 1).
    """
    score, coin = _canaries(score, coin)
    if not 0 <= delta < 1 or not 0 < level < 1:
        raise ValueError(f"delta lies in [0, 1) and level in (0, 1), got delta={delta}, level={level}")
    canaries = len(score)
    cuts = cuts_of(canaries, CUTS)
    best = AuditedEpsilon(0.0, 0, 0)
    for (top, bottom), correct in zip(cuts, right_guesses(score, coin, cuts), strict=True):
        share = (1 - level) / len(cuts)
        epsilon = _refuted(best.value, share, delta, canaries, top + bottom, correct)
        if epsilon > best.value:
            best = AuditedEpsilon(epsilon, top + bottom, correct)
    return best


def cuts_of(canaries: int, shares: Iterable[tuple[float, float]]) -> list[tuple[int, int]]:
    """How many of the canaries to guess in and how many out, for each pair of shares that leaves room for both."""
    counts = {(math.ceil(top * canaries), math.ceil(bottom * canaries)) for top, bottom in shares}
    return sorted((top, bottom) for top, bottom in counts if top + bottom <= canaries)


def right_guesses(score: ArrayLike, coin: ArrayLike, cuts: Iterable[tuple[int, int]]) -> list[int]:
    """For each (top, bottom): how many coins are right if the highest scores are guessed in and the lowest out.

    Scores that tie are put in a fixed random order, which knows neither the coins nor the order in which the canaries
    were given. Raises ValueError as ``_canaries``.
    """
    score, coin = _canaries(score, coin)
    canaries = len(score)
    order = np.lexsort((np.random.default_rng(0).permutation(canaries), score))
    was_in = np.concatenate(([0], np.cumsum(coin[order])))
    return [int(was_in[-1] - was_in[canaries - top] + bottom - was_in[bottom]) for top, bottom in cuts]


def audit_p_value(epsilon: float, delta: float, canaries: int, guesses: int, correct: int) -> float:
    """An upper bound on the probability of ``correct`` or more right guesses, under (epsilon, delta)-DP.

    Steinke, Nasr, Jagielski (2023), their bound for approximate DP: beta + 2 m delta alpha with m = ``canaries``,
    beta = P[B >= correct] and alpha = max over i of P[correct > B >= correct - i] / i, where B is binomial of
    ``guesses`` trials, each right with probability e^epsilon / (1 + e^epsilon). ``guesses`` is fixed beforehand.
    """
    hits = np.arange(guesses + 1)
    log_pmf = _log_choose(guesses) + hits * log_expit(epsilon) + (guesses - hits) * log_expit(-epsilon)
    pmf = np.exp(log_pmf)
    just_below = np.cumsum(pmf[:correct][::-1])
    alpha = np.max(just_below / np.arange(1, correct + 1), initial=0.0)
    return float(min(1.0, pmf[correct:].sum() + 2 * canaries * delta * alpha))


@lru_cache(maxsize=64)
def _log_choose(guesses: int) -> NDArray[np.float64]:
    hits = np.arange(guesses + 1)
    return gammaln(guesses + 1) - gammaln(hits + 1) - gammaln(guesses - hits + 1)


def _refuted(floor: float, share: float, delta: float, canaries: int, guesses: int, correct: int) -> float:
    """The largest epsilon above ``floor`` that these guesses refute at significance ``share``; else ``floor``."""
    if not correct:
        return floor
    ceiling = float(logit(betaincinv(correct, guesses - correct + 1, share)))  # exact for delta = 0; less otherwise
    if ceiling <= floor or audit_p_value(floor, delta, canaries, guesses, correct) > share:
        return floor
    refuted = floor
    while ceiling - refuted > 1e-6:
        middle = (refuted + ceiling) / 2
        if audit_p_value(middle, delta, canaries, guesses, correct) <= share:
            refuted = middle
        else:
            ceiling = middle
    return refuted


def _canaries(score: ArrayLike, coin: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The arrays, checked: one score and one coin a canary. Raises ValueError where they differ or a score is NaN."""
    scores, coins = np.asarray(score, dtype=float), np.asarray(coin)
    if scores.ndim != 1 or scores.shape != coins.shape:
        raise ValueError(f"score and coin are (m,) arrays over the same canaries, got {scores.shape} and {coins.shape}")
    if coins.dtype != np.bool_ and coins.size:
        raise ValueError(f"coin is an array of bool (True: the canary was in), got {coins.dtype}")
    if np.isnan(scores).any():
        raise ValueError(f"score is NaN for {np.isnan(scores).sum()} of {len(scores)} canaries; give each a number")
    return scores, coins.astype(bool)
