"""The pipes to one guest, with a deadline and an eye on its memory: what its frames, its silence and its end mean."""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import time
from collections import deque
from types import TracebackType
from typing import Self

from fourfold.suite import boundary, guest
from fourfold.suite.boundary import Bytes
from fourfold.suite.folder import FolderError
from fourfold.suite.namespaces import ConfinementError
from fourfold.suite.usage import Usage
from fourfold.suite.warm import GuestLost, Parent, Reaped

LOG_KEPT = 16 << 10
"""Bytes of what a method prints that are kept for its author: the first half and the last."""

_LIMITS = {
    guest.READY: 8, guest.LEDGER: 1 << 20, guest.STATE: 32, guest.ERROR: 1 << 14, guest.FAULT: 1 << 14,
    guest.CALL: 1 << 29,
}
_LOOK, _RARELY = 0.1, 0.5  # Seconds between two looks at the guest's memory, and where a look itself takes long.
_GRACE = 1.0  # Seconds for a guest that is done to end by itself.
_CLOSED = 3.0  # Seconds for one that has closed its pipe: how it ends says why, and a busy machine takes its time.
_PIPE = 1 << 20
_NAMES = {
    guest.ANSWER: "answer", guest.LEDGER: "ledger", guest.ERROR: "error", guest.STATE: "count",
    guest.EVIDENCE: "evidence",
}
_HANDS_OFF = "leave descriptors alone that the method did not open"
_MORE_MEMORY = "use less, or declare more: memory = ... (GiB)"


class VisitError(Exception):
    """A visit is over before its time; its arguments are the status and the reason."""


class FaultError(VisitError):
    """The method raised in an ask, and the guest stands ready for the next."""


class BesideError(VisitError):
    """A visit is over by the doing of the guest that is looked at beside the one that was asked."""


class KilledError(VisitError):
    """The guest was ended by SIGKILL, and not by the suite: by the system, by somebody, or by itself."""


class Watch:
    """One guest, forked from ``parent``; a context manager, after which nothing of the guest is left.

    Asking and waiting never block on a guest that does not read or write. ``log`` is what it printed. beside: another
    guest, whose memory is looked at as often while this one is waited for.
    """

    def __init__(self, parent: Parent, memory_limit: int, beside: "Watch | None" = None) -> None:
        self.peak, self.log, self._beside = 0, Log(), beside
        self._parent, self._memory_limit = parent, memory_limit
        self._allowed, self._deadline = 0.0, float("inf")
        self._look_at = time.monotonic() + _LOOK
        self._incoming, self._outgoing = bytearray(), deque[memoryview]()
        self._closed = False
        self._reaped: Reaped | None = None
        asks, self._asks = _pipe()
        self._answers, answers = _pipe()
        self._log, log = _pipe()
        self._selector = selectors.DefaultSelector()
        try:
            forked = parent.fork((asks, answers, log), memory_limit)
            self.usage = Usage(parent.pid, forked, parent.to_come, confined=parent.confined)
        except BaseException:
            self._close()
            raise
        finally:
            for descriptor in (asks, answers, log):
                os.close(descriptor)
        for descriptor in (self._asks, self._answers, self._log):
            os.set_blocking(descriptor, False)
        for source in (self._answers, self._log, parent):
            self._selector.register(source, selectors.EVENT_READ)

    def allow(self, seconds: float) -> None:
        """Give the guest this long from now; after it, waiting for a frame ends the visit as ``timeout``."""
        self._allowed, self._deadline = seconds, time.monotonic() + seconds

    def say(self, tag: bytes, body: Bytes = b"") -> None:
        """Queue one frame; it is written while the next one is awaited."""
        self._outgoing += (memoryview(boundary.head(tag, len(body))), memoryview(body))
        if self._asks not in self._selector.get_map():
            self._selector.register(self._asks, selectors.EVENT_WRITE)

    def ask(self, verb: str, record: Bytes) -> None:
        """Queue one ask of the method; ends the visit where something has come that answers none."""
        self._read_answers()
        if self._incoming:
            raise _broken("it answered before it was asked")
        self.say(guest.ASK, verb.encode())
        self.say(guest.RECORD, record)

    def frame(self, wanted: bytes, limit: int = 0) -> bytes:
        """Wait for the next frame, which must bear this tag and be no longer than this; ends the visit otherwise."""
        return self.either((wanted,), limit)[1]

    def either(self, wanted: tuple[bytes, ...], limit: int = 0) -> tuple[bytes, bytes]:
        """``frame``, for whichever of several tags comes; ``limit`` is the first one's. Returns tag and body."""
        while True:
            if (head := boundary.opened(self._incoming)) is not None:
                tag, length = head
                if tag not in (*wanted, guest.ERROR, guest.FAULT):
                    raise _broken(f"a frame {tag!r} came where {wanted[0]!r} was due")
                allowed = max(limit if tag == wanted[0] else 0, _LIMITS.get(tag, 0))
                if length > allowed:
                    what = _NAMES.get(tag, "frame")
                    raise VisitError(
                        "invalid-output",
                        f"its {what} has {length:,} bytes where at most {allowed:,} were "
                        "agreed: send no more than is asked for",
                    )
                if (body := boundary.taken(self._incoming, length)) is not None:
                    return tag, self._checked(tag, body)
            if self._reaped:
                raise _silent(self._reaped)
            self._turn()

    def _checked(self, tag: bytes, body: bytes) -> bytes:
        if tag in (guest.ERROR, guest.FAULT):
            raise (FaultError if tag == guest.FAULT else VisitError)(*_failure(body))
        if self._outgoing:
            raise _broken("it answered before it had read what it was asked")
        return body

    def _turn(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            if self._closed:
                raise VisitError("failed", "it closed the pipe that carries its answers; " + _HANDS_OFF)
            within = f"no answer within {self._allowed:.4g} s"
            raise VisitError("timeout", f"{within}; be quicker, or be given more by --time-limit")
        if now >= self._look_at:
            self._look()
            self._look_beside()
        for key, _ in self._selector.select(max(0.0, min(self._look_at, self._deadline) - time.monotonic())):
            if key.fileobj is self._parent:
                self._reap()
            elif key.fd == self._asks:
                self._write()
            elif key.fd == self._log:
                self._read_log()
            else:
                self._read_answers()

    def _reap(self) -> None:
        self._selector.unregister(self._parent)
        self._reaped = self._parent.reap()
        while self._read_answers():
            pass

    def _write(self) -> None:
        try:
            while self._outgoing:
                self._outgoing[0] = self._outgoing[0][os.write(self._asks, self._outgoing[0]) :]
                if not self._outgoing[0]:
                    self._outgoing.popleft()
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._outgoing.clear()
        self._selector.unregister(self._asks)

    def _read_log(self) -> None:
        try:
            data = os.read(self._log, _PIPE)
        except BlockingIOError:  # The guest, which may open its own end, has read it first.
            return
        if data:
            self.log.add(data)
        else:
            self._selector.unregister(self._log)

    def _read_answers(self) -> bool:
        """Take what has come; False where nothing has, or nothing will."""
        if self._closed:
            return False
        try:
            data = os.read(self._answers, _PIPE)
        except BlockingIOError:
            return False
        self._incoming += data
        if not data:
            self._closed = True
            self._selector.unregister(self._answers)
            self._deadline = min(self._deadline, time.monotonic() + _CLOSED)
        return bool(data)

    def _look(self) -> None:
        began = time.thread_time()  # By the wall clock, looks would be rare on a busy machine, and miss short lives.
        used = self.usage.memory(self._memory_limit)
        self.peak = max(self.peak, used)
        cost = time.thread_time() - began
        # Looking at many processes takes a while; but no method may make so many that its memory goes unseen.
        self._look_at = time.monotonic() + max(_LOOK, min(20 * cost, _RARELY))
        if used > self._memory_limit:
            sizes = f"{used / 2**30:.2f} GiB where {self._memory_limit / 2**30:.2f} were agreed"
            raise VisitError("out-of-memory", f"it used {sizes}; {_MORE_MEMORY}")

    def _look_beside(self) -> None:
        try:
            if self._beside:
                self._beside._look()
        except VisitError as ended:
            raise BesideError(*ended.args) from None

    def finish(self) -> None:
        """Wait, not for long, for a guest that is done to end by itself. What it says now is not heard."""
        if not self._closed:
            self._closed = True
            self._selector.unregister(self._answers)
        self.allow(_GRACE)
        with contextlib.suppress(VisitError):
            while not self._reaped:
                self._turn()

    def end(self) -> Reaped:
        """Kill the guest where it still lives, read what it had printed, and return what the system counted for it."""
        if not self._reaped:
            self._parent.kill()
            self._reaped = self._parent.reap()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._log, _PIPE):
                self.log.add(data)
        return self._reaped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        try:
            self.end()
        finally:
            self._close()

    def _close(self) -> None:
        self._selector.close()
        for descriptor in (self._asks, self._answers, self._log):
            os.close(descriptor)


