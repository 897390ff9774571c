"""What a board ranks, and what it shows and never ranks."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourfold.leaderboard import dataset_page
from fourfold.leaderboard.board import Board, build, selector
from fourfold.leaderboard.standing import Row
from fourfold.leaderboard.text import difference

Make = Callable[..., Board]
loosely = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
scores = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=3, max_size=3)


def states(board: Board) -> dict[str, str]:
    (ranked,) = board.standings
    return {row.method: state for row, (state, _) in zip(ranked.standing.rows, ranked.states, strict=True)}


def ranks(board: Board) -> dict[str, str]:
    (ranked,) = board.standings
    return {row.method: ranked.rank(place) for place, row in enumerate(ranked.standing.rows)}


@loosely
@given(st.lists(scores, min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_incomplete_failed_and_refuted_rows_are_shown_and_never_ranked(
    board_of: Make, field: list[list[float | None]], caught: set[int]
) -> None:
    board = board_of(
        {f"m{place}": values for place, values in enumerate(field)}, refuted=tuple(f"m{each}" for each in caught)
    )
    for place, values in enumerate(field):
        tried = any(value is not None for value in values)
        state = states(board)[f"m{place}"]
        if place in caught and tried:
            assert state == "refuted"
        elif not tried:
            assert state == "failed"
        elif None in values:
            assert state == "incomplete"
        else:
            assert state == "ranked"
        assert (ranks(board)[f"m{place}"] != "") == (state == "ranked")


def test_who_would_win_but_misses_a_seed_does_not_rank(board_of: Make) -> None:
    board = board_of({"best": [0.9, 0.91, None], "good": [0.5, 0.52, 0.51], "poor": [0.1, 0.12, 0.11]})
    assert ranks(board) == {"best": "", "good": "1", "poor": "2"}
    assert board.standings[0].states[0] == ("incomplete", "2 of 3 seeds ended well")


def test_a_row_with_more_seeds_than_the_others_ranks_nobody_out(board_of: Make) -> None:
    board = board_of({"eager": [0.9, 0.9, 0.1], "two": [0.5, 0.5], "also": [0.2, 0.2]})
    assert ranks(board) == {"eager": "1", "two": "2", "also": "3"}
    assert board.standings[0].summary.mean[1, board.standings[0].standing.column("net_benefit_fair")] == 0.9


def test_who_fails_on_a_seed_that_few_were_asked_does_not_rank(board_of: Make) -> None:
    board = board_of({"shy": [0.9, 0.9, None], "two": [0.5, 0.5], "also": [0.2, 0.2]})
    assert ranks(board) == {"shy": "", "two": "1", "also": "2"}
    assert board.standings[0].states[1] == ("incomplete", "failed on seed 2")


def test_a_dataset_too_small_to_rank_shows_everybody_and_ranks_nobody(board_of: Make) -> None:
    board = board_of({"a": [0.9, 0.9], "b": [0.1, 0.1]}, dataset="german")
    assert states(board) == {"a": "unranked", "b": "unranked"}
    assert ranks(board) == {"a": "", "b": ""}


def test_ranks_pair_the_resamples_of_equal_seeds(board_of: Make) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (3, 500))
    board = board_of(
        {"a": [0.52, 0.52, 0.52], "b": [0.50, 0.50, 0.50], "twin": [0.50, 0.50, 0.50]},
        {"a": 0.52 + noise, "b": 0.50 + noise, "twin": 0.50 + noise},
    )
    assert ranks(board) == {"a": "1", "b": "2–3", "twin": "2–3"}


def test_resamples_that_are_all_alike_leave_the_cells_own_interval(board_of: Make) -> None:
    """As where of 59 patients none leaks: nor does any in a resample, and yet 0 is not known for sure."""
    noise = np.random.default_rng(0).normal(0, 0.01, (1, 500))
    again = {"alike": 0.5 + 0 * noise, "apart": 0.5 + noise}
    (ranked,) = board_of({"alike": [0.5], "apart": [0.5]}, again, reach=0.1).standings
    place, of = ranked.standing.column("net_benefit_fair"), [row.method for row in ranked.standing.rows]
    between = np.stack([ranked.summary.low[:, place], ranked.summary.high[:, place]], axis=1)
    assert between[of.index("alike")] == pytest.approx([0.4, 0.6])
    assert between[of.index("apart")] == pytest.approx([0.48, 0.52], abs=0.005)


def test_cells_of_another_draw_do_not_count(board_of: Make) -> None:
    plain = board_of({"a": [0.5, 0.5], "b": [0.1, 0.1], "c": [0.9, 0.9]})
    cells = plain.standings[0].standing.cells
    drawn = {
        cell: {"task_version": "1", "draw": "other" if row == 2 else "usual"} for row in range(3) for cell in cells[row]
    }
    board = board_of({"a": [0.5, 0.5], "b": [0.1, 0.1], "c": [0.9, 0.9]}, provenance=drawn)
    assert states(board) == {"a": "ranked", "b": "ranked", "c": "failed"}
    assert {failure.status for failure in board.standings[0].standing.failures} == {"other problem"}


def test_a_row_competes_with_those_that_keep_its_own_budget(board: Board) -> None:
    ranked = board.standings[1]
    rank = dict(zip(ranked.titles, map(ranked.rank, range(len(ranked.titles))), strict=True))
    assert [rank[f"dp-sgd-logistic ε={epsilon}"] for epsilon in (1, 3, 8)] == ["1", "1", "1"]
    blind = [row for row, track in enumerate(ranked.tracks) if track == "blind" and ranked.rank(row)]
    assert ranked.ranks[blind].max() == len(blind)  # the worst of all without a budget competes with the private too


def test_each_budget_has_its_leaders(board: Board) -> None:
    ranked = board.standings[1]
    leaders = {(lead.track, lead.epsilon): [ranked.titles[row] for row in lead.rows] for lead in ranked.leaders}
    assert leaders == {
        ("blind", math.inf): ["lightgbm"],
        ("blind", 1.0): ["dp-sgd-logistic ε=1"],
        ("blind", 3.0): ["dp-sgd-logistic ε=3"],
        ("blind", 8.0): ["dp-sgd-logistic ε=8"],
        ("aware", math.inf): ["relaxed-equalized-odds"],
    }


def test_a_table_puts_first_the_budget_that_most_rows_have(board: Board) -> None:
    ranked = board.standings[1]
    assert ranked.epsilons == [math.inf, 1, 3, 8]
    first = [row for row in ranked.order if ranked.tracks[row] == "blind" and ranked.rank(row)]
    shown = [ranked.standing.rows[row].epsilon for row in first]
    assert shown == sorted(shown, key=ranked.epsilons.index)


def test_a_card_without_names_leaves_numbers(example: Any) -> None:
    rows, task, methods = example
    old = task | {"metrics": [{k: v for k, v in each.items() if k != "names"} for each in task["metrics"]]}
    ranked = build(rows, {"fair-credit": old}, methods).standings[1]
    row, column = ranked.titles.index("dp-sgd-logistic ε=3"), ranked.standing.column("rung")
    assert column is not None
    assert ranked.summary.mean[row, column] == 2
    auc = ranked.standing.column("auc")
    assert "<td>2.00</td>" in dataset_page.body(ranked, [auc, column], [""] * len(ranked.titles))


def test_aware_methods_rank_among_themselves(board: Board) -> None:
    ranked = board.standings[1]
    aware = {
        ranked.standing.rows[row].method: ranked.rank(row)
        for row in range(len(ranked.titles))
        if ranked.tracks[row] == "aware"
    }
    assert aware == {"relaxed-equalized-odds": "1", "threshold-optimizer": "2"}
    assert ranked.rank(ranked.titles.index("lightgbm")) == "1"


def test_a_guarantee_is_the_worst_of_its_cells(board: Board) -> None:
    ranked = board.standings[1]
    row, column = ranked.titles.index("boastful ε=1"), ranked.standing.column("epsilon_audited")
    assert ranked.summary.mean[row, column] == np.nanmax(ranked.standing.value[row, column]) == 2.4
    assert ranked.states[row][0] == "refuted"


def test_rows_of_one_method_at_several_budgets_are_told_apart(board: Board) -> None:
    titles = board.standings[1].titles
    assert {"dp-sgd-logistic ε=1", "dp-sgd-logistic ε=3", "dp-sgd-logistic ε=8"} <= set(titles)
    assert len(set(titles)) == len(titles)


def test_a_title_leaves_out_parameters_at_their_default_and_a_selector_does_not() -> None:
    row = Row("scorecard", "ab" * 32, '{"bins": 12, "strength": 0.1}', math.inf, 1e-5)
    assert selector(row, {"bins": 12, "strength": 1.0}) == "scorecard[strength=0.1]"
    assert selector(row, {"bins": 12, "strength": 0.1}) == "scorecard"
    assert selector(row) == "scorecard[bins=12,strength=0.1]"


def test_seeds_that_score_the_same_records_narrow_no_interval_and_tell_nobody_apart(board_of: Make) -> None:
    values: dict[str, list[float | None]] = {"one": [0.50] * 4, "two": [0.52] * 4}
    own, same = (board_of(values, reach=0.1, fixed=fixed).standings[0] for fixed in (False, True))
    column = own.standing.column("net_benefit_fair")
    assert column is not None
    assert (own.summary.low[0, column], own.summary.high[0, column]) == (pytest.approx(0.45), pytest.approx(0.55))
    assert (same.summary.low[0, column], same.summary.high[0, column]) == (pytest.approx(0.4), pytest.approx(0.6))
    found = difference(same, 0, 1, column)
    assert (found.low, found.high) == (pytest.approx(-0.02 - 0.1 * 2**0.5), pytest.approx(-0.02 + 0.1 * 2**0.5))
    assert found.reading == "not told apart"
