"""The format of one cell's file: its columns, and the provenance in its footer."""

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fourfold.suite.atomic import StoreError
from fourfold.suite.rowcounts import check_rows

VERSION = 2
"""Rises when a column is added. Columns are only ever added, and are null in files that are older than they."""

SCHEMA = pa.schema([
    ("cell", pa.string()), ("task", pa.string()), ("dataset", pa.string()), ("method", pa.string()),
    ("method_digest", pa.string()), ("parameters", pa.string()), ("epsilon", pa.float64()), ("delta", pa.float64()),
    ("seed", pa.int32()), ("family", pa.string()), ("metric", pa.string()), ("group", pa.string()),
    ("value", pa.float64()), ("low", pa.float64()), ("high", pa.float64()), ("n", pa.int64()),
    ("status", pa.string()), ("reason", pa.string()), ("replicates", pa.list_(pa.float32())),
    ("exhibit", pa.large_binary()),
])
"""A row is one metric of one group; a cell that failed has one row, with metric ``""`` and a null value.

exhibit: what a cell carries to be seen, in rows that measure nothing (see ``exhibit``); null in all others.
"""

SCORES = [name for name in SCHEMA.names if name != "exhibit"]
"""The columns that say what was measured: what is to be seen can be larger than all of them."""

IDENTITY = SCHEMA.names[:9]
"""The columns that say which cell it is: the same in all of its rows."""

OPTIONAL = frozenset({"value", "low", "high", "replicates", "exhibit"})
"""The columns that may be null."""

MOST = 1 << 17
"""Rows that a cell may have."""
FOOTER = b"fourfold"
_MAGIC = b"PAR1"


class ForeignError(Exception):
    """A file that is no whole cell; the message says why."""


def tabulate(cell: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
    """Rows as a table of the schema, checked: all of this cell, and nothing left out. Raises StoreError."""
    if not isinstance(rows, pa.Table):
        for name in {name for row in rows for name in row} - set(SCHEMA.names):
            near = difflib.get_close_matches(name, SCHEMA.names, 1)
            raise StoreError(f"cell {cell[:12]}: a row has no column {name!r}" + (f"; {near[0]!r}?" if near else ""))
        try:
            rows = pa.Table.from_pylist(rows, schema=SCHEMA)
        except (pa.ArrowException, TypeError) as error:
            raise StoreError(f"cell {cell[:12]}: a row does not fit the schema: {error}") from error
    table = align(rows)
    missing = [name for name in SCHEMA.names if name not in OPTIONAL
               and (name not in table.column_names or table[name].null_count)]
    if missing or not table.num_rows:
        raise StoreError(f"cell {cell[:12]}: its rows must have {', '.join(missing) or 'at least one row'}")
    for name in IDENTITY:
        if len(values := table[name].unique()) > 1 or (name == "cell" and values[0].as_py() != cell):
            raise StoreError(f"cell {cell[:12]}: its rows must all have its own {name}, not {values.to_pylist()}")
    return table


def align(table: pa.Table) -> pa.Table:
    """Cast the schema's columns to their types, exactly or not at all; others are kept. Raises pa.ArrowInvalid."""
    fields = [SCHEMA.field(field.name) if field.name in SCHEMA.names else field for field in table.schema]
    wanted = pa.schema(fields)
    return table if table.schema.equals(wanted) else table.cast(wanted)


def encode(table: pa.Table, provenance: Mapping[str, Any]) -> bytes:
    """The bytes of a cell's file. Adds to the provenance which cell it is, its status and the schema's version.

    No dictionaries and no statistics: in a file of a few dozen rows they cost more than they save.
    """
    status = next((status for status in table["status"].to_pylist() if status != "ok"), "ok")
    footer = {**provenance, "cell": table["cell"][0].as_py(), "status": status, "store_schema": VERSION}
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", use_dictionary=False, write_statistics=False,
                          write_page_checksum=True) as out:
        out.write_table(table)
        out.add_key_value_metadata({FOOTER.decode(): json.dumps(footer)})
    return sink.getvalue().to_pybytes()


def decode(data: bytes, cell: str, columns: Sequence[str] | None = None) -> tuple[pa.Table, str]:
    """The rows and the provenance (JSON) in the bytes of a cell's file, of the columns that it has.

    Raises ForeignError where they are no whole file of this very cell.
    """
    if not data:
        raise ForeignError("empty")
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        provenance, claimed = _claim(file.metadata)
        if claimed != cell:
            raise ForeignError(f"its content is cell {claimed[:12]}, not the one its name says")
        check_rows(file.metadata, len(data))
        if file.metadata.num_rows > MOST:  # Of its columns nothing is asked: pyarrow ends the process where one is odd.
            raise ForeignError(f"it has {file.metadata.num_rows:,} rows, where a cell has {MOST:,} at most")
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise ForeignError("two of its columns have one name")
        if missing := [name for name in IDENTITY if name not in names]:
            raise ForeignError(f"it has no column {missing[0]!r}, so that nobody knows which cell it is")
        wanted = None if columns is None else [name for name in {"cell": 0, **dict.fromkeys(columns)} if name in names]
        table = align(file.read(columns=wanted, use_threads=False))
        table.validate(full=True)  # That text is UTF-8, for one, nobody has looked at before.
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ForeignError(f"not a whole Parquet file ({_first_line(error)})") from error
    if table["cell"].unique().to_pylist() != [cell]:
        raise ForeignError("its rows are of another cell than its name")
    return table, provenance


def provenance_of(path: Path, cell: str) -> str:
    """The provenance (JSON) of a cell's file, without reading its rows. Raises ForeignError, FileNotFoundError."""
    try:
        provenance, claimed = _claim(pq.read_metadata(path))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ForeignError(f"not a whole Parquet file ({_first_line(error)})") from error
    if claimed != cell:
        raise ForeignError(f"its content is cell {claimed[:12]}, not the one its name says")
    return provenance


def ends_whole(path: Path) -> bool:
    """True where a file ends as a Parquet file does. Cheap, and tells every truncated or empty file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        size = os.fstat(descriptor).st_size
        return size >= 12 and os.pread(descriptor, 4, size - 4) == _MAGIC
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _claim(metadata: pq.FileMetaData) -> tuple[str, str]:
    text = (metadata.metadata or {}).get(FOOTER, b"")
    return text.decode(), str(told(text)["cell"])


def told(text: str | bytes) -> dict[str, Any]:
    """The provenance in some JSON that anybody may have written: which cell it is of and its status, at least.

    Raises ForeignError.
    """
    try:
        provenance = json.loads(text)
        if all(isinstance(provenance[name], str) for name in ("cell", "status")):
            return dict(provenance)
    except (TypeError, ValueError, KeyError, RecursionError):
        pass
    raise ForeignError("a Parquet file, but not one that fourfold wrote")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
