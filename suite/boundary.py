"""What may cross between the suite and a guest: records of arrays as Arrow, in frames of bounded size. Never a pickle.

This file runs on both sides; it needs numpy and pyarrow.
"""

import dataclasses
import io
import json
import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

_HEAD = struct.Struct("<cQ")


class BoundaryError(ValueError):
    """What came across is not what was agreed."""


def encode(record: Any) -> bytes:
    """Turn a frozen dataclass, or a mapping, into one Arrow IPC stream of one row.

    Its fields may be numpy arrays of numbers, booleans or text of any shape, Python scalars, tuples of strings, None.
    """
    name, fields = _fields(record)
    columns, schema = [], []
    for key, value in fields.items():
        if value is None:
            columns.append(pa.nulls(1))
            schema.append(pa.field(key, pa.null(), metadata={"kind": "none"}))
            continue
        kind = "array" if isinstance(value, np.ndarray) else "tuple" if isinstance(value, tuple) else "scalar"
        array = np.asarray(value)
        flat = pa.array(np.ascontiguousarray(array).reshape(-1), from_pandas=False)
        columns.append(pa.LargeListArray.from_arrays(pa.array([0, len(flat)], pa.int64()), flat))
        schema.append(pa.field(key, columns[-1].type, metadata={"kind": kind, "shape": json.dumps(array.shape)}))
    batch = pa.record_batch(columns, schema=pa.schema(schema, metadata={"record": name}))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _fields(record: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(record, Mapping):
        return "Record", dict(record)
    return type(record).__name__, {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def decode(data: bytes | memoryview) -> Any:
    """Read ``encode``'s stream into a frozen dataclass of the same name and fields, its arrays views of ``data``.

    Raises BoundaryError for anything else: other types, nulls, more than one row, shapes that do not fit.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BoundaryError(f"not an Arrow stream: {error}") from error
    if table.num_rows != 1:
        raise BoundaryError(f"one row was expected, {table.num_rows} came")
    values = {field.name: _value(field, table.column(i).combine_chunks()) for i, field in enumerate(table.schema)}
    name = (table.schema.metadata or {}).get(b"record", b"Record").decode()
    try:
        return dataclasses.make_dataclass(name, list(values), frozen=True)(**values)
    except (TypeError, ValueError) as error:
        raise BoundaryError(f"field names that cannot be: {error}") from error


def _value(field: pa.Field, column: pa.Array) -> Any:
    metadata = field.metadata or {}
    kind = metadata.get(b"kind")
    if kind == b"none":
        return None
    if not pa.types.is_large_list(field.type) or column.null_count or column.flatten().null_count:
        raise BoundaryError(f"{field.name}: a list without nulls was expected, {field.type} came")
    inner = field.type.value_type
    if not (pa.types.is_floating(inner) or pa.types.is_integer(inner) or pa.types.is_boolean(inner)
            or pa.types.is_string(inner)):
        raise BoundaryError(f"{field.name}: numbers, booleans or text were expected, {inner} came")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if pa.types.is_string(inner):
        flat = flat.astype(str)
    try:
        shape = tuple(int(size) for size in json.loads(metadata[b"shape"]))
        array = flat.reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise BoundaryError(f"{field.name}: {len(flat)} values do not have the shape they claim") from error
    if kind == b"tuple":
        return tuple(array.tolist())
    return array.item() if kind == b"scalar" and array.size == 1 else array


def head(tag: bytes, length: int) -> bytes:
    """The nine bytes before a frame's body: its one-byte tag and its length."""
    return _HEAD.pack(tag, length)


def opened(buffer: bytearray) -> tuple[bytes, int] | None:
    """The tag and length of the frame that ``buffer`` begins with, once its head is there."""
    return _HEAD.unpack_from(buffer) if len(buffer) >= _HEAD.size else None


def taken(buffer: bytearray, length: int) -> bytes | None:
    """Take the frame's body off the front of ``buffer``, once all of it is there."""
    end = _HEAD.size + length
    if len(buffer) < end:
        return None
    body = bytes(memoryview(buffer)[_HEAD.size:end])
    del buffer[:end]
    return body


def send(descriptor: int, tag: bytes, body: bytes = b"") -> None:
    """Write one frame, blocking."""
    for part in (head(tag, len(body)), body):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view):]


def receive(descriptor: int) -> tuple[bytes, bytes]:
    """Read one frame, blocking. Raises EOFError when the other side is gone."""
    tag, length = _HEAD.unpack(_exactly(descriptor, _HEAD.size))
    return tag, _exactly(descriptor, length)


def _exactly(descriptor: int, size: int) -> bytes:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = os.readv(descriptor, [view[got:]])
        if count == 0:
            raise EOFError("the other side closed the pipe")
        got += count
    return bytes(data)
