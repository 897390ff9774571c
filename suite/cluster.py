"""The Ray backend: a Scheduler, Evaluators and a Collector. Nothing that a resume would need lives in Ray.

Nodes share no file system. The driver reads each dataset once and puts it, like the methods' packs, into Ray's object
store; rows go back to the Collector on the driver's node, which writes them.
"""

import contextlib
import dataclasses
import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from fourfold.suite import registry, schedule, store
from fourfold.suite.actors import Collector, Evaluator
from fourfold.suite.cell import Cell
from fourfold.suite.connect import ClusterError, awaited, bounded, connected, first_line
from fourfold.suite.evaluate import Job, Result, deadly, lost
from fourfold.suite.events import Event, Finished, Retried, Setting, Started
from fourfold.suite.pack import Pack
from fourfold.suite.schedule import Need, Queue, Share, Task
from fourfold.suite.warm import GuestLost, UnfitError

RECYCLED = 200
"""Cells after which an Evaluator makes room for a fresh one, as memory that Ray's workers once held stays with them."""

_POLL = 0.5  # Seconds that the driver waits for events, and the Scheduler for results.
_PATIENCE = 60.0  # Seconds that a cell which fits no node of a running cluster is held back for one to join.


def run(jobs: Sequence[Job], setting: Setting) -> Iterator[Event]:
    """Run jobs on the Ray cluster at ``setting.address``, or ('') on one started here and stopped at the end.

    At most ``setting.workers`` cells run at once (None: as many as the nodes have room for), longest first. A worker
    or node that is lost is worked around. Raises StoreError, DatasetError, UnknownName and ClusterError. Closing it
    ends all Evaluators and guests; what was finished is in the store.
    """
    results = store.create(setting.results).resolve()
    with connected(setting) as ray:
        left = Counter(_datasets(jobs))
        data = {(task, name): ray.put(registry.task(task).load(name, setting.cache)) for task, name in left}
        scheduler = _scheduler(ray, jobs, setting, results, data)
        loop = scheduler.run.remote()
        try:
            for event in _polled(ray, scheduler, loop):
                if isinstance(event, str):
                    setting.tell(event)
                    continue
                if isinstance(event, Finished):
                    key = event.result.cell.task, event.result.cell.dataset
                    left[key] -= 1
                    if not left[key]:
                        del data[key]
                yield event
        finally:
            with contextlib.suppress(ray.exceptions.RayError):
                scheduler.stop.remote()
                ray.wait([loop], timeout=10)
            bounded(lambda: _kill(ray, scheduler))


def _scheduler(
    ray: Any, jobs: Sequence[Job], setting: Setting, results: Path, data: Mapping[tuple[str, str], Any]
) -> Any:
    """Create the Scheduler and the Collector, on the driver's node. The packs' files travel apart from the jobs."""
    here = _pinned(ray, ray.get_runtime_context().get_node_id())
    collector = _actor(ray, Collector, max_restarts=-1, max_task_retries=-1, **here).remote(results, setting.command)
    return _actor(ray, Scheduler, max_concurrency=3, **here).remote(
        [Job(job.cell, dataclasses.replace(job.pack, files={})) for job in jobs],
        {job.cell.id: setting.estimate(job.cell) for job in jobs},
        setting.key,
        collector,
        {digest: [ray.put(pack)] for digest, pack in {job.pack.digest: job.pack for job in jobs}.items()},
        {key: [ref] for key, ref in data.items()},
        setting.workers,
        _PATIENCE if setting.address else 0.0,
        setting.sandboxed,
    )


def _kill(ray: Any, actor: Any) -> None:
    with contextlib.suppress(ray.exceptions.RayError):
        ray.kill(actor)


def _datasets(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """The (task, dataset) of each job."""
    return [(job.cell.task, job.cell.dataset) for job in jobs]


def _polled(ray: Any, scheduler: Any, loop: Any) -> Iterator[Event | str]:
    """Pass on the Scheduler's events, and the lines it tells, until it is done, or raise what ended it."""
    try:
        while True:
            for event in awaited(ray, scheduler.events.remote()):
                if event is None:
                    awaited(ray, loop)
                    return
                yield event
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise ClusterError("the Scheduler was lost; what is finished is in the store: run the same command again "
                           f"({first_line(error)})") from error


def _pinned(ray: Any, node: str) -> dict[str, Any]:
    return {"scheduling_strategy": ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)}


