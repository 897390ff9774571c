"""The backends that need no Ray: in this process, or in worker processes of this machine."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fourfold.suite import devices, leftovers, schedule, store
from fourfold.suite.evaluate import Job, Result, deadly, lost
from fourfold.suite.events import Event, Finished, Retried, Setting, Started
from fourfold.suite.pack import Pack
from fourfold.suite.schedule import Need, Queue, Running, Share, Task
from fourfold.suite.warm import GuestLost
from fourfold.suite.worker import AGAIN, RESULT, STOP, TOLD, Worker, keep, loader


class WorkerError(RuntimeError):
    """No worker can be had on this machine."""


def serial(jobs: Sequence[Job], setting: Setting) -> Iterator[Event]:
    """Run jobs one after the other, in this process; those that share a problem stand together: it is drawn once.

    Raises StoreError and DatasetError. Closing it ends the guest; what was finished is in the store.
    """
    store.create(setting.results)
    jobs, without = _with_device(jobs)
    for result in without:
        yield Finished(result, "", keep(result, setting.results, setting.command))
    load = loader(setting.cache)
    with Worker(setting.key, setting.scratch, load, setting.tell, sandboxed=setting.sandboxed) as worker:
        for job in schedule.longest_first(jobs, lambda cell: schedule.UNKNOWN):
            yield Started(job.cell, "serial")
            for attempt in range(1, schedule.ATTEMPTS + 1):
                try:
                    result = worker.run(job)
                    break
                except GuestLost as error:
                    result = lost(job.cell, str(error))
                    if attempt < schedule.ATTEMPTS:
                        yield Retried(job.cell, str(error))
            yield Finished(result, "serial", keep(result, setting.results, setting.command))


def process(jobs: Sequence[Job], setting: Setting) -> Iterator[Event]:
    """Run jobs in ``setting.workers`` processes (None: one a CPU), each a cell at a time, longest first.

    A worker that dies is replaced and its cell tried again. No devices are assigned: cells that want a GPU take turns.
    Raises StoreError, DatasetError and WorkerError. Closing it ends all workers and guests at once; what was finished
    is in the store.
    """
    store.create(setting.results)
    jobs, without = _with_device(jobs)
    for result in without:
        yield Finished(result, "", keep(result, setting.results, setting.command))
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    slots = min(setting.workers or cpus, len(jobs))
    machine = Share(max(cpus, slots), (1.0,))

    def need(pack: Pack) -> Need:
        asked = schedule.need(pack)
        return Need(min(asked.cpus, machine.cpus), float(asked.gpus > 0))

    queue = Queue(jobs, setting.estimate, need)
    with _Crew(setting, slots) as crew:

        def go_on() -> Iterator[Event]:
            while crew.idle() and (taken := queue.take([crew.free(machine)], crew.running())):
                yield crew.give(taken)

        while queue or crew.tasks():
            yield from go_on()
            for hand in crew.heard():
                yield from _attend(crew, hand, queue, setting, go_on)


def _with_device(jobs: Sequence[Job]) -> tuple[list[Job], list[Result]]:
    """The jobs for which this machine has GPUs enough, and what the others come to: no fault of their methods."""
    here = len(devices.gpus()) if any(schedule.need(job.pack).gpus for job in jobs) else 0
    fit = [job for job in jobs if schedule.need(job.pack).gpus <= here]
    reason = "this machine has {} GPUs and it declares {:g}; run it again, with --rerun failed, where there are as many"
    without = [
        lost(job.cell, reason.format(here, asked)) for job in jobs if (asked := schedule.need(job.pack).gpus) > here
    ]
    return fit, without


def _attend(
    crew: "_Crew", hand: "_Hand", queue: Queue, setting: Setting, go_on: Callable[[], Iterator[Event]]
) -> Iterator[Event]:
    """Take in what one worker says, or that it died. It is given its next job before its result is written."""
    task, (said, what) = hand.task, hand.listen()
    if hand.dead:
        crew.replace(hand)
    if said == TOLD:
        setting.tell(what)
    if said == STOP:
        raise what
    if said == AGAIN and task and queue.again(task):
        yield Retried(task.job.cell, what)
    elif said in (RESULT, AGAIN) and task:
        given_up = deadly if hand.dead else lost
        result = what if said == RESULT else given_up(task.job.cell, f"{what}, {schedule.ATTEMPTS} times")
        try:
            yield from go_on()
        finally:
            written = keep(result, setting.results, setting.command)
        yield Finished(result, hand.name, written)


class _Hand:
    """One worker process as the driver sees it. In its own process group, so that Ctrl-C reaches the driver alone."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.task: Task | None = None
        self.ready = self.dead = False
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fourfold.suite.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0,
            )
        self.link: Connection[Any, Any] = Connection(ours.detach())
        with contextlib.suppress(OSError):
            self.link.send((setting.key, setting.scratch, setting.cache, self._folder, setting.sandboxed))

    @property
    def name(self) -> str:
        """How people tell it from others: its process id."""
        return str(self._process.pid)

    def give(self, task: Task) -> None:
        """Hand it a job; where it just died, ``listen`` will say so."""
        self.task = task
        with contextlib.suppress(OSError):
            self.link.send(task.job)

    def listen(self) -> tuple[str, Any]:
        """What it says next, in the words of ``worker``; its death is a reason to try its job again."""
        try:
            said, what = self.link.recv()
        except (EOFError, OSError):
            self.dead, self.task = True, None
            code = self._process.wait()
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"
            if not self.ready:
                return STOP, WorkerError(f"a worker process {ended} before it was ready; what it printed is above")
            return AGAIN, f"the worker process {ended}"
        self.ready = True
        if said != TOLD:
            self.task = None
        return said, what

    def close(self) -> None:
        """End it, whatever it does; it ends at once when its link closes."""
        self.link.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Crew:
    """The worker processes of one campaign; a context manager."""

    def __init__(self, setting: Setting, size: int) -> None:
        self._setting = setting
        self._stack = contextlib.ExitStack()
        self._folder = self._stack.enter_context(leftovers.folder("fourfold-run-"))
        self._hands: list[_Hand] = []
        try:
            for _ in range(size):
                self._hands.append(_Hand(setting, self._folder))
        except BaseException:
            self._end()
            raise

    def idle(self) -> list[_Hand]:
        """Those that are ready for a job."""
        return [hand for hand in self._hands if hand.ready and not hand.task]

    def tasks(self) -> list[Task]:
        """What is under way."""
        return [hand.task for hand in self._hands if hand.task]

    def free(self, machine: Share) -> Share:
        """What of the machine nothing holds."""
        return reduce(Share.less, (task.share for task in self.tasks()), machine)

    def running(self) -> list[Running]:
        """What is under way, for the scheduler."""
        return [task.running() for task in self.tasks()]

    def give(self, task: Task) -> Started:
        """Hand a job to an idle worker."""
        hand = self.idle()[0]
        hand.give(task)
        return Started(task.job.cell, hand.name)

    def heard(self) -> list[_Hand]:
        """Wait for those that have something to say, or are dead."""
        heard = wait([hand.link for hand in self._hands])
        return [hand for hand in self._hands if hand.link in heard]

    def replace(self, hand: _Hand) -> None:
        """Start another worker in the place of a dead one."""
        hand.close()
        self._hands[self._hands.index(hand)] = _Hand(self._setting, self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        try:
            for hand in self._hands:
                while hand.task and hand.link.poll(0):  # Finished, though nobody looked.
                    said, what = hand.listen()
                    if said == RESULT:
                        keep(what, self._setting.results, self._setting.command)
        finally:
            self._end()

    def _end(self) -> None:
        for hand in self._hands:
            hand.close()
        self._stack.close()
