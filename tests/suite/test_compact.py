import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fourfold.suite.atomic import StoreError
from fourfold.suite.cellfile import SCHEMA
from fourfold.suite.compact import compact, retire
from fourfold.suite.store import cell_path, cell_rows, create, done, provenance, read, statuses, write_cell

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
AsSet = Callable[[pa.Table], list[str]]


@pytest.fixture
def root(tmp_path: Path, make_cell: Make) -> Path:
    root = create(tmp_path / "results")
    for i in range(6):
        assert write_cell(root, *make_cell(i), {"command": f"run {i}"})
    return root


def _loose(root: Path) -> list[Path]:
    return list((root / "cells").rglob("*.parquet"))


def _folders(root: Path) -> list[Path]:
    return [path for path in (root / "compacted").iterdir() if path.is_dir() and path.suffix != ".tmp"]


def _everything(root: Path, as_set: AsSet) -> Any:
    return as_set(read(root).rows), done(root), statuses(root), [provenance(root, cell) for cell in sorted(done(root))]


def test_one_file_of_many_reads_the_same(root: Path, make_cell: Make, as_set: AsSet) -> None:
    before = _everything(root, as_set)
    compacted = compact(root)
    assert (compacted.cells, compacted.skipped, _loose(root)) == (6, [], [])
    assert _folders(root) == [compacted.folder]
    assert _everything(root, as_set) == before
    assert compact(root) == compacted
    write_cell(root, *make_cell(6), {})
    after = _everything(root, as_set)
    assert len(after[1]) == 7
    assert compact(root).cells == 7
    assert (len(_folders(root)), _loose(root)) == (1, [])
    assert _everything(root, as_set) == after


def test_nothing_to_compact(tmp_path: Path) -> None:
    assert compact(create(tmp_path / "results")).folder is None
    with pytest.raises(StoreError, match="no results"):
        compact(tmp_path / "gone")


def test_rows_that_are_read_together_lie_together(root: Path) -> None:
    compact(root)
    rows = read(root, ["dataset", "metric", "method", "seed"]).rows.to_pylist()
    assert [row["metric"] for row in rows] == ["auc"] * 6 + ["brier", "brier", "cpu_seconds", "cpu_seconds"] * 3
    for part in (rows[:6], rows[6:]):
        places = [(row["dataset"], row["metric"], row["method"], row["seed"]) for row in part]
        assert places == sorted(places)


def test_what_is_no_cell_is_left_where_it_is(root: Path, make_cell: Make, as_set: AsSet) -> None:
    broken, stray = cell_path(root, make_cell(2)[0]), root / "cells" / "notes.txt"
    broken.write_bytes(broken.read_bytes()[:100])
    stray.write_text("mine")
    before = as_set(read(root).rows)
    compacted = compact(root)
    assert {skipped.path for skipped in compacted.skipped} == {broken, stray}
    assert (compacted.cells, broken.stat().st_size, stray.read_text()) == (5, 100, "mine")
    assert as_set(read(root).rows) == before


@pytest.mark.parametrize("name", ["rows.parquet", "cells.parquet"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_compacted_file_is_named_and_kept(root: Path, make_cell: Make, name: str, kept: float) -> None:
    folder = compact(root).folder
    assert folder
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * kept)])
    write_cell(root, *make_cell(7), {})
    results = read(root)
    assert [skipped.path for skipped in results.skipped] == [folder]
    assert done(root) == {make_cell(7)[0]} == set(results.rows["cell"].to_pylist())
    assert write_cell(root, *make_cell(0), {})
    assert compact(root).cells == 2
    assert folder in _folders(root)
    (folder / name).write_bytes(data)  # somebody finds the whole file in a backup
    assert len(done(root)) == 7
    assert read(root).rows.num_rows == 7 * 3


def test_a_flipped_bit_in_a_compacted_file_loses_only_that_file(root: Path, make_cell: Make) -> None:
    folder = compact(root).folder
    assert folder
    data = bytearray((folder / "rows.parquet").read_bytes())
    data[data.find(b"\x28\xb5\x2f\xfd") + 12] ^= 1
    (folder / "rows.parquet").write_bytes(data)
    write_cell(root, *make_cell(7), {})
    assert [skipped.path for skipped in compact(root).skipped] == [folder]
    assert (folder / "rows.parquet").read_bytes() == data
    results = read(root)
    assert [skipped.path for skipped in results.skipped] == [folder]
    assert results.rows.num_rows == 3


def test_a_compacted_file_that_only_ends_like_one(root: Path, make_cell: Make) -> None:
    folder = compact(root).folder
    assert folder
    (folder / "rows.parquet").write_bytes(b"PAR1" * 5)
    write_cell(root, *make_cell(7), {})
    assert [skipped.path for skipped in read(root).skipped] == [folder]
    assert [skipped.path for skipped in compact(root).skipped] == [folder]
    with pytest.raises(StoreError, match=r"no whole Parquet file.*run the cell again"):
        cell_rows(root, make_cell(0)[0])
    with pytest.raises(StoreError, match=r"no whole Parquet file.*none of them is lost"):
        retire(root, [make_cell(0)[0]])