def _actor(ray: Any, kind: type, **options: Any) -> Any:
    return ray.remote(kind).options(**{"num_cpus": 0, "max_restarts": 0} | options)


@dataclasses.dataclass(eq=False)
class _Slot:
    """An Evaluator as the Scheduler sees it: its actor, what it needs and holds of its node, and its cells so far."""

    actor: Any
    name: str
    node: int
    need: Need
    share: Share
    cells: int = 0


@dataclasses.dataclass
class _Node:
    """A node as the Scheduler sees it. probe: what it must answer before it is trusted again. gone: it died."""

    id: str
    name: str
    whole: Share
    probe: Any = None
    gone: bool = False


@dataclasses.dataclass(frozen=True)
class _Lost:
    """A cell all of whose workers were lost, the last of them with this Evaluator; whose fault, its nodes will tell."""

    task: Task
    slot: _Slot
    reason: str


def _answer() -> None:
    """Show that a node is alive."""


class Scheduler:
    """Owns the queue, the attempts and the Evaluators; places cells by its own account of what each node has free."""

    def __init__(self, jobs: Sequence[Job], estimates: Mapping[str, float], key: bytes, collector: Any,
                 packs: dict[str, list[Any]], data: dict[tuple[str, str], list[Any]], workers: int | None,
                 patience: float, sandboxed: bool) -> None:
        import ray

        self._ray, self._collector, self._packs, self._data = ray, collector, packs, data
        self._myself = ray.get_runtime_context().current_actor
        # The campaign's name on every node, which nobody can guess, is among these.
        self._birth = key, secrets.token_hex(8), sandboxed
        self._workers, self._patience = workers or len(jobs), patience
        self._surveyed, self._waited = 0.0, time.monotonic()
        self._nodes: list[_Node] = []
        self._fell: dict[str, set[int]] = {}  # Of each cell that lost an Evaluator, the nodes on which it did.
        self._lost: list[_Lost] = []
        self._queue = Queue(jobs, lambda cell: estimates[cell.id], self._need)
        self._survey()
        self._left = Counter(_datasets(jobs))
        self._slots: list[_Slot] = []
        self._busy: dict[Any, tuple[_Slot, Task]] = {}
        self._writing: dict[Any, tuple[Result, str]] = {}
        self._events: queue.SimpleQueue[Event | str | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._made = 0

    def events(self) -> list[Event | str | None]:
        """What happened or was told since this was last asked, waiting a moment for it; None comes last of all."""
        found: list[Event | str | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._events.get(timeout=_POLL))
            while True:
                found.append(self._events.get_nowait())
        return found

    def tell(self, text: str) -> None:
        """Pass on a line for people."""
        self._events.put(text)

    def stop(self) -> None:
        """Let ``run`` end soon."""
        self._stopped.set()

    def run(self) -> None:
        """Run the campaign until all is in the store, or it is stopped."""
        try:
            while not self._stopped.is_set() and (self._queue or self._busy or self._writing or self._lost):
                self._survey()
                self._dispatch()
                if refs := [*self._busy, *self._writing]:
                    for ref in self._ray.wait(refs, timeout=_POLL)[0]:
                        self._settle(ref)
                else:
                    self._give_up()
                    self._stopped.wait(_POLL / 2)
        finally:
            try:
                self._close()
            finally:
                self._events.put(None)

    def _survey(self) -> None:
        """Look, once a second, at which nodes there are. One that is gone keeps its place."""
        if time.monotonic() - self._surveyed < 1:
            return
        self._surveyed = time.monotonic()
        self._listen()
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for known in self._nodes:
            if known.id not in alive and not known.gone:
                known.gone = True
                self._waited = time.monotonic()
        self._judge()
        joined = alive.keys() - {known.id for known in self._nodes}
        for key in joined:
            resources = alive[key]["Resources"]
            whole = Share(resources.get("CPU", 0.0), (1.0,) * int(resources.get("GPU", 0)))
            self._nodes.append(_Node(key, alive[key]["NodeManagerHostname"], whole))
            self._waited = time.monotonic()
        if joined:
            self._queue.ask(self._need)

    def _listen(self) -> None:
        """Trust the nodes in doubt that answer."""
        for node in self._nodes:
            if node.gone:
                node.probe = None
            elif node.probe and self._ray.wait([node.probe], timeout=0)[0]:
                try:
                    self._ray.get(node.probe)
                    node.probe = None
                except self._ray.exceptions.RayError:
                    self._doubt(node)

    def _doubt(self, node: _Node) -> None:
        """Place nothing on a node until it answers: one that died is listed for a while yet."""
        probe = self._ray.remote(_answer).options(num_cpus=0, max_retries=0, **_pinned(self._ray, node.id))
        node.probe = probe.remote()

    def _need(self, pack: Pack) -> Need:
        """What a method declares; no more CPUs than the largest node has: its threads then take turns."""
        asked = schedule.need(pack)
        largest = max((node.whole.cpus for node in self._nodes), default=0.0)
        return asked._replace(cpus=min(asked.cpus, largest)) if largest else asked

    def _free(self, held: Sequence[_Slot]) -> list[Share]:
        """Of each node, what these do not hold; less than nothing of one that is gone, in doubt, or without CPUs."""
        return [Share(-1, node.whole.gpus) if node.gone or node.probe or not node.whole.cpus else
                reduce(Share.less, (slot.share for slot in held if slot.node == index), node.whole)
                for index, node in enumerate(self._nodes)]

    def _dispatch(self) -> None:
        """Give work to whoever is free; an idle Evaluator counts as free room."""
        while len(self._busy) < self._workers:
            running = [task.running() for _, task in self._busy.values()]
            task = self._queue.take(self._free([slot for slot, _ in self._busy.values()]), running)
            if task is None:
                return
            slot, cell = self._slot(task), task.job.cell
            ref = slot.actor.run.remote(cell, self._packs[cell.method_digest], self._data[cell.task, cell.dataset])
            self._busy[ref] = slot, dataclasses.replace(task, share=slot.share)
            self._events.put(Started(cell, slot.name))

    def _slot(self, task: Task) -> _Slot:
        """An idle Evaluator of the right size on the task's node, or a new one, for which idle others make room."""
        busy = [slot for slot, _ in self._busy.values()]
        idle = [slot for slot in self._slots if slot not in busy and slot.node == task.node]
        for slot in idle:
            if slot.need == task.need:
                return slot
        while (share := schedule.portion(task.need, self._free(self._slots)[task.node])) is None:
            self._end([idle.pop(0)], last=False)
        self._made += 1
        node = self._nodes[task.node]
        actor = _actor(self._ray, Evaluator, num_cpus=task.need.cpus, num_gpus=task.need.gpus, max_concurrency=2,
                       **_pinned(self._ray, node.id)).remote(*self._birth, self._myself, node.name)
        self._slots.append(_Slot(actor, f"{node.name}/{self._made}", task.node, task.need, share))
        return self._slots[-1]

    def _end(self, slots: Sequence[_Slot], *, last: bool) -> None:
        """End Evaluators, whatever they do; their guests end with them."""
        tidied = [slot.actor.tidy.remote(last=last) for slot in slots]
        if tidied:
            self._ray.wait(tidied, num_returns=len(tidied), timeout=2)
        for slot in slots:
            self._slots.remove(slot)
            self._ray.kill(slot.actor)

    def _settle(self, ref: Any) -> None:
        """Take in what an Evaluator came to, or that the Collector has written it."""
        if ref in self._writing:
            result, name = self._writing.pop(ref)
            self._events.put(Finished(result, name, self._ray.get(ref)))
            self._release(result.cell)
            return
        slot, task = self._busy.pop(ref)
        slot.cells += 1
        try:
            self._write(self._ray.get(ref), slot.name)
        except self._ray.exceptions.RayTaskError as error:
            self._retry(slot, task, self._excused(error.cause, slot))
        except self._ray.exceptions.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise self._unfit(slot, first_line(error)) from None
            self._bury(slot, task, f"the Evaluator {slot.name} was lost: {first_line(error)}")
        else:
            if slot.cells >= RECYCLED:
                self._end([slot], last=False)

    def _excused(self, error: BaseException, slot: _Slot) -> str:
        """Why a cell may be tried again; raises where no other attempt could do better."""
        if isinstance(error, GuestLost):
            return f"{error} (on {self._nodes[slot.node].name})"
        if isinstance(error, UnfitError):
            raise ClusterError(f"the node {self._nodes[slot.node].name} cannot score these cells: {error}")
        if isinstance(error, registry.UnknownName | ImportError):
            raise self._unfit(slot, str(error))
        raise error

    def _unfit(self, slot: _Slot, reason: str) -> ClusterError:
        return ClusterError(f"the node {self._nodes[slot.node].name} cannot score these cells: {reason}; install on "
                            "every node what is installed here: fourfold, and the packages that plug in the tasks")

    def _bury(self, slot: _Slot, task: Task, reason: str) -> None:
        """Let go of an Evaluator that was lost, and have its cell tried again, if it may be."""
        self._slots.remove(slot)
        self._ray.kill(slot.actor)
        self._doubt(self._nodes[slot.node])
        self._fell.setdefault(task.job.cell.id, set()).add(slot.node)
        if self._queue.again(task):
            self._events.put(Retried(task.job.cell, reason))
        else:
            self._lost.append(_Lost(task, slot, reason))

    def _judge(self) -> None:
        """Give up the cells that lost too many Evaluators: by their method's fault where all the nodes still answer."""
        for each in list(self._lost):
            nodes = [self._nodes[index] for index in self._fell[each.task.job.cell.id]]
            gone = any(node.gone for node in nodes)
            if gone or not any(node.probe for node in nodes):
                self._lost.remove(each)
                given_up = lost if gone else deadly
                self._write(given_up(each.task.job.cell, f"{each.reason}, {schedule.ATTEMPTS} times"), each.slot.name)

    def _retry(self, slot: _Slot, task: Task, reason: str) -> None:
        if self._queue.again(task):
            self._events.put(Retried(task.job.cell, reason))
        else:
            self._write(lost(task.job.cell, f"{reason}, {schedule.ATTEMPTS} times"), slot.name)

    def _write(self, result: Result, name: str) -> None:
        self._writing[self._collector.write.remote(result)] = result, name

    def _release(self, cell: Cell) -> None:
        """Let go of a dataset once its last cell is stored."""
        key = cell.task, cell.dataset
        self._left[key] -= 1
        if not self._left[key]:
            del self._data[key]
            for slot in self._slots:
                slot.actor.forget.remote(*key)

    def _give_up(self) -> None:
        """Nothing runs and nothing fits: wait a while for a node to join, then say so of each cell that is left."""
        if time.monotonic() - self._waited < self._patience:
            return
        never = self._queue.impossible([node.whole for node in self._nodes])
        for job in never:
            asked = schedule.need(job.pack)
            self._write(lost(job.cell, f"no node has what it declares, {asked.cpus:g} CPUs and {asked.gpus:g} GPUs; "
                                       "run it again, with --rerun failed, where one has"), "")
        gone = sorted({node.name for node in self._nodes if node.gone})
        if self._queue and not never and gone:
            raise ClusterError(f"the nodes that had room for {len(self._queue)} cells are gone ({', '.join(gone)}); "
                               "what is finished is in the store: run the same command again where there are others")

    def _close(self) -> None:
        """Store what is finished, though nobody looked, and end every Evaluator."""
        for ref in self._ray.wait(list(self._busy), num_returns=len(self._busy), timeout=0)[0] if self._busy else []:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._write(self._ray.get(ref), "")
        if self._writing:
            self._ray.wait(list(self._writing), num_returns=len(self._writing), timeout=5)
        self._end(list(self._slots), last=True)
