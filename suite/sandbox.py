"""What confines a guest. The guest's side calls ``confine``, the suite's ``environment``. Standard library alone."""

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import site
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any

from fourfold.suite import cgroups, namespaces

LEVELS = ("process", "namespaces")
"""How far a guest can be confined, as every row's provenance records. ``process``: its own process, environment, folder
and limits, which keeps out accidents and no malice. ``namespaces``: it sees no other process, no network, no file but
the system's, read-only, and its own; and many system calls are denied."""
SCRATCH = 2 << 30
"""Bytes that a confined guest may keep in files."""
PLAIN = "FOURFOLD_SANDBOX"
"""The environment variable that, where it is ``process``, has guests confined no further than that."""

_MODULES = (*all_suffixes(), ".dist-info", ".egg-info")
"""How what is imported from, or describes it, is named."""
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
)
# For glibc: memory that was freed is kept for what comes next, however large. Given back and asked for again at each
# step, a batch of 100 MB costs as much in page faults as in arithmetic. For Arrow: no pool of its own, which would set
# aside more than it uses, from what a method may have.
_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "ARROW_DEFAULT_MEMORY_POOL": "system"}
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def environment(threads: int) -> dict[str, str]:
    """The variables a guest starts with: a path, a language, its devices, its threads, and no word of the suite's."""
    kept = {name: os.environ[name] for name in (*_KEPT, PLAIN) if name in os.environ}
    # One order of sets for all guests. No bytecode: what one guest wrote, another would run.
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | dict.fromkeys(_THREADS, str(threads)) | _HEAP | fixed


@dataclass(frozen=True)
class Place:
    """Where a process is that waits to be a guest. level: one of LEVELS. home: its scratch, in which it may write.
    method: where its files go. settle: puts them there, given what writes them, and gives up all rights."""

    level: str
    home: str
    method: str
    settle: Callable[[Callable[[Path], None]], None]


def prepare(level: str, folder: str, shown: Sequence[str], gpus: bool, held: Sequence[int]) -> Place:
    """Do what can be done before it is known for which method: the calling process dies with its parent from now on.

    level: one of LEVELS; beyond ``process``, it is another process that goes on, with the descriptors ``held``.
    folder: an empty one, the guest's. shown: folders it may read. gpus: whether it may use them.
    Raises ConfinementError where the machine does not let it.
    """
    with contextlib.suppress(OSError):
        cgroups.join(os.getppid())
    os.setsid()
    die_with_parent()
    if level == "namespaces":
        user, group = namespaces.enter(folder, SCRATCH, shown, gpus, held)
        return Place(level, namespaces.HOME, namespaces.METHOD, partial(namespaces.settle, user, group))
    method = Path(folder, "method")
    return Place(level, os.path.join(folder, "home"), str(method), lambda write: write(method))


def confine(place: Place, order: Mapping[str, Any], write: Callable[[Path], None]) -> None:
    """Bind the calling process, and all it starts, to its place and its limits.

    order: what the guest is told: ``memory_limit``, ``budget``. write: puts the method's files into a folder.
    Raises ConfinementError where the machine does not let it.
    """
    place.settle(write)
    os.makedirs(place.home, exist_ok=True)
    os.chdir(place.home)
    os.environ.update(HOME=place.home, TMPDIR=place.home)
    tempfile.tempdir = None  # Whoever asked before the fork was told another.
    # One byte of a core, not none: Linux heeds no other limit where a program of the system's takes the cores.
    for limit, value in ((resource.RLIMIT_CORE, 1), (resource.RLIMIT_NOFILE, 1024), (resource.RLIMIT_FSIZE, 4 << 30)):
        _lower(limit, value)
    if sys.platform == "linux":
        # The data segment, not the address space: importing torch maps 600 MB it never touches.
        _lower(resource.RLIMIT_DATA, order["memory_limit"])
    budget = order.get("budget", {})
    if "time_limit" in budget:
        _lower(resource.RLIMIT_CPU, int(2 * budget["time_limit"] * max(1.0, budget["cpus"])) + 60)


