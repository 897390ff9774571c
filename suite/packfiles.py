"""The files of a submission, from a file, a folder or an archive: regular ones, no links, and no more than allowed."""

import contextlib
import difflib
import io
import itertools
import json
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

LARGEST = 64 << 20
"""Bytes that all files of a submission may have together."""
MOST = 1000
"""Files that a submission may have."""
_MANIFEST = "manifest.json"
_LONGEST = 1000
"""Bytes of a file's path."""
_END = struct.Struct("<4s4xHHIIH")
"""How a zip ends that is not in parts and bears no comment: its files, once more, and the size of their list."""


class PackError(ValueError):
    """A submission that is not one: what is wrong, where, and what to do."""


def read(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of a folder's files by their paths in it; hidden ones and compiled Python are left out.

    Raises PackError: nothing there, a link, too large, too many, not to be read.
    """
    try:
        if path.is_file():
            paths = {path.name: path}
        elif path.is_dir():
            paths = dict(itertools.islice(_walk(path), MOST + 1))
        else:
            raise PackError(_nothing_at(path))
        _check_size(sum(each.stat().st_size for each in paths.values()), len(paths), str(path))
        return {name: each.read_bytes() for name, each in paths.items()}
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error}; see to its permissions") from error


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each != "__pycache__")
        for each in sorted([*folders, *(name for name in names if not name.startswith("."))]):
            path = Path(parent, each)
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise PackError(f"{path} is a link, or no file: put what it stands for there, or hide it (.name)")
            if stat.S_ISREG(mode):
                name = path.relative_to(folder).as_posix()
                _check_name(name)
                yield name, path


def _check_size(size: int, count: int, where: str) -> None:
    if size > LARGEST:
        raise PackError(
            f"{where} holds {size:,} bytes where a submission may hold {LARGEST:,}; leave out data, and "
            "weights that it can do without"
        )
    if count > MOST:
        raise PackError(f"{where} holds {count:,} files where a submission may hold {MOST:,}; leave out some")


def _nothing_at(path: Path) -> str:
    near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [], 1)
    return f"there is no file or folder {path}" + (f"; did you mean {path.parent / near[0]}?" if near else "")


def found(folder: Path) -> dict[str, bytes] | None:
    """Every file beneath a folder, hidden ones too; None where there is no folder, or more in it than files."""
    files = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                files[path.relative_to(folder).as_posix()] = path.read_bytes()
            elif not stat.S_ISDIR(mode):
                return None
    return files if folder.is_dir() and not folder.is_symlink() else None


def put(home: Path, files: Mapping[str, bytes]) -> None:
    """Put files into the folder ``home``, whole, in the place of what lies there; several may do so at once.

    Raises PackError for a name that leads out of it; OSError.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.", dir=home.parent, ignore_cleanup_errors=True) as beside:
        for name, data in files.items():
            _check_name(name)
            path = Path(beside, "new", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for attempt in range(8):
            try:
                os.rename(Path(beside, "new"), home)
            except OSError:
                if found(home) == files:  # Another was quicker.
                    return
                if attempt == 7:
                    raise
                with contextlib.suppress(OSError):
                    os.rename(home, Path(beside, str(attempt)))
            else:
                return


def write_archive(manifest: bytes, files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on nothing but the manifest and the files: no times, no modes, one order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in [(_MANIFEST, manifest), *((f"files/{name}", data) for name, data in sorted(files.items()))]:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_archive(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of ``write_archive``'s zip.

    Raises PackError for what is not one: broken, larger inside than allowed, names that lead elsewhere, links, twins.
    """
    _check_size(len(data) // 2, 0, "the archive")
    _check_list(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_size(sum(each.file_size for each in members), len(members) - 1, "the archive")
            _check_members(members)
            contents = {each.filename: _inflated(archive, each) for each in members}
        manifest = json.loads(contents.pop(_MANIFEST, b"null"))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, PackError):
            raise
        raise PackError(f"not the archive of a submission: {error}; make one with `fourfold submit`") from error
    if not isinstance(manifest, dict):
        raise PackError(f"not the archive of a submission: it has no {_MANIFEST}; make one with `fourfold submit`")
    return manifest, {name.removeprefix("files/"): content for name, content in contents.items()}


def _check_list(data: bytes) -> None:
    """Refuse a list of more files than may be, before anybody reads it: what a zip says of a file takes a kilobyte."""
    mark, _, count, size, _, comment = _END.unpack(data[-_END.size :].rjust(_END.size, b"\0"))
    if mark != b"PK\5\6" or comment:
        raise PackError("not the archive of a submission: no zip ends so; make one with `fourfold submit`")
    _check_size(0, count - 1, "the archive")
    if size > (MOST + 1) * (_LONGEST + 100):
        raise PackError(f"the archive lists its files in {size:,} bytes; make one with `fourfold submit`")


def _inflated(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes; one that holds more than it says is inflated no further, and fails its checksum."""
    with archive.open(member) as file:
        return file.read(member.file_size + 1)


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names, folders = set[str](), set[str]()
    for each in members:
        name = each.filename
        if name != _MANIFEST:
            if not name.startswith("files/"):
                raise PackError(f"the archive has a {name!r} beside its files")
            _check_name(name.removeprefix("files/"))
        kind = stat.S_IFMT(each.external_attr >> 16)
        if each.is_dir() or kind not in (0, stat.S_IFREG):
            raise PackError(f"{name} in the archive is a link, or no file")
        if each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PackError(f"{name} in the archive is packed in a way that zip readers do not share")
        # Twins also where a file system does not tell upper from lower case, or where a file is another's folder.
        alike, above = name.casefold(), {parent.as_posix() for parent in PurePosixPath(name.casefold()).parents}
        if alike in names | folders or above & names:
            raise PackError(f"{name} is in the archive twice")
        names.add(alike)
        folders |= above


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    plain = name == path.as_posix() and not path.is_absolute() and ".." not in path.parts and name != "."
    if not plain or any(letter in name for letter in "\\:\0"):
        raise PackError(f"{name[:_LONGEST]!r} is no path of a file within a submission")
    try:
        size, largest = len(name.encode()), max(len(part.encode()) for part in path.parts)
    except UnicodeEncodeError as error:
        raise PackError(f"{name!r} is no text that all systems share: rename that file") from error
    if size > _LONGEST or largest > 255:
        raise PackError(f"{name[:_LONGEST]!r}... is longer than a file's path can be everywhere: shorten it")
