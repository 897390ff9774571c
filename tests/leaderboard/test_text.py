"""The board as text: what another program reads is what the board holds."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fourfold.leaderboard import text
from fourfold.leaderboard.board import Board, build
from fourfold.leaderboard.numerals import interval, spelled


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.29, "0.290"),
        (0.9999, "1.000"),
        (1.0, "1.00"),
        (-3.14159, "−3.14"),
        (42.25, "42.2"),
        (12345.6, "12,346"),
        (0.00042, "4.2e−4"),
        (0.0, "0"),
        (float("nan"), "—"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_are_spelled_alike_everywhere(value: float, written: str) -> None:
    assert spelled(value) == written


def test_an_interval_of_nothing_is_not_written() -> None:
    assert interval(0.1, 0.2) == "0.100 – 0.200"
    assert interval(0.1, 0.1) == interval(float("nan"), 1.0) == interval(None, None) == ""


def test_json_holds_ranks_states_and_scores(board: Board) -> None:
    whole = json.loads(text.to_json(board))
    german, taiwan = whole["standings"]
    assert whole["cells"] == board.cells == 160
    assert {row["state"] for row in german["rows"]} == {"unranked", "incomplete", "failed", "refuted"}
    assert taiwan["rows"][0]["title"] == "lightgbm"
    assert taiwan["rows"][0]["rank"] == [1, 1]
    refuted = next(row for row in taiwan["rows"] if row["state"] == "refuted")
    assert refuted["rank"] is None
    assert {"metric": "epsilon_audited", "group": "", "mean": 2.4, "low": None, "high": None} in refuted["scores"]


def test_csv_has_a_line_for_every_row_metric_and_group(board: Board) -> None:
    lines = list(csv.DictReader(io.StringIO(text.csv(board))))
    assert len(lines) == sum(ranked.summary.mean.size for ranked in board.standings)
    ranked = board.standings[1]
    row, column = ranked.titles.index("logistic"), ranked.standing.column("auc")
    (line,) = [
        each for each in lines if (each["dataset"], each["method"], each["metric"]) == ("taiwan", "logistic", "auc")
    ]
    assert float(line["mean"]) == ranked.summary.mean[row, column]
    assert (line["rank_first"], line["rank_last"]) == ("4", "4")


def test_the_order_of_rows_in_the_store_and_the_time_change_nothing(example: Any) -> None:
    rows, task, methods = example
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))
    first, second = (
        build(each, {"fair-credit": task}, methods, made=datetime(year, 1, 1, tzinfo=UTC))
        for each, year in ((rows, 2025), (shuffled, 2026))
    )
    assert [ranked.standing.columns for ranked in first.standings] != [
        ranked.standing.columns for ranked in second.standings
    ]
    for form in (text.csv, text.to_json, text.markdown):
        assert form(first) == form(second)
    named = [score["metric"] for score in json.loads(text.to_json(first))["standings"][1]["rows"][0]["scores"]]
    order = [metric["name"] for metric in task["metrics"]]
    assert [order.index(name) for name in named] == sorted(order.index(name) for name in named)


def test_csv_does_not_hand_a_formula_to_a_spreadsheet(board_of: object) -> None:
    board = board_of({"=HYPERLINK(1)": [0.5, 0.5]})  # type: ignore[operator]
    assert {line["method"] for line in csv.DictReader(io.StringIO(text.csv(board)))} == {"'=HYPERLINK(1)"}


def test_markdown_tables_are_whole_even_where_a_name_holds_their_marks(board_of: object) -> None:
    told = text.markdown(board_of({"a|b\n# c": [0.5, 0.5], "d": [0.1, None]}))  # type: ignore[operator]
    lines = [line for line in told.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b # c" in told
    assert "incomplete: 1 of 2 seeds ended well" in told


def test_a_paired_difference_is_that_of_a_paired_t_interval(board: Board) -> None:
    comparison = text.compare(board, "lightgbm", "scorecard")
    gap = next(each for each in comparison.differences if (each.dataset, each.metric) == ("taiwan", "auc"))
    standing = board.standings[1].standing
    first, second = (
        standing.value[board.standings[1].titles.index(name), standing.column("auc")]
        for name in ("lightgbm", "scorecard")
    )
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (gap.difference, gap.low, gap.high) == pytest.approx((np.mean(first - second), expected.low, expected.high))


def test_the_sentence_agrees_with_the_ranks(board: Board) -> None:
    better = text.compare(board, "lightgbm", "logistic").sentences[1]
    assert better.startswith("fair-credit/taiwan: lightgbm is better than logistic; in net benefit, fair,")
    tied = text.compare(board, "lightgbm-reweighed", "scorecard").sentences[1]
    assert "cannot be told apart" in tied


def test_comparing_with_itself_is_equal(board: Board) -> None:
    assert {gap.reading for gap in text.compare(board, "logistic", "logistic").differences} == {"equal"}


@pytest.fixture
def told_of_backing(example: Any) -> Board:
    """The example where a table shows what backs a claim."""
    rows, task, methods = example
    return build(rows, {"fair-credit": task | {"shown": [*task["shown"], "rung"]}}, methods)


def test_a_kind_is_named_in_every_form(told_of_backing: Board) -> None:
    head, row = (
        next(line for line in text.markdown(told_of_backing).splitlines() if start in line)
        for start in ("| Rank |", "dp-sgd-logistic ε=3 ")
    )
    assert row.split(" | ")[head.split(" | ").index("backing ↑")] == "accounted"
    lines = csv.DictReader(io.StringIO(text.csv(told_of_backing)))
    kinds = {(line["mean"], line["name"]) for line in lines if line["metric"] == "rung" and line["mean"]}
    assert kinds == {("0.0", "none"), ("2.0", "accounted")}
    whole = json.loads(text.to_json(told_of_backing))
    scores = [score for row in whole["standings"][1]["rows"] for score in row["scores"]]
    assert {(each["mean"], each["name"]) for each in scores if each["metric"] == "rung"} == {
        (0.0, "none"),
        (2.0, "accounted"),
    }
    assert all("name" not in each for each in scores if each["metric"] == "auc")
    gaps = text.compare(told_of_backing, "lightgbm", "dp-sgd-logistic ε=3").differences
    (gap,) = (each for each in gaps if (each.dataset, each.metric) == ("taiwan", "rung"))
    assert (gap.difference, gap.names, gap.reading) == (-2.0, ("none", "accounted"), "none against accounted")


def test_a_rank_within_a_budget_says_so_in_markdown(board: Board) -> None:
    told = text.markdown(board)
    assert "| 1 (ε ≤ 3) | dp-sgd-logistic ε=3 (blind) |" in told
    assert "| 1 | lightgbm (blind) |" in told


def test_an_unknown_row_gets_the_nearest_names(board: Board) -> None:
    with pytest.raises(ValueError, match="lightgbm-reweighed"):
        text.compare(board, "lightgbm-reweighted", "logistic")
    with pytest.raises(ValueError, match="dp-sgd-logistic ε=1"):
        text.compare(board, "dp-sgd-logistic", "logistic")


def test_a_comparison_survives_json(board: Board) -> None:
    told = json.loads(text.comparison_json(text.compare(board, "adversarial", "approve-all")))
    assert {each["paired"] for each in told["differences"]} == {"seeds"}
