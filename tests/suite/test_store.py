import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.atomic import StoreError
from fourfold.suite.cellfile import FOOTER, SCHEMA
from fourfold.suite.compact import compact
from fourfold.suite.merge import merge
from fourfold.suite.store import (
    cell_path,
    cell_rows,
    create,
    done,
    provenance,
    read,
    replicates_matrix,
    resolve,
    statuses,
    write_cell,
)

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
AsSet = Callable[[pa.Table], list[str]]

_measured = st.none() | st.floats()
_identity = st.fixed_dictionaries({
    "task": st.text(), "dataset": st.text(), "method": st.text(), "method_digest": st.text(), "parameters": st.text(),
    "epsilon": st.floats(), "delta": st.floats(), "seed": st.integers(-(2**31), 2**31 - 1),
})
_row = st.fixed_dictionaries({
    "family": st.text(), "metric": st.text(), "group": st.text(),
    "value": _measured, "low": _measured, "high": _measured,
    "n": st.integers(-(2**63), 2**63 - 1), "status": st.sampled_from(["ok", "failed"]), "reason": st.text(),
    "replicates": st.none() | st.lists(st.none() | st.floats(width=32)),
})


@pytest.fixture
def root(tmp_path: Path, make_cell: Make) -> Path:
    root = create(tmp_path / "results")
    for i in range(4):
        assert write_cell(root, *make_cell(i), {"command": f"run {i}"})
    return root


def _temporaries(root: Path) -> list[Path]:
    return list(root.rglob(".*.tmp"))


@settings(max_examples=60, deadline=None)
@given(identity=_identity, rows=st.lists(_row, min_size=1, max_size=4), log=st.text(), compacted=st.booleans())
def test_what_is_written_is_read(
    identity: dict[str, Any], rows: list[dict[str, Any]], log: str, compacted: bool, as_set: AsSet
) -> None:
    cell = "0123456789abcdef"
    rows = [{"cell": cell, **identity, **row} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        root = create(Path(folder))
        assert write_cell(root, cell, rows, {"log": log})
        if compacted:
            compact(root)
        results = read(root)
        assert results.skipped == []
        assert results.rows.schema.equals(SCHEMA)
        assert as_set(results.rows) == as_set(pa.Table.from_pylist(rows, schema=SCHEMA))
        assert as_set(results.rows) == as_set(cell_rows(root, cell))
        assert provenance(root, cell)["log"] == log
        expected = "failed" if any(row["status"] == "failed" for row in rows) else "ok"
        assert statuses(root) == {cell: expected} == {cell: provenance(root, cell)["status"]}


def test_the_first_writer_wins(root: Path, make_cell: Make) -> None:
    cell, rows = make_cell(1, value=0.0)
    before = cell_path(root, cell).read_bytes()
    assert not write_cell(root, cell, rows, {})
    assert cell_path(root, cell).read_bytes() == before
    compact(root)
    assert not write_cell(root, cell, rows, {})
    assert provenance(root, cell)["command"] == "run 1"


_RACER = """
import sys, time
from pathlib import Path
from fourfold.suite.store import write_cell
root, name = Path(sys.argv[1]), sys.argv[2]
(root / name).touch()
while len(list(root.glob("racer-*"))) < 2:
    time.sleep(0.001)
won = 0
for i in range(150):
    cell = f"{i * 7919:016x}"
    row = dict(cell=cell, task="t", dataset="d", method=name, method_digest="", parameters="", epsilon=1.0, delta=0.0,
               seed=0, family="", metric="m", group="", value=1.0, n=1, status="ok", reason="")
    won += write_cell(root, cell, [row], {"by": name})
print(won)
"""


def test_two_processes_that_write_the_same_cells(tmp_path: Path) -> None:
    root = create(tmp_path / "results")
    racers = [subprocess.Popen([sys.executable, "-c", _RACER, root, f"racer-{name}"], stdout=subprocess.PIPE)
              for name in "ab"]
    won = [int(racer.communicate()[0]) for racer in racers]
    assert sum(won) == len(done(root)) == 150
    frame = read(root).frame()
    assert [int((frame["method"] == f"racer-{name}").sum()) for name in "ab"] == won
    assert _temporaries(root) == []


def test_a_writer_killed_at_any_step_leaves_a_cell_or_none(
    root: Path, make_cell: Make, as_set: AsSet, killed_at_each_step: Callable[[Path, str], list[Path]]
) -> None:
    cell, rows = make_cell(9)
    before, whole = as_set(read(root).rows), as_set(pa.Table.from_pylist(rows, schema=SCHEMA))
    folders = killed_at_each_step(root, f"inf = float('inf'); store.write_cell(root, {cell!r}, {rows!r}, {{}})")
    assert len(folders) > 4
    for folder in folders:
        results = read(folder)
        assert results.skipped == []
        assert as_set(results.rows) in (before, sorted(before + whole))
        assert write_cell(folder, cell, rows, {}) == (len(results.rows) == len(before))
        assert as_set(read(folder).rows) == sorted(before + whole)


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


@pytest.mark.parametrize("compacted", [False, True])
def test_reading_some_columns_and_rows(root: Path, make_cell: Make, compacted: bool) -> None:
    if compacted:
        compact(root)
        write_cell(root, *make_cell(5), {})
    found = read(root, ["value", "dataset"], metric="auc", dataset=["dataset-0", "dataset-1"], seed=[0, 1, 3])
    assert found.rows.column_names == ["value", "dataset"]
    assert sorted(found.rows["value"].to_pylist()) == pytest.approx([0.7, 0.701, 0.703])
    assert read(root, ["value"], metric="kappa").rows.num_rows == 0
    with pytest.raises(StoreError, match="'metric'"):
        read(root, metrc="auc")
    with pytest.raises(StoreError, match="'dataset'"):
        read(root, ["datasets"])


def test_the_frame_has_the_same_types_with_and_without_rows(root: Path, tmp_path: Path) -> None:
    full, empty = read(root).frame(), read(create(tmp_path / "empty")).frame()
    assert full.dtypes.equals(empty.dtypes)
    assert full["n"].dtype == np.int64
    assert full["value"].dtype == np.float64
    assert isinstance(full["method"].dtype, pd.StringDtype)


@pytest.mark.parametrize("compacted", [False, True])
def test_replicates_as_a_matrix(root: Path, compacted: bool) -> None:
    if compacted:
        compact(root)
    rows = read(root, ["value", "replicates"], metric="auc").rows.sort_by("value")
    matrix = replicates_matrix(rows)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[0.5 + i, 0.25, 0.125] for i in range(4)]
    assert replicates_matrix(rows.slice(1, 2)).tolist() == matrix[1:3].tolist()
    assert replicates_matrix(rows.slice(0, 0)).shape == (0, 0)
    with pytest.raises(StoreError, match="same number"):
        replicates_matrix(read(root, metric=["auc", "brier"]).rows)
    ragged = pa.table({"replicates": pa.array([[1.0], [1.0, 2.0, 3.0]], pa.list_(pa.float32()))})
    with pytest.raises(StoreError, match="same number"):
        replicates_matrix(ragged)


