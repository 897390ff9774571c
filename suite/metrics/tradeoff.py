"""The trade-off curve of a ledger: how well any test at all can tell from a run whether one record was in."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from fourfold.suite.method import Mechanism
from fourfold.suite.metrics.accountant import (
    fits_a_grid,
    gaussian_epsilon,
    gaussian_history,
    laplace_epsilon,
    privacy_loss,
    unamplified_mu,
)

TradeOff = Callable[[float], float]
"""The least false-positive rate of any test with the given true-positive rate: convex, 0 at 0, never above the rate."""

TANGENTS = 128
"""Lines under the curve; it lies on or under the true one everywhere, so a test against it errs towards the ledger."""
LEAST_DELTA = 1e-9
"""Where the lines end: the tests in use never look at rates as small as this."""


def tradeoff(mechanisms: Sequence[Mechanism]) -> TradeOff:
    """The trade-off curve that a non-empty ledger's own mechanisms have together, in both directions at once.

    For each (epsilon, delta) the ledger keeps, a true-positive rate y costs at least 1 - delta - e^epsilon (1 - y) and
    e^-epsilon (y - delta) false positives (Dong, Roth, Su 2022); the curve is the largest of these.
    Gaussians on all records give delta(epsilon) exactly, subsampled ones through their privacy loss distribution, or,
    where that has no room, with no credit for sampling. Laplace mechanisms add their epsilon to each pair.
    """
    history, pure = gaussian_history(mechanisms), laplace_epsilon(mechanisms)
    epsilon, delta = _guarantees(history) if history else (np.zeros(1), np.zeros(1))
    ratio = np.exp(np.minimum(epsilon + pure, 700.0))
    slope = np.concatenate((ratio, 1 / ratio))
    intercept = np.concatenate((1 - delta - ratio, -delta / ratio))

    def least_false_positives(true_positives: float) -> float:
        return max(0.0, float((slope * true_positives + intercept).max()))

    return least_false_positives


def _guarantees(history: tuple[tuple[float, float, int], ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs (epsilon, delta) that the Gaussians keep, from epsilon 0 to where delta hardly counts."""
    if all(rate == 1 for _, rate, _ in history) or not fits_a_grid(history, LEAST_DELTA):
        mu = unamplified_mu(history)
        epsilon = np.linspace(0, gaussian_epsilon(mu, LEAST_DELTA), TANGENTS)
        second = np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))
        return epsilon, np.maximum(0, ndtr(mu / 2 - epsilon / mu) - second)
    loss = privacy_loss(history)
    epsilon = np.linspace(0, max(0.0, loss.get_epsilon_for_delta(LEAST_DELTA)), TANGENTS)
    return epsilon, np.clip(loss.get_delta_for_epsilon(epsilon), 0, 1)
