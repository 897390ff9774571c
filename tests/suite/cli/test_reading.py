import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_status_counts_cells_and_tells_reasons_once(fourfold: Run, answer: Run, results: Path) -> None:
    found = answer(fourfold("status", "--json"))
    assert (found["cells"], found["statuses"]) == (5, {"failed": 2, "ok": 3})
    assert [(row["method"], row["cells"]) for row in found["methods"]] == [("coin-failing", 2), ("coin-slope", 3)]
    assert [(row["status"], row["cells"]) for row in found["reasons"]] == [("failed", 2)]
    said = fourfold("status", "results").stdout
    assert said.count("no idea") == 1
    assert said.endswith("5 cells: 3 ok, 2 failed\n")


def test_json_is_the_same_each_time(fourfold: Run, results: Path) -> None:
    for words in (
        ["status", "--json"],
        ["ls", "--json"],
        ["board", "--json"],
        ["compare", "coin-slope", "coin-slope", "--json"],
    ):
        first, second = fourfold(*words), fourfold(*words)
        assert first.returncode == 0, first.stderr
        assert first.stdout == second.stdout


def test_no_results_is_a_users_mistake(fourfold: Run) -> None:
    for words in (["status"], ["board", "nowhere"], ["show", "abcdef"], ["compact"], ["verify"], ["compare", "a", "b"]):
        done = fourfold(*words)
        assert done.returncode == 2, words
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stderr


def test_a_folder_without_results_is_told_and_nothing_is_written_into_it(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for command in ("status", "board", "compact"):
        done = fourfold(command, "photos")
        assert done.returncode == 2, command
        assert "photos is no results folder: give one that `fourfold run --results` wrote" in done.stderr
    assert not list((tmp_path / "photos").iterdir())


def cell_of(answer: Run, fourfold: Run, method: str) -> str:
    """A cell of a method, from the status: the failed ones are named there; the others in the store."""
    found = answer(fourfold("board", "--json"))
    assert found["cells"]
    return str(
        next(row["example"] for row in answer(fourfold("status", "--json"))["reasons"] if row["method"] == method)
    )


def test_show_tells_a_cell_whole_by_a_prefix_of_its_id(fourfold: Run, answer: Run, results: Path) -> None:
    cell = cell_of(answer, fourfold, "coin-failing")
    found = answer(fourfold("show", cell[:8], "--json"))
    assert found["cell"] == cell
    assert found["provenance"]["status"] == "failed"
    assert any(row["metric"] == "cpu_seconds" for row in found["rows"])
    said = fourfold("show", cell[:8]).stdout
    assert "ValueError: no idea" in said
    assert "\x1b" not in said


def test_show_offers_the_nearest_cell(fourfold: Run, results: Path) -> None:
    done = fourfold("show", "zzzzzz")
    assert done.returncode == 2
    assert "no cell in results begins with 'zzzzzz'; the nearest are" in done.stderr


@pytest.mark.parametrize("source", ["an installed method", "a file that is gone", "another version"])
def test_the_command_that_show_prints_reproduces_the_cell(
    fourfold: Run, answer: Run, tmp_path: Path, plugged: Path, source: str
) -> None:
    method = "coin-slope[noise=0.5]"
    newer = shutil.copytree(plugged, tmp_path / "newer") / "coins_methods.py"
    newer.write_text(newer.read_text() + "\n# another\n")
    now = {"PYTHONPATH": str(newer.parent)} if source == "another version" else {}
    if source == "a file that is gone":
        text = (plugged / "coins_methods.py").read_text().replace("in red", "in blue")
        (tmp_path / "mine.py").write_text(text)
        method = f"{tmp_path}/mine.py:Slope[noise=0.5]"
    assert (
        fourfold(
            "run", "-m", method, "-t", "coins", "--seed", "4", "--time-limit", "77", "--backend", "serial"
        ).returncode
        == 0
    )
    (tmp_path / "mine.py").unlink(missing_ok=True)
    cell = next((tmp_path / "results" / "cells").rglob("*.parquet")).stem
    found = answer(fourfold("show", cell, "--json", **now))
    assert "slope fitted" in found["provenance"]["log"]
    words = shlex.split(found["command"])
    assert words[0] == "fourfold"
    assert (".zip[" in found["command"]) == (source != "an installed method")
    assert fourfold(*words[1:], **now).returncode == 0
    merged = answer(fourfold("merge", words[words.index("--results") + 1], "-o", "results", "--json"))
    assert (merged["copied"], merged["present"], merged["conflicts"]) == (0, 1, [])
