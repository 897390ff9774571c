"""A memory cgroup for each guest, where this user may make one. Standard library alone.

It counts what no limit on a process does: files in memory, what waits in sockets, page tables, all processes together.
"""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROCESSES = 1024
"""Processes and threads of a guest, those among them that confine it, where a cgroup can count them."""

_LIMITS = {  # By version: what limits a group, and its value.
    1: {"memory.limit_in_bytes": "{memory}", "memory.memsw.limit_in_bytes": "{memory}"},
    2: {"memory.max": "{memory}", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "{processes}"},
}
_TOLD = {  # What tells the most that it has held, and whether the system ended a process of it for want of memory.
    1: ("memory.max_usage_in_bytes", "memory.oom_control"),
    2: ("memory.peak", "memory.events"),
}
_NAME = re.compile(r"fourfold-(\d+)-\d+")
_SUITE = "fourfold-suite"
"""Where version 2 has the suite's own processes: a group that has processes can have none below that count memory."""
_SWEPT = 1000


@dataclass(frozen=True)
class Held:
    """What a group came to. entered: somebody was in it. memory: the most bytes that it held.

    exceeded: the system ended a process of it at its limit.
    """

    entered: bool = False
    memory: int = 0
    exceeded: bool = False


@functools.cache
def home() -> tuple[Path | None, str]:
    """The folder in which groups may be made, or None and why not: found out by making one."""
    why = "no file system of cgroups that counts memory is mounted"
    for version, place in sorted(_own()):
        try:
            place = _opened(place) if version == 2 else place
            _sweep(place)
            group = _named(place, os.getpid(), 0)
            group.mkdir()
            try:
                _write(group, version, 1 << 30)
            finally:
                group.rmdir()
            return place, ""
        except OSError as error:
            why = f"version {version}: {error}"
    return None, why


def join(owner: int) -> None:
    """Put this process, and all it will start, into a group of its own. owner: the process that outlives it."""
    if (place := home()[0]) is not None:
        group = _named(place, owner, os.getpid())
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text("0")


def limit(owner: int, pid: int, memory: int) -> bool:
    """Limit what the group may hold, in bytes, that the process ``pid`` joins, or has joined; whether that is done."""
    with contextlib.suppress(OSError):
        if (place := home()[0]) is not None:
            group = _named(place, owner, pid)
            group.mkdir(exist_ok=True)
            _write(group, _version(group), memory)
            return True
    return False


def leave(owner: int, pid: int) -> Held:
    """Remove the group of a process that is gone, with all it started, and tell what it came to.

    What was read from files is no memory held: the system keeps it while there is room, and drops it for what needs it.
    """
    held = Held()
    with contextlib.suppress(OSError, ValueError):
        if (place := home()[0]) is not None:
            group = _named(place, owner, pid)
            most, ended = _TOLD[_version(group)]
            stat, most_held = _numbers(group / "memory.stat"), int((group / most).read_text())
            memory = max(0, most_held - stat.get("active_file", 0) - stat.get("inactive_file", 0))
            held = Held(most_held > 0, memory, _numbers(group / ended).get("oom_kill", 0) > 0)
            group.rmdir()
    return held


def leave_all(owner: int) -> None:
    """Remove the groups that a process has left, which has ended."""
    if (place := home()[0]) is not None:
        _sweep(place, owner)


def _named(place: Path, owner: int, pid: int) -> Path:
    return place / f"fourfold-{owner}-{pid}"


def _version(group: Path) -> int:
    return 2 if (group / "memory.max").exists() else 1


def _write(group: Path, version: int, memory: int) -> None:
    for name, value in _LIMITS[version].items():
        with contextlib.suppress(FileNotFoundError):  # Where the kernel counts no swap.
            (group / name).write_text(value.format(memory=memory, processes=PROCESSES))


def _numbers(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def _own() -> Iterator[tuple[int, Path]]:
    """The groups of this process that count memory, or could, by version; see cgroups(7) and proc_pid_mountinfo(5)."""
    if sys.platform != "linux":
        return
    with open("/proc/self/cgroup") as file:
        own = {names: path for _, names, path in (line.rstrip("\n").split(":", 2) for line in file)}
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split(" - ") for line in file]
    for before, after in mounts:
        (root, point), (kind, _, options) = before.split()[3:5], after.split()[:3]
        for names, path in own.items():
            first = kind == "cgroup" and "memory" in names.split(",") and "memory" in options.split(",")
            if first or (kind == "cgroup2" and not names):
                yield 1 if first else 2, Path(os.path.normpath(os.path.join(point, os.path.relpath(path, root))))


def _opened(place: Path) -> Path:
    """Have a group of version 2 that was delegated to this user count the memory of those below it."""
    place = place.parent if place.name == _SUITE else place
    control = place / "cgroup.subtree_control"
    if "memory" not in control.read_text().split():
        # Whoever runs systemd's other groups must not part them. Of what cannot be counted, nobody is moved.
        if "memory" not in (place / "cgroup.controllers").read_text().split() or not _delegated(place):
            raise OSError(f"{place} is not delegated to this user, with its memory")
        (place / _SUITE).mkdir(exist_ok=True)
        for pid in (place / "cgroup.procs").read_text().split():
            (place / _SUITE / "cgroup.procs").write_text(pid)
        control.write_text("+memory +pids")
    return place


def _delegated(place: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.getxattr(place, "user.delegate") == b"1"
    return False


def _sweep(place: Path, owner: int = 0) -> None:
    """Remove what one owner left behind, or all who are dead: a group that still has processes stays."""
    for group in sorted(place.glob("fourfold-*-*"))[:_SWEPT]:
        match = _NAME.fullmatch(group.name)
        whose = int(match[1]) if match else 0
        if whose and (whose == owner or not (owner or os.path.exists(f"/proc/{whose}"))):
            with contextlib.suppress(OSError):
                group.rmdir()
