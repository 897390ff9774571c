"""Warm parents: preloaded processes that fork a guest in milliseconds. One worker keeps a few, one an environment."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from fourfold.suite import sandbox

PRELOADED = frozenset({"lightgbm", "opacus", "pandas", "fairlearn", "scipy", "sklearn", "statsforecast", "torch"})
"""Packages that a parent may import ahead of a method: well known, slow to import, and clean to fork after."""


class GuestLost(RuntimeError):
    """The warm parent ended: the suite's trouble, not the method's."""


class Parent:
    """One warm parent: a Python of the method's environment that has imported ``preload`` and waits for orders."""

    def __init__(self, python: str, preload: Sequence[str], threads: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [python, "-I", "-m", "fourfold.suite.guest", str(theirs.fileno()), *preload],
                pass_fds=[theirs.fileno()], env=sandbox.environment(threads), stdin=subprocess.DEVNULL, cwd="/",
            )
        self._control = ours
        self._lines = ours.makefile("rb")
        self._told()

    def fork(self, order: dict[str, Any], descriptors: Sequence[int]) -> int:
        """Start a guest with these pipe ends for its asks, answers and log; return its process id."""
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], list(descriptors))
        except OSError as error:
            raise GuestLost("the warm parent of the guests is gone") from error
        return int(self._told()["pid"])

    def reap(self) -> dict[str, Any]:
        """Wait for the guest to be gone; return its exit ``status``, ``cpu`` seconds and ``maxrss`` in KiB."""
        return self._told()

    def _told(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise GuestLost(f"the warm parent of the guests ended with code {self._process.wait()}")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the parent, and with it whatever guest still runs."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Parents:
    """The warm parents of one worker, the least recently used closed first; a context manager."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._parents: OrderedDict[tuple[str, tuple[str, ...], int], Parent] = OrderedDict()

    def get(self, preload: Sequence[str], cpus: float, python: str = sys.executable) -> Parent:
        """The parent for this environment, these modules and this many threads, started where there is none."""
        wanted = tuple(sorted(PRELOADED.intersection(preload))) if sys.platform == "linux" else ()
        key = (python, wanted, max(1, int(cpus)))
        if key not in self._parents:
            while len(self._parents) >= self._most:
                self._parents.popitem(last=False)[1].close()
            self._parents[key] = Parent(*key)
        self._parents.move_to_end(key)
        return self._parents[key]

    def drop(self, parent: Parent) -> None:
        """Close a parent that is lost; the next ``get`` starts another."""
        for key in [key for key, each in self._parents.items() if each is parent]:
            self._parents.pop(key).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        while self._parents:
            self._parents.popitem()[1].close()


def pipes() -> tuple[int, int, int, int, int, int]:
    """Three pipes: (asks read, asks write, answers read, answers write, log read, log write)."""
    return (*os.pipe(), *os.pipe(), *os.pipe())
