"""Which cell runs next, where, and how long it will take. No Ray; ``history`` alone reads the store."""

import heapq
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fourfold.suite import store
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job
from fourfold.suite.pack import Pack

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 3
"""How often a cell is given to a worker before it counts as lost."""

UNKNOWN = 1.0
"""Seconds that a cell is taken to need while the store knows nothing like it."""

_ALIKE = 1.25  # Estimates closer than this factor are no reason to prefer one cell to another.
_SLACK = 1e-9  # Fractions of a GPU do not add up exactly.
_LEVELS = (
    ("method_digest", "task", "dataset", "epsilon"), ("method", "task", "dataset"), ("method", "task"), ("task",),
)


class Need(NamedTuple):
    """What a cell occupies while it runs: CPUs, and GPUs (a fraction of one, or several whole ones)."""

    cpus: float = 1.0
    gpus: float = 0.0


class Share(NamedTuple):
    """A part of a node, or all of it: CPUs, and of each of its GPUs the fraction, in [0, 1]."""

    cpus: float
    gpus: tuple[float, ...] = ()

    def less(self, other: "Share") -> "Share":
        """What remains when ``other``, a part of this, is taken."""
        return Share(self.cpus - other.cpus, tuple(a - b for a, b in zip(self.gpus, other.gpus, strict=True)))

    def more(self, other: "Share") -> "Share":
        """This and ``other`` together, of one node."""
        return Share(self.cpus + other.cpus, tuple(a + b for a, b in zip(self.gpus, other.gpus, strict=True)))

    def both(self, other: "Share") -> "Share":
        """What this and ``other`` have in common."""
        return Share(min(self.cpus, other.cpus), tuple(map(min, self.gpus, other.gpus)))


class Running(NamedTuple):
    """A cell under way: on which node, what it holds there, and the seconds it is thought to need yet."""

    node: int
    share: Share
    left: float


def need(pack: Pack) -> Need:
    """What a method declares that it needs."""
    return Need(float(pack.get("cpus")), float(pack.get("gpus")))


def history(root: Path) -> "pd.DataFrame":
    """What stored cells took: method_digest, method, task, dataset, epsilon, seconds (of fit and predict)."""
    columns = ["method_digest", "method", "task", "dataset", "epsilon", "value"]
    found = store.read(root, columns, metric="wall_seconds", group="").frame() if root.is_dir() else None
    if found is None:
        import pandas as pd

        found = pd.DataFrame(columns=columns)
    return found.rename(columns={"value": "seconds"}).dropna(subset="seconds")


def estimator(history: "pd.DataFrame") -> Callable[[Cell], float]:
    """Learn to estimate the seconds of a cell: the geometric median of those most like it.

    They are the cells of the same code, dataset and epsilon; where there are none, those of the method's name on the
    dataset, then on the task, then all of the task, then ``UNKNOWN``.
    """
    logs = history["seconds"].astype(float).clip(lower=1e-3).map(math.log)
    known: list[Mapping[object, float]] = []
    for level in _LEVELS:
        medians = logs.groupby([history[name] for name in level]).median()
        known.append({key if isinstance(key, tuple) else (key,): math.exp(each) for key, each in medians.items()})

    def estimate(cell: Cell) -> float:
        row = cell.row()
        for level, medians in zip(_LEVELS, known, strict=True):
            if (seconds := medians.get(tuple(row[name] for name in level))) is not None:
                return seconds
        return UNKNOWN

    return estimate


def longest_first(jobs: Iterable[Job], estimate: Callable[[Cell], float]) -> list[Job]:
    """Order jobs by falling estimate (LPT, Graham 1969: at most 4/3 of the optimum); of those about as long, the ones
    that share a problem stand together, so that a worker that has it drawn meets it again.
    """
    def key(job: Job) -> tuple[int, str, str, str, str, str]:
        cell = job.cell
        rank = round(math.log(max(estimate(cell), 1e-3), _ALIKE))
        return -rank, cell.task, cell.dataset, cell.draw, repr(sorted(job.pack.declared.items())), cell.id

    return sorted(jobs, key=key)


