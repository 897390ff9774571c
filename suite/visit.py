"""One visit of a guest, seen from the trusted side: ask, wait, measure, end. Nothing it says is believed unchecked."""

import contextlib
import json
import os
import selectors
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from fourfold.suite import boundary, energy, guest
from fourfold.suite.method import Budget, Mechanism
from fourfold.suite.task import Ask, Want
from fourfold.suite.warm import Parent, pipes

LOG_KEPT = 16 << 10
"""Bytes of what a method prints that are kept for its author: the first half and the last."""

_LIMITS = {guest.READY: 0, guest.LEDGER: 1 << 20, guest.STATE: 32, guest.ERROR: 1 << 14}
_LOOK = 0.1  # Seconds between two looks at the guest's memory.


@dataclass(frozen=True)
class Phase:
    """What one ask cost, as the operating system counts: seconds of CPU over all its processes, and of wall clock."""

    verb: str
    cpu: float
    wall: float


@dataclass
class Visit:
    """What came of it. status is one of ``cell.STATUSES``; reason says what, where and what to do."""

    status: str = "ok"
    reason: str = ""
    answers: list[np.ndarray | None] = field(default_factory=list)
    ledger: list[Mechanism] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    start: float = 0.0
    peak_memory: int = 0
    parameters: int | None = None
    energy: float | None = None
    log: str = ""


class _Ended(Exception):
    """The visit is over before its time: (status, reason)."""


def visit(parent: Parent, file: str, name: str, parameters: dict[str, Any], budget: Budget, asks: Sequence[Ask]) -> Visit:
    """Run a method's class through its asks in a guest forked from ``parent``, within the budget.

    Raises GuestLost when the parent itself dies; whatever the method does ends in the visit's status.
    """
    result, scratch = Visit(), tempfile.mkdtemp(prefix="fourfold-")
    asks_read, asks_write, answers_read, answers_write, log_read, log_write = pipes()
    try:
        order = {"file": file, "class": name, "parameters": parameters, "budget": vars(budget),
                 "memory_limit": budget.memory_limit, "scratch": scratch}
        began = time.monotonic()
        pid = parent.fork(order, (asks_read, answers_write, log_write))
        for descriptor in (asks_read, answers_write, log_write):
            os.close(descriptor)
        watch = _Watch(pid, asks_write, answers_read, log_read, began + budget.time_limit, budget.memory_limit)
        try:
            _converse(watch, asks, result, began)
        except _Ended as ended:
            result.status, result.reason = ended.args
        finally:
            watch.end()
        usage = parent.reap()
        watch.drain()
        result.peak_memory = max(watch.peak, int(usage["maxrss"]) * 1024)
        result.log = watch.log.text()
        _explain(result, usage["status"])
        return result
    finally:
        for descriptor in (asks_write, answers_read, log_read):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        shutil.rmtree(scratch, ignore_errors=True)


def _converse(watch: "_Watch", asks: Sequence[Ask], result: Visit, began: float) -> None:
    watch.frame(guest.READY)
    result.start, joules = time.monotonic() - began, energy.joules()
    for ask in asks:
        cpu, wall = watch.cpu(), time.monotonic()
        watch.ask(ask.verb, boundary.encode(ask.give))
        answer = watch.frame(guest.ANSWER, _most(ask.want))
        result.phases.append(Phase(ask.verb, watch.cpu() - cpu, time.monotonic() - wall))
        result.ledger = _mechanisms(watch.frame(guest.LEDGER))
        result.answers.append(check(answer, ask.want, ask.verb) if ask.want else None)
    if joules is not None and (now := energy.joules()) is not None and now >= joules:  # The counter wraps around.
        result.energy = now - joules
    result.parameters = watch.state()


def _most(want: Want | None) -> int:
    """The most bytes an answer may have: twice what was asked for, so that a wrong length can still be told."""
    return 0 if want is None else 16 * int(np.prod(want.shape)) + (1 << 16)


