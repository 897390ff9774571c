"""What fuzzing, or reading for it, once found: each input broke its parser's promise, and does no more."""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import dataset_seeds
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import seeds
from targets import TARGETS

from fourfold.suite import bundle, cellfile


def _archive(name: str = "method.py", **manifest: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("manifest.json", json.dumps(manifest))
        made.writestr(f"files/{name}", seeds.ONE)
    return buffer.getvalue()


def _listing_a_million() -> bytes:
    """A zip of one file that lists it a million times."""
    whole = _archive()
    start = whole.index(b"PK\1\2")
    listed = whole[start : whole.index(b"PK\5\6")] * 500_000
    end = bytearray(whole[whole.index(b"PK\5\6") :])
    end[12:16] = len(listed).to_bytes(4, "little")
    return whole[:start] + listed + end


def _without_a_dataset() -> bytes:
    table = cellfile.tabulate(seeds.CELL, seeds._rows(seeds.CELL)).drop_columns(["dataset"])
    return seeds._plain(table, {"fourfold": json.dumps({"cell": seeds.CELL, "status": "ok"})})


def _told(footer: str) -> bytes:
    return seeds._plain(cellfile.tabulate(seeds.CELL, seeds._rows(seeds.CELL)), {"fourfold": footer})


def _cut_runs() -> bytes:
    """An image whose run-length encoding lacks its first byte: a decoder then counts on beyond its rows."""
    data = seeds.dicoms()[5]
    at = data.rindex(b"\xfe\xff\x00\xe0") + 72
    return data[:at] + data[at + 1 :]


def _owned_by_a_sequence() -> bytes:
    """A private creator that is a sequence, whose item has an element of a VR that there is none of."""
    element = b"\x28\x00\x14\x21CO\x02\x00ab"
    item = b"\xfe\xff\x00\xe0" + len(element).to_bytes(4, "little") + element
    sequence = b"\x09\x00\x10\x00SQ\x00\x00" + len(item).to_bytes(4, "little") + item
    data = seeds.dicoms()[0]
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    return data[:start] + sequence + data[start:]


def _noted(**changes: object) -> bytes:
    return json.dumps(json.loads(seeds.notes()[0]) | changes).encode()


def _texts(kind: str, values: list[object]) -> bytes:
    field = pa.field("x", pa.large_list(pa.infer_type(values)), metadata={"kind": kind, "shape": f"[{len(values)}]"})
    return seeds._stream(pa.record_batch([pa.array([values], field.type)], schema=pa.schema([field])))


def _listing_twice() -> bytes:
    """The list of a compacted folder, with its one cell twice."""
    table = pq.read_table(io.BytesIO(seeds.manifests()[0][1:]))
    return b"c" + seeds._plain(pa.concat_tables([table, table]), {})


CLASSES = "from fourfold.suite import Method\nclass A0{first}:\n    task = 'toy'\n" + "".join(
    f"class A{i}(A{i - 1}, A{i - 1}):\n    pass\n" for i in range(1, 3000)
)
FOUND = {
    "classes that inherit from each other twice over and over": ("source", CLASSES.format(first="").encode()),
    "methods that inherit from each other for ever": ("source", CLASSES.format(first="(Method)").encode()),
    "an annotation as deep as the parser lets it be": ("source", seeds.ONE + b"    x: " + b"a." * 2500 + b"a = 1\n"),
    "a name that no file can have": ("archive", _archive("x" * 300 + ".py")),
    "a class whose name has a million letters": ("archive", _archive(**{"class": "A" * 10**6})),
    "a list of a million files": ("archive", _listing_a_million()),
    "a selector longer than any name": ("selector", b"logistic" * 100),
    "a path longer than any name": ("selector", b"logistic" * 100 + b".zip"),
    "a list in a list in a list": ("settings", b"dataset = " + b"[" * 5000 + b"]" * 5000),
    "a path that is a number": ("settings", b"data = 1"),
    "a setting that is no UTF-8": ("settings", b"dataset = '\xff'"),
    "no dataset in a cell": ("results", _without_a_dataset()),
    "releases of negative length": ("evidence", _noted(lengths=[-2, 2, 6])),
    "a witness before the first record": ("evidence", _noted(summed=[-4, 2])),
    "a ledger of texts": ("evidence", _noted(ledger='[["gaussian", "2", 0.3, "3", "poisson"]]')),
    "a ledger of lists": ("evidence", _noted(ledger='[["gaussian", 2, 0.3, 3, "poisson", ["record"]]]')),
    "a ledger in a ledger in a ledger": ("evidence", _noted(ledger="[" * 10**5)),
    "noise of a number too large": ("ledger", b'[["gaussian", 1' + b"0" * 400 + b', 1, 1, "full"]]'),
    "a tuple of numbers": ("record", _texts("tuple", [1.5, 2.5])),
    "a long text among many short ones": ("record", _texts("array", ["x" * 10**6, *["y"] * 10**5])),
    "a footer without a status": ("results", _told(json.dumps({"cell": seeds.CELL}))),
    "a footer that is a text": ("results", _told('"cell"')),
    "a cell that is there twice": ("compacted", _listing_twice()),
    "a list of nothing": ("compacted", b"c" + seeds.parquet({"cell": [1, 2]})),
    "a private creator that is a sequence": ("dicom", _owned_by_a_sequence()),
    "runs that end too early": ("dicom", _cut_runs()),
    "four gigabytes in four megabytes": ("digits", gzip.compress(bytes(1 << 26), 1) * 64),
    "a number of people that is none": ("areas", dataset_seeds.areas()[0].replace(b",1007,", b",1O07,")),
    "a code that is no text": ("german", dataset_seeds.german()[0].replace(b"A191", b"\xb191")),
    "months that are none": ("drivers", dataset_seeds.monthly().replace(b"2022-02", b"2022-xx")),
    "a field of a CSV file that is too long": (
        "give_me_some_credit", dataset_seeds.give_me_some_credit()[0] + b"x" * 200_000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("found", FOUND)
def test_is_mended(found: str) -> None:
    name, data = FOUND[found]
    TARGETS[name].parse(data)


def test_a_column_of_another_type_than_its_statistics_ends_no_process() -> None:
    data = seeds.cells()[3]
    text, other = bytes([12]), bytes([6])  # BYTE_ARRAY and INT96, as Thrift's compact protocol writes them.
    places = [place for place in range(len(data) // 4, len(data)) if data[place : place + 1] == text]
    assert places
    for place in places:
        TARGETS["cell_file"].parse(data[:place] + other + data[place + 1 :])


def test_more_rows_than_a_cell_has_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cellfile, "MOST", 8)
    data = cellfile.encode(cellfile.tabulate(seeds.CELL, seeds._rows(seeds.CELL) * 3), {})
    with pytest.raises(cellfile.ForeignError, match="9 rows, where a cell has 8 at most"):
        cellfile.decode(data, seeds.CELL)


def _varint(number: int) -> bytes:
    """An i64, as Thrift's compact protocol writes it."""
    left, found = number << 1 ^ number >> 63, bytearray()
    while left > 127:
        found.append(left & 127 | 128)
        left >>= 7
    return bytes([*found, left])


def _claiming(data: bytes, rows: int) -> bytes:
    """A Parquet file of one group, whose footer says of the group alone that it has so many rows."""
    metadata = pq.read_metadata(io.BytesIO(data))
    group, footer = metadata.row_group(0), len(data) - 8 - metadata.serialized_size
    said = b"\x16" + _varint(group.total_byte_size) + b"\x16"
    assert data.count(said + _varint(group.num_rows), footer) == 1
    forged = data[footer:-8].replace(said + _varint(group.num_rows), said + _varint(rows))
    return data[:footer] + forged + len(forged).to_bytes(4, "little") + data[-4:]


@pytest.mark.parametrize("rows", [1 << 36, -1])
def test_no_room_is_made_for_rows_that_a_group_alone_claims(rows: int, tmp_path: Path) -> None:
    with pytest.raises(cellfile.ForeignError, match=r"its groups have -?[0-9,]+ rows, and it [0-9]"):
        cellfile.decode(_claiming(seeds.cells()[3], rows), seeds.CELL)
    path = tmp_path / "cells.parquet"
    path.write_bytes(_claiming(seeds.parquet({"cell": [seeds.CELL]}), rows))
    with pytest.raises(cellfile.ForeignError, match=r"cells\.parquet .*its groups have"):
        bundle.read_file(path)


def test_no_room_is_made_for_rows_that_are_more_than_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    pq.write_table(pa.table({"cell": pa.array([""]).take(pa.array([0] * 10**6))}), path)
    with pytest.raises(cellfile.ForeignError, match="it claims 1,000,000 rows in"):
        bundle.read_file(path)


def _with_footer(path: Path, old: bytes, new: bytes) -> None:
    """Change what the footer of a Parquet file says."""
    data = path.read_bytes()
    start = len(data) - 8 - pq.read_metadata(path).serialized_size
    assert old in data[start:]
    path.write_bytes(data[:start] + data[start:].replace(old, new))


def test_no_footer_hides_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    path, cell = tmp_path / "cells.parquet", pa.array(["b" * 64])
    pq.write_table(pa.table({"cell": cell}), path)
    _with_footer(path, b"b" * 64, b"a" * 64)  # The least and the greatest of the column.
    assert bundle.read_file(path, where={"cell": cell}).num_rows == 1
    assert bundle.read_file(path, but={"cell": cell}).num_rows == 0


def test_no_column_of_a_forged_type_is_looked_at_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    pq.write_table(pa.table({"cell": ["b" * 64]}), path)
    _with_footer(path, b"\x1c\x15\x0c\x19", b"\x1c\x15\x02\x19")  # Of a column's bytes: no texts, but integers.
    code = "import pathlib, sys, pyarrow as pa; from fourfold.suite import bundle"
    read = "bundle.read_file(pathlib.Path(sys.argv[1]), where={'cell': pa.array(['b' * 64])})"
    command = [sys.executable, "-c", f"{code}; {read}", str(path)]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0 or "ForeignError" in done.stderr, done.stderr


def test_a_new_column_of_any_kind_is_kept() -> None:
    table = cellfile.tabulate(seeds.CELL, seeds._rows(seeds.CELL)).append_column("carbon", pa.array([{"a": 1}] * 3))
    TARGETS["results"].parse(seeds._plain(table, {"fourfold": json.dumps({"cell": seeds.CELL, "status": "ok"})}))
