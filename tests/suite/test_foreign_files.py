"""What lies in a results folder and is no cell as this version writes it: skipped by name, or read for what it has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fourfold.suite.cellfile import FOOTER, SCHEMA
from fourfold.suite.compact import compact
from fourfold.suite.merge import merge
from fourfold.suite.store import (
    cell_path,
    done,
    read,
    statuses,
    write_cell,
)

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
AsSet = Callable[[pa.Table], list[str]]


@pytest.mark.parametrize("kept", [0, 3, 11, 0.2, 0.5, 0.9, -9, -4, -1])
def test_a_truncated_file_is_named_skipped_and_kept(root: Path, make_cell: Make, kept: float) -> None:
    path = cell_path(root, make_cell(2)[0])
    data = path.read_bytes()
    part = data[: int(len(data) * kept)] if isinstance(kept, float) else data[:kept]
    path.write_bytes(part)
    results = read(root)
    assert [skipped.path for skipped in results.skipped] == [path]
    assert results.rows["cell"].unique().to_pylist() == sorted_as(results.rows, [make_cell(i)[0] for i in (0, 1, 3)])
    assert make_cell(2)[0] not in done(root)
    assert make_cell(2)[0] not in statuses(root)
    assert path.read_bytes() == part
    assert write_cell(root, *make_cell(2), {"again": True})  # and what stood in its place is kept
    assert (root / "retired" / f"{path.stem}.1.parquet").read_bytes() == part
    assert read(root).skipped == []


def sorted_as(table: pa.Table, cells: list[str]) -> list[str]:
    return sorted(cells, key=table["cell"].to_pylist().index)


def test_a_flipped_bit_is_noticed(root: Path, make_cell: Make) -> None:
    path = cell_path(root, make_cell(2)[0])
    data = bytearray(path.read_bytes())
    data[data.find(b"\x28\xb5\x2f\xfd") + 20] ^= 1  # within the first compressed page
    path.write_bytes(data)
    assert [skipped.path for skipped in read(root).skipped] == [path]


def test_foreign_files_are_named_and_skipped(root: Path, make_cell: Make, as_set: AsSet) -> None:
    rows = as_set(read(root).rows)
    folder = cell_path(root, make_cell(0)[0]).parent
    names = [folder.name + f"{number:030x}.parquet" for number in range(4)]
    (folder / names[0]).write_text("not Parquet at all, but long enough to be one: PAR1")
    (folder / names[1]).mkdir()
    pq.write_table(pa.table({"someone": ["else"]}), folder / names[2])
    shutil.copy(cell_path(root, make_cell(0)[0]), folder / names[3])
    (folder / "notes.txt").write_text("mine")
    (root / "cells" / "stray").write_text("mine")
    (root / "compacted").mkdir()
    (root / "compacted" / "old").mkdir()
    (folder / ".0123.tmp").write_text("a writer is at work, or was killed")
    results = read(root)
    strays = [folder / name for name in [*names, "notes.txt"]] + [root / "cells" / "stray", root / "compacted" / "old"]
    assert {skipped.path for skipped in results.skipped} == set(strays)
    assert all(skipped.why for skipped in results.skipped)
    assert as_set(results.rows) == rows
    assert all(path.exists() for path in strays)


def _write_file(root: Path, cell: str, table: pa.Table) -> None:
    path = cell_path(root, cell)
    path.parent.mkdir(exist_ok=True)
    footer = {FOOTER: json.dumps({"cell": cell, "status": "ok", "store_schema": 0}).encode()}
    pq.write_table(table.replace_schema_metadata(footer), path)


@pytest.mark.parametrize("compacted", [False, True])
def test_other_schemas_keep_every_column(root: Path, make_cell: Make, compacted: bool) -> None:
    old, new = make_cell(20), make_cell(21)
    table = pa.Table.from_pylist(old[1], schema=SCHEMA).drop_columns(["replicates", "high", "reason"])
    _write_file(root, old[0], table.set_column(8, "seed", table["seed"].cast(pa.int64())))
    table = pa.Table.from_pylist(new[1], schema=SCHEMA)
    _write_file(root, new[0], table.append_column("carbon", pa.array([1.0, 2.0, 3.0])))
    if compacted:
        compact(root)
    results = read(root)
    assert results.skipped == []
    assert results.rows.column_names == [*SCHEMA.names, "carbon"]
    assert results.rows["seed"].type == pa.int32()
    frame = results.frame().set_index("cell")
    assert frame.loc[old[0], ["replicates", "high", "reason"]].isna().all(axis=None)
    assert frame.loc[old[0], "seed"].tolist() == [0, 0, 0]
    assert sorted(frame.loc[new[0], "carbon"]) == [1.0, 2.0, 3.0]
    assert frame.drop(new[0])["carbon"].isna().all()
    assert read(root, ["high"], cell=old[0]).rows.num_rows == 3
    assert read(root, ["metric"], reason="").rows.num_rows == 5 * 3


def _carbon(root: Path, cell: tuple[str, list[dict[str, Any]]], values: list[Any]) -> Path:
    table = pa.Table.from_pylist(cell[1], schema=SCHEMA)
    _write_file(root, cell[0], table.append_column("carbon", pa.array(values)))
    return cell_path(root, cell[0])


def test_files_whose_unknown_columns_contradict_others_are_named_and_kept(
    root: Path, tmp_path: Path, make_cell: Make
) -> None:
    numbers = [_carbon(root, make_cell(i), [float(i)] * 3) for i in (20, 21, 22)]
    nulls = _carbon(root, make_cell(23), [None] * 3)
    texts = [_carbon(root, make_cell(i), ["much"] * 3) for i in (24, 25)]
    before = [path.read_bytes() for path in texts]

    def sound(root: Path, expected: list[Path]) -> None:
        found = read(root)
        assert {skipped.path.name for skipped in found.skipped} == {path.name for path in expected}
        assert found.skipped[0].why == "its column 'carbon' is string, that of other files double"
        assert {*found.rows["cell"].to_pylist()} == done(root) - {path.stem for path in expected}
        assert sorted(found.rows["carbon"].drop_null().to_pylist()) == [20.0] * 3 + [21.0] * 3 + [22.0] * 3
        assert read(root, ["value"]).rows.num_rows == 10 * 3  # what is asked for does not contradict

    sound(root, texts)
    assert merge([root], tmp_path / "merged").copied == 10
    sound(tmp_path / "merged", texts)
    compacted = compact(root)
    assert (compacted.cells, [skipped.path for skipped in compacted.skipped]) == (8, sorted(texts))
    assert [path.read_bytes() for path in texts] == before
    assert not any(path.exists() for path in [*numbers, nulls])
    sound(root, texts)
    more = [_carbon(root, make_cell(i), ["more"] * 3) for i in range(30, 36)]  # now they are most of the loose files
    assert {skipped.path for skipped in compact(root).skipped} == {*texts, *more} == {
        skipped.path for skipped in read(root).skipped
    }


def test_two_columns_of_one_name_are_no_cell(root: Path, make_cell: Make) -> None:
    cell, rows = make_cell(20)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    _write_file(root, cell, table.append_column("value", pa.array([1.0] * 3)))
    assert [skipped.path for skipped in read(root).skipped] == [cell_path(root, cell)] == [
        skipped.path for skipped in compact(root).skipped
    ]
