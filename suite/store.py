"""The results folder, written and read: one immutable Parquet file a cell (layout.py says where, cellfile.py how)."""

import bisect
import contextlib
import difflib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fourfold.suite.atomic import StoreError, explained, make_folder, write_once
from fourfold.suite.bundle import entry, read_file, read_schema, rows_of
from fourfold.suite.cellfile import (
    SCHEMA,
    ForeignError,
    align,
    decode,
    encode,
    ends_whole,
    provenance_of,
    tabulate,
    told,
)
from fourfold.suite.contradiction import contradictions, unknown
from fourfold.suite.layout import Listing, Skipped, cell_path, members, scan_compacted, set_aside, steadily

if TYPE_CHECKING:
    import pandas as pd

_THREADS = 4
T = TypeVar("T")
Value = str | int | float


@dataclass(frozen=True)
class Results:
    """What a reading found. ``rows`` has the schema's columns, then those that only a newer fourfold knows."""

    rows: pa.Table
    skipped: list[Skipped]

    def frame(self) -> "pd.DataFrame":
        """The rows for pandas: text as ``string``, whatever pandas and however many rows, numbers as in the schema."""
        import pandas as pd

        return self.rows.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)


def create(root: Path) -> Path:
    """Make a results folder, or find the one that is there, and see that it can be written. Raises StoreError."""
    with explained("write results in", root):
        root.mkdir(parents=True, exist_ok=True)
        make_folder(root / "cells")
        if not os.access(root / "cells", os.W_OK):
            raise StoreError(f"cannot write results in {root}: it is read-only for you; "
                             "make it writable, or give another folder with --results")
    return root


def write_cell(
    root: Path, cell_id: str, rows: Sequence[Mapping[str, Any]] | pa.Table, provenance: Mapping[str, Any]
) -> bool:
    """Store one cell, lastingly. False: it was there already, and stays as it was.

    root: a folder that ``create`` made; it is not made anew, lest results land under the mount point of a lost disk.
    rows: as in ``SCHEMA``, at least one. provenance: anything that JSON can say.
    Raises StoreError where the rows do not fit or the folder takes no more; nothing half-written is left.
    """
    return place_cell(root, cell_id, encode(tabulate(cell_id, rows), provenance))


def place_cell(root: Path, cell_id: str, data: bytes) -> bool:
    """Store one cell from the bytes of its file. What is there but is no whole cell is moved aside, to ``retired/``."""
    place = cell_path(root, cell_id)
    with explained("write", place):
        if any(cell_id in members(folder) for folder in scan_compacted(root).compacted):
            return False
        make_folder(place.parent)
        while not write_once(place, data):
            if _readable(place, cell_id):
                return False
            with contextlib.suppress(FileNotFoundError):  # Another writer, with the same in mind, was first.
                set_aside(root, place)
    return True


def done(root: Path) -> set[str]:
    """The cells with a result, of any status; none where there is no folder. A loose file is judged by its end."""
    def look(listing: Listing) -> set[str]:
        loose = {cell for cell, path in listing.loose.items() if ends_whole(path)}
        return loose.union(*(members(folder) for folder in listing.compacted))

    return steadily(root, look)


def statuses(root: Path) -> dict[str, str]:
    """The status of each cell that has a result: ``ok``, or the way in which it failed."""
    def look(listing: Listing) -> dict[str, str]:
        found: dict[str, str] = {}
        for folder in listing.compacted:
            found.update(members(folder))
        loose = [(path, cell) for cell, path in listing.loose.items() if cell not in found]
        with ThreadPoolExecutor(_THREADS) as pool:
            for (_, cell), text in zip(loose, pool.map(lambda pair: _footer(pair[0], pair[1]), loose), strict=True):
                if text is not None:
                    found[cell] = told(text)["status"]
        return found

    return steadily(root, look)


def read(root: Path, columns: Sequence[str] | None = None, **where: Value | Iterable[Value]) -> Results:
    """The rows of all cells, or of those where each named column has the value, or one of the values, given.

    ``read(root, ["method", "value"], task="fair-credit", metric=["auc", "gini"])``. A file that is no whole cell is
    named in ``skipped`` and left alone. Raises StoreError where there is no such folder or column.
    """
    if not root.is_dir():
        raise StoreError(f"there are no results in {root}: `fourfold run --results {root}` makes some")
    for name in [*where, *(columns or ())]:
        if name not in SCHEMA.names:
            near = difflib.get_close_matches(name, SCHEMA.names, 1)
            raise StoreError(f"results have no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    wanted = {
        name: pa.array([value] if isinstance(value, Value) else list(value), SCHEMA.field(name).type)
        for name, value in where.items()
    }
    return steadily(root, lambda listing: _read(listing, columns, wanted))


def cell_rows(root: Path, cell_id: str) -> pa.Table:
    """The rows of one cell, given whole or by a prefix of at least 6 digits. Raises StoreError."""
    cell = resolve(root, cell_id)

    def look(listing: Listing) -> pa.Table:
        for folder in listing.compacted:
            if cell in members(folder):
                return rows_of(folder, cell)
        return decode(cell_path(root, cell).read_bytes(), cell)[0]

    return _one(root, cell, look)


def provenance(root: Path, cell_id: str) -> dict[str, Any]:
    """What is known of how one cell came to be, with its id and status. Raises StoreError."""
    cell = resolve(root, cell_id)

    def look(listing: Listing) -> dict[str, Any]:
        for folder in listing.compacted:
            if cell in members(folder):
                return told(entry(folder, cell, ["provenance"])["provenance"])
        return told(provenance_of(cell_path(root, cell), cell))

    return _one(root, cell, look)