def portion(need: Need, free: Share) -> Share | None:
    """The part of a node's free resources that a cell would hold, or None where it does not fit.

    A fraction of a GPU comes from one GPU, the fullest that has room; several GPUs are whole ones. So does Ray.
    """
    if need.cpus > free.cpus + _SLACK:
        return None
    held = [0.0] * len(free.gpus)
    if need.gpus <= 1:
        roomy = [(room, gpu) for gpu, room in enumerate(free.gpus) if room >= need.gpus - _SLACK]
        if need.gpus and not roomy:
            return None
        if need.gpus:
            held[min(roomy)[1]] = need.gpus
    else:
        whole = [gpu for gpu, room in enumerate(free.gpus) if room >= 1 - _SLACK][: math.ceil(need.gpus)]
        if len(whole) < need.gpus:
            return None
        for gpu in whole:
            held[gpu] = 1.0
    return Share(need.cpus, tuple(held))


def place(need: Need, free: Sequence[Share]) -> int | None:
    """The node on which a cell fits best: it leaves the fewest GPUs idle there, then the fewest CPUs. None: on none."""
    fits = []
    for node, each in enumerate(free):
        if (held := portion(need, each)) is not None:
            rest = each.less(held)
            fits.append((sum(rest.gpus), rest.cpus, node))
    return min(fits)[2] if fits else None


def choose(
    waiting: Sequence[tuple[Need, float]], free: Sequence[Share], running: Sequence[Running]
) -> tuple[int, int] | None:
    """Pick which of the waiting, (need, estimated seconds) in order of preference, starts now, and on which node.

    The first that fits does. The first that does not fit is promised the node where there will soonest be room for it;
    those behind it may go ahead there only if by their estimate they are done by then, or leave that room (EASY
    backfilling, Lifka 1995). So it waits no longer than for what runs now, however many short cells follow: one that
    overruns its estimate counts as about to end, and while it lasts nothing else goes ahead on the promised node.
    """
    besides, soon = free, math.inf  # What is free besides the promised room, and the seconds until that is taken.
    failed: set[tuple[Need, bool]] = set()
    for index, (need, seconds) in enumerate(waiting):
        early = seconds <= soon
        if (need, early) in failed:
            continue
        node = place(need, free if early else besides)
        if node is not None:
            return index, node
        failed.add((need, early))
        if besides is free and (promise := reserve(need, free, running)):
            promised, soon, spare = promise
            besides = [each.both(spare) if node == promised else each for node, each in enumerate(free)]
    return None


def reserve(need: Need, free: Sequence[Share], running: Sequence[Running]) -> tuple[int, float, Share] | None:
    """Where and when there will be room: (node, seconds from now, what is free there besides). None: never."""
    best = None
    for node, now in enumerate(free):
        there, at = now, 0.0
        ends = sorted((max(each.left, 0.0), index) for index, each in enumerate(running) if each.node == node)
        for at, index in [(0.0, -1), *ends]:
            there = there if index < 0 else there.more(running[index].share)
            if (held := portion(need, there)) is not None:
                if best is None or at < best[1]:
                    best = node, at, there.less(held)
                break
    return best


@dataclass(frozen=True)
class Task:
    """A job given to a worker: what it needs, the estimate, the part of which node it holds, and when it began."""

    job: Job
    need: Need
    seconds: float
    node: int
    share: Share
    began: float = field(default_factory=time.monotonic)

    def running(self) -> Running:
        """This, as the choice of what runs next sees it now."""
        return Running(self.node, self.share, self.seconds - (time.monotonic() - self.began))