def check(body: bytes, want: Want, verb: str) -> np.ndarray:
    """Decode an answer and hold it to what was wanted; ends the visit as ``invalid-output`` with what is wrong."""
    try:
        answer = boundary.decode(body).answer
    except (boundary.BoundaryError, AttributeError) as error:
        raise _Ended("invalid-output", f"{verb} did not return an array: {error}") from error
    if not isinstance(answer, np.ndarray):
        answer = np.asarray(answer)
    if answer.dtype.kind not in "fiub":
        raise _Ended("invalid-output", f"{verb} must return numbers; {answer.dtype} came")
    if answer.shape != want.shape:
        raise _Ended("invalid-output", f"{verb} must return shape {want.shape}, one answer a query; {answer.shape} came")
    answer = answer.astype(np.float64)
    if count := int(np.count_nonzero(~np.isfinite(answer))):
        raise _Ended("invalid-output", f"{verb} returned {count:,} values that are not finite (NaN or infinity)")
    outside = (answer < want.low) | (answer > want.high)
    if count := int(np.count_nonzero(outside)):
        raise _Ended("invalid-output", f"{verb} returned {count:,} values outside [{want.low:g}, {want.high:g}], "
                     f"such as {answer[outside].flat[0]:.6g}")
    return answer


def _mechanisms(body: bytes) -> list[Mechanism]:
    try:
        ledger = boundary.decode(body)
        columns = {name: np.atleast_1d(getattr(ledger, name)).tolist() for name in Mechanism.__dataclass_fields__
                   if hasattr(ledger, name)}
        return [Mechanism(**dict(zip(columns, each, strict=True))) for each in zip(*columns.values(), strict=True)]
    except (boundary.BoundaryError, TypeError, ValueError) as error:
        raise _Ended("invalid-output", f"the ledger is not one: {error}") from error


def _explain(result: Visit, code: int) -> None:
    """Name the way a silent guest ended, from its exit code."""
    if result.status == "failed" and not result.reason:
        if code == -signal.SIGKILL:
            result.status, result.reason = "out-of-memory", "the system killed it (SIGKILL), as it does when memory runs out"
        elif code < 0:
            result.reason = f"ended by {signal.Signals(-code).name} before it answered"
        else:
            result.reason = f"left with exit code {code} before it answered"


