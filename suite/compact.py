"""Make one file of many cells, and take cells out of the way so that they can be run again.

What takes the place of other files is there before they go. Killed between any two steps, every cell is still to be
read, and counts once.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fourfold.suite.atomic import StoreError, explained, is_temporary, make_folder, temporary_beside
from fourfold.suite.bundle import MANIFEST, Cells, build, dictionaries, load, read_schema
from fourfold.suite.cellfile import ForeignError, decode
from fourfold.suite.contradiction import Unknown, contradictions, unknown
from fourfold.suite.layout import Skipped, cell_path, members, scan, set_aside

_BATCH = 2000
_DAY = 86400.0


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: where the cells now lie (None: there were none), how many, and what it left alone."""

    folder: Path | None
    cells: int
    skipped: list[Skipped] = field(default_factory=list)


def compact(root: Path) -> Compacted:
    """Gather every cell of a results folder in one compacted folder. What a reader sees does not change.

    A file that is no whole cell is named and left alone. Raises StoreError; nothing is lost then.
    """
    with _locked(root):
        listing = scan(root)
        skipped, parts, gathered, seen = list(listing.skipped), list[_Part](), dict[Path, Unknown](), set[str]()
        for folder in listing.compacted:
            try:
                columns = unknown(read_schema(folder / "rows.parquet"))
                parts.append((columns, load(folder, but=seen)))
            except ForeignError as error:
                skipped.append(Skipped(folder, str(error)))
                continue
            gathered[folder] = columns
            seen |= members(folder).keys()
        loose = _gather(listing.loose, seen)
        misfits = contradictions(gathered, loose.unknown)
        skipped += loose.skipped + misfits
        wrong = {(gathered | loose.unknown)[misfit.path] for misfit in misfits}
        old = [folder for folder, columns in gathered.items() if columns not in wrong]
        new = [cells for columns, cells in loose.parts if columns not in wrong]
        kept = [cells for columns, cells in parts if columns not in wrong]
        one = old[0] if len(old) == 1 and not new else build(root / "compacted", kept + new)
        _remove_loose(root, loose, one)
        for folder in old:
            if folder != one:
                _discard(folder)
        _sweep(root)
    return Compacted(one, 0 if one is None else len(members(one)), skipped)


def retire(root: Path, cell_ids: Iterable[str]) -> list[Path]:
    """Take cells out of the way of new results, and return where in ``retired/`` they are kept.

    Loose files are moved; those of a compacted folder become a compacted folder there, and the rest a new one here.
    Cells that have no result are passed over. Raises StoreError.
    """
    going = set(cell_ids)
    with _locked(root):
        paths = [cell_path(root, cell) for cell in sorted(going)]
        kept = [set_aside(root, path) for path in paths if os.path.lexists(path)]
        for folder in scan(root).compacted:
            if not (there := going & members(folder).keys()):
                continue
            out = build(root / "retired", [load(folder, only=there)])
            build(root / "compacted", [load(folder, but=there)])
            _discard(folder)
            kept += [out] if out else []
    return kept


_Part = tuple[Unknown, Cells]


@dataclass
class _Loose:
    """The loose cells of a folder, together where their files have the same columns.

    files: of each file the cell, the provenance and what it was when it was read. unknown: its other columns.
    """

    parts: list[_Part] = field(default_factory=list)
    unknown: dict[Path, Unknown] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    files: dict[Path, tuple[str, bytes, tuple[int, int, int]]] = field(default_factory=dict)


def _gather(paths: dict[str, Path], seen: set[str]) -> _Loose:
    """Read loose files, whole ones all, and keep the rows of the cells that are not ``seen`` already."""
    loose, todo = _Loose(), sorted(paths.items())
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(todo), _BATCH):
            new: dict[Unknown, list[tuple[pa.Table, dict[str, str]]]] = {}
            batch = todo[start : start + _BATCH]
            read = pool.map(lambda item: _read_file(item[0], item[1]), batch)
            for (cell, path), found in zip(batch, read, strict=True):
                if isinstance(found, Skipped):
                    loose.skipped.append(found)
                    continue
                table, text, stamp = found
                loose.files[path] = cell, _digest(text), stamp
                if cell not in seen:
                    columns = loose.unknown[path] = unknown(table.schema)
                    new.setdefault(columns, []).append((table, _entry(cell, table, text)))
            for columns, pairs in new.items():
                rows = pa.concat_tables([table for table, _ in pairs], promote_options="permissive")
                manifest = pa.Table.from_pylist([entry for _, entry in pairs], schema=MANIFEST)
                loose.parts.append((columns, Cells(dictionaries(rows), manifest)))
    return loose


def _entry(cell: str, table: pa.Table, text: str) -> dict[str, str]:
    where = {name: table[name][0].as_py() for name in ("task", "dataset")}
    return {"cell": cell, **where, "status": json.loads(text)["status"], "provenance": text}


def _read_file(cell: str, path: Path) -> tuple[pa.Table, str, tuple[int, int, int]] | Skipped:
    try:
        stamp = _stamp(path)
        return *decode(path.read_bytes(), cell), stamp
    except (ForeignError, OSError) as error:
        return Skipped(path, str(error))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _remove_loose(root: Path, loose: _Loose, folder: Path | None) -> None:
    """Remove the files that a compacted folder holds; one that tells of another run of its cell is moved aside."""
    if folder is None or not loose.files:
        return
    held = {}
    with pq.ParquetFile(folder / "cells.parquet") as file:
        for batch in file.iter_batches(columns=["cell", "provenance"]):
            held.update({row["cell"]: _digest(row["provenance"]) for row in batch.to_pylist()})
    for path, (cell, provenance, stamp) in loose.files.items():
        with contextlib.suppress(FileNotFoundError):
            if _stamp(path) != stamp or cell not in held:
                continue
            if held[cell] == provenance:
                path.unlink()
            else:
                set_aside(root, path)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _discard(folder: Path) -> None:
    """Remove a compacted folder whose cells are elsewhere, unless somebody put more into it."""
    if set(os.listdir(folder)) == {"rows.parquet", "cells.parquet"}:
        hidden = temporary_beside(folder)
        os.rename(folder, hidden)
        shutil.rmtree(hidden)


def _sweep(root: Path) -> None:
    """Remove what killed writers left, when it is more than a day old."""
    for folder in (*root.glob("cells/*"), root / "compacted", root / "retired", root / "cards"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if is_temporary(path.name) and time.time() - path.lstat().st_mtime > _DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One at a time, among the processes that rearrange a results folder; a killed one lets go."""
    if not root.is_dir():
        raise StoreError(f"there are no results in {root}: give the folder that `fourfold run --results` wrote")
    with explained("rearrange the results in", root):
        make_folder(root / "compacted")
        with open(root / "compacted" / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            except (pa.ArrowException, ForeignError) as error:
                raise StoreError(f"cannot rearrange the results in {root}: {error}; none of them is lost") from error
