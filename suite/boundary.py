"""What may cross between the suite and a guest: records of arrays as Arrow, in frames of bounded size. Never a pickle.

This file runs on both sides; it needs numpy and pyarrow.
"""

import dataclasses
import json
import math
import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

_HEAD = struct.Struct("<cQ")
_NUMBERS, _TEXT = "fiub", "U"
_WIDE = 1 << 24
"""Letters that an array of texts may have room for, however few it holds."""

Bytes = bytes | bytearray | memoryview


class BoundaryError(ValueError):
    """What came across is not what was agreed."""


def encode(record: Any) -> memoryview:
    """Turn a frozen dataclass, or a mapping, into one Arrow IPC stream of one row.

    Its fields may be numpy arrays of numbers, booleans or text of any shape, Python scalars, tuples of strings, None.
    Raises TypeError for anything else.
    """
    if isinstance(record, Mapping):
        name, values = "Record", dict(record)
    else:
        name = type(record).__name__
        values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    columns = {key: _column(key, value) for key, value in values.items()}
    schema = pa.schema([field for field, _ in columns.values()], metadata={"record": name})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([column for _, column in columns.values()], schema=schema))
    return memoryview(sink.getvalue())


def _column(name: str, value: Any) -> tuple[pa.Field, pa.Array]:
    if value is None:
        return pa.field(name, pa.null(), metadata={"kind": "none"}), pa.nulls(1)
    kind = "array" if isinstance(value, np.ndarray) else "tuple" if isinstance(value, tuple) else "scalar"
    array = np.asarray(value, dtype=np.str_ if value == () else None) if kind == "tuple" else np.asarray(value)
    if array.dtype.kind not in _NUMBERS + _TEXT or (kind == "tuple" and array.dtype.kind != _TEXT):
        raise TypeError(
            f"{name}: arrays of numbers, booleans or text can cross, single ones, and tuples of strings; "
            f"{type(value).__name__} of {array.dtype} cannot"
        )
    inner = _flat(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(-1))
    ends = pa.py_buffer(np.array([0, len(inner)], np.int64))
    column = pa.Array.from_buffers(pa.large_list(inner.type), 1, [None, ends], children=[inner])
    return pa.field(name, column.type, metadata={"kind": kind, "shape": json.dumps(array.shape)}), column


# Arrays are built from, and read as, buffers: ``pa.array``, ``to_numpy`` and ``flatten`` import much else.


def _flat(array: np.ndarray) -> pa.Array:
    if array.dtype.kind == _TEXT:  # By hand: pa.array would import pandas first, in each guest anew.
        texts = [text.encode() for text in array.tolist()]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])
    data = np.packbits(array, bitorder="little") if array.dtype.kind == "b" else array
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(data)])


def _numpy(array: pa.Array) -> np.ndarray:
    kind, data, start, size = array.type, array.buffers()[1], array.offset, len(array)
    if pa.types.is_string(kind):
        texts = array.to_pylist()
        size, longest = sum(map(len, texts)), max(map(len, texts), default=0)
        if len(texts) * longest > max(_WIDE, 2 * size):  # Each takes as much as the longest, four bytes a letter.
            raise BoundaryError(f"texts of {longest:,} letters among {len(texts):,} are too much for an array")
        return np.array(texts, np.str_)
    if pa.types.is_boolean(kind):
        bits = np.frombuffer(data or b"", np.uint8)
        return np.unpackbits(bits, count=start + size, bitorder="little")[start:].astype(np.bool_)
    letter = "f" if pa.types.is_floating(kind) else "u" if pa.types.is_unsigned_integer(kind) else "i"
    dtype = np.dtype(f"{letter}{kind.bit_width // 8}")
    return np.frombuffer(data, dtype, size, start * dtype.itemsize) if size else np.empty(0, dtype)


class _Frozen:
    """What dataclasses would write, and compile, for each frozen dataclass anew, which every guest would wait for."""

    __match_args__: tuple[str, ...]

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self.__match_args__, values, strict=False)) | named
        if len(values) + len(named) != len(given) or given.keys() != set(self.__match_args__):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.__match_args__)}, each of them once")
        vars(self).update(given)

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def decode(data: Bytes) -> Any:
    """Read ``encode``'s stream into a frozen dataclass of the same name and fields; its arrays are read-only.

    For the guest, which the suite does not deceive. Raises BoundaryError for anything but such a stream.
    """
    batch = _batch(data)
    values = _values(batch)
    name = (batch.schema.metadata or {}).get(b"record", b"Record").decode(errors="replace")
    try:
        # Arrays have no one truth to compare by; and without a docstring, dataclasses takes a while to write one.
        plain = {"__doc__": "A record of arrays."}
        kind = dataclasses.make_dataclass(
            name, list(values), bases=(_Frozen,), init=False, repr=False, eq=False, namespace=plain
        )
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise BoundaryError(f"field names that cannot be: {error}") from error


def fields(data: Bytes) -> dict[str, Any]:
    """Read ``encode``'s stream, whoever wrote it, into a dict of read-only arrays, scalars, tuples of texts, None.

    Nothing in ``data`` is believed, as in ``numbers``. Raises BoundaryError.
    """
    return _values(_batch(data))


def _values(batch: pa.RecordBatch) -> dict[str, Any]:
    return {field.name: _value(field, batch.column(i)) for i, field in enumerate(batch.schema)}


