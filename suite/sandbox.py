"""What confines a guest. The guest's side calls ``confine``, the suite's ``environment``. Standard library alone."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile

CONFINEMENT = "process"
"""How far a guest is confined, as every row's provenance records: its own process, environment, folder and limits."""

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
)
# For glibc: memory that was freed is kept for what comes next, however large. Given back and asked for again at each
# step, a batch of 100 MB costs as much in page faults as in arithmetic.
_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def environment(threads: int) -> dict[str, str]:
    """The variables a guest starts with: a path, a language, its devices, its threads, and no word of the suite's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # One order of sets for all guests. No bytecode: what one guest wrote, another would run.
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | dict.fromkeys(_THREADS, str(threads)) | _HEAP | fixed


def confine(memory_limit: int, scratch: str) -> None:
    """Bind the calling process, and all it starts, to its folder and its limits; it dies with its parent."""
    os.setsid()
    die_with_parent()
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    tempfile.tempdir = None  # Whoever asked before the fork was told another.
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 1024), (resource.RLIMIT_FSIZE, 4 << 30)):
        _lower(limit, value)
    if sys.platform == "linux":
        # The data segment, not the address space: importing torch maps 600 MB it never touches.
        _lower(resource.RLIMIT_DATA, memory_limit)


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (value, value))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that forked it ends; elsewhere the closed pipe ends it."""
    if sys.platform == "linux":
        _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def adopt_orphans() -> None:
    """Make what a guest leaves running a child of this process, so that ``end_orphans`` finds it (Linux)."""
    if sys.platform == "linux":
        _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def end_orphans() -> float:
    """Kill and reap every child of this process, and theirs as they become its own; return their CPU seconds."""
    used = 0.0
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
            if not pid and _kill_children():
                pid, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return used
        if not pid:
            return used
        used += usage.ru_utime + usage.ru_stime


def _kill_children() -> bool:
    """Send SIGKILL to each child; False where the system does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            children = [int(pid) for pid in file.read().split()]
    except OSError:
        return False
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(children)