class _Log:
    """The first and the last of what was printed, in bounded space."""

    def __init__(self) -> None:
        self.head, self.tail, self.size = b"", b"", 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = LOG_KEPT // 2 - len(self.head)
        self.head += data[:room]
        self.tail = (self.tail + data[max(room, 0):])[-LOG_KEPT // 2:]

    def text(self) -> str:
        cut = self.size - len(self.head) - len(self.tail)
        middle = f"\n[... {cut:,} bytes left out ...]\n".encode() if cut else b""
        return (self.head + middle + self.tail).decode(errors="replace")


class _Watch:
    """The pipes to one guest, with a deadline and an eye on its memory; never blocks on either side."""

    def __init__(self, pid: int, asks: int, answers: int, log: int, deadline: float, memory: int) -> None:
        self.pid, self.deadline, self.memory, self.peak, self.log = pid, deadline, memory, 0, _Log()
        self._asks, self._answers, self._log = asks, answers, log
        self._began, self._looked = time.monotonic(), 0.0
        self._process = psutil.Process(pid)
        self._incoming, self._outgoing = bytearray(), memoryview(b"")
        for descriptor in (asks, answers, log):
            os.set_blocking(descriptor, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(answers, selectors.EVENT_READ)
        self._selector.register(log, selectors.EVENT_READ)

    def ask(self, verb: str, record: bytes) -> None:
        """Queue one ask; it is written while answers are awaited."""
        self._say(boundary.head(guest.ASK, len(verb)), verb.encode(), boundary.head(guest.RECORD, len(record)), record)

    def _say(self, *parts: bytes) -> None:
        self._outgoing = memoryview(b"".join(parts))
        self._selector.register(self._asks, selectors.EVENT_WRITE)

    def state(self) -> int | None:
        """Ask how many numbers the fitted method holds; None where the guest cannot tell."""
        self._say(boundary.head(guest.STATE, 0))
        with contextlib.suppress(_Ended, ValueError):
            counted = json.loads(self.frame(guest.STATE))
            return counted if isinstance(counted, int) else None
        return None

    def frame(self, wanted: bytes, limit: int = 0) -> bytes:
        """Wait for the next frame, which must bear this tag; ends the visit for anything else."""
        limit = max(limit, _LIMITS.get(wanted, 0))
        while True:
            if (head := boundary.opened(self._incoming)) is not None:
                tag, length = head
                if tag not in (wanted, guest.ERROR):
                    raise _Ended("invalid-output", f"the guest broke the protocol with a frame {tag!r}")
                allowed = limit if tag == wanted else _LIMITS[guest.ERROR]
                if length > allowed:
                    raise _Ended("invalid-output", f"it sent {length:,} bytes where at most {allowed:,} were agreed")
                if (body := boundary.taken(self._incoming, length)) is not None:
                    if tag == guest.ERROR:
                        raise _Ended(*_failure(body))
                    return body
            self._turn()

    def _turn(self) -> None:
        now = time.monotonic()
        if now > self.deadline:
            raise _Ended("timeout", f"no answer within {self.deadline - self._began:.0f} s; give it more with --time-limit")
        if now - self._looked > _LOOK:
            self._looked = now
            self._look()
        for key, _ in self._selector.select(min(_LOOK, self.deadline - now + 0.001)):
            if key.fd == self._asks:
                self._write()
            elif key.fd == self._log:
                self._read_log()
            else:
                self._read_answers()

    def _write(self) -> None:
        try:
            self._outgoing = self._outgoing[os.write(self._asks, self._outgoing):]
        except BrokenPipeError:
            self._outgoing = memoryview(b"")
        if not self._outgoing:
            self._selector.unregister(self._asks)

    def _read_log(self) -> None:
        data = os.read(self._log, 1 << 16)
        if data:
            self.log.add(data)
        else:
            self._selector.unregister(self._log)

    def _read_answers(self) -> None:
        data = os.read(self._answers, 1 << 20)
        if not data:
            raise _Ended("failed", "")
        self._incoming += data

    def _look(self) -> None:
        with contextlib.suppress(psutil.Error):
            used = sum(each.memory_info().rss for each in [self._process, *self._process.children(recursive=True)])
            self.peak = max(self.peak, used)
            if used > self.memory:
                raise _Ended("out-of-memory", f"it used {used / 2**30:.2f} GiB where {self.memory / 2**30:.2f} were agreed; "
                             "declare more with `memory`")

    def cpu(self) -> float:
        """CPU seconds the guest and what it started have used so far."""
        try:
            own = time.clock_gettime((~self.pid << 3) | 2)  # The process' CPU clock, in nanoseconds (Linux).
            with contextlib.suppress(psutil.Error):
                for child in self._process.children(recursive=True):
                    times = child.cpu_times()
                    own += times.user + times.system
                times = self._process.cpu_times()
                own += times.children_user + times.children_system
            return own
        except OSError:
            times = self._process.cpu_times()
            return float(times.user + times.system + times.children_user + times.children_system)

    def end(self) -> None:
        """Close the asks, which ends a guest that is done, and kill one that is not."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._asks)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def drain(self) -> None:
        """Read what is left of the log once the guest is gone."""
        self._selector.close()
        with contextlib.suppress(BlockingIOError, OSError):
            while data := os.read(self._log, 1 << 16):
                self.log.add(data)


def _failure(body: bytes) -> tuple[str, str]:
    """Read a guest's last words: an exception's kind, text and place."""
    try:
        told = json.loads(body)
        kind, text, where = (str(told[name]) for name in ("kind", "text", "where"))
    except (ValueError, KeyError, TypeError):
        return "failed", "it failed, and could not say why"
    memory = kind == "MemoryError" or "can't allocate memory" in text or "bad_alloc" in text
    reason = f"{kind}: {text}" + (f" (at {where})" if where else "")
    return ("out-of-memory" if memory else "failed"), reason
