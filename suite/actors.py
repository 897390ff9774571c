"""The actors of a Ray campaign that work: Evaluators score cells, a Collector writes what they come to."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fourfold.suite import leftovers
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job, Result
from fourfold.suite.pack import Pack
from fourfold.suite.worker import Worker, keep

PREFIX = "fourfold-campaign-"
"""How the folders of campaigns on a node are called."""


class Collector:
    """Writes results into the store, on the driver's node. A result sent twice is written once."""

    def __init__(self, results: Path, command: str) -> None:
        self._results, self._command = results, command

    def write(self, result: Result) -> bool:
        """Store one result; False where its cell was there already."""
        return keep(result, self._results, self._command)


def _shared(name: str) -> tuple[contextlib.ExitStack, Path]:
    """A folder that the Evaluators of one campaign on one node have in common; what keeps it while this one lives."""
    shared, lock = Path(tempfile.gettempdir()) / name, None
    while lock is None:
        shared.mkdir(mode=0o700, exist_ok=True)
        lock = leftovers.hold(shared)
    leftovers.sweep(PREFIX, shared.parent)
    kept = contextlib.ExitStack()
    kept.callback(os.close, lock)
    return kept, shared


class Evaluator:
    """Scores cells on one node, one at a time. Methods and environments that it unpacks serve the node's others too."""

    def __init__(self, key: bytes, campaign: str, sandboxed: bool, scheduler: Any, node: str) -> None:
        self._kept, self._shared = _shared(f"{PREFIX}{campaign}")
        self._own = self._kept.enter_context(leftovers.folder("own-", self._shared))
        tempfile.tempdir = str(self._own)

        def tell(text: str) -> None:
            scheduler.tell.remote(f"{node}: {text}")

        self._worker = Worker(key, self._shared, self._fetched, tell, sandboxed=sandboxed)
        self._packs: dict[str, Pack] = {}
        self._data: Any = None

    def run(self, cell: Cell, pack: Sequence[Any], data: Sequence[Any]) -> Result:
        """Score one cell. pack, data: a reference each to what is fetched the first time that it is needed."""
        import ray

        if cell.method_digest not in self._packs:
            self._packs[cell.method_digest] = ray.get(pack[0])
        self._data = data[0]
        return self._worker.run(Job(cell, self._packs[cell.method_digest]))

    def _fetched(self, task: str, dataset: str) -> Any:
        import ray

        return ray.get(self._data)

    def forget(self, task: str, dataset: str) -> None:
        """Let go of a dataset."""
        self._worker.forget(task, dataset)

    def tidy(self, *, last: bool) -> None:
        """Remove what would stay behind, here and, by the ``last`` of a campaign, on the node."""
        self._kept.close()
        if last:
            shutil.rmtree(self._shared, ignore_errors=True)
