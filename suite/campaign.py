"""A campaign: from a request to the cells that the store lacks, and what a board needs besides their rows."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fourfold.suite import cards, compact, plan, protocol, registry, schedule, store
from fourfold.suite import key as keys
from fourfold.suite.atomic import explained, make_folder, write_once
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Event, Setting
from fourfold.suite.layout import archive_path
from fourfold.suite.pack import Pack
from fourfold.suite.task import Metric, Task

BACKENDS = ("ray", "process", "serial")
Backend = Callable[[Sequence[Job], Setting], Iterator[Event]]


class BackendError(RuntimeError):
    """A backend that this installation lacks; the message says how to get it, and what does without."""


@dataclass(frozen=True)
class Campaign:
    """What a request comes to, given what the store has.

    statuses: of the cells in the store. estimate: seconds that a cell will take. learned: the store has cells to
    estimate from.
    """

    plan: plan.Plan
    statuses: Mapping[str, str]
    estimate: Callable[[Cell], float]
    learned: bool

    @property
    def again(self) -> list[str]:
        """The cells that have a result and are to be run anew."""
        return [job.cell.id for job in self.plan.todo if job.cell.id in self.statuses]


def planned(request: plan.Request, results: Path, key: bytes, cache: Path, rerun: str = "missing") -> Campaign:
    """Hold a request against a results folder, and write nothing.

    Raises UnknownName, PackError, DatasetError or StoreError.
    """
    jobs = plan.jobs(request, key, cache)
    statuses = store.statuses(results)
    history = schedule.history(results)
    return Campaign(plan.compare(jobs, statuses, rerun), statuses, schedule.estimator(history), len(history) > 0)


def prepare(campaign: Campaign, results: Path) -> None:
    """Make the results folder ready: cards and archives written, and cells that are run anew taken out of the way.

    Raises StoreError.
    """
    store.create(results)
    for name in {job.cell.task for job in campaign.plan.todo}:
        task = registry.task(name)
        cards.write_card(results, "task", f"{task.name}-{task.version}", task_card(task))
    for pack in {job.pack.digest: job.pack for job in campaign.plan.todo}.values():
        cards.write_card(results, "method", pack.digest, pack.card())
        archive(results, pack)
    if campaign.again:
        compact.retire(results, campaign.again)


def task_card(task: Task) -> dict[str, Any]:
    """What a board says of a task, so that it need not be installed where the board is made."""
    return {
        "name": task.name,
        "version": task.version,
        "title": task.title,
        "doc": _doc(task),
        "headline": task.headline,
        "shown": list(task.shown),
        "unranked": sorted(task.unranked),
        **({"fixed": sorted(task.fixed)} if task.fixed else {}),
        "certificate": asdict(task.certificate) if task.certificate else None,
        "second": asdict(task.second) if task.second else None,
        "embedded": task.embedded,
        "declares": {name: list(values) for name, values in task.declares.items()},
        "metrics": [_told(metric) for metric in (*task.metrics, *protocol.PRIVACY, *protocol.COST)],
    }


def _told(metric: Metric) -> dict[str, Any]:
    """As a card has it, where it goes without saying that errors average out."""
    return {name: value for name, value in asdict(metric).items() if name != "averages" or not value}


def _doc(task: Task) -> str:
    lines = (type(task).__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def archive(results: Path, pack: Pack) -> None:
    """Keep a method's files in the results folder, so that its cells can be run again anywhere. Raises StoreError."""
    place = archive_path(results, pack.digest)
    with explained("write", place):
        make_folder(place.parent)
        if not place.exists():
            write_once(place, pack.archive())


def read_key(path: Path) -> bytes:
    """The key in a file, made where there is none. Raises BadKey or StoreError."""
    with explained("write", path):
        return keys.read(path)


@contextmanager
def scratch() -> Iterator[Path]:
    """This node's folder for unpacked methods and for the environments that submissions ask for, which last.

    It is the user's alone. Where their cache takes no files, it is a new one that lasts as long as the campaign.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fourfold" / "scratch"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if writable:
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="fourfold-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)


def backend(name: str) -> Backend:
    """What runs jobs: ``serial``, ``process`` or ``ray``. Raises BackendError where Ray is asked for and not there."""
    from fourfold.suite import local

    if name != "ray":
        return local.serial if name == "serial" else local.process
    if find_spec("ray") is None:
        raise BackendError(
            f"the ray backend needs Ray, which is not installed for {sys.executable}: "
            "pip install 'fourfold[ray]', or run the same cells with --backend process"
        )
    from fourfold.suite import cluster

    return cluster.run
