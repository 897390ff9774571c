"""What privacy costs a method: its rows at an epsilon beside its non-private twin, the same method at no epsilon."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fourfold.leaderboard.standing import Row, Standing

Floats = npt.NDArray[np.float64]
Column = tuple[str, str]

ADDED = "_added"
SLOWDOWN = "slowdown"
FIT = ("cpu_seconds", "fit")
OWN = "it is run without privacy itself"
NO_TWIN = "its method was not run without privacy (--epsilon inf)"
NO_PAIR = "no seed has it of both the row and its twin without privacy"


def twins(rows: Sequence[Row]) -> npt.NDArray[np.int64]:
    """Where each row's twin stands: the row of the same digest and parameters at an infinite epsilon, -1 for none.

    A row at an infinite epsilon has none. Of several that differ in delta, which means nothing there, the first serves.
    """
    found: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        if row.epsilon == math.inf:
            found.setdefault((row.digest, row.parameters), place)
    return np.array(
        [found.get((row.digest, row.parameters), -1) if row.epsilon < math.inf else -1 for row in rows], np.int64
    )


def compared(standing: Standing, declared: Iterable[str]) -> Standing:
    """Add the metrics that compare a row with its twin, as far as the task declares them and no cell holds them.

    A metric ``X_added`` is metric X of the row less that of its twin: for X the gap between classes, what privacy adds
    to it (Bagdasaryan, Poursaeed and Shmatikov 2019). ``slowdown`` is the row's CPU seconds of fit over its twin's.
    Both are taken seed by seed, so that an interval over seeds follows; NaN where either cell lacks, or the twin.
    """
    twin = twins(standing.rows)
    found = [pair for pair in _pairs(standing.columns, declared) if pair[0] not in standing.columns]
    if not found or (twin < 0).all():
        return standing
    columns, sources, how = zip(*found, strict=True)
    places = [standing.columns.index(source) for source in sources]
    both = (twin >= 0)[:, None] & standing.ok & standing.ok[twin]
    value = np.stack(
        [
            np.where(both, compare(standing.value[:, place], standing.value[twin, place]), np.nan)
            for place, compare in zip(places, how, strict=True)
        ],
        axis=1,
    )
    count = np.where(both[:, None], np.minimum(standing.n[:, places], standing.n[twin][:, places]), 0)
    first, unknown = len(standing.columns), np.isnan(value).all(axis=2)
    reasons = {
        (row, first + column): _why(standing.rows[row], int(twin[row])) for row, column in np.argwhere(unknown).tolist()
    }
    nothing = np.full(value.shape, np.nan)
    return replace(
        standing,
        columns=[*standing.columns, *columns],
        value=np.concatenate([standing.value, value], axis=1),
        low=np.concatenate([standing.low, nothing], axis=1),
        high=np.concatenate([standing.high, nothing], axis=1),
        n=np.concatenate([standing.n, count], axis=1),
        reasons={**standing.reasons, **reasons},
    )


def _pairs(
    columns: Sequence[Column], declared: Iterable[str]
) -> list[tuple[Column, Column, Callable[[Floats, Floats], Floats]]]:
    """The new columns, each with the column that it is made of and how."""
    names = list(declared)
    found: list[tuple[Column, Column, Callable[[Floats, Floats], Floats]]] = [
        ((name, group), (metric, group), np.subtract)
        for name in names
        for metric, group in columns
        if name == metric + ADDED
    ]
    return found + [((SLOWDOWN, ""), FIT, _ratio)] * (SLOWDOWN in names and FIT in columns)


def _ratio(own: Floats, other: Floats) -> Floats:
    return np.divide(own, other, out=np.full(own.shape, np.nan), where=other > 0)


def _why(row: Row, twin: int) -> str:
    return OWN if row.epsilon == math.inf else NO_TWIN if twin < 0 else NO_PAIR