class Queue:
    """The jobs of a campaign that wait for a worker, longest first, and how often each was tried."""

    def __init__(
        self, jobs: Iterable[Job], estimate: Callable[[Cell], float], need: Callable[[Pack], Need] = need
    ) -> None:
        self._waiting = longest_first(jobs, estimate)
        self._asks = [(need(job.pack), estimate(job.cell)) for job in self._waiting]
        self._tried: Counter[str] = Counter()

    def ask(self, need: Callable[[Pack], Need]) -> None:
        """Have those that wait need what they do where nodes have joined."""
        self._asks = [(need(job.pack), seconds) for job, (_, seconds) in zip(self._waiting, self._asks, strict=True)]

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, free: Sequence[Share], running: Sequence[Running]) -> Task | None:
        """Remove the job that starts now, if one does."""
        chosen = choose(self._asks, free, running)
        if chosen is None:
            return None
        index, node = chosen
        job, (need, seconds) = self._waiting.pop(index), self._asks.pop(index)
        self._tried[job.cell.id] += 1
        share = portion(need, free[node])
        assert share is not None
        return Task(job, need, seconds, node, share)

    def again(self, task: Task) -> bool:
        """Put a job whose worker was lost back in front. False: it was tried ``ATTEMPTS`` times, and is given up."""
        if self._tried[task.job.cell.id] >= ATTEMPTS:
            return False
        self._waiting.insert(0, task.job)
        self._asks.insert(0, (task.need, task.seconds))
        return True

    def impossible(self, nodes: Sequence[Share]) -> list[Job]:
        """Remove and return the jobs that would not fit even on an idle node."""
        never = {ask for ask, _ in self._asks if place(ask, nodes) is None}
        found = [job for job, (ask, _) in zip(self._waiting, self._asks, strict=True) if ask in never]
        kept = [index for index, (ask, _) in enumerate(self._asks) if ask not in never]
        self._waiting, self._asks = [self._waiting[i] for i in kept], [self._asks[i] for i in kept]
        return found


def makespan(waiting: Iterable[tuple[Need, float, float]], nodes: Sequence[Share]) -> float:
    """Simulate: the seconds until the last of the (need, estimated, true seconds), taken in this order, is done."""
    left, free, now = list(waiting), list(nodes), 0.0
    under_way: list[tuple[float, int, float, Running]] = []  # (true end, tie-break, expected end, what it holds)
    started = 0
    while left or under_way:
        running = [each._replace(left=expected - now) for _, _, expected, each in under_way]
        chosen = choose([(need, estimated) for need, estimated, _ in left], free, running)
        if chosen is not None:
            need, estimated, true = left.pop(chosen[0])
            held = portion(need, free[chosen[1]])
            assert held is not None
            free[chosen[1]] = free[chosen[1]].less(held)
            started += 1
            heapq.heappush(under_way, (now + true, started, now + estimated, Running(chosen[1], held, estimated)))
        elif under_way:
            now, _, _, ended = heapq.heappop(under_way)
            free[ended.node] = free[ended.node].more(ended.share)
        else:
            return math.inf
    return now


def remaining(waiting: Iterable[float], running: Iterable[tuple[float, float]], slots: int) -> float:
    """The wall seconds until all is done: the estimates of those that wait and, of those that run, (estimate, elapsed).

    One that is late is thought to need as long again as it is late. slots: how many run at once.
    """
    ends = sorted(abs(estimate - elapsed) for estimate, elapsed in running)
    ends += [0.0] * (slots - len(ends))
    heapq.heapify(ends)
    for seconds in sorted(waiting, reverse=True):
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends, default=0.0)


def drift(finished: Iterable[tuple[float, float]]) -> float:
    """By what factor the cells finished so far, (estimate, taken), took longer than estimated; 1 where there are none.

    A ratio of sums, so that long cells count for what they are; a guest's start and the suite's own work are part of
    what is taken, and of no estimate.
    """
    pairs = list(finished)
    estimated, taken = (sum(each) for each in zip(*pairs, strict=True)) if pairs else (0.0, 0.0)
    return taken / estimated if estimated > 0 else 1.0
