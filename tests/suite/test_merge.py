import math
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite import merge as merging
from fourfold.suite.atomic import StoreError
from fourfold.suite.cards import read_cards, write_card
from fourfold.suite.compact import compact
from fourfold.suite.layout import archive_path
from fourfold.suite.merge import Conflict, Differs, Merged, merge
from fourfold.suite.store import cell_path, create, done, provenance, read, write_cell

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
AsSet = Callable[[pa.Table], list[str]]

_folder = st.tuples(st.frozensets(st.integers(0, 5), max_size=4), st.booleans())


def _store(root: Path, cells: Iterable[tuple[str, list[dict[str, Any]]]], compacted: bool = False) -> Path:
    create(root)
    for cell, rows in cells:
        write_cell(root, cell, rows, {"from": root.name})
    if compacted:
        compact(root)
    return root


def _files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(max_examples=10, deadline=None)
@given(folders=st.lists(_folder, min_size=3, max_size=3))
def test_merging_is_the_union_of_sets(
    folders: list[tuple[frozenset[int], bool]], make_cell: Make, as_set: AsSet
) -> None:
    with tempfile.TemporaryDirectory() as place:
        a, b, c = (_store(Path(place) / name, (make_cell(i) for i in numbers), compacted)
                   for name, (numbers, compacted) in zip("abc", folders, strict=True))

        def union(name: str, *sources: Path) -> Path:
            merged = merge(sources, Path(place) / name)
            assert (merged.conflicts, merged.differs, merged.skipped) == ([], [], [])
            assert merged.copied == len(done(Path(place) / name))
            return Path(place) / name

        everything = [row for i in frozenset().union(*(numbers for numbers, _ in folders)) for row in make_cell(i)[1]]
        expected = as_set(pa.Table.from_pylist(everything, schema=read(a).rows.schema))
        left, right = union("ab then c", union("ab", a, b), c), union("a then bc", a, union("bc", b, c))
        for root in (left, right, union("cba", c, b, a)):
            assert as_set(read(root).rows) == expected
            before = _files(root)
            assert merge([a, b, c, root], root).copied == 0
            assert _files(root) == before


@pytest.mark.parametrize("compacted", [False, True])
def test_a_conflict_is_reported_and_nothing_overwritten(tmp_path: Path, make_cell: Make, compacted: bool) -> None:
    cell, rows = make_cell(1)
    extra = {**rows[0], "metric": "gini", "value": math.nan}
    other = [{**rows[0], "value": 0.9, "n": 99}, {**rows[2], "value": 7.0}, extra]
    left = _store(tmp_path / "left", [make_cell(0), (cell, rows)], compacted)
    right = _store(tmp_path / "right", [(cell, other), make_cell(2)], compacted)
    before = _files(right), {path: data for path, data in _files(left).items() if path.suffix == ".parquet"}
    merged = merge([right], left)
    assert (merged.copied, merged.present) == (1, 1)
    assert merged.conflicts == [
        Conflict(cell, "auc", "", {"value": 0.701, "n": 100.0}, {"value": 0.9, "n": 99.0}),
        Conflict(cell, "brier", "", {"n": 100.0}, {}),
        Conflict(cell, "gini", "", {}, {"n": 100.0}),
    ]
    assert _files(right) == before[0]
    assert before[1].items() <= _files(left).items()
    assert provenance(left, cell)["from"] == "left"
    assert provenance(left, make_cell(2)[0])["from"] == "right"


def test_cost_and_undefined_values_are_no_conflict(tmp_path: Path, make_cell: Make) -> None:
    cell, rows = make_cell(1)
    nan = [{**row, "low": math.nan} for row in rows]
    left = _store(tmp_path / "left", [(cell, nan)])
    right = _store(tmp_path / "right", [(cell, [nan[1], nan[0], {**nan[2], "value": 99.0, "n": 1}])])
    assert merge([right], left) == Merged(copied=0, present=1)


@pytest.mark.parametrize(("status", "theirs"), [("ok", "timeout"), ("timeout", "ok"), ("timeout", "failed")])
def test_runs_that_ended_differently_are_no_conflict(
    tmp_path: Path, make_cell: Make, status: str, theirs: str
) -> None:
    cell, rows = make_cell(1)
    sides = [rows if end == "ok" else [{**rows[1], "family": "", "metric": "", "status": end, "reason": "load"}]
             for end in (status, theirs)]
    left, right = (_store(tmp_path / name, [(cell, side)]) for name, side in zip("ab", sides, strict=True))
    assert merge([right], left) == Merged(present=1, differs=[Differs(cell, status, theirs)])
    assert set(read(left, ["status"]).rows["status"].to_pylist()) == {status}