def shown() -> list[str]:
    """The folders and files that this Python imports from, which a guest may read.

    Of a folder of somebody's own on the path, such as that of a project under development, the modules alone: a results
    folder, with its key, may lie in it.
    """
    whole = [sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()]
    found = [*whole, os.path.dirname(os.path.abspath(__file__))]
    for finder in sys.meta_path:  # An editable installation maps names to folders by a finder of its own.
        mapping = getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", {})
        found += [path for path in mapping.values() if os.path.isdir(path)]
    for entry in filter(os.path.isabs, sys.path):
        installed = entry.endswith(("site-packages", "dist-packages")) or _is_below(entry, whole)
        found += [entry] if installed else _modules(entry)
    return sorted({path for path in found if os.path.exists(path)})


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(os.path.commonpath([path, folder]) == folder for folder in folders)


def _modules(folder: str) -> list[str]:
    """What can be imported from a folder, and what describes packages in it."""
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        return [each.path for each in entries if each.name.endswith(_MODULES) or (
            each.is_dir() and each.name.isidentifier() and _holds_modules(Path(each.path)))]


def _holds_modules(folder: Path) -> bool:
    """Whether it is a package, or one of which packages are parts."""
    return any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/*.py"))


def level(folders: Sequence[str], place: str | None = None) -> tuple[str, str]:
    """How far a guest can be confined here, and why no further: tried out by a process that is confined and ends.

    place: a folder to try it in; None: that for temporary files.
    """
    if os.environ.get(PLAIN) == LEVELS[0]:
        return LEVELS[0], f"{PLAIN}={LEVELS[0]} asks for no more"
    if sys.platform != "linux":
        return LEVELS[0], f"{sys.platform} has no namespaces"
    with tempfile.TemporaryDirectory(prefix="fourfold-", dir=place) as root:
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            _try(root, folders, write)
        os.close(write)
        with open(read, "rb") as told:
            why = told.read().decode(errors="replace")
        return (LEVELS[0], why) if os.waitpid(pid, 0)[1] else (LEVELS[1], "")


def _try(root: str, folders: Sequence[str], write: int) -> None:
    try:
        namespaces.settle(*namespaces.enter(root, SCRATCH, folders, False, [write]), lambda _: None)
        os._exit(0)
    except BaseException as error:
        os.write(write, str(error).encode()[:4096])
    finally:
        os._exit(1)


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (value, value))


def open_many() -> None:
    """Let this process have as many descriptors as it may.

    Those that wait in sockets count for all processes of one user, its guests' too: who may have few could send none.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that forked it ends; elsewhere the closed pipe ends it."""
    if sys.platform == "linux":
        _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def ended_with(control: socket.socket) -> Iterator[None]:
    """Meanwhile, let the socket's closing end this process at once: imports take seconds, and who wanted them is gone.

    Nothing is sent to it before it is warm, so that any signal of the socket's is of its closing.
    """
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([control], [], [], 0)[0]:  # It was closed before.
        os._exit(0)
    yield
    fcntl.fcntl(control, fcntl.F_SETFL, flags)


def adopt_orphans() -> None:
    """Make what a guest leaves running a child of this process, so that ``end_orphans`` finds it (Linux)."""
    if sys.platform == "linux":
        _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def end_orphans(but: int = 0) -> float:
    """Kill and reap every child of this process but one, and theirs as they become its own; return their CPU seconds.

    The one that is left alone is reaped as well where it has ended by itself.
    """
    used = 0.0
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
            if not pid and _kill_children(but):
                pid, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return used
        if not pid:
            return used
        if pid != but:
            used += usage.ru_utime + usage.ru_stime


def _kill_children(but: int) -> bool:
    """Send SIGKILL to each child but one; False where there is no other, or the system does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            children = [pid for each in file.read().split() if (pid := int(each)) != but]
    except OSError:
        return False
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(children)
