"""Quantiles moved to where outcomes lay among those that were forecast before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from fourfold.baselines.driver_displacement.ours_headcount import Kinds
from fourfold.baselines.driver_displacement.stock import Floats

PRIOR = 1.0  # origins that what is expected of all misses weighs as much as, and these what is expected of a cell's
TOO_NARROW = 2.0  # times as far as forecasts say, their misses are expected to be
ENOUGH = 10.0  # series of a cell whose misses weigh half as much as an origin
LARGEST = 10.0  # widths that a miss counts for at most
_GRID = 400  # points that stand for the expected distribution


def recalibrated(made: Floats, before: Sequence[tuple[Floats, Floats]], cell: npt.NDArray[np.int64], half_life: float,
                 levels: Floats) -> Floats:
    """Quantiles (n, horizon, q) at ``levels``, none below 0, whose places are those of outcomes in earlier forecasts.

    before: of each earlier origin, the latest first, the outcomes (n, horizon), NaN where not known, and the quantiles
    forecast. cell: (n,) which series are moved alike (Mondrian: Vovk, Gammerman and Shafer 2005, chapter 4). On a
    logarithmic scale, as head-counts grow by shares.

    A miss is as of a hierarchical Dirichlet process (Teh et al. 2006, equation 4.1): a cell's are like its own, and as
    if seen at one origin more like all series'; these like all, and as if at one more normal and wider than forecasts
    say, whose intervals are known to be too narrow (Chatfield 1993, "Calculating interval forecasts"). An origin counts
    half of one that is ``half_life`` origins later, as who misses a drift misses it again (Barber et al. 2023,
    "Conformal prediction beyond exchangeability").
    """
    answer = np.log1p(np.maximum(made, 0.0))
    prior = TOO_NARROW * ndtri((np.arange(_GRID) + 0.5) / _GRID) / ndtri(0.9)
    off = [misses(np.log1p(truth), np.log1p(np.maximum(past, 0.0)), levels) for truth, past in before]
    decay = 0.5 ** (np.arange(len(off)) / half_life)
    everyone = Masses(prior, np.full(_GRID, PRIOR / _GRID)).with_those(off, decay)
    for each in np.unique(cell):
        rows = cell == each
        own = [of_origin[rows] for of_origin in off]
        expected = everyone.weighing(PRIOR).with_those(own, decay * rows.sum() / (rows.sum() + ENOUGH))
        answer[rows] = moved(answer[rows], expected.quantiles(levels), levels)
    return np.expm1(answer)


@dataclass(frozen=True)
class Masses:
    """A distribution of misses: values (m,) and how much each weighs."""

    values: Floats
    weight: Floats

    def weighing(self, total: float) -> "Masses":
        """The same distribution, of this total weight."""
        return Masses(self.values, self.weight * (total / self.weight.sum()))

    def with_those(self, off: Sequence[Floats], weight: Floats) -> "Masses":
        """With the misses of each origin too, NaN where not known, which together weigh so much."""
        known = [each[~np.isnan(each)] for each in off]
        weights = [np.full(len(each), total / max(len(each), 1)) for each, total in zip(known, weight, strict=True)]
        return Masses(np.concatenate([self.values, *known]), np.concatenate([self.weight, *weights]))

    def quantiles(self, levels: Floats) -> Floats:
        """The quantiles at ``levels``, (q,)."""
        values, place = np.unique(self.values, return_inverse=True)
        weight = np.bincount(place, self.weight)
        found: Floats = np.interp(levels, (np.cumsum(weight) - weight / 2) / weight.sum(), values)
        return found


def misses(truth: Floats, made: Floats, levels: Floats) -> Floats:
    """How far outcomes (n, h) lay from the medians of ``made`` (n, h, q), in distances to its 0.1 or 0.9 quantile."""
    down, median, up = widths(made, levels)
    off = truth - median
    return np.clip(off / np.maximum(np.where(off > 0, up, down), 1e-9), -LARGEST, LARGEST)


def moved(made: Floats, miss: Floats, levels: Floats) -> Floats:
    """Quantiles (n, h, q) that lie as far from the medians of ``made`` as the misses (q,) say, in its widths."""
    down, median, up = (each[..., None] for each in widths(made, levels))
    return np.maximum(median + miss * np.where(miss > 0, up, down), 0.0)


def widths(made: Floats, levels: Floats) -> tuple[Floats, Floats, Floats]:
    """The distance down to the 0.1 quantile, the median, and the distance up to the 0.9 quantile, (n, h) each."""
    low, middle, high = (made[..., int(np.argmin(np.abs(levels - level)))] for level in (0.1, 0.5, 0.9))
    return middle - low, middle, high - middle


def cells(kind: Kinds, share: Floats) -> npt.NDArray[np.int64]:
    """Series recalibrated together, (n,): the thirds of each kind, and alone each series that has none.

    share: (n,) of minorities among the people of a series' place, by which the thirds are, so that quantiles suit each.
    """
    cell, rows = np.arange(len(kind)), np.flatnonzero(kind != "")
    if len(rows):
        third = np.searchsorted(np.quantile(share[rows], [1 / 3, 2 / 3]), share[rows])
        _, number = np.unique(kind[rows], return_inverse=True)
        cell[rows] = len(cell) + 3 * number + third
    return cell
