"""A folder of this machine that mirrors results at a URL (see remote.py): a results folder like any other.

Its ``known.jsonl`` tells the names of what came from the URL or was put there, with the version it has there. What is
not among them is of this machine alone, and waits to be put there.
"""

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fourfold.suite.atomic import explained, write_once
from fourfold.suite.cellfile import ForeignError, decode
from fourfold.suite.layout import set_aside
from fourfold.suite.merge import Merged, merge
from fourfold.suite.store import create, place_cell

NAMES = re.compile(
    r"key|cells/(?P<head>[0-9a-f]{2})/(?P<cell>(?P=head)[0-9a-f]{14,126})\.parquet|cards/(task|method)-[\w.+-]+\.json"
    r"|compacted/[0-9a-f]{32}/(rows|cells)\.parquet|methods/[0-9a-f]{16,128}\.zip"
)
"""The files of a results folder that a mirror has in common with its URL, by their paths beneath it."""


def known(mirror: Path) -> dict[str, str]:
    """The version of each object that the mirror has in common with the URL. A line that is none is passed over."""
    versions: dict[str, str | None] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (mirror / "known.jsonl").read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                versions.update(json.loads(line).items())
    return {name: version for name, version in versions.items() if version is not None}


def note(mirror: Path, name: str, version: str | None) -> None:
    """Add to what is known, in one write, after whatever a killed process left of a line; None: it is not there."""
    with open(mirror / "known.jsonl", "ab", buffering=0) as file:
        file.write(f"\n{json.dumps({name: version})}\n".encode())


def waiting(mirror: Path) -> list[str]:
    """The names of what is of this machine alone."""
    there, names = known(mirror), list[str]()
    for folder, _, files in os.walk(mirror):
        names += [(Path(folder) / file).relative_to(mirror).as_posix() for file in files]
    return sorted(name for name in names if NAMES.fullmatch(name) and name not in there)


def adopt(mirror: Path, name: str, theirs: bytes, clashes: Merged | None) -> None:
    """Have what is at the URL. What was in its place goes to ``retired/``.

    clashes: takes how a cell that was there disagrees with it; None where that one came from the URL as well.
    Raises StoreError.
    """
    place = mirror / name
    with explained("write", place), _locked(mirror):
        place.parent.mkdir(parents=True, exist_ok=True)
        while not write_once(place, theirs):
            mine = place.read_bytes()
            if mine == theirs:
                return
            cell = place.stem if name.startswith("cells/") else ""
            if clashes is not None and cell and not unsound(name, mine):
                _compare(cell, mine, theirs, clashes)
            set_aside(mirror, place)


def forget(mirror: Path, name: str) -> None:
    """What was at the URL is not there now: a cell was taken away; all else got lost, and waits. Raises StoreError."""
    place = mirror / name
    with explained("write", place), _locked(mirror):
        if name.startswith("cells/") and place.exists():
            set_aside(mirror, place)
        note(mirror, name, None)


def unsound(name: str, data: bytes) -> str:
    """Why some bytes are not the cell that their name says; '' where they are, and of all that is no cell."""
    ours = NAMES.fullmatch(name)
    try:
        if ours and ours["cell"]:
            decode(data, ours["cell"])
    except ForeignError as error:
        return str(error)
    return ""


def _compare(cell: str, mine: bytes, theirs: bytes, clashes: Merged) -> None:
    with tempfile.TemporaryDirectory(prefix="fourfold-") as folder:
        here, there = create(Path(folder) / "here"), create(Path(folder) / "there")
        place_cell(here, cell, mine)
        place_cell(there, cell, theirs)
        merged = merge([here], there)
    clashes.conflicts.extend(merged.conflicts)
    clashes.differs.extend(merged.differs)


@contextlib.contextmanager
def _locked(mirror: Path) -> Iterator[None]:
    """One at a time, among all that replace files of a mirror; a killed one lets go."""
    with open(mirror / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
