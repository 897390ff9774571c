"""Temporary folders that a killed process cannot leave for good: the next to make one removes what nobody holds.

Whoever uses such a folder holds a lock on it, which ends with the process, however that ends.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A new folder in ``parent`` (None: the system's temporary one) until the end of the context, then removed.

    Folders of that prefix that killed processes left there are removed as well.
    """
    parent = parent or Path(tempfile.gettempdir())
    sweep(prefix, parent)
    while (lock := hold(made := Path(tempfile.mkdtemp(prefix=prefix, dir=parent)))) is None:
        pass
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def hold(folder: Path) -> int | None:
    """Keep others from sweeping a folder while this descriptor is open; None where one just did."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with contextlib.suppress(OSError):  # A file system without locks: nobody can sweep there either.
        fcntl.flock(lock, fcntl.LOCK_SH)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(lock), folder.stat()):
            return lock
    os.close(lock)
    return None


def sweep(prefix: str, parent: Path) -> None:
    """Remove this user's folders of that prefix in ``parent`` that no process holds."""
    for path in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.geteuid():
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
