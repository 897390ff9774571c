"""The private records of a problem: who is recorded to have lost a job in its worlds, and the canaries among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.simulator import World
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Window

CANARY_SHARE = 0.01
"""Canaries are at most this share of the workers recorded."""
CANARIES = 30
"""Canaries of one world at most."""
CLEARED = 10
"""A canary is alone in its place: that many others at most are left out of the records there."""


@dataclass(frozen=True, eq=False)
class Records:
    """Displaced workers, one a row: the private fields of ``Train``, and in their order."""

    world: npt.NDArray[np.int16]
    place: npt.NDArray[np.int16]
    lost: npt.NDArray[np.int16]
    returned: npt.NDArray[np.int16]
    sex: npt.NDArray[np.int8]
    minority: npt.NDArray[np.int8]
    age: npt.NDArray[np.int8]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.world)

    def chosen(self, rows: npt.NDArray[np.int64]) -> Self:
        """Those in these rows, in this order."""
        return type(self)(**{name: column[rows] for name, column in vars(self).items()})

    def joined(self, other: Self) -> Self:
        """These, and then the others."""
        return type(self)(**{name: np.concatenate([column, getattr(other, name)])
                             for name, column in vars(self).items()})


_SHORT, _BYTE = np.zeros(0, np.int16), np.zeros(0, np.int8)
NOBODY = Records(_SHORT, _SHORT, _SHORT, _SHORT, _BYTE, _BYTE, _BYTE)


def recorded(windows: Sequence[Window]) -> Records:
    """The recorded workers of these windows' worlds, as far as each origin knows of them: LABEL_LAG periods late."""
    everybody = NOBODY
    for number, window in enumerate(windows):
        assert isinstance(window.world, World)
        known, workers = window.origin - LABEL_LAG, window.world.workers
        rows = np.flatnonzero(workers.recorded & (workers.lost <= known))
        returned = workers.returned[rows]
        everybody = everybody.joined(Records(
            np.full(len(rows), number, np.int16), workers.place[rows].astype(np.int16),
            workers.lost[rows].astype(np.int16),
            np.where((returned >= 0) & (returned <= known), returned, -1).astype(np.int16),
            *(getattr(workers, name)[rows].astype(np.int8) for name in ("sex", "minority", "age")),
        ))
    return everybody


def draw_canaries(
    windows: Sequence[Window], real: Records, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Records]:
    """Draw places where few are recorded to have lost a job, (k, 2) [window, place], and a canary for each.

    Only in windows that are scored; at most CANARIES of one, in the places of the fewest, and CANARY_SHARE of all
    records. A canary resembles some other recorded worker, and has not found work again.
    """
    cells: list[npt.NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for number, window in enumerate(windows):
        n = len(window.seen.series)
        count = np.bincount(real.place[real.world == number], minlength=n)
        order = np.lexsort((rng.random(n), count))
        places = np.sort(order[: min(CANARIES, np.count_nonzero(count <= CLEARED))] if window.scored else order[:0])
        cells.append(np.stack([np.full(len(places), number), places], axis=1))
    drawn = np.concatenate(cells)
    drawn = drawn[np.sort(rng.permutation(len(drawn))[: int(CANARY_SHARE * real.n)])]
    return drawn, _alike(windows, drawn, real, rng)


def cleared(real: Records, cells: npt.NDArray[np.int64]) -> Records:
    """The records but for those in these cells (k, 2) [window, place], whatever the coins of their canaries say."""
    taken = np.isin(real.world.astype(np.int64) * 2**16 + real.place, cells[:, 0] * 2**16 + cells[:, 1])
    return real.chosen(np.flatnonzero(~taken))


def _alike(
    windows: Sequence[Window], cells: npt.NDArray[np.int64], real: Records, rng: np.random.Generator
) -> Records:
    """A worker for each of these cells, who lost a job in one of the last two years known of and is somebody's like."""
    model = real.chosen(rng.integers(real.n, size=len(cells)) if len(cells) else np.zeros(0, np.int64))
    known = np.array([window.origin for window in windows], np.int64)[cells[:, 0]] - LABEL_LAG
    lost = known - rng.integers(2 * LABEL_LAG, size=len(cells))
    return Records(
        cells[:, 0].astype(np.int16), cells[:, 1].astype(np.int16), lost.astype(np.int16),
        np.full(len(cells), -1, np.int16), model.sex, model.minority, model.age,
    )
