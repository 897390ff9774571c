"""What confines a guest. The guest's side calls ``confine``; the suite's side, ``environment``. Standard library alone."""

import contextlib
import ctypes
import os
import resource
import signal
import sys

CONFINEMENT = "process"
"""How far a guest is confined, as every row's provenance records: its own process, environment, folder and limits."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS", "POLARS_MAX_THREADS")
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def environment(threads: int) -> dict[str, str]:
    """The variables a guest starts with: a path, a language, its devices, its threads, and no word of the suite's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | dict.fromkeys(_THREADS, str(threads)) | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def confine(memory_limit: int, scratch: str) -> None:
    """Bind the calling process, and all it starts, to its folder and its limits; it dies with the one that forked it."""
    os.setsid()
    die_with_parent()
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
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
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def adopt_orphans() -> None:
    """Make what a guest leaves running a child of this process, so that ``end_orphans`` finds it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def end_orphans() -> None:
    """Kill and reap every child of this process, and theirs as they become its own."""
    path = f"/proc/self/task/{os.getpid()}/children"
    while True:
        try:
            with open(path) as file:
                children = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        if not children:
            return
        for pid in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
