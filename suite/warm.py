"""Warm parents: preloaded processes that fork a guest in milliseconds. One worker keeps a few, one an environment."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fourfold.suite import cgroups, guest, leftovers, sandbox
from fourfold.suite.pack import CURATED

PRELOADED = frozenset(
    {"lightgbm", "opacus", "pandas", "fairlearn", "scipy", "sklearn", "statsforecast", "torch", *CURATED}
)
"""Packages that a parent may import ahead of a method: well known, slow to import, and clean to fork after."""

_START, _FORK = 600.0, 60.0  # Seconds for a parent's imports, and for a fork, on a machine that is very busy.


class GuestLost(RuntimeError):
    """The warm parent ended: the suite's trouble, not the method's."""


class UnfitError(RuntimeError):
    """This worker cannot score these cells: what it lacks, and what to do."""


@dataclass(frozen=True)
class Reaped:
    """How a guest ended: exit status, negative for a signal; CPU seconds of it and all it started; bytes.

    exceeded: the system ended it, or what it started, at the limit of its cgroup.
    """

    status: int
    cpu: float
    memory: int
    exceeded: bool = False


class Parent:
    """One warm parent: a Python of the method's environment that has imported ``preload`` and waits for orders.

    ``confinement`` is how far its guests are confined, one of ``sandbox.LEVELS``; ``limited_by`` what limits the memory
    of the last: its ``cgroup``, or limits on each ``process`` and the suite's looks at what they hold. ``to_come`` is
    the process that waits, while a guest runs, to be the next.
    """

    def __init__(self, python: str, preload: Sequence[str], threads: int, gpus: bool = False) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._kept = contextlib.ExitStack()
        self._folder = self._kept.enter_context(leftovers.folder("fourfold-parent-"))
        devices = "gpus" if gpus else "none"
        self._guest, self._limited, self.limited_by, self.to_come = 0, False, "process", 0
        self._control, theirs = socket.socketpair()
        with theirs:
            # Not isolated (-I): that would ignore PYTHONHASHSEED. The environment is ours, without any other PYTHON*.
            self._process = subprocess.Popen(
                [python, "-s", "-P", "-m", "fourfold.suite.guest", str(theirs.fileno()), str(self._folder), devices,
                 *preload],
                pass_fds=[theirs.fileno()],
                env=sandbox.environment(threads),
                cwd="/",
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
            )
        self._control.setblocking(False)
        try:
            self.confinement = sandbox.LEVELS[self._told(len(guest.WARM) + 1, _START)[-1]]
        except GuestLost:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id of the parent."""
        return self._process.pid

    @property
    def confined(self) -> bool:
        """Whether its guests live in worlds of their own."""
        return self.confinement == sandbox.LEVELS[-1]

    def fileno(self) -> int:
        """Readable once the guest is gone, or the parent: what a selector waits on before ``reap``."""
        return self._control.fileno()

    def fork(self, descriptors: Sequence[int], memory_limit: int) -> int:
        """Start a guest with these pipe ends for its asks, answers and log; return its process id."""
        try:
            socket.send_fds(self._control, [guest.FORK], list(descriptors))
        except OSError as error:
            raise self._lost() from error
        self._guest, self.to_come = guest.FORKED.unpack(self._told(guest.FORKED.size, _FORK))
        self._limited = cgroups.limit(self.pid, self._guest, memory_limit)
        return self._guest

    def kill(self) -> None:
        """End the guest and all it started; ``reap`` tells when that is done. Nothing where it is already gone."""
        with contextlib.suppress(OSError):
            self._control.send(guest.KILL)

    def reap(self) -> Reaped:
        """Wait until the guest, and all it started, are gone; what it left in its folder goes too."""
        status, cpu, memory = guest.REAPED.unpack(self._told(guest.REAPED.size, _FORK))
        held = cgroups.leave(self.pid, self._guest)
        self.limited_by = "cgroup" if self._limited and held.entered else "process"
        if not self.confined:
            with contextlib.suppress(OSError):
                leftovers.clear(self._folder)
        return Reaped(status, cpu, max(memory, held.memory), held.exceeded)

    def _told(self, size: int, patience: float) -> bytes:
        """Read exactly what was announced: what follows must stay in the socket, where a selector sees it."""
        data, until = b"", time.monotonic() + patience
        waiting = select.poll()  # Not select.select, which a worker's thousandth descriptor is too many for.
        waiting.register(self._control, select.POLLIN)
        while len(data) < size:
            if not waiting.poll(1000 * max(0.0, until - time.monotonic())):
                self._process.kill()
            try:
                more = self._control.recv(size - len(data))
            except OSError:
                more = b""
            if not more:
                raise self._lost()
            data += more
        return data

    def _lost(self) -> GuestLost:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2000))
        said = self._said.read().decode(errors="replace").strip()
        code = self._process.poll()
        return GuestLost(f"the warm parent of the guests ended with code {code}" + (f": {said}" if said else ""))

    def close(self) -> None:
        """End the parent, and with it whatever guest still runs."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        cgroups.leave_all(self.pid)
        self._said.close()
        self._kept.close()


class Parents:
    """The warm parents of one worker, the least recently used closed first; a context manager.

    sandboxed: whether guests that are confined to less than namespaces are refused.
    """

    def __init__(self, most: int = 4, *, sandboxed: bool = False) -> None:
        sandbox.open_many()
        self._most, self._sandboxed = most, sandboxed
        self._parents: OrderedDict[tuple[str, tuple[str, ...], int, bool, bool], Parent] = OrderedDict()

    def get(
        self,
        preload: Sequence[str],
        cpus: float,
        python: str = sys.executable,
        *,
        gpus: bool = False,
        custodian: bool = False,
    ) -> Parent:
        """The parent for this environment, these modules and this many threads, started where there is none.

        gpus: one whose guests may use them. custodian: one that forks custodians, beside the one that forks guests.
        Raises UnfitError where its guests would be confined to less than is required.
        """
        wanted = tuple(sorted(PRELOADED.intersection(preload))) if sys.platform == "linux" else ()
        key = (python, wanted, max(1, int(cpus)), gpus, custodian)
        if key not in self._parents:
            while len(self._parents) >= self._most:
                self._parents.popitem(last=False)[1].close()
            self._parents[key] = self._checked(Parent(*key[:4]))
        self._parents.move_to_end(key)
        return self._parents[key]

    def _checked(self, parent: Parent) -> Parent:
        if self._sandboxed and not parent.confined:
            parent.close()
            raise UnfitError(
                f"guests would be confined to {parent.confinement!r} here, and {sandbox.LEVELS[-1]!r} is required: "
                "see `fourfold doctor` for what is missing, or leave out --require-sandbox and trust the methods"
            )
        return parent

    def drop(self, parent: Parent | None) -> None:
        """Close a parent that is lost; the next ``get`` starts another."""
        for key in [key for key, each in self._parents.items() if each is parent]:
            self._parents.pop(key).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        while self._parents:
            self._parents.popitem()[1].close()