def test_the_matrix_is_no_copy() -> None:
    column = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))
    matrix = replicates_matrix(pa.table({"replicates": column}))
    assert matrix.ctypes.data == column.values.buffers()[1].address


def test_a_cell_by_the_beginning_of_its_id(root: Path, make_cell: Make) -> None:
    cell, rows = make_cell(3)
    assert resolve(root, cell[:6]) == cell == resolve(root, cell)
    assert cell_rows(root, cell[:8]).num_rows == len(rows)
    assert provenance(root, cell[:8])["command"] == "run 3"
    with pytest.raises(StoreError, match="at least 6"):
        resolve(root, cell[:5])
    wrong = cell[:6] + ("0" if cell[6] != "0" else "1")
    with pytest.raises(StoreError, match=f"no cell .* nearest are .*{cell[:8]}"):
        resolve(root, wrong)
    for end in "01":
        twin, _ = "abcdef" + end * 10, None
        write_cell(root, twin, [{**row, "cell": twin} for row in rows], {})
    with pytest.raises(StoreError, match="several"):
        resolve(root, "abcdef")


def test_rows_that_do_not_fit_are_refused(tmp_path: Path, make_cell: Make) -> None:
    root, (cell, rows) = create(tmp_path / "results"), make_cell(0)
    for wrong, message in [
        ([{**rows[0], "metrik": 1}], "metrik.*'metric'"),
        ([{**rows[0], "seed": "first"}], "does not fit"),
        ([{**rows[0], "n": None}], "must have n"),
        ([{key: value for key, value in rows[0].items() if key != "task"}], "must have task"),
        ([], "at least one row"),
        (make_cell(1)[1], "its own cell"),
        ([rows[0], {**rows[1], "dataset": "other"}], "its own dataset"),
    ]:
        with pytest.raises(StoreError, match=message):
            write_cell(root, cell, wrong, {})  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="is no cell"):
        write_cell(root, "../../elsewhere", [{**rows[0], "cell": "../../elsewhere"}], {})
    assert done(root) == set()


