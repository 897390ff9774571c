"""Scores as means over windows, and how they vary: the hierarchical bootstrap of worlds and origins."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from fourfold.suite.metrics.bootstrap import Floats, percentile_interval
from fourfold.suite.task import Score
from fourfold.tasks.driver_displacement.window import Window

KEPT = 200
"""How many replicates are kept of a metric that ranks, to pair methods on the board."""
APART = "covid"
"""The era that is scored by itself and enters no other score."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Table:
    """The windows that scores rest on, and how much each weighs in each replicate, (replicates, windows)."""

    windows: Sequence[Window]
    weights: Floats

    @property
    def headline(self) -> Bools:
        """The windows, (windows,), of which a score is unless it names an era."""
        return np.array([window.era != APART for window in self.windows])

    def eras(self) -> Iterator[tuple[str, Bools]]:
        """Each era, where there are several, as the name of a group, and which windows are of it."""
        names = [window.era for window in self.windows]
        for era in dict.fromkeys(names) if len(set(names)) > 1 else ():
            yield f"era={era}", np.array([name == era for name in names])

    def score(
        self,
        metric: str,
        values: npt.ArrayLike,
        n: int,
        group: str = "",
        made: Callable[[Floats], Floats] = np.asarray,
        *,
        part: Bools | None = None,
        keep: bool = False,
    ) -> Score:
        """What is ``made`` of the mean over windows of values (windows, ...), with its 95 % interval.

        part: the windows it is of, those of the headline unless given. One window alone has no interval, as it tells
        nothing of how windows differ. keep: its replicates are to pair methods.
        """
        part = self.headline if part is None else part
        array = np.asarray(values, dtype=np.float64)[part]
        value = float(made(over_windows(array, np.ones(len(array)))))
        if np.isnan(value):
            return Score(metric, None, n=n, group=group)
        replicates = made(over_windows(array, self.weights[:, part]))
        several = int((~np.isnan(array)).sum(axis=0).max()) > 1
        low, high = percentile_interval(replicates) if several else (None, None)
        return Score(metric, value, low, high, n, group, replicates[:KEPT].astype(np.float32) if keep else None)


def window_weights(windows: Sequence[Window], rng: np.random.Generator, replicates: int) -> Floats:
    """How much each window weighs in each replicate, (replicates, windows); 1 on average.

    Within each era worlds are drawn with replacement, and of each drawn one as many origins as it has, in blocks of
    neighbours that start anywhere and wrap around (circular block bootstrap: Politis and Romano 1992). A block is as
    long as the number of origins whose horizons overlap, as these share their errors. A real dataset is one world.

    Few worlds hardly know their variance, and the blocks of one history no more: the weights are stretched about 1 as
    `bootstrap.clustered_mean` stretches clusters, so that a 95 % interval of a mean is right for normal worlds, and
    near it for the origins of one history. Where origins are hardly more than a block, intervals are very wide, as such
    a history tells next to nothing of other years. Stretched weights may be negative, and a resampled mean beyond what
    its metric can be.
    """
    weights = np.zeros((replicates, len(windows)))
    for era in dict.fromkeys(window.era for window in windows):
        worlds: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            if window.era == era:
                worlds.setdefault(id(window.world), []).append(place)
        drawn, length = rng.integers(0, len(worlds), size=(replicates, len(worlds))), 1
        for which, places in enumerate(worlds.values()):
            replicate = np.nonzero(drawn == which)[0]
            length = _overlapping([windows[place] for place in places])
            start = rng.integers(0, len(places), size=(len(replicate), math.ceil(len(places) / length), 1))
            held = (start + np.arange(length)).reshape(len(replicate), -1)[:, : len(places)] % len(places)
            np.add.at(weights, (replicate[:, None], np.asarray(places)[held]), 1)
        of_era = [place for places in worlds.values() for place in places]
        several = (len(worlds), 1) if len(worlds) > 1 else (len(of_era), length)
        weights[:, of_era] = 1 + _stretch(*several) * (weights[:, of_era] - 1)
    return weights


def _stretch(units: int, block: int) -> float:
    """By how much the bootstrap's spread of a mean of so few units, drawn in blocks, is widened; 1 for one block.

    Blocks that wrap around hold a share 1 - block / units of the variance; it has the degrees of freedom of as many
    blocks as lie apart, less one.
    """
    apart = math.ceil(units / block)
    if apart < 2:
        return 1.0
    return float(np.sqrt(units / (units - block)) * stdtrit(apart - 1, 0.975) / ndtri(0.975))


def over_windows(values: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Weighted mean over the first axis of values (windows, ...), for weights (..., windows): (..., ...).

    A window whose value is nan is left out; nan where none is left.
    """
    table, weights = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(table)
    total = np.tensordot(weights, np.where(known, table, 0.0), axes=1)
    weight = np.tensordot(weights, known.astype(np.float64), axes=1)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def log_ratio(loss: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Logarithm of a loss over the reference's, elementwise, clipped to [0.01, 100]; 0 where both are 0 (fev-bench)."""
    ours, theirs = np.asarray(loss, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.where((ours == 0) & (theirs == 0), 1.0, np.clip(ours / theirs, 0.01, 100.0)))


def absolute(signed: Score, group: str = "") -> Score:
    """The size of a signed score. Its interval is made of the signed one's, so that it can reach 0."""
    if signed.value is None or signed.low is None or signed.high is None:
        return Score(signed.metric, None if signed.value is None else abs(signed.value), n=signed.n, group=group)
    low, high = max(signed.low, -signed.high, 0.0), max(abs(signed.low), abs(signed.high))
    return Score(signed.metric, abs(signed.value), low, high, signed.n, group)


def _overlapping(windows: Sequence[Window]) -> int:
    """How many origins in a row have horizons that share a period; at most all of them."""
    steps = np.diff([window.origin for window in windows])
    return min(len(windows), math.ceil(windows[0].horizon / steps.min())) if len(steps) else 1
