"""The results folder: one immutable Parquet file a cell, and what `compact` made of many.

``cells/<first two of id>/<id>.parquet``         a cell, written whole or not at all
``compacted/<digest>/{rows,cells}.parquet``      many cells: their rows, and id, status, provenance of each
``retired/<id>.<n>.parquet``                     what stood in the way of a new result; kept, never read
``cards/``                                       what a board says about tasks and methods (cards.py)
``methods/<digest>.zip``                         the files of a method, named by what they hold (pack.py)

A cell that is there twice, loose and compacted, counts once: the compacted one. Reading writes nothing.
"""

import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from fourfold.suite.atomic import StoreError, explained, is_temporary, make_folder, move_once
from fourfold.suite.cellfile import ForeignError, ends_whole
from fourfold.suite.rowcounts import check_rows

_CELL = re.compile(r"[0-9a-f]{16,128}")
T = TypeVar("T")


@dataclass(frozen=True)
class Skipped:
    """A file that was left out of a reading, and why."""

    path: Path
    why: str


@dataclass
class Listing:
    """What a results folder holds, by name alone; ``compacted`` are the folders of which both files are whole."""

    loose: dict[str, Path] = field(default_factory=dict)
    compacted: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def cell_path(root: Path, cell_id: str) -> Path:
    """Where the file of a cell lies. Raises StoreError for what is no cell id."""
    if not _CELL.fullmatch(cell_id):
        raise StoreError(f"{cell_id!r} is no cell: a cell is 16 or more hexadecimal digits")
    return root / "cells" / cell_id[:2] / f"{cell_id}.parquet"


def archive_path(root: Path, digest: str) -> Path:
    """Where the files of a method lie."""
    return root / "methods" / f"{digest}.zip"


def set_aside(root: Path, path: Path) -> Path:
    """Move what lies at ``path`` to ``retired/``, under the next free number, and return where it is now."""
    make_folder(root / "retired")
    number = 1
    while not move_once(path, kept := root / "retired" / f"{path.stem}.{number}{path.suffix}"):
        number += 1
    return kept


def scan(root: Path) -> Listing:
    """List a results folder. Loose files first: what `compact` moves meanwhile is then seen twice, never missed."""
    listing = Listing()
    for folder in _entries(root / "cells"):
        if not folder.is_dir():
            listing.skipped.append(Skipped(Path(folder.path), "not a cell's file"))
            continue
        for entry in _entries(folder.path):
            cell, _, kind = entry.name.partition(".")
            if kind == "parquet" and cell.startswith(folder.name) and _CELL.fullmatch(cell):
                listing.loose[cell] = Path(entry.path)
            elif not is_temporary(entry.name):
                listing.skipped.append(Skipped(Path(entry.path), "not a cell's file"))
    compacted = scan_compacted(root)
    listing.compacted = compacted.compacted
    listing.skipped += compacted.skipped
    return listing


def scan_compacted(root: Path) -> Listing:
    """List the compacted part of a results folder alone."""
    listing = Listing()
    for entry in _entries(root / "compacted"):
        if entry.name.startswith("."):
            continue
        folder = Path(entry.path)
        try:
            if not (ends_whole(folder / "rows.parquet") and ends_whole(folder / "cells.parquet")):
                raise ForeignError("not a whole pair of rows.parquet and cells.parquet")
            members(folder)
        except (ForeignError, pa.ArrowException, OSError, ValueError, KeyError) as error:
            if not folder.exists():  # a compaction has just put another in its place, which the listing may not show
                return scan_compacted(root)
            listing.skipped.append(Skipped(folder, str(error)))
        else:
            listing.compacted.append(folder)
    listing.compacted.sort()
    return listing


@functools.lru_cache(maxsize=16)
def members(folder: Path) -> Mapping[str, str]:
    """The cells in a compacted folder, with their status. Remembered: the folder is named by its content."""
    # Not read_table: that would first load all of pyarrow.dataset.
    with pq.ParquetFile(folder / "cells.parquet", page_checksum_verification=True) as file:
        check_rows(file.metadata, (folder / "cells.parquet").stat().st_size)
        table = file.read(columns=["cell", "status"])
    table.validate(full=True)
    if table.column_names != ["cell", "status"] or any(column.type != pa.string() or column.null_count
                                                       for column in table.columns):
        raise ForeignError("cells.parquet lists no cells")
    return dict(zip(table["cell"].to_pylist(), table["status"].to_pylist(), strict=True))


def steadily(root: Path, look: Callable[[Listing], T]) -> T:
    """Look at a folder, and again where a compaction moved something away between the listing and the look."""
    for _ in range(8):
        try:
            with explained("read", root):
                return look(scan(root))
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    raise StoreError(f"cannot read {root}: its files keep vanishing; wait until `fourfold compact` is done there")


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
