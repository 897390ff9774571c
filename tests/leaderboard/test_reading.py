"""A board from a results folder, as the store wrote it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fourfold.leaderboard import aggregate
from fourfold.leaderboard.board import Board
from fourfold.suite import compact, store
from fourfold.suite.atomic import StoreError
from fourfold.suite.cards import write_card


@pytest.fixture
def results(tmp_path: Path, example: tuple[pa.Table, dict[str, Any], dict[str, dict[str, Any]]]) -> Path:
    rows, task, methods = example
    root = store.create(tmp_path / "results")
    for cell in rows["cell"].unique().to_pylist():
        part = rows.filter(pa.compute.equal(rows["cell"], cell))
        provenance = {"task_version": "1", "dataset_checksum": "c", "draw": f"seed {part['seed'][0]}", "host": "here"}
        store.write_cell(root, cell, part, provenance)
    write_card(root, "task", "fair-credit-1", task)
    for digest, card in methods.items():
        write_card(root, "method", digest, card)
    return root


def same(one: Board, other: Board) -> None:
    assert one.cells == other.cells
    for left, right in zip(one.standings, other.standings, strict=True):
        assert left.titles == right.titles
        assert left.states == right.states
        np.testing.assert_array_equal(left.ranks, right.ranks)
        places = [right.standing.columns.index(column) for column in left.standing.columns]
        np.testing.assert_array_equal(left.summary.mean, right.summary.mean[:, places])


def test_a_folder_gives_the_board_of_its_rows_before_and_after_compaction(results: Path, board: Board) -> None:
    loose = aggregate(results)
    same(loose, board)
    assert {card["host"] for card in loose.provenance.values()} == {"here"}
    compact.compact(results)
    same(aggregate(results), board)


def test_a_truncated_cell_is_named_and_its_row_incomplete(results: Path, board: Board) -> None:
    ranked = board.standings[1]
    cell = ranked.standing.cells[ranked.titles.index("lightgbm"), 2]
    place = store.cell_path(results, cell)
    place.write_bytes(place.read_bytes()[:-7])
    damaged = aggregate(results)
    assert [path for path, _ in damaged.skipped] == [str(place)]
    after = damaged.standings[1]
    assert after.states[after.titles.index("lightgbm")] == ("incomplete", "4 of 5 seeds ended well")
    assert after.rank(after.titles.index("lightgbm-reweighed")).startswith("1")


def test_no_results_are_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="fourfold run"):
        aggregate(tmp_path / "nowhere")
