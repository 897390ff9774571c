"""What a campaign tells whoever watches it, and what it needs to run; the same for every backend."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Result


@dataclass(frozen=True)
class Setting:
    """Where and how jobs run. results: the store's folder; cache: the datasets'; scratch: methods, environments.

    workers: how many cells at once (None: as many as fit). address: a running Ray cluster's ('' = start a local one).
    estimate: seconds a cell will take, learned from the store. tell: shows a line to whoever watches, such as that an
    environment is being built. sandboxed: whether to refuse where guests cannot be confined by namespaces.
    """

    results: Path
    cache: Path
    scratch: Path
    key: bytes
    estimate: Callable[[Cell], float]
    workers: int | None = None
    address: str = ""
    command: str = ""
    tell: Callable[[str], None] = lambda text: None
    sandboxed: bool = False


@dataclass(frozen=True)
class Started:
    """A cell was given to a worker."""

    cell: Cell
    worker: str


@dataclass(frozen=True)
class Finished:
    """A cell's result is in the store; ``written`` is False where another campaign was first."""

    result: Result
    worker: str
    written: bool = True


@dataclass(frozen=True)
class Retried:
    """A worker or node was lost under this cell, which is queued again."""

    cell: Cell
    reason: str


Event = Started | Finished | Retried
