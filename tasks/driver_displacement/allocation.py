"""How places in training are given out on forecasts of who will need one: one allocator for all methods."""

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.panel import Floats

Counts = npt.NDArray[np.int64]


def allocate(newly_displaced_quantiles: Floats, levels: Floats, gain: Floats, places: int) -> Counts:
    """Give ``places`` to n series so that their expected gain is the greatest: (n,), fewer where no more can be gained.

    newly_displaced_quantiles: (n, q) of how many workers will need a place, ascending, at levels (q,); gain: (n,) what
    a worker gains by one. The k-th place of a series is worth the gain times the probability that k or more need one,
    which falls with k, so that the places worth most are the best set (Fox 1966, "Discrete optimization via marginal
    analysis"). The distribution is linear between its quantiles, with half a worker of continuity: k or more are
    beyond k - 1/2. Fewer than the least quantile, or more than the greatest, there never are.
    """
    rows = np.arange(len(gain))

    def worth(least: float) -> Counts:
        """How many places of each series are worth at least so much."""
        below = 1 - np.divide(least, gain, out=np.full(len(gain), np.inf), where=gain > 0)
        at = np.clip(np.searchsorted(levels, below, side="right") - 1, 0, len(levels) - 2)
        part = np.clip((below - levels[at]) / (levels[at + 1] - levels[at]), 0, 1)
        left, right = newly_displaced_quantiles[rows, at], newly_displaced_quantiles[rows, at + 1]
        needed = np.floor(np.clip(left + part * (right - left), 0, places) + 0.5)
        return np.where(below >= 0, needed, 0).astype(np.int64)

    cheap, dear = 0.0, 2 * float(gain.max(initial=0.0))
    if worth(cheap).sum() <= places:
        return worth(cheap)
    for _ in range(100):
        middle = (cheap + dear) / 2
        cheap, dear = (middle, dear) if worth(middle).sum() > places else (cheap, middle)
    given = worth(dear)
    tied = worth(cheap) - given
    before = np.cumsum(tied) - tied
    return given + np.clip(places - given.sum() - before, 0, tied)


def by_headcount(at_work: Floats, worth: npt.NDArray[np.bool_], places: int) -> Counts:
    """Give ``places`` to n series in proportion to the drivers at work there (n,), largest remainders first: (n,).

    Only where training is ``worth`` its cost (n,); nothing where it is nowhere.
    """
    share = np.where(worth, at_work, 0.0)
    if share.sum() == 0:
        return np.zeros(len(at_work), dtype=np.int64)
    exact = places * share / share.sum()
    given = np.floor(exact).astype(np.int64)
    given[np.argsort(given - exact, kind="stable")[: places - given.sum()]] += 1
    return given