def test_a_folder_that_is_not_there(tmp_path: Path, make_cell: Make) -> None:
    gone = tmp_path / "gone"
    assert done(gone) == set()
    with pytest.raises(StoreError, match="no results"):
        read(gone)
    with pytest.raises(StoreError, match=r"gone.*No such file.*bring the folder back"):
        write_cell(gone, *make_cell(0), {})
    assert not gone.exists()


def test_a_full_disk_loses_nothing(mounted: Callable[..., Path], make_cell: Make, as_set: AsSet) -> None:
    root = create(mounted("size=160k"))
    stored = 0
    with pytest.raises(StoreError, match=r"No space left on device; free some space"):  # noqa: PT012
        for stored in range(100):
            write_cell(root, *make_cell(stored), {})
    assert stored > 1
    assert _temporaries(root) == []
    before = as_set(read(root).rows)
    with pytest.raises(StoreError, match="No space left"):
        compact(root)
    assert as_set(read(root).rows) == before
    assert (len(done(root)), read(root).skipped) == (stored, [])
    mounted("size=4m", again=True)
    assert write_cell(root, *make_cell(stored), {})
    compact(root)
    assert len(done(root)) == stored + 1


def test_a_limit_on_file_size(root: Path, make_cell: Make) -> None:
    cell, rows = make_cell(7)
    code = (
        "import sys; from pathlib import Path; from fourfold.suite.store import *\n"
        f"inf = float('inf')\ntry: write_cell(Path(sys.argv[1]), {cell!r}, {rows!r}, {{}})\n"
        "except StoreError as error: print(error)"
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
    run = subprocess.run([sys.executable, "-B", "-c", code, root], preexec_fn=limit, capture_output=True, text=True)
    assert "File too large; raise the limit" in run.stdout, run.stderr
    assert _temporaries(root) == []
    assert len(done(root)) == 4


def test_a_read_only_folder_is_read_and_not_written(
    mounted: Callable[..., Path], root: Path, make_cell: Make, as_set: AsSet
) -> None:
    compact(root)
    write_cell(root, *make_cell(6), {})
    place = mounted("size=4m")
    shutil.copytree(root, place / "results")
    mounted("size=4m,ro", again=True)
    locked = place / "results"
    assert as_set(read(locked).rows) == as_set(read(root).rows)
    assert done(locked) == done(root)
    assert statuses(locked) == statuses(root)
    assert provenance(locked, make_cell(6)[0])
    assert cell_rows(locked, make_cell(1)[0]).num_rows == 3
    for attempt in (
        lambda: write_cell(locked, *make_cell(8), {}), lambda: create(locked), lambda: compact(locked)
    ):
        with pytest.raises(StoreError, match=r"read-only.*another folder"):
            attempt()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
def test_a_folder_of_somebody_else(tmp_path: Path, make_cell: Make) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        root = create(Path(place) / "results")
        child = os.fork()
        if not child:
            os.setuid(65534)
            try:
                write_cell(root, *make_cell(0), {})
            except StoreError as error:
                os._exit(0 if "make the folder writable for you" in str(error) else 2)
            os._exit(3)
        assert os.waitpid(child, 0)[1] == 0


_LINKLESS = """
import errno, sys
from pathlib import Path
from fourfold.suite.store import read, write_cell
def refuse(event, arguments):
    if event == "os.link":
        raise OSError(errno.EPERM, "Operation not permitted")
sys.addaudithook(refuse)
inf = float("inf")
print([write_cell(Path(sys.argv[1]), *cell, {}) for cell in eval(sys.argv[2])])
"""


def test_a_file_system_without_hard_links(tmp_path: Path, make_cell: Make, as_set: AsSet) -> None:
    root, cells = create(tmp_path / "results"), [make_cell(0), make_cell(1), make_cell(0, value=9.0)]
    run = subprocess.run([sys.executable, "-c", _LINKLESS, root, repr(cells)], capture_output=True, text=True)
    assert run.stdout == "[True, True, False]\n", run.stderr
    assert as_set(read(root).rows) == as_set(pa.Table.from_pylist(cells[0][1] + cells[1][1], schema=SCHEMA))
    assert _temporaries(root) == []
