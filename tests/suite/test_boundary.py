"""What crosses the boundary comes out as it went in; what was forged does not come out at all."""

import dataclasses
import os
import pickle
import struct
import threading
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fourfold.suite import boundary
from fourfold.suite.boundary import BoundaryError, decode, encode, numbers

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
NUMBERS = st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.boolean_dtypes(),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda text: not text.endswith("\0"))
ARRAYS = st.one_of(
    hnp.arrays(NUMBERS, SHAPES),
    hnp.arrays(hnp.unicode_string_dtypes(max_len=8), SHAPES),
)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), TEXT, st.none(), st.lists(TEXT).map(tuple)
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        equal = np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        return bool(equal) and one.shape == other.shape and one.dtype.kind == other.dtype.kind
    return type(one) is type(other) and (one == other or (one != one and other != other))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["features", "label", "race"]), st.one_of(ARRAYS, SCALARS), min_size=1))
def test_a_record_comes_out_as_it_went_in(record: dict[str, Any]) -> None:
    came = vars(decode(encode(record)))
    assert came.keys() == record.keys()
    assert all(same(record[name], came[name]) for name in record)


@given(hnp.arrays(NUMBERS, SHAPES))
def test_an_array_of_numbers_keeps_dtype_and_shape(array: np.ndarray) -> None:
    came = numbers(encode({"answer": array}))
    assert same(array, came)
    assert came.dtype == array.dtype.newbyteorder("=")
    assert not came.flags.writeable


def test_a_record_keeps_its_name_and_is_frozen_with_all_its_arrays() -> None:
    @dataclass(frozen=True)
    class Train:
        features: np.ndarray
        flags: np.ndarray
        race: np.ndarray
        columns: tuple[str, ...]

    came = decode(encode(Train(np.ones((2, 3)), np.array([True, False]), np.array(["a", "b"]), ("x", "y", "z"))))
    assert type(came).__name__ == "Train"
    assert came.columns == ("x", "y", "z")
    with pytest.raises(AttributeError):
        came.race = 1
    for array in (came.features, came.flags, came.race):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_what_dataclasses_offer_works_on_a_record_that_crossed() -> None:
    came = decode(encode({"rate": 0.5, "names": ("x", "y")}))
    assert [field.name for field in dataclasses.fields(came)] == ["rate", "names"]
    assert dataclasses.asdict(came) == {"rate": 0.5, "names": ("x", "y")}
    assert repr(came) == "Record(rate=0.5, names=('x', 'y'))"
    assert dataclasses.replace(came, rate=1.0).rate == type(came)(1.0, names=()).rate == 1.0
    for wrong in ({"rat": 1.0}, {"rate": 1.0, "names": (), "more": 0}, {}):
        with pytest.raises(TypeError, match="takes rate, names"):
            type(came)(**wrong)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del came.rate


@pytest.mark.parametrize(
    "value",
    [
        np.array([1 + 2j]),
        np.array([b"x"]),
        np.array([None]),
        np.array(["2020"], "M8[D]"),
        2**70,
        object(),
        [1, "a", None],
        (1, 2),
        {"a": 1},
    ],
)
def test_nothing_else_is_sent(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^x: arrays of numbers, booleans or text can cross"):
        encode({"x": value})


# Forgery


def stream(array: pa.Array, *, metadata: dict[str, str] | None = None, rows: int = 1, **options: Any) -> bytes:
    """An Arrow stream of one field, ``answer``, whose metadata are those of a list of three unless said otherwise."""
    given = {"kind": "array", "shape": "[3]"} if metadata is None else metadata
    schema = pa.schema([pa.field("answer", array.type, metadata=given)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(rows):
            writer.write_batch(pa.record_batch([array], schema=schema))
    return bytes(sink.getvalue())


def listed(values: Any, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array([values], pa.large_list(kind or pa.float64()))


HONEST = stream(listed([1.0, 2.0, 3.0]))


def reaching(start: int, stop: int) -> bytes:
    """The honest stream with other list offsets."""
    before, offsets, after = HONEST.rpartition(struct.pack("<qq", 0, 3))
    assert offsets
    return before + struct.pack("<qq", start, stop) + after


FORGED = {
    "nothing": b"",
    "a pickle": pickle.dumps(np.ones(3)),
    "a numpy file": b"\x93NUMPY\x01\x00",
    "truncated": HONEST[:-40],
    "only a schema": bytes(pa.schema([("answer", pa.large_list(pa.float64()))]).serialize()),
    "two rows": stream(pa.array([[1.0], [2.0]], pa.large_list(pa.float64())), metadata={"shape": "[2]"}),
    "no row": stream(pa.array([], pa.large_list(pa.float64())), metadata={"shape": "[0]"}),
    "two batches": stream(listed([1.0, 2.0, 3.0]), rows=2),
    "a null list": stream(listed(None), metadata={"shape": "[0]"}),
    "a null inside": stream(listed([1.0, None, 3.0])),
    "no list": stream(pa.array([1.0]), metadata={"shape": "[]"}),
    "a short list": stream(pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float64()))),
    "a view": stream(pa.array([[1.0, 2.0, 3.0]], pa.list_view(pa.float64()))),
    "a list of lists": stream(pa.array([[[1.0]]], pa.large_list(pa.large_list(pa.float64())))),
    "a struct": stream(pa.array([{"a": 1.0}])),
    "a dictionary": stream(pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([1.0]))),
    "a list of dictionaries": stream(
        pa.LargeListArray.from_arrays(
            pa.array([0, 1], pa.int64()), pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["x"]))
        )
    ),
    "an extension": stream(pa.array([b"x" * 16], pa.uuid())),
    "a list of extensions": stream(
        pa.LargeListArray.from_arrays(pa.array([0, 1], pa.int64()), pa.array([b"x" * 16], pa.uuid()))
    ),
    "an unknown extension": stream(listed([1.0]), metadata={"shape": "[1]", "ARROW:extension:name": "evil"}),
    "times": stream(listed([1, 2, 3], pa.timestamp("s"))),
    "decimals": stream(listed([1, 2, 3], pa.decimal128(5))),
    "binary": stream(listed([b"a", b"b", b"c"], pa.binary())),
    "no metadata": stream(listed([1.0, 2.0, 3.0]), metadata={}),
    "another shape": stream(listed([1.0, 2.0, 3.0]), metadata={"shape": "[4]"}),
    "a guessed shape": stream(listed([1.0, 2.0, 3.0]), metadata={"shape": "[-1]"}),
    "a shape that overflows": stream(listed([]), metadata={"shape": f"[0, {1 << 80}]"}),
    "a shape of 65 dimensions": stream(listed([1.0]), metadata={"shape": str([1] * 65)}),
    "a shape of fractions": stream(listed([1.0, 2.0, 3.0]), metadata={"shape": "[3.0]"}),
    "a shape that is none": stream(listed([1.0, 2.0, 3.0]), metadata={"shape": "three"}),
    "a deep shape": stream(listed([1.0]), metadata={"shape": "[" * 200_000}),
    "a number of a million digits": stream(listed([1.0]), metadata={"shape": "[" + "9" * 1_000_000 + "]"}),
    "offsets out of reach": reaching(0, 1 << 40),
    "offsets backwards": reaching(3, 0),
    "offsets below": reaching(-3, 0),
    "lz4": stream(listed([1.0, 2.0, 3.0] * 100), metadata={"shape": "[300]"}, compression="lz4"),
    "zstd": stream(listed([1.0, 2.0, 3.0] * 100), metadata={"shape": "[300]"}, compression="zstd"),
}


