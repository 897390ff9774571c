import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import store

Run = Callable[..., Any]


def altered(results: Path, other: Path) -> str:
    """Another results folder that holds one of the cells, with another value in it; return the cell."""
    cell = next(cell for cell, status in sorted(store.statuses(results).items()) if status == "ok")
    rows = store.cell_rows(results, cell).to_pylist()
    for row in rows:
        if row["metric"] == "hits":
            row["value"] = 0.123
    store.write_cell(store.create(other), cell, rows, store.provenance(results, cell))
    return cell


def test_merge_is_a_union_that_takes_the_methods_along(
    fourfold: Run, answer: Run, results: Path, tmp_path: Path
) -> None:
    done = answer(fourfold("merge", "results", "-o", "all", "--json"))
    assert (done["copied"], done["present"], done["archives"]) == (5, 0, 2)
    assert {path.name for path in (tmp_path / "all" / "methods").iterdir()} == {
        path.name for path in (results / "methods").iterdir()
    }
    again = answer(fourfold("merge", "results", "-o", "all", "--json"))
    assert (again["copied"], again["present"], again["archives"], again["conflicts"]) == (0, 5, 0, [])


def test_a_conflict_is_told_with_exit_code_3_and_overwrites_nothing(
    fourfold: Run, results: Path, tmp_path: Path
) -> None:
    cell = altered(results, tmp_path / "other")
    before = store.cell_rows(results, cell)
    done = fourfold("merge", "other", "-o", "results")
    assert done.returncode == 3
    assert f"conflict: {cell[:12]} hits: value " in done.stdout
    assert "value 0.123 in another" in done.stdout
    assert store.cell_rows(results, cell).equals(before)
    assert len(json.loads(fourfold("merge", "other", "-o", "results", "--json").stdout)["conflicts"]) == 1


def test_merge_needs_results(fourfold: Run, tmp_path: Path) -> None:
    done = fourfold("merge", "nowhere", "-o", "all")
    assert done.returncode == 2
    assert "nowhere is no results folder" in done.stderr
    assert not (tmp_path / "all").exists()


def test_compact_changes_no_answer(fourfold: Run, results: Path) -> None:
    words = (["status", "--json"], *(["board", "--format", form] for form in ("csv", "md", "json")))
    before = [fourfold(*each).stdout for each in words]
    done = fourfold("compact", "results")
    assert done.stdout.startswith("5 cells in results/compacted/")
    assert not list((results / "cells").rglob("*.parquet"))
    assert [fourfold(*each).stdout for each in words] == before
    assert fourfold("run", "-t", "coins", "-m", "coin-slope", "--seeds", "3").stdout.startswith("nothing to run")


@pytest.mark.parametrize("damage", ["truncated", "foreign", "not a cell"])
def test_a_damaged_file_is_named_and_everything_else_is_answered(
    fourfold: Run, answer: Run, results: Path, damage: str
) -> None:
    victim = next(
        path for path in sorted((results / "cells").rglob("*.parquet")) if store.statuses(results)[path.stem] == "ok"
    )
    if damage == "truncated":
        victim.write_bytes(victim.read_bytes()[:-100])
    elif damage == "foreign":
        victim.write_bytes(b"PAR1 is what it begins with, and PAR1")
    else:
        victim = results / "cells" / "notes.txt"
        victim.write_text("mine\n")
    told = f"skipped results/{victim.relative_to(results)}: "
    status, board = fourfold("status"), fourfold("board", "--format", "md")
    pages = fourfold("board", "-o", "pages")
    for done in (status, board, pages):
        assert done.returncode == 0, done.stderr
        assert told in done.stderr
    assert "coin-slope" in board.stdout
    assert victim.exists()
    assert len(answer(fourfold("status", "--json"))["skipped"]) == 1
