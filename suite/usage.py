"""What a guest and all it started use, as the operating system counts it, looked at from outside while they run."""

import contextlib
import os
import sys
import time

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """CPU time and resident memory of a guest: of every process below its warm parent, but for the guest ``to_come``.

    confined: the guest lives in a world of its own, in which two processes of the suite's keep it.
    """

    def __init__(self, parent: int, guest: int, to_come: int, *, confined: bool) -> None:
        self._parent, self._guest, self._to_come, self._confined = parent, guest, to_come, confined
        self._keepers: list[int] = []
        self._own: dict[tuple[int, int], float] = {}
        self._most = 0.0

    def cpu(self) -> float:
        """CPU seconds used so far by the processes that live and by those that have ended; never less than before.

        A process that ends is counted by the one that waits for it, and orphans go to the warm parent, which waits at
        the end. Only one that ignores SIGCHLD loses its children's time; so what each was seen to use is summed too.
        """
        if sys.platform != "linux":
            return _cpu_elsewhere(self._guest)
        return self._counted(below(self._parent, self._to_come))

    def memory(self, limit: int) -> int:
        """Resident bytes now; pages that several of the processes share are counted once. CPU time is noted as well.

        To tell who shares a page, the kernel walks through all of them: so a process that is alone is asked no more
        than how many it has, libraries that others use too among them, while these are no more than ``limit``.
        """
        if sys.platform != "linux":
            return _memory_elsewhere(self._guest)
        processes = below(self._parent, self._to_come)
        self._counted(processes)
        if self._confined and len(self._keepers) < 2:
            self._keepers = [self._guest, *_children(self._guest)]
        own = [pid for pid in processes if pid not in self._keepers]
        if len(own) == 1 and (alone := _resident(own[0])) <= limit:
            return alone
        return sum(_shared(pid) for pid in own)

    def _counted(self, processes: list[int]) -> float:
        total = 0.0
        for pid in processes:
            with contextlib.suppress(OSError, IndexError):
                started, waited_for = _stat(pid)
                own = time.clock_gettime((~pid << 3) | 2)  # Its CPU clock, in nanoseconds; see clock_getcpuclockid(3).
                self._own[pid, started] = own
                total += own + waited_for
        self._most = max(self._most, total, sum(self._own.values()))
        return self._most


def below(pid: int, but: int = 0) -> list[int]:
    """Every descendant of a process, from the kernel's own lists: no walk over all processes of the machine.

    but: a child that is left out, with its descendants.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = [child for child in _children(waiting.pop()) if child != but]
        found += children
        waiting += children
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, _told(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _told(path: str) -> bytes:
    """What a file of the kernel's says. By bare system calls: this is read many times a second, beside the methods."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while more := os.read(descriptor, 1 << 16):
            data += more
        return data
    finally:
        os.close(descriptor)


def _stat(pid: int) -> tuple[int, float]:
    """When a process started, in ticks, and the CPU seconds of the children it has waited for; see proc_pid_stat(5)."""
    fields = _told(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[19]), (int(fields[13]) + int(fields[14])) / _TICK


def _resident(pid: int) -> int:
    """Resident bytes of a process."""
    with contextlib.suppress(OSError, IndexError):
        return int(_told(f"/proc/{pid}/statm").split()[1]) * _PAGE
    return 0


def _shared(pid: int) -> int:
    """Resident bytes of a process, each page divided by the number of processes that map it.

    Of one that lets nobody look, as it may choose, every page counts.
    """
    try:
        lines = _told(f"/proc/{pid}/smaps_rollup").splitlines()
    except OSError:
        return _resident(pid)
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)


def _cpu_elsewhere(guest: int) -> float:
    total = 0.0
    for process in _processes(guest):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += sum(getattr(times, part, 0.0) for part in ("user", "system", "children_user", "children_system"))
    return total


def _memory_elsewhere(guest: int) -> int:
    total = 0
    for process in _processes(guest):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _processes(guest: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(guest)
        return [process, *process.children(recursive=True)]
    return []