def resolve(root: Path, prefix: str) -> str:
    """The one cell whose id begins so. Raises StoreError, with the nearest ids, where there is none or several."""
    cells = sorted(done(root))
    at = bisect.bisect_left(cells, prefix)
    if at < len(cells) and cells[at] == prefix:
        return prefix
    if len(prefix) < 6:
        raise StoreError(f"{prefix!r} is too short for a cell: give at least 6 digits of its id")
    fits = [cell for cell in cells[at : at + 4] if cell.startswith(prefix)]
    if len(fits) == 1:
        return fits[0]
    shown = ", ".join(cell[: len(prefix) + 4] for cell in (fits or cells[max(0, at - 1) : at + 2]))
    if fits:
        raise StoreError(f"{prefix!r} fits several cells in {root}: give more digits ({shown})")
    raise StoreError(f"no cell in {root} begins with {prefix!r}" + (f"; the nearest are {shown}" if shown else ""))


def replicates_matrix(rows: pa.Table) -> npt.NDArray[np.float32]:
    """The bootstrap values of some rows as one array, (rows, replicates), without a copy where Arrow holds one piece.

    Raises StoreError where a row has none, or not as many as the others.
    """
    pieces = rows["replicates"].chunks or [pa.array([], SCHEMA.field("replicates").type)]
    lists = pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)
    count, flat = len(lists), lists.flatten()
    if count == 0:
        return np.empty((0, 0), np.float32)
    width, rest = divmod(len(flat), count)
    if lists.null_count or rest or pc.any(pc.not_equal(pc.list_value_length(lists), width)).as_py():
        raise StoreError("these rows have not all the same number of replicates: read one metric of one task")
    return flat.to_numpy(zero_copy_only=True).reshape(count, width)


def _footer(path: Path, cell: str) -> str | None:
    try:
        return provenance_of(path, cell)
    except ForeignError:
        return None


def _readable(path: Path, cell: str) -> bool:
    try:
        decode(path.read_bytes(), cell)
    except (ForeignError, OSError):
        return False
    return True


def _one(root: Path, cell: str, look: Callable[[Listing], T]) -> T:
    try:
        return steadily(root, look)
    except ForeignError as error:
        raise StoreError(f"cannot read {cell_path(root, cell)}: {error}; run the cell again") from error


def _read(listing: Listing, columns: Sequence[str] | None, where: Mapping[str, pa.Array]) -> Results:
    skipped, seen, tables = list(listing.skipped), set[str](), dict[Path, pa.Table]()
    for folder in listing.compacted:
        try:
            tables[folder] = _read_compacted(folder, columns, where, members(folder).keys() & seen)
        except (ForeignError, pa.ArrowException) as error:
            skipped.append(Skipped(folder, str(error)))
        else:
            seen |= members(folder).keys()
    asked = set(where["cell"].to_pylist()) if "cell" in where else listing.loose.keys()
    loose = [(path, cell) for cell, path in listing.loose.items() if cell in asked and cell not in seen]
    with ThreadPoolExecutor(_THREADS) as pool:
        reading = pool.map(lambda pair: _read_loose(pair[0], pair[1], columns, where), loose)
        for (path, _), found in zip(loose, reading, strict=True):
            if isinstance(found, Skipped):
                skipped.append(found)
            else:
                tables[path] = found
    for misfit in _misfits(listing, tables):
        skipped.append(misfit)
        del tables[misfit.path]
    return Results(_concatenate(columns, list(tables.values())), skipped)


def _misfits(listing: Listing, tables: Mapping[Path, pa.Table]) -> list[Skipped]:
    kinds = {path: unknown(table.schema) for path, table in tables.items()}
    compacted = {folder: kinds.pop(folder) for folder in listing.compacted if folder in kinds}
    return contradictions(compacted, kinds)


def _read_compacted(
    folder: Path, columns: Sequence[str] | None, where: Mapping[str, pa.Array], but: Collection[str]
) -> pa.Table:
    names = read_schema(folder / "rows.parquet").names
    if not set(where) <= set(names):
        return SCHEMA.empty_table()
    wanted = None if columns is None else [name for name in columns if name in names]
    without = {"cell": pa.array(sorted(but), pa.string())} if but else {}
    return align(read_file(folder / "rows.parquet", wanted, where, without))


def _read_loose(
    path: Path, cell: str, columns: Sequence[str] | None, where: Mapping[str, pa.Array]
) -> pa.Table | Skipped:
    try:
        table, _ = decode(path.read_bytes(), cell, None if columns is None else [*columns, *where])
    except FileNotFoundError:
        raise
    except (ForeignError, OSError) as error:
        return Skipped(path, error.strerror or str(error) if isinstance(error, OSError) else str(error))
    for name, values in where.items():
        there = name in table.column_names
        table = table.filter(pc.is_in(table[name], values)) if there else table.slice(0, 0)
    return table if columns is None else table.select([name for name in columns if name in table.column_names])


def _concatenate(columns: Sequence[str] | None, tables: list[pa.Table]) -> pa.Table:
    """One table of all: the schema's columns first, each in its type; a column that a table lacks is null there."""
    whole = SCHEMA.empty_table()
    return pa.concat_tables([whole if columns is None else whole.select(list(columns)), *tables],
                            promote_options="permissive")
