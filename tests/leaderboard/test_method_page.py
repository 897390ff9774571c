"""A method's page: every metric, group and seed, as they were measured; failures; and how to run it again."""

import html
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fourfold.leaderboard import score_table
from fourfold.leaderboard.board import Board, Ranked
from fourfold.leaderboard.numerals import DASH

PageOf = Callable[[Path, str], Path]
Line = list[str]


def scores(text: str, dataset: str) -> list[Line]:
    """The lines of a page's table on one dataset: heading, group, mean, interval, n, and each seed."""
    label = f'aria-label="Every metric, group and seed on {dataset}"'
    section = next(part for part in text.split("<section")[1:] if label in part)
    body = section.split("<tbody>")[1].split("</tbody>")[0]
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, flags=re.S) for line in body.split("\n")]
    return [[html.unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in line] for line in lines if len(line) > 1]


def number(text: str) -> float:
    """What a numeral of the board says."""
    return np.nan if text == DASH else float(text.replace("−", "-").replace(",", ""))


@pytest.mark.parametrize("method", ["scorecard", "boastful", "adversarial"])
def test_a_page_holds_every_number_that_was_measured(pages: Path, board: Board, page_of: PageOf, method: str) -> None:
    for ranked in board.standings:
        standing, row = ranked.standing, [each.method for each in ranked.standing.rows].index(method)
        found = {
            (head.rstrip(" ↑↓"), group): rest
            for head, group, *rest in scores(page_of(pages, method).read_text(), standing.dataset)
        }
        asked = [
            place
            for place in range(len(standing.columns))
            if standing.n[row, place].any() or not standing.columns[place][1]
        ]
        assert len(found) == len(asked)
        for place in asked:
            name, group = standing.columns[place]
            unit = ranked.metric(name)["unit"]
            mean, between, count, *seeds = found[
                ranked.metric(name)["title"] + (f", {unit}" if unit else ""), group or "all"
            ]
            if name in ("rung", "refuted"):
                assert {mean, *seeds} <= ({"none", "accounted", DASH} if name == "rung" else {"no", "yes", DASH})
                continue
            for told, known in zip(
                [mean, *seeds], [ranked.summary.mean[row, place], *standing.value[row, place]], strict=True
            ):
                assert number(told) == pytest.approx(known, rel=6e-3, abs=6e-4, nan_ok=True), (name, group)
            assert count == ("" if not standing.n[row, place].any() else f"{standing.n[row, place].max():,}")
            if " – " in between and not np.isnan(ranked.summary.mean[row, place]):
                ends = [ranked.summary.low[row, place], ranked.summary.high[row, place]]
                assert [number(end) for end in between.split(" – ")] == pytest.approx(ends, rel=6e-3, abs=6e-4)


def test_a_failure_stands_on_the_page_with_seed_and_reason(pages: Path, page_of: PageOf) -> None:
    text = page_of(pages, "adversarial").read_text()
    assert 'seed 3: <span class="reason">took longer than 600 s of wall clock' in text


def test_the_command_is_one_that_fourfold_understands(pages: Path, page_of: PageOf) -> None:
    found = re.findall(r'class="command">(.*?)</code>', page_of(pages, "dp-sgd-logistic").read_text())
    words = shlex.split(html.unescape(found[0]))
    assert words[:6] == ["fourfold", "run", "-t", "fair-credit", "-d", "german"]
    assert words[words.index("--epsilon") + 1] == "1"
    assert [words[place + 1] for place, word in enumerate(words) if word == "--seed"] == list("01234")


def test_a_line_out_of_the_ordinary_is_spelled_as_everywhere(board: Board) -> None:
    """Zero, thousands, nothing at all: what no form of plain numbers fits."""
    ranked: Ranked = board.standings[1]
    write = score_table.writer(ranked)
    constant = write([row.method for row in ranked.standing.rows].index("approve-all"))
    assert "<td>0</td>" in constant
    assert "its author claims none" in constant
    failed = write([row.method for row in ranked.standing.rows].index("out-of-luck"))
    assert "no cell ended well" in failed
    assert failed.count("<tr>") == sum(not group for _, group in ranked.standing.columns)
