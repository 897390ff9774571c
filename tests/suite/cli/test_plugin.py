"""A third party's package, really installed: its task, dataset and methods are to be had everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_it_is_listed_checked_run_and_on_the_board(fourfold: Run, answer: Run) -> None:
    listed = answer(fourfold("ls", "--json"))
    assert "coins" in {row["task"] for row in listed["tasks"]}
    assert "minted" in {row["dataset"] for row in listed["datasets"]}
    assert "coin-slope" in {row["method"] for row in listed["methods"]}
    assert fourfold("check", "coin-slope").returncode == 0
    assert fourfold("run", "-t", "coins", "-m", "coin-slope", "--seeds", "2", "--backend", "process").returncode == 0
    done = fourfold("board", "-o", "pages")
    assert done.returncode == 0, done.stderr


def test_its_board_needs_it_no_more(fourfold: Run, answer: Run, results: Path) -> None:
    found = answer(fourfold("board", "--json", PYTHONPATH=""))
    assert found["standings"][0]["headline"] == "hits"
    assert "coins" not in {row["task"] for row in answer(fourfold("ls", "tasks", "--json", PYTHONPATH=""))}


@pytest.mark.ray
def test_it_runs_on_a_local_ray(fourfold: Run, answer: Run, results: Path, alone: tuple[str, ...]) -> None:
    key = str(results / "key")
    words = ("run", "-t", "coins", "-m", "coin-slope", "--seeds", "3", "-r", "rayed", "--key", key, "--workers", "2")
    done = fourfold(*words, before=alone)
    assert done.returncode == 0, done.stderr + done.stdout
    merged = answer(fourfold("merge", "rayed", "-o", "results", "--json"))
    assert (merged["present"], merged["conflicts"]) == (3, [])
