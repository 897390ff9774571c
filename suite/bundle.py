"""A compacted folder: many cells in two files, ``rows.parquet`` and ``cells.parquet``, sorted for reading.

It is named by the digest of the two, built beside its place, synced, read back, compared, and only then renamed there.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fourfold.suite.atomic import StoreError, make_folder, sync_folder, temporary_beside
from fourfold.suite.cellfile import IDENTITY, SCHEMA, ForeignError, align
from fourfold.suite.rowcounts import check_rows

_REST = ["family", "metric", "group", "method", "parameters", "seed", "cell"]
_SORTED_BY = ["task", "dataset", *_REST]
"""A page asks for a dataset."""
_RANKED_BY = ["task", "metric", "dataset", *_REST]
"""A ranking asks for one metric of all datasets, with its replicates: by far the largest part of a row."""
_ROW_GROUP = 4096
"""Rows. Small enough that what is not asked for is hardly ever decoded."""
MANIFEST = pa.schema([
    ("cell", pa.string()), ("task", pa.string()), ("dataset", pa.string()), ("status", pa.string()),
    ("provenance", pa.large_string()),
])
"""The columns of ``cells.parquet``; the task and the dataset tell where among the rows those of a cell lie."""


@dataclass(frozen=True)
class Cells:
    """Some cells in memory: their rows, text as dictionaries, and the manifest (cell, status, provenance)."""

    rows: pa.Table
    manifest: pa.Table


def rows_of(folder: Path, cell: str) -> pa.Table:
    """The rows of one cell. Raises ForeignError, FileNotFoundError."""
    where = entry(folder, cell, ["task", "dataset"]) | {"cell": cell}
    return align(read_file(folder / "rows.parquet", where={name: pa.array([each]) for name, each in where.items()}))


def entry(folder: Path, cell: str, columns: list[str]) -> dict[str, str]:
    """What the manifest says of one cell. Raises ForeignError, FileNotFoundError."""
    found = read_file(folder / "cells.parquet", columns, {"cell": pa.array([cell])}).to_pylist()
    if len(found) != 1 or not all(isinstance(found[0].get(name), str) for name in columns):
        raise ForeignError(f"cells.parquet does not say once what cell {cell[:12]} is")
    return dict(found[0])


def load(folder: Path, *, only: Iterable[str] | None = None, but: Iterable[str] | None = None) -> Cells:
    """Read a compacted folder whole, or only some of its cells. Raises ForeignError, FileNotFoundError."""
    path = folder / "rows.parquet"
    text = [column.name for column in read_schema(path) if column.type == pa.string()]
    rows = read_file(path, dictionaries=text)
    with _sound(folder / "cells.parquet"):
        manifest = read_file(folder / "cells.parquet").select(MANIFEST.names).cast(MANIFEST)
    if missing := [name for name in IDENTITY if name not in rows.column_names]:
        raise ForeignError(f"rows.parquet has no column {missing[0]!r}")
    for cells, keep in ((only, True), (but, False)):
        if cells is not None:
            values = pa.array(sorted(cells), pa.string())
            rows, manifest = (
                table.filter(pc.equal(pc.is_in(table["cell"].cast(pa.string()), values), keep))
                for table in (rows, manifest)
            )
    return Cells(rows, manifest)


def read_file(
    path: Path, columns: Sequence[str] | None = None, where: Mapping[str, pa.Array] = MappingProxyType({}),
    but: Mapping[str, pa.Array] = MappingProxyType({}), dictionaries: Sequence[str] = (),
) -> pa.Table:
    """Read a Parquet file, every page that is read held against its checksum. Raises ForeignError, FileNotFoundError.

    where, but: only rows whose values in these columns are among, or are not among, the given.
    dictionaries: columns of text to be read as dictionaries.
    """
    with _sound(path), _opened(path, dictionaries) as file:
        if missing := {*where, *but, *(columns or ())} - set(file.schema_arrow.names):
            raise pa.ArrowInvalid(f"it has no column {min(missing)!r}")
        terms = [(name, values, kept) for each, kept in ((where, True), (but, False)) for name, values in each.items()]
        groups, rows = _asked(path, file.metadata, terms)
        table = file.read_row_groups(groups.tolist(), columns)
        table = table.filter(pa.array(rows)) if terms else table
        table.validate(full=True)
        return table


def _opened(path: Path, dictionaries: Sequence[str]) -> pq.ParquetFile:
    file = pq.ParquetFile(path, read_dictionary=list(dictionaries), page_checksum_verification=True)
    check_rows(file.metadata, path.stat().st_size)
    return file


def _asked(
    path: Path, metadata: pq.FileMetaData, terms: Iterable[tuple[str, pa.Array, bool]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The row groups that hold a row which fits all terms, and which of their rows do.

    It reads the values: a footer tells the least and the greatest of each group, which is its writer's word alone, and
    Arrow, asked to go by it, may loop without end, or end the process, where it was forged.
    """
    groups = np.arange(metadata.num_row_groups)
    sizes = np.array([metadata.row_group(number).num_rows for number in groups.tolist()], int)
    rows = np.ones(sizes.sum(), bool)
    for name, values, kept in terms:
        with _opened(path, [name]) as file:
            column = file.read_row_groups(groups.tolist(), [name])[name]
        rows &= np.concatenate([_among(chunk, values) == kept for chunk in column.chunks] or [rows])
        some = np.bincount(np.repeat(np.arange(len(groups)), sizes[groups]), rows, len(groups)) > 0
        rows, groups = rows[np.repeat(some, sizes[groups])], groups[some]
    return groups, rows


