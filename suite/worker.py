"""What a worker does, whatever runs it; and the process that the process backend runs it in.

``python -m fourfold.suite.worker FD`` scores the jobs that come over the socket FD until the socket closes.
"""

import contextlib
import os
import queue
import shutil
import sys
import tempfile
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from fourfold.suite import registry, store
from fourfold.suite.datasets import DatasetError
from fourfold.suite.evaluate import Evaluator, Job, Result, lost
from fourfold.suite.warm import GuestLost, UnfitError

READY, TOLD, RESULT, AGAIN, STOP = "ready", "told", "result", "again", "stop"
"""What a worker process says: it is ready; a line for people; a Result; why to try a job again; an error to end on."""

_DATASETS = 2  # Loaded ones that a worker keeps.


class Worker:
    """Scores cells one after the other, with each dataset loaded once; a context manager.

    scratch: a folder of its own machine, for unpacked methods. load: reads a dataset, given its task and its name.
    tell: hears how the building of an environment goes. sandboxed: whether guests must be confined by namespaces.
    """

    def __init__(
        self,
        key: bytes,
        scratch: Path,
        load: Callable[[str, str], Any],
        tell: Callable[[str], None],
        *,
        sandboxed: bool = False,
    ) -> None:
        self._evaluator, self._load = Evaluator(key, scratch, tell, sandboxed=sandboxed), load
        self._data: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def run(self, job: Job) -> Result:
        """Score one cell. What fails in a task's own code is a result as well, ``lost``: it would fail again.

        Raises GuestLost where a guest's parent died; UnknownName, ImportError or UnfitError where the task is not to be
        had here, or there is no room for temporary files; and what loading raises.
        """
        task = registry.task(job.cell.task)
        if task.version != job.cell.task_version:
            raise UnfitError(f"the task {task.name} has version {task.version} here, and {job.cell.task_version} where "
                             "the campaign was started; install the same package on every machine")
        data = self._dataset(job.cell.task, job.cell.dataset)
        try:
            return self._evaluator.run(job, task, data)
        except (GuestLost, UnfitError):
            raise
        except Exception as error:
            _see_to_room()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            return lost(job.cell, "not the method but the suite or the task failed; please tell the task's author: "
                                  f"{type(error).__name__}: {error} (at {where})")

    def _dataset(self, task: str, dataset: str) -> Any:
        if (task, dataset) not in self._data:
            while len(self._data) >= _DATASETS:
                self._data.popitem(last=False)
            self._data[task, dataset] = self._load(task, dataset)
        self._data.move_to_end((task, dataset))
        return self._data[task, dataset]

    def forget(self, task: str, dataset: str) -> None:
        """Let go of a dataset that is not needed any more."""
        self._data.pop((task, dataset), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._evaluator.__exit__(*error)


def _see_to_room() -> None:
    """Raise UnfitError where this machine takes no temporary files: whatever failed then is nobody's fault."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(1 << 20))
    except OSError as error:
        raise UnfitError(f"{tempfile.gettempdir()} takes no temporary files: {error.strerror}; make room there, or set "
                         "TMPDIR to a folder that has it, and run the same command again") from error


def loader(cache: Path) -> Callable[[str, str], Any]:
    """Load datasets from the cache of this machine."""
    return lambda task, dataset: registry.task(task).load(dataset, cache)


def keep(result: Result, results: Path, command: str) -> bool:
    """Put a result in the store, Ctrl-C or not; False where the cell was there already. Raises StoreError."""
    def write() -> bool:
        return store.write_cell(results, result.cell.id, result.rows, result.provenance | {"command": command})

    try:
        return write()
    except KeyboardInterrupt:
        write()
        raise


def main(descriptor: int) -> None:
    """Be a worker process until the socket closes."""
    link = Connection(descriptor)
    key, scratch, cache, folder, sandboxed = link.recv()
    tempfile.tempdir = str(folder)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(link, jobs, folder), daemon=True).start()
    with Worker(key, scratch, loader(cache), lambda text: link.send((TOLD, text)), sandboxed=sandboxed) as worker:
        try:
            link.send((READY, None))
            while True:
                link.send(_outcome(worker, jobs.get()))
        except ConnectionError:  # The campaign ended meanwhile, as on another worker's error, and nobody listens.
            _leave(folder)


def _receive(link: Connection, jobs: "queue.SimpleQueue[Job]", folder: Path) -> None:
    """Pass jobs on until the socket closes."""
    try:
        while True:
            jobs.put(link.recv())
    except (EOFError, OSError):
        _leave(folder)


def _leave(folder: Path) -> NoReturn:
    """End this process at once, whatever it does: its guests end with it. The last one leaves no folder behind."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # Others have theirs in it, or the campaign has removed it.
        folder.parent.rmdir()
    os._exit(0)


def _outcome(worker: Worker, job: Job) -> tuple[str, Any]:
    try:
        return RESULT, worker.run(job)
    except GuestLost as error:
        return AGAIN, str(error)
    except (DatasetError, UnfitError, registry.UnknownName, ImportError) as error:
        return STOP, error
    except Exception as error:
        traceback.print_exc()
        what = f"{job.cell.task}/{job.cell.dataset}"
        return STOP, RuntimeError(f"{what} cannot be loaded: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
