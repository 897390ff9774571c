import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.atomic import StoreError
from fourfold.suite.cellfile import SCHEMA
from fourfold.suite.compact import compact
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
