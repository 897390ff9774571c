"""Folders of files as they cross between the suite and a guest: names and bytes, never links or devices.

This file runs on both sides; it needs numpy.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

FIELDS = ("paths", "data", "ends", "odd")
_LONGEST = 4096


class FolderError(ValueError):
    """What came is no folder of files, or more than was agreed."""


@dataclass(frozen=True, eq=False)
class Folder:
    """n files. paths: their names beneath the folder, parted by ``/``. data: (bytes,) uint8, one file after another.

    ends: (n,) int64, where in ``data`` each ends. odd: what lay there besides and was not followed, such as
    ``a/b: symbolic link``.
    """

    paths: tuple[str, ...]
    data: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    odd: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[str, memoryview]]:
        """Each path with the file's bytes."""
        starts = [0, *self.ends.tolist()]
        for path, start, end in zip(self.paths, starts, self.ends.tolist(), strict=False):
            yield path, self.data[start:end].data


def folder(files: Mapping[str, bytes], odd: tuple[str, ...] = ()) -> Folder:
    """A folder of these files, by path."""
    ends = np.cumsum([len(data) for data in files.values()], dtype=np.int64)
    return Folder(tuple(files), np.frombuffer(b"".join(files.values()), np.uint8), ends, odd)


def unpack(given: Any, root: Path) -> None:
    """Write a folder's files beneath ``root``. given: a Folder, or a record with its fields, from the suite."""
    for path, data in Folder(given.paths, given.data, given.ends):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def gather(root: Path, most: int) -> Folder:
    """Read what lies beneath ``root``, by name, following no link. Raises FolderError beyond ``most`` bytes."""
    files: dict[str, bytes] = {}
    odd, size = [], 0
    for place in sorted(root.rglob("*")):
        path, kind = place.relative_to(root).as_posix(), place.lstat()
        if stat.S_ISDIR(kind.st_mode):
            odd += _bare(place, path)
            continue
        if not stat.S_ISREG(kind.st_mode):
            odd.append(f"{path}: {_kind(kind.st_mode)}")
            continue
        size += kind.st_size
        if size > most:
            raise FolderError(f"it wrote more than the {most:,} bytes that were agreed")
        with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            files[path] = file.read()
    return folder(files, tuple(odd))


def _bare(place: Path, path: str) -> list[str]:
    """What a folder is called that holds nothing to be read: no file tells of its name."""
    try:
        return [] if any(place.iterdir()) else [f"{path}: empty folder"]
    except OSError:
        return [f"{path}: folder that cannot be read"]


def _kind(mode: int) -> str:
    kinds = {"symbolic link": stat.S_ISLNK, "named pipe": stat.S_ISFIFO, "socket": stat.S_ISSOCK}
    return next((name for name, fits in kinds.items() if fits(mode)), "device")


def read(fields: Mapping[str, Any]) -> Folder:
    """The folder that a guest sent, of which nothing is believed. Raises FolderError."""
    if set(fields) != set(FIELDS):
        raise FolderError(f"a folder was expected, {', '.join(FIELDS)}; {', '.join(fields) or 'nothing'} came")
    paths, data, ends, odd = (fields[name] for name in FIELDS)
    texts = all(isinstance(each, tuple) and all(isinstance(text, str) for text in each) for each in (paths, odd))
    arrays = all(isinstance(each, np.ndarray) and each.ndim == 1 for each in (data, ends))
    if not texts or not arrays or data.dtype != np.uint8 or ends.dtype != np.int64 or len(ends) != len(paths):
        raise FolderError("a folder was expected: paths, bytes, and where each file ends")
    bounds = np.concatenate([[0], ends])
    if np.any(np.diff(bounds) < 0) or bounds[-1] != len(data):
        raise FolderError("its files do not end where its bytes do")
    for path in paths:
        pure = PurePosixPath(path)
        beneath = not pure.is_absolute() and ".." not in pure.parts and "\0" not in path
        if not beneath or str(pure) != path or not pure.parts or len(path) > _LONGEST:
            raise FolderError(f"{path[:200]!r} is no path beneath a folder")
    if len(set(paths)) != len(paths):
        raise FolderError("two of its files have one path")
    return Folder(paths, data, ends, odd)
