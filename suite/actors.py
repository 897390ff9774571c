"""The actors of a Ray campaign that work: Evaluators score cells, a Collector writes what they come to."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job, Result
from fourfold.suite.pack import Pack
from fourfold.suite.worker import Worker, keep


class Collector:
    """Writes results into the store, on the driver's node. A result sent twice is written once."""

    def __init__(self, results: Path, command: str) -> None:
        self._results, self._command = results, command

    def write(self, result: Result) -> bool:
        """Store one result; False where its cell was there already."""
        return keep(result, self._results, self._command)


class Evaluator:
    """Scores cells on one node, one at a time. Methods and environments that it unpacks serve the node's others too."""

    def __init__(self, key: bytes, campaign: str, sandboxed: bool, scheduler: Any, node: str) -> None:
        self._shared = Path(tempfile.gettempdir()) / f"fourfold-{campaign}"
        self._shared.mkdir(mode=0o700, exist_ok=True)
        self._own = tempfile.mkdtemp(dir=self._shared)
        tempfile.tempdir = self._own

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
        shutil.rmtree(self._shared if last else self._own, ignore_errors=True)