def _broken(how: str) -> VisitError:
    return VisitError("invalid-output", f"the guest broke the protocol: {how}; {_HANDS_OFF}")


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE)
    return read, write


def _failure(body: bytes) -> tuple[str, str]:
    """Read a guest's last words: an exception's kind, text and place. Raises GuestLost where it never got to run."""
    try:
        told = json.loads(body)
        kind, text, where = (str(told[name]) for name in ("kind", "text", "where"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "failed", "it failed, and could not say why; what it printed may tell"
    if kind == ConfinementError.__name__:
        raise GuestLost(text)
    place = f" (at {where})" if where else ""
    if kind == "MemoryError" or "can't allocate memory" in text or "bad_alloc" in text:
        return "out-of-memory", f"{kind}: {text}{place}; {_MORE_MEMORY}"
    if kind in (guest.AnswerError.__name__, FolderError.__name__):
        return "invalid-output", text
    return "failed", f"{kind}: {text}{place}"


def _silent(reaped: Reaped) -> VisitError:
    """Name the way a guest ended that said nothing."""
    code = reaped.status
    if code == -signal.SIGKILL and reaped.exceeded:
        reason = "it held more than was agreed, files in memory, sockets and page tables counted"
        return VisitError("out-of-memory", f"{reason}; {_MORE_MEMORY}")
    if code == -signal.SIGKILL:
        reason = "it was killed by SIGKILL, as the system does when memory runs out; use less"
        return KilledError("out-of-memory", reason)
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() and -code < signal.SIGRTMIN else str(-code)
        reason = f"it was ended by {name} before it had answered; run it by itself to find out where"
        return VisitError("failed", reason)
    return VisitError("failed", f"it left with exit code {code} before it had answered; let fit and predict return")


class Log:
    """The first and the last of what was printed, in bounded space."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = b"", b"", 0

    def add(self, data: bytes) -> None:
        """Take more of what was printed."""
        self._size += len(data)
        room = LOG_KEPT // 2 - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[max(room, 0) :])[-LOG_KEPT // 2 :]

    def text(self) -> str:
        """What is kept, with a line that says how much is not."""
        cut = self._size - len(self._head) - len(self._tail)
        middle = f"\n[... {cut:,} bytes left out ...]\n".encode() if cut else b""
        return (self._head + middle + self._tail).decode(errors="replace")