@pytest.mark.parametrize("read", [decode, numbers])
@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED.keys())
def test_a_forged_stream_is_refused(read: Any, data: bytes) -> None:
    with pytest.raises(BoundaryError, match=r"\w+"):
        read(data)


def test_an_answer_is_one_array_of_numbers() -> None:
    np.testing.assert_array_equal(numbers(HONEST), [1, 2, 3])
    for record in (
        {"a": np.ones(1), "b": np.ones(1)},
        {"answer": np.array(["x"])},
        {"answer": None},
        {"answer": ("x",)},
    ):
        with pytest.raises(BoundaryError, match=r"an array of numbers was expected|one array was expected"):
            numbers(encode(record))


def test_a_gigabyte_in_a_few_kilobytes_is_refused_before_it_is_inflated() -> None:
    zeros = pa.Array.from_buffers(pa.float64(), 1 << 24, [None, pa.py_buffer(bytes(1 << 27))])
    bomb = stream(
        pa.LargeListArray.from_arrays(pa.array([0, 1 << 24], pa.int64()), zeros),
        metadata={"shape": f"[{1 << 24}]"},
        compression="zstd",
    )
    assert len(bomb) < 1 << 17
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(BoundaryError, match="compressed"):
            numbers(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert pa.total_allocated_bytes() - before < 1 << 20


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_stream_with_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(encode({"answer": np.arange(6.0).reshape(2, 3)}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for read in (numbers, decode):
        try:
            came = read(bytes(whole))
        except BoundaryError:
            continue
        if read is numbers:
            assert came.dtype.kind in "fiub"


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(BoundaryError, match="codec can't decode"):
        numbers(HONEST.replace(b"answer", b"answ\xdcr"))


@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(BoundaryError):
        numbers(data)


# Frames


@given(
    st.lists(
        st.tuples(st.sampled_from(b"RKDALSE").map(lambda letter: bytes([letter])), st.binary(max_size=50)), max_size=5
    ),
    st.integers(1, 20),
)
def test_frames_come_out_of_a_buffer_however_they_are_cut(frames: list[tuple[bytes, bytes]], size: int) -> None:
    sent = b"".join(boundary.head(tag, len(body)) + body for tag, body in frames)
    buffer, came = bytearray(), []
    for start in range(0, len(sent), size):
        buffer += sent[start : start + size]
        while (head := boundary.opened(buffer)) and (body := boundary.taken(buffer, head[1])) is not None:
            came.append((head[0], body))
    assert came == frames
    assert not buffer


def test_frames_cross_a_pipe_that_is_smaller_than_they_are() -> None:
    read, write = os.pipe()
    body = os.urandom(1 << 20)
    writer = threading.Thread(target=boundary.send, args=(write, b"A", body))
    writer.start()
    assert boundary.receive(read) == (b"A", body)
    writer.join()
    os.close(write)
    with pytest.raises(EOFError):
        boundary.receive(read)
    os.close(read)
