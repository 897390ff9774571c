"""Temporary folders that a killed process cannot leave for good: the next to make one removes what nobody holds.

Whoever uses such a folder holds a lock on it, which ends with the process, however that ends.
"""

import contextlib
import fcntl
import os
import secrets
import stat
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
        remove(made)
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
                    remove(path)
            finally:
                os.close(lock)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, as far as this user may."""
    with contextlib.suppress(OSError):
        clear(folder)
        folder.rmdir()


def clear(folder: Path) -> None:
    """Remove all that lies in a folder that nobody uses, following no link; what this user may not remove stays.

    However deep it goes: what lies deeper is first moved up, as no path reaches it, and no recursion. Raises OSError.
    """
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        waiting = _parted(top, top)
        while waiting:
            with contextlib.suppress(OSError):
                name = waiting.pop()
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                try:
                    waiting += _parted(inner, top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _parted(folder: int, top: int) -> list[str]:
    """Remove what lies in a folder and is none; move the folders in it to ``top``, and return their names there."""
    moved = []
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                os.unlink(name, dir_fd=folder)
                continue
            os.chmod(name, 0o700, dir_fd=folder)
            there = secrets.token_hex(16)
            os.rename(name, there, src_dir_fd=folder, dst_dir_fd=top)
            moved.append(there)
    return moved
