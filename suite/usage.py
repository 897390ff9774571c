"""What a guest and all it started use, as the operating system counts it, looked at from outside while they run."""

import contextlib
import os
import sys
import time

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """CPU time and resident memory of every process below the warm parent ``parent``, whose only guest is ``guest``."""

    def __init__(self, parent: int, guest: int) -> None:
        self._parent, self._guest = parent, guest
        self._own: dict[tuple[int, int], float] = {}
        self._most = 0.0

    def cpu(self) -> float:
        """CPU seconds used so far by the processes that live and by those that have ended; never less than before.

        A process that ends is counted by the one that waits for it, and orphans go to the warm parent, which waits at
        the end. Only one that ignores SIGCHLD loses its children's time; so what each was seen to use is summed too.
        """
        if sys.platform != "linux":
            return _cpu_elsewhere(self._guest)
        total = 0.0
        for pid in _below(self._parent):
            with contextlib.suppress(OSError, IndexError):
                started, waited_for = _stat(pid)
                own = time.clock_gettime((~pid << 3) | 2)  # Its CPU clock, in nanoseconds; see clock_getcpuclockid(3).
                self._own[pid, started] = own
                total += own + waited_for
        self._most = max(self._most, total, sum(self._own.values()))
        return self._most

    def memory(self) -> int:
        """Resident bytes now; pages that several of the processes share are counted once."""
        if sys.platform != "linux":
            return _memory_elsewhere(self._guest)
        processes = _below(self._parent)
        return sum(_resident(pid, shared=len(processes) > 1) for pid in processes)


def _below(pid: int) -> list[int]:
    """Every descendant of a process, from the kernel's own lists: no walk over all processes of the machine."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        folder = f"/proc/{waiting.pop()}/task"
        with contextlib.suppress(OSError):
            for thread in os.listdir(folder):
                with contextlib.suppress(OSError), open(f"{folder}/{thread}/children") as file:
                    children = [int(child) for child in file.read().split()]
                    found += children
                    waiting += children
    return found


def _stat(pid: int) -> tuple[int, float]:
    """When a process started, in ticks, and the CPU seconds of the children it has waited for; see proc_pid_stat(5)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[19]), (int(fields[13]) + int(fields[14])) / _TICK


def _resident(pid: int, *, shared: bool) -> int:
    """Resident bytes of a process; with ``shared``, each page divided by the number of processes that map it."""
    with contextlib.suppress(OSError, IndexError):
        if shared:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), 0)
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    return 0


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