def test_killed_at_any_step_compaction_loses_and_doubles_nothing(
    root: Path, make_cell: Make, as_set: AsSet, killed_at_each_step: Callable[[Path, str], list[Path]]
) -> None:
    compact(root)
    for i in (10, 11):
        write_cell(root, *make_cell(i), {})
    before = _everything(root, as_set)
    folders = killed_at_each_step(root, "compact(root)")
    assert len(folders) > 8
    for folder in folders:
        assert _everything(folder, as_set) == before
        assert read(folder).skipped == []
        assert compact(folder).cells == 8
        assert (len(_folders(folder)), _loose(folder)) == (1, [])
        assert _everything(folder, as_set) == before


def test_killed_at_any_step_retiring_loses_nothing(
    root: Path, make_cell: Make, as_set: AsSet, killed_at_each_step: Callable[[Path, str], list[Path]]
) -> None:
    compact(root)
    write_cell(root, *make_cell(10), {})
    going = [make_cell(1)[0], make_cell(10)[0]]
    before = as_set(read(root).rows)
    after = as_set(read(root, cell=[cell for cell in done(root) if cell not in going]).rows)
    folders = killed_at_each_step(root, f"retire(root, {going!r})")
    assert len(folders) > 8
    for folder in folders:
        live = as_set(read(folder).rows)
        assert set(after) <= set(live) <= set(before)
        assert len(live) == len(set(live))
        retire(folder, going)
        assert as_set(read(folder).rows) == after
        assert _retired(folder, as_set) == set(before) - set(after)


def _retired(root: Path, as_set: AsSet) -> set[str]:
    """The rows in ``retired/``, read as anybody would: with plain pyarrow."""
    import pyarrow.parquet as pq

    paths = [*(root / "retired").glob("*.parquet"), *(root / "retired").glob("*/rows.parquet")]
    return {row for path in paths for row in as_set(pq.ParquetFile(path).read())}


@pytest.mark.parametrize("compacted", [False, True])
def test_a_retired_cell_can_be_run_again(root: Path, make_cell: Make, as_set: AsSet, compacted: bool) -> None:
    cell, _ = make_cell(4)
    original = set(as_set(cell_rows(root, cell)))
    if compacted:
        compact(root)
    for attempt in (1, 2):
        assert len(retire(root, [cell, make_cell(99)[0]])) == 1
        assert cell not in done(root)
        assert read(root, cell=cell).rows.num_rows == 0
        assert read(root).rows.num_rows == 5 * 3
        assert write_cell(root, cell, make_cell(4, value=float(attempt))[1], {"attempt": attempt})
        if compacted:
            compact(root)
        assert set(read(root, ["value"], cell=cell).rows["value"].to_pylist()) == {float(attempt)}
        assert provenance(root, cell)["attempt"] == attempt
    assert original <= _retired(root, as_set)
    assert len(retire(root, done(root))) == (1 if compacted else 6)
    assert done(root) == set()


def test_a_second_run_of_a_compacted_cell_is_kept_aside(root: Path, make_cell: Make, as_set: AsSet) -> None:
    """Two drivers may both have run a cell, one linking its file just after the other's was compacted."""
    cell, _ = make_cell(0)
    other = create(root.parent / "other")
    write_cell(other, cell, make_cell(0, value=5.0)[1], {"driver": "second"})
    compact(root)
    cell_path(root, cell).write_bytes(cell_path(other, cell).read_bytes())
    before = _everything(root, as_set)
    assert len(before[0]) == 6 * 3
    compact(root)
    assert _everything(root, as_set) == before
    assert _retired(root, as_set) == set(as_set(read(other).rows))


def test_only_old_leftovers_are_swept(root: Path) -> None:
    folder = _loose(root)[0].parent
    fresh, stale = folder / ".fresh.tmp", folder / ".stale.tmp"
    for path in (fresh, stale):
        path.write_text("half of a file")
    os.utime(stale, (time.time() - 90_000,) * 2)
    compact(root)
    assert (fresh.exists(), stale.exists()) == (True, False)


_READER = """
import sys
from pathlib import Path
from fourfold.suite.store import done, read
root, seen, readings = Path(sys.argv[1]), 6, 0
while not (root / "stop").exists():
    results, cells = read(root), done(root)
    found = set(results.rows["cell"].to_pylist())
    assert results.skipped == [] and results.rows.num_rows == 3 * len(found)
    assert seen <= len(found) <= len(cells), (seen, len(found), len(cells))
    seen, readings = len(cells), readings + 1
    (root / "started").touch()
print(readings)
"""


def test_a_reader_misses_nothing_while_others_write_and_compact(root: Path, make_cell: Make) -> None:
    reader = subprocess.Popen([sys.executable, "-c", _READER, root], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (root / "started").exists() and reader.poll() is None:
        time.sleep(0.01)
    for i in range(20):
        write_cell(root, *make_cell(6 + i), {})
        compact(root)
    (root / "stop").touch()
    output, errors = reader.communicate()
    assert reader.returncode == 0, errors.decode()
    assert int(output) > 1


def test_schema_of_an_empty_selection(root: Path) -> None:
    compact(root)
    assert read(root, metric="none").rows.schema.equals(SCHEMA)
