import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_board_writes_pages_and_prints_where(fourfold: Run, results: Path) -> None:
    done = fourfold("board", "--results", "results")
    assert done.returncode == 0, done.stderr
    index = Path(done.stdout.strip().rpartition(" ")[2])
    assert index == Path("results/board/index.html")
    assert "coin-slope" in (results.parent / index).read_text()


def test_board_as_text_says_the_same_in_each_format(fourfold: Run, answer: Run, results: Path, tmp_path: Path) -> None:
    row = next(
        row for row in answer(fourfold("board", "--json"))["standings"][0]["rows"] if row["method"] == "coin-slope"
    )
    hits = next(score["mean"] for score in row["scores"] if score["metric"] == "hits")
    lines = csv.DictReader(io.StringIO(fourfold("board", "results", "--format", "csv").stdout))
    assert hits == next(
        float(line["mean"]) for line in lines if (line["method"], line["metric"]) == ("coin-slope", "hits")
    )
    assert f"{hits:.3f}" in fourfold("board", "results", "--format", "md").stdout
    done = fourfold("board", "results", "--format", "md", "-o", "text")
    assert done.stdout == "5 cells: text/board.md\n"
    assert f"{hits:.3f}" in (tmp_path / "text" / "board.md").read_text()


def test_a_failed_method_is_on_the_board_and_not_ranked(fourfold: Run, answer: Run, results: Path) -> None:
    rows = {row["method"]: row for row in answer(fourfold("board", "--json"))["standings"][0]["rows"]}
    assert rows["coin-slope"]["rank"] == [1, 1]
    assert (rows["coin-failing"]["rank"], rows["coin-failing"]["state"]) == (None, "failed")


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_board_that_cannot_be_written_is_told(fourfold: Run, results: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "taken").write_text("a file\n")
    done = fourfold("board", "results", "-o", "taken/board", "--format", form)
    assert done.returncode == 2
    assert "taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_compare_tells_the_difference_and_offers_the_nearest(fourfold: Run, results: Path) -> None:
    assert (
        fourfold(
            "run", "-t", "coins", "-m", "coin-sleeper[seconds=0]", "--seeds", "3", "--backend", "serial"
        ).returncode
        == 0
    )
    done = fourfold("compare", "coin-slope", "coin-sleeper")
    assert "coins/pocket: coin-slope" in done.stdout
    done = fourfold("compare", "coin-slope", "coin-sleper")
    assert done.returncode == 2
    assert "coin-sleeper" in done.stderr