def _among(chunk: pa.Array, values: pa.Array) -> npt.NDArray[np.bool_]:
    found = pc.is_in(chunk.dictionary, values).take(chunk.indices) if pa.types.is_dictionary(chunk.type) else (
        pc.is_in(chunk, values))
    among: npt.NDArray[np.bool_] = found.fill_null(False).to_numpy(zero_copy_only=False)
    return among


def read_schema(path: Path) -> pa.Schema:
    """The columns of a Parquet file. Raises ForeignError, FileNotFoundError."""
    with _sound(path):
        return pq.read_schema(path)


@contextlib.contextmanager
def _sound(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise ForeignError(f"{path.name} is no whole Parquet file ({error})") from error


def build(parent: Path, parts: Iterable[Cells]) -> Path | None:
    """Put cells into a compacted folder under ``parent``, lastingly, and return it; None where there are none."""
    parts = list(parts)
    manifest = pa.concat_tables([MANIFEST.empty_table(), *(part.manifest for part in parts)])
    if not manifest.num_rows:
        return None
    manifest = manifest.sort_by("cell")
    schema = dictionaries(SCHEMA.empty_table())
    rows = _sorted(pa.concat_tables([schema, *(part.rows for part in parts)], promote_options="permissive"))
    make_folder(parent)
    temporary = temporary_beside(parent / "new")
    try:
        temporary.mkdir()
        digest = hashlib.sha256()
        for name, table, size in (("rows.parquet", rows, _ROW_GROUP), ("cells.parquet", manifest, 4096)):
            _write(temporary / name, table, size)
            _verify(temporary / name, table, size)
            with open(temporary / name, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        sync_folder(temporary)
        place = parent / digest.hexdigest()[:32]
        try:
            os.rename(temporary, place)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # there already, byte for byte
                raise
        sync_folder(parent)
        return place
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def dictionaries(table: pa.Table) -> pa.Table:
    """The table with its text as dictionaries: a tenth of the memory, as most of it repeats."""
    for at, column in enumerate(table.schema):
        if column.type == pa.string():
            table = table.set_column(at, column.name, table[column.name].combine_chunks().dictionary_encode())
    return table


def _sorted(table: pa.Table) -> pa.Table:
    """First the rows that have replicates, by ``_RANKED_BY``, then the others, by ``_SORTED_BY``."""
    table = table.unify_dictionaries().combine_chunks()
    ranked = pc.is_valid(table["replicates"]).to_numpy()
    order = [np.flatnonzero(part)[np.lexsort([_ranks(table[name])[part] for name in reversed(keys)])]
             for part, keys in ((ranked, _RANKED_BY), (~ranked, _SORTED_BY))]
    return table.take(pa.array(np.concatenate(order)))


def _ranks(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Numbers in the order of a column's values. Text is a dictionary: only its few values need sorting."""
    if not pa.types.is_dictionary(column.type):
        return column.fill_null(-1).to_numpy()
    whole = column.unify_dictionaries().combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    ranks = np.full(len(whole.dictionary) + 1, -1)
    ranks[pc.sort_indices(whole.dictionary).to_numpy()] = np.arange(len(whole.dictionary))
    return ranks[whole.indices.fill_null(-1).to_numpy()]


def _write(path: Path, table: pa.Table, row_group: int) -> None:
    plain = pa.schema([pa.field(column.name, column.type.value_type) if pa.types.is_dictionary(column.type) else column
                       for column in table.schema])
    text = [column.name for column in plain if column.type == pa.string()]
    # Bootstrap values hardly repeat but in their leading bytes: split by byte they take an eighth less.
    split = {"replicates.list.element": "BYTE_STREAM_SPLIT"} if "replicates" in plain.names else None
    with pq.ParquetWriter(path, plain, compression="zstd", use_dictionary=text, column_encoding=split,
                          write_page_checksum=True) as out:
        for start in range(0, table.num_rows, row_group):
            out.write_table(table.slice(start, row_group).cast(plain), row_group_size=row_group)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify(path: Path, table: pa.Table, row_group: int) -> None:
    """Read a file back and compare it bit for bit with what was to be written. Raises StoreError."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        same = file.metadata.num_rows == table.num_rows
        for number in range(file.num_row_groups):
            back = file.read_row_group(number)
            same = same and _equal(back, table.slice(number * row_group, row_group).cast(back.schema))
    if not same:
        raise StoreError(f"{path} does not read back as it was written; nothing was replaced: look at the disk")


def _equal(left: pa.Table, right: pa.Table) -> bool:
    return left.schema.equals(right.schema) and all(
        _bits(left[name]).equals(_bits(right[name])) for name in left.column_names
    )


def _bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floating-point numbers as integers: there a NaN equals itself."""
    if pa.types.is_float64(column.type):
        return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
    if column.type == pa.list_(pa.float32()):
        bits = [chunk.flatten().view(pa.int32()) for chunk in column.chunks]
        return pa.chunked_array([*pc.list_value_length(column).chunks, *bits], pa.int32())
    return column
