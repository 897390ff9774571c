"""Put a file in its place whole, once and to stay: a reader sees all of it or none, and the first writer wins."""

import contextlib
import ctypes
import errno
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_NO_EXCLUSIVE_RENAME = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_NEXT = {
    errno.ENOSPC: "free some space there, or give another folder with --results, and run the same command again",
    errno.EDQUOT: "free some of the quota there, or give another folder with --results, and run the same command again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f) and run the same command again",
    errno.EROFS: "that file system is read-only: give another folder with --results",
    errno.EACCES: "make the folder writable for you, or give another folder with --results",
    errno.EPERM: "make the folder writable for you, or give another folder with --results",
    errno.ENOENT: "bring the folder back (an unmounted disk?), or create it and run the same command again",
}


class StoreError(Exception):
    """A results folder cannot be read or written. The message says what, where, and what to do next."""


@contextlib.contextmanager
def explained(doing: str, where: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a ``StoreError``; nothing that was stored is touched by it."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = _NEXT.get(error.errno or 0, "look at the disk, then run the same command again")
        raise StoreError(f"cannot {doing} {where}: {reason}; {advice}") from error


def write_once(place: Path, data: bytes, *, mode: int = 0o666) -> bool:
    """Write ``data`` beside ``place``, sync it to the disk, and move it there. False: something was there, and stays.

    Raises OSError; the place then is as it was.
    """
    temporary = temporary_beside(place)
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return move_once(temporary, place)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_beside(place: Path) -> Path:
    """A fresh name in the folder of ``place``, which every reader ignores."""
    return place.with_name(f".{uuid.uuid4().hex}.tmp")


def is_temporary(name: str) -> bool:
    """True of the names that ``temporary_beside`` gives."""
    return name.startswith(".") and name.endswith(".tmp")


def move_once(source: Path, place: Path) -> bool:
    """Move a file within one file system, atomically. False: ``place`` is taken, and both stay as they were.

    A hard link is exclusive everywhere, a plain rename is not: it lets the last writer win. Where there are no hard
    links (FAT, some FUSE and shared folders; directories), the kernel's exclusive rename does the same; and where that
    is not known either (most of FUSE), an empty file holds the place until the rename.
    """
    try:
        os.link(source, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        try:
            _rename_exclusively(source, place)
        except FileExistsError:
            return False
    else:
        source.unlink()
    sync_folder(place.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder, and do not need to
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make one folder, and make it last; its parent must be there."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    sync_folder(folder.parent)


def _rename_exclusively(source: Path, place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(source), os.fsencode(place)
    if sys.platform == "darwin":
        failed = libc.renamex_np(old, new, 4)  # RENAME_EXCL
    else:
        here = -100  # AT_FDCWD
        failed = libc.renameat2(here, old, here, new, 1)  # RENAME_NOREPLACE
    if failed:
        number = ctypes.get_errno()
        if number not in _NO_EXCLUSIVE_RENAME:
            raise OSError(number, os.strerror(number), str(place))
        _rename_onto_claim(source, place)


def _rename_onto_claim(source: Path, place: Path) -> None:
    """Who is killed between the two steps leaves an empty file: readers take it for nothing, and writers move it."""
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        os.replace(source, place)
    except OSError:
        with contextlib.suppress(OSError):
            if not place.stat().st_size:
                place.unlink()
        raise