def numbers(data: Bytes) -> np.ndarray:
    """Read what a guest sent as its answer: one field of numbers or booleans, as a read-only array.

    Nothing in ``data`` is believed, and what is made of it takes at most eight times its size. Raises BoundaryError.
    """
    batch = _batch(data)
    if batch.num_columns != 1:
        raise BoundaryError(f"one array was expected, {batch.num_columns} fields came")
    field = batch.schema.field(0)
    if not pa.types.is_large_list(field.type) or pa.types.is_string(field.type.value_type):
        raise BoundaryError(f"an array of numbers was expected, {field.type} came")
    array = _array(field, batch.column(0))
    array.flags.writeable = False
    return array


def _batch(data: Bytes) -> pa.RecordBatch:
    """The one row of a stream. Its messages are looked at before Arrow inflates them or follows what they refer to."""
    try:
        messages = list(pa.ipc.MessageReader.open_stream(pa.py_buffer(data)))
        kinds = [message.type for message in messages]
        if kinds != ["schema", "record batch"]:
            raise BoundaryError(f"a schema and one batch were expected, {', '.join(kinds[:4]) or 'nothing'} came")
        if _compressed(memoryview(messages[1].metadata)):
            raise BoundaryError("plain buffers were expected, compressed ones came")
        schema = pa.ipc.read_schema(messages[0])
        for field in schema:
            _check_type(field)
        batch = pa.ipc.read_record_batch(messages[1], schema)
        batch.validate(full=True)
        _ = schema.names  # Decoded here, where names that are no text are refused.
    except BoundaryError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise BoundaryError(f"not an Arrow stream: {error}") from error
    if batch.num_rows != 1:
        raise BoundaryError(f"one row was expected, {batch.num_rows} came")
    return batch


def _compressed(metadata: memoryview) -> bool:
    """Whether a record batch names a codec, which pyarrow does not tell before it has inflated the batch.

    Reads the Flatbuffers tables of Arrow's Message.fbs: Message.header is field 2, RecordBatch.compression field 3.
    """

    def at(form: str, place: int) -> int:
        if not 0 <= place <= len(metadata) - struct.calcsize(form):
            raise BoundaryError("not an Arrow stream: its metadata point outside of themselves")
        return int(struct.unpack_from(form, metadata, place)[0])

    def field(table: int, number: int) -> int:
        vtable = table - at("<i", table)
        entry = 4 + 2 * number
        return at("<H", vtable + entry) if entry < at("<H", vtable) else 0

    message = at("<I", 0)
    offset = field(message, 2)
    if not offset:
        raise BoundaryError("not an Arrow stream: a message without a header")
    header = message + offset
    return bool(field(header + at("<I", header), 3))


def _check_type(field: pa.Field) -> None:
    if any(key.startswith(b"ARROW:") for key in field.metadata or {}):
        raise BoundaryError(f"{field.name}: an extension type came, where plain ones were expected")
    if pa.types.is_null(field.type):
        return
    inner = field.type.value_type if pa.types.is_large_list(field.type) else field.type
    known = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_string)
    if inner is field.type or not any(is_type(inner) for is_type in known):
        raise BoundaryError(f"{field.name}: a list of numbers, booleans or text was expected, {field.type} came")


def _value(field: pa.Field, column: pa.Array) -> Any:
    if pa.types.is_null(field.type):
        return None
    kind = (field.metadata or {}).get(b"kind")
    if kind == b"tuple":
        if not pa.types.is_string(field.type.value_type):
            raise BoundaryError(f"{field.name}: a tuple of texts was expected, {field.type} came")
        return tuple(_flattened(field, column).to_pylist())
    array = _array(field, column)
    if kind == b"scalar" and array.size == 1:
        return array.item()
    array.flags.writeable = False
    return array


def _array(field: pa.Field, column: pa.Array) -> np.ndarray:
    flat = _numpy(_flattened(field, column))
    return flat.reshape(_shape(field, len(flat)))


def _flattened(field: pa.Field, column: pa.Array) -> pa.Array:
    """The values of a column's one list."""
    if column.null_count or column.values.null_count:
        raise BoundaryError(f"{field.name}: values were expected, nulls came")
    start, stop = np.frombuffer(column.buffers()[1], np.int64, 2).tolist()
    return column.values.slice(start, stop - start)


def _shape(field: pa.Field, size: int) -> tuple[int, ...]:
    try:
        shape = json.loads((field.metadata or {})[b"shape"])
        sizes = len(shape) <= 32 and all(type(each) is int and 0 <= each < 2**62 for each in shape)
        if sizes and math.prod(shape) == size:
            return tuple(shape)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    raise BoundaryError(f"{field.name}: {size:,} values do not have the shape they claim")


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
    with memoryview(buffer) as view:
        body = bytes(view[_HEAD.size : end])
    del buffer[:end]
    return body


def send(descriptor: int, tag: bytes, body: Bytes = b"") -> None:
    """Write one frame, blocking."""
    for part in (head(tag, len(body)), body):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> tuple[bytes, bytearray]:
    """Read one frame, blocking. Raises EOFError when the other side is gone."""
    tag, length = _HEAD.unpack(_exactly(descriptor, _HEAD.size))
    return tag, _exactly(descriptor, length)


def _exactly(descriptor: int, size: int) -> bytearray:
    data = bytearray(size)
    got = 0
    with memoryview(data) as view:
        while got < size:
            count = os.readv(descriptor, [view[got:]])
            if count == 0:
                raise EOFError("the other side closed the pipe")
            got += count
    return data