def test_what_cannot_be_read_is_named_and_not_merged(tmp_path: Path, make_cell: Make) -> None:
    left = _store(tmp_path / "left", [make_cell(0), make_cell(3)])
    right = _store(tmp_path / "right", [make_cell(0), make_cell(1), make_cell(2)])
    broken = cell_path(right, make_cell(1)[0])
    broken.write_bytes(broken.read_bytes()[:-1])
    hollow = cell_path(left, make_cell(0)[0])  # ends as a cell does, but is none
    hollow.write_bytes(b"PAR1" * 5)
    merged = merge([right], left)
    assert merged.copied == 2
    assert broken in {skipped.path for skipped in merged.skipped}
    assert done(left) == {make_cell(i)[0] for i in (0, 2, 3)}
    assert read(left).rows.num_rows == 9
    assert (left / "retired" / f"{hollow.stem}.1.parquet").read_bytes() == b"PAR1" * 5


def test_a_broken_compacted_file_is_not_merged(tmp_path: Path, make_cell: Make) -> None:
    right = _store(tmp_path / "right", [make_cell(1)], compacted=True)
    rows = next(right.glob("compacted/*/rows.parquet"))
    data = bytearray(rows.read_bytes())
    data[data.find(b"\x28\xb5\x2f\xfd") + 12] ^= 1
    rows.write_bytes(data)
    merged = merge([right], tmp_path / "left")
    assert (merged.copied, [skipped.path for skipped in merged.skipped]) == (0, [rows.parent])
    assert done(tmp_path / "left") == set()


def test_cards_come_along_and_the_key_does_not(tmp_path: Path, make_cell: Make) -> None:
    left, right = _store(tmp_path / "left", []), _store(tmp_path / "right", [make_cell(0)])
    (right / "key").write_bytes(b"secret")
    write_card(left, "task", "t-1", {"title": "mine"})
    write_card(right, "task", "t-1", {"title": "theirs"})
    write_card(right, "method", "abc", {"title": "new"})
    merged = merge([right], left)
    assert [skipped.path.name for skipped in merged.skipped] == ["task-t-1.json"]
    assert read_cards(left).task == {"t-1": {"title": "mine"}}
    assert read_cards(left).method == {"abc": {"title": "new"}}
    assert not (left / "key").exists()


def test_methods_come_along_once_and_those_that_stand_stay(tmp_path: Path, make_cell: Make) -> None:
    left, right, third = (_store(tmp_path / name, [make_cell(0)]) for name in ("left", "right", "third"))
    for root, names in ((left, "a"), (right, "abc"), (third, "bd")):
        (root / "methods").mkdir()
        for name in names:
            archive_path(root, name).write_bytes(f"{name} of {root.name}".encode())
    before = _files(right), _files(third)
    assert merge([right, third], left) == Merged(present=2, archives=3)
    assert {path.name: path.read_text() for path in (left / "methods").iterdir()} == {
        "a.zip": "a of left", "b.zip": "b of right", "c.zip": "c of right", "d.zip": "d of third"
    }
    assert (_files(right), _files(third)) == before
    assert merge([right, third], left) == Merged(present=2)


def test_a_source_that_is_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="is no results folder"):
        merge([tmp_path / "empty"], tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_full_disk_stops_a_merge_and_the_same_merge_finishes_it(
    tmp_path: Path, mounted: Callable[..., Path], make_cell: Make, as_set: AsSet
) -> None:
    source = _store(tmp_path / "source", (make_cell(i) for i in range(30)))
    into = mounted("size=64k") / "into"
    with pytest.raises(StoreError, match="No space left"):
        merge([source], into)
    stored = len(done(into))
    assert read(into).skipped == []
    mounted("size=4m", again=True)
    merged = merge([source], into)
    assert (merged.copied, merged.present) == (30 - stored, stored)
    assert as_set(read(into).rows) == as_set(read(source).rows)
    shutil.rmtree(into)


def test_a_compaction_meanwhile_leaves_no_cell_out(
    tmp_path: Path, make_cell: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, place = _store(tmp_path / "a", map(make_cell, range(5))), merging.place_cell

    def placed_and_compacted(root: Path, cell: str, data: bytes) -> bool:
        if list((source / "cells").glob("*/*.parquet")):
            compact(source)
        return place(root, cell, data)

    monkeypatch.setattr(merging, "place_cell", placed_and_compacted)
    merged = merge([source], tmp_path / "b")
    assert (merged.copied, merged.present, merged.skipped) == (5, 0, [])
    assert done(tmp_path / "b") == done(source)
