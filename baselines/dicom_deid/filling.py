"""What stands where something was erased: what is around it, and nothing of what was there."""

import numpy as np
import numpy.typing as npt

from fourfold.baselines.dicom_deid.samples import Samples

REACHES = (2, 4, 8, 24, 64)
"""Pixels within which a pixel to fill finds one to copy, at first and at last."""
TRIES = 12
FEW, MANY = 5, 9
"""Of how many pixels each one is the median: so it is of the side of an edge that most of them are on, and its grain
is less; the more, where what stood there was hardly brighter than the grain."""


def fill(frame: Samples, gone: npt.NDArray[np.bool_], faint: npt.NDArray[np.bool_]) -> None:
    """Fill what is ``gone`` (rows, columns) of a frame, in place: each pixel is the median of some near it, picked by
    chance, of which nothing goes; so brightness and grain go on, and no edge tells what stood there.

    faint: what of it was hardly brighter than the grain.
    """
    rng, free = np.random.default_rng(0), ~gone
    lots = [(where, number) for where, number in ((gone & ~faint, FEW), (gone & faint, MANY)) if where.any()]
    filled = [np.median([_picked(frame, where, free, rng) for _ in range(number)], axis=0) for where, number in lots]
    for (where, _), values in zip(lots, filled, strict=True):
        frame[where] = values


def _picked(
    frame: Samples, gone: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Samples:
    """For each pixel that is gone (n,) a free one near it, or the median of all that are free."""
    rows, columns = np.nonzero(gone)
    left = np.arange(len(rows))
    found = np.empty((len(rows), *frame.shape[2:]), frame.dtype)
    found[:] = np.median(frame[free], axis=0) if free.any() else 0
    for reach in np.repeat(REACHES, TRIES):
        down, across = rng.integers(-reach, reach + 1, (2, len(left)))
        there = np.clip(rows[left] + down, 0, gone.shape[0] - 1), np.clip(columns[left] + across, 0, gone.shape[1] - 1)
        good = free[there]
        found[left[good]] = frame[there][good]
        left = left[~good]
    return found
