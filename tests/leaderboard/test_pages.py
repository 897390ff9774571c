"""The pages as files, and in a real Chromium."""

import hashlib
import json
import math
import re
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.leaderboard import dataset_page, pages, ranking
from fourfold.leaderboard.board import Board, Ranked, build, spelled_rank
from fourfold.leaderboard.text import difference

PageOf = Callable[[Path, str], Path]
HOSTILE = "</script><script>alert(1)</script>"


def test_every_page_is_small_and_asks_for_nothing(pages: Path) -> None:
    written = list(pages.glob("*.html"))
    assert len(written) == 1 + 2 + 14
    for path in written:
        text = path.read_text()
        assert path.stat().st_size < 1_500_000
        assert "default-src 'none'" in text
        assert not re.search(
            r"""(src|href)\s*=\s*["']?(https?:)?//""", re.sub(r"<script.*?</script>", "", text, flags=re.S)
        )


def test_every_link_leads_to_a_page(pages: Path) -> None:
    for path in pages.glob("*.html"):
        for target in re.findall(r'<a [^>]*href="([^"#]+)', path.read_text()):
            assert (pages / target).is_file(), (path.name, target)


def test_a_page_says_what_its_ranks_and_its_front_leave_out(pages: Path, page_of: PageOf) -> None:
    text = page_of(pages, "taiwan").read_text()
    assert "of many equal methods some are set apart by chance" in text
    assert "On the front, where no means are better in both, intervals left aside: " in text


def test_scripts_are_named_by_hash_and_no_other_runs(pages: Path, page_of: PageOf) -> None:
    text = page_of(pages, "taiwan").read_text()
    allowed = re.search(r"script-src ([^;]+);", text)
    assert allowed is not None
    assert "unsafe" not in allowed[1]
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    hashes = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert all(f"'sha256-{each}'" in allowed[1] for each in hashes)
    assert len(scripts) == 1


def test_a_hostile_name_or_reason_is_text_everywhere(pages: Path, page_of: PageOf) -> None:
    for path in pages.glob("*.html"):
        assert HOSTILE not in path.read_text(), path.name
    data = re.search(r'id="data">(.*?)</script>', page_of(pages, "taiwan").read_text(), flags=re.S)
    assert data is not None
    assert HOSTILE in [row["title"] for row in json.loads(data[1])["rows"]]


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, board: Board, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    pages._environment.cache_clear()
    with pytest.raises(pages.MissingExtra, match=re.escape("pip install 'fourfold[board]'")):
        pages.render(board, tmp_path / "board")
    pages._environment.cache_clear()


def test_a_file_that_was_left_out_is_named(pages: Path) -> None:
    assert "results/cells/ab/abcd.parquet" in (pages / "index.html").read_text()


# In the browser


def titles(tab: Any) -> list[str]:
    return [
        name
        for line in tab.locator("#board tbody tr").all()
        if line.is_visible()
        for name in [line.locator("th a").inner_text()]
    ]


def ranks(tab: Any) -> dict[str, str]:
    """Of each row in view its rank and, where it has a budget, that: ``1–2 ε ≤ 3``."""
    lines = [line for line in tab.locator("#board tbody tr").all() if line.is_visible()]
    told = {line.locator("th a").inner_text(): line.locator("td.rank").inner_text() for line in lines}
    return {title: " ".join(rank.split()) for title, rank in told.items()}


def drawn(tab: Any) -> Any:
    tab.wait_for_selector("#plot svg", timeout=60_000)
    return tab


def taiwan(board: Board) -> Ranked:
    return board.standings[1]


browser = pytest.mark.browser


@browser
def test_sorting_by_a_head_orders_the_rows_both_ways(opened: Any, board: Board) -> None:
    tab, ranked = opened("taiwan"), taiwan(board)
    values = dict(zip(ranked.titles, ranked.summary.mean[:, ranked.standing.column("auc")], strict=True))
    known = [title for title in ranked.titles if np.isfinite(values[title])]
    head = tab.locator("#board thead tr.heads th", has_text="AUC").first
    for expected, way in ((True, "descending"), (False, "ascending")):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == way
        shown = titles(tab)
        assert [values[title] for title in shown[: len(known)]] == sorted(
            (values[title] for title in known), reverse=expected
        )
        assert shown[-1] == "out-of-luck"


@browser
def test_the_keyboard_sorts_too(opened: Any) -> None:
    tab = opened("taiwan")
    tab.locator("#board thead tr.heads th.name button").focus()
    tab.keyboard.press("Enter")
    assert titles(tab) == sorted(titles(tab), key=str.lower)


@browser
def test_filters_hide_rows_and_only_the_budget_narrows_the_field(opened: Any, board: Board) -> None:
    tab, ranked = opened("taiwan"), taiwan(board)
    tab.fill("#find", "lightgbm")
    assert ranks(tab) == {"lightgbm": "1", "lightgbm-reweighed": "2–3"}
    tab.fill("#find", "")
    tab.select_option("#track", "aware")
    assert ranks(tab) == {"relaxed-equalized-odds": "1", "threshold-optimizer": "2"}
    tab.select_option("#track", "")
    tab.select_option("#budget", label="ε ≤ 3")
    within = np.array([row.epsilon <= 3 for row in ranked.standing.rows])
    assert ranks(tab) == python_ranks(ranked, within, ceiling=3)
    assert ranks(tab)["dp-sgd-logistic ε=1"] == "2 ε ≤ 3"
    assert titles(tab) == ["dp-sgd-logistic ε=3", "dp-sgd-logistic ε=1", "boastful ε=1"]
    tab.select_option("#budget", label="any")
    assert ranks(tab) == python_ranks(ranked, np.ones(len(within), bool))
    assert ranks(tab)["dp-sgd-logistic ε=1"] == "1 ε ≤ 1"


def python_ranks(ranked: Ranked, kept: np.ndarray, ceiling: float = math.inf) -> dict[str, str]:
    eligible = kept & np.array([state == "ranked" for state, _ in ranked.states])
    epsilons = np.array([row.epsilon if ceiling == math.inf else ceiling for row in ranked.standing.rows])
    found = ranking.rank_intervals(ranked.summary.beats, eligible, ranked.tracks, epsilons)
    spelled = [spelled_rank(first, last) for first, last in found]
    budgets = [f" ε ≤ {epsilon:g}" if epsilon < math.inf else "" for epsilon in epsilons]
    return {ranked.titles[row]: spelled[row] + budgets[row] if spelled[row] else "—" for row in np.flatnonzero(kept)}


@browser
def test_a_limit_on_a_kind_is_chosen_by_its_name(opened: Any, board: Board) -> None:
    tab, ranked = opened("taiwan"), taiwan(board)
    tab.click("#add-limit")
    line = tab.locator("#limits li").last
    line.locator("select").first.select_option(label=label(ranked, "rung"))
    line.locator("select").last.select_option(label="accounted")
    assert titles(tab) == [
        ranked.titles[row] for row in ranked.order if math.isfinite(ranked.standing.rows[row].epsilon)
    ]
    assert label(ranked, "rung") not in tab.locator("#objective option").all_inner_texts()
    backing = tab.locator("#comparison tr", has_text="backing")
    tab.locator("#first").select_option(label="lightgbm")
    tab.locator("#second").select_option(label="dp-sgd-logistic ε=3")
    assert backing.locator("td").all_inner_texts() == ["none", "accounted", "—", "none against accounted"]


@browser
@pytest.mark.parametrize(
    ("limits", "objective"),
    [
        ([("equalized_odds_difference", "≤", 0.03)], "net_benefit_fair"),
        ([("epsilon_accounted", "≤", 3.0), ("auc", "≥", 0.6)], "cpu_seconds"),
        ([("cpu_seconds", "≤", 2.9), ("adverse_impact_ratio", "≥", 0.96)], "auc"),
    ],
)
def test_a_question_is_answered_within_its_limits_and_ranks_are_recomputed(
    opened: Any, board: Board, limits: list[tuple[str, str, float]], objective: str
) -> None:
    tab, ranked = opened("taiwan"), taiwan(board)
    mean, column = ranked.summary.mean, ranked.standing.column
    kept = np.ones(len(ranked.titles), bool)
    for metric, side, bound in limits:
        tab.click("#add-limit")
        line = tab.locator("#limits li").last
        line.locator("select").first.select_option(label=label(ranked, metric))
        line.locator("select").last.select_option(side)
        line.locator("input").fill(str(bound))
        with np.errstate(invalid="ignore"):
            kept &= mean[:, column(metric)] <= bound if side == "≤" else mean[:, column(metric)] >= bound
    assert ranks(tab) == python_ranks(ranked, kept)

    tab.locator("#objective").select_option(label=label(ranked, objective))
    told = python_ranks(ranked, kept, 1e9) if objective == "net_benefit_fair" else {}
    sign = 1 if ranked.metric(objective)["better"] == "higher" else -1
    for track in sorted(set(ranked.tracks[kept & ranked.sound])):
        rows = np.flatnonzero(kept & ranked.sound & (ranked.tracks == track))
        order = [(*told.get(ranked.titles[row], "").split("–"), -sign * mean[row, column(objective)]) for row in rows]
        best = rows[order.index(min(order))]
        assert f"{track}: {ranked.titles[best]}, " in tab.locator("#answer").inner_text()


@browser
def test_limits_that_nobody_keeps_say_so(opened: Any) -> None:
    tab = opened("taiwan")
    tab.click("#add-limit")
    tab.locator("#limits li input").fill("-1")
    assert "None" in tab.locator("#answer").inner_text()
    assert titles(tab) == []
    tab.click("#clear-limits")
    assert len(titles(tab)) == 16


def label(ranked: Ranked, name: str) -> str:
    metric = ranked.metric(name)
    unit = f", {metric['unit']}" if metric["unit"] else ""
    return f"{metric['title']}{unit}\u00a0{dataset_page.ARROWS[metric['better']]}"


@pytest.mark.parametrize(("headline", "first"), [
    ("leakage_auc", "auc"), ("equalized_odds_difference", "auc"), ("auc", "equalized_odds_difference"),
])
def test_the_first_figure_sets_accuracy_against_a_headline_that_is_none(example, headline: str, first: str) -> None:
    rows, task, methods = example
    shown = [headline, "auc", "equalized_odds_difference", "cpu_seconds"]
    ranked = taiwan(build(rows, {"fair-credit": task | {"headline": headline, "shown": shown}}, methods))
    assert dataset_page.axes(ranked)[0] == (ranked.standing.column(first), ranked.standing.column(headline))


@browser
def test_the_front_is_pythons_before_and_after_filtering(opened: Any, board: Board) -> None:
    tab, ranked = drawn(opened("taiwan")), taiwan(board)
    tab.locator("#axis-x").select_option(label=label(ranked, "cpu_seconds"))
    tab.locator("#axis-y").select_option(label=label(ranked, "auc"))
    for track in ("", "blind"):
        tab.select_option("#track", track)
        rows = np.flatnonzero(ranked.sound & ((ranked.tracks == track) | (track == "")))
        x, y = (ranked.summary.mean[rows, ranked.standing.column(name)] for name in ("cpu_seconds", "auc"))
        expected = {ranked.titles[row] for row in rows[ranking.front(x, y, "lower", "higher")]}
        told = tab.locator("#front").inner_text().split(": ", 1)[1].rstrip(".")
        assert set(told.split(", ")) == expected
        column = {name: place for place, name in enumerate(data(tab))}
        tab.wait_for_selector(f'#plot[data-drawn="{column["cpu_seconds"]},{column["auc"]}"] svg')
    assert tab.locator("#plot svg .mark-symbol path").count() == len(rows)


def data(tab: Any) -> list[str]:
    return [column["metric"] for column in tab.evaluate("data.columns.slice(0, data.shown)")]


@browser
def test_two_methods_compare_as_in_python(opened: Any, board: Board) -> None:
    tab, ranked = opened("taiwan"), taiwan(board)
    first, second = "scorecard", "lightgbm"
    tab.locator("#first").select_option(label=first)
    tab.locator("#second").select_option(label=second)
    found = tab.evaluate(
        "[...Array(data.shown).keys()].map(c => difference(c, +byId('first').value, +byId('second').value))"
    )
    rows = [ranked.titles.index(title) for title in (first, second)]
    shown = dataset_page.table_columns(ranked)
    assert len(found) == len(shown)
    for column, gap in zip(shown, found, strict=True):
        expected = difference(ranked, *rows, column)
        if gap is None:
            assert np.isnan(expected.difference)
        else:
            assert gap["mean"] == pytest.approx(expected.difference, abs=2e-5)
            assert [gap["low"], gap["high"]] == (
                [None, None] if expected.low is None else pytest.approx([expected.low, expected.high], abs=5e-5)
            )
    readings = tab.locator("#comparison tbody td:last-child").all_inner_texts()
    assert readings[0] == difference(ranked, *rows, shown[0]).reading == "second is better"


@browser
def test_further_columns_come_and_go(opened: Any, board: Board) -> None:
    tab = opened("taiwan")
    before = tab.locator("#board thead tr.heads th").count()
    tab.locator(".chooser summary").click()
    box = tab.get_by_label("approval rate · sex=female")
    box.check()
    assert tab.locator("#board thead tr.heads th").count() == before + 1
    assert tab.locator("#board tbody tr").first.locator("td").last.inner_text().startswith("0.700")
    box.uncheck()
    assert tab.locator("#board thead tr.heads th").count() == before


@browser
def test_the_page_spells_numbers_as_python_does(opened: Any) -> None:
    from fourfold.leaderboard.numerals import spelled

    tab = opened("taiwan")
    for value in (0.29, 0.9999, 1.0, -3.14159, 42.26, 12345.6, 0.00042, 0.0, 0.05, 99.97):
        assert tab.evaluate(f"spelled({value})") == spelled(value)


@browser
def test_without_a_script_tables_and_figures_are_whole(opened: Any) -> None:
    tab = opened("taiwan", java_script_enabled=False)
    assert tab.locator("#board tbody tr").count() == 16
    assert tab.locator(".drawing svg").count() == 2
    assert tab.locator(".drawing svg").first.is_visible()
    assert not tab.locator("#question").is_visible()
    assert tab.locator("#board thead button").count() == 0


@browser
@pytest.mark.parametrize("name", ["index", "taiwan", "german", "adversarial", "boastful"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_it_sideways(opened: Any, name: str, scheme: str) -> None:
    tab = opened(name, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    if name in ("taiwan", "german"):
        drawn(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")


@browser
def test_a_hostile_name_shows_as_text_in_table_and_plot(opened: Any) -> None:
    tab = drawn(opened("taiwan"))
    assert HOSTILE in titles(tab)
    tab.fill("#find", "alert")
    tab.wait_for_function("document.querySelector('#plot').textContent.includes('alert(1)')")
    assert (
        HOSTILE in tab.locator("#plot").inner_text().replace("\n", "") or HOSTILE in tab.locator("#plot").text_content()
    )


@browser
def test_tables_and_controls_have_names_and_heads(opened: Any) -> None:
    tab = drawn(opened("taiwan"))
    assert tab.evaluate("[...document.querySelectorAll('table')].every(t => t.caption && t.caption.textContent.trim())")
    assert tab.evaluate("[...document.querySelectorAll('thead th, tbody th')].every(h => h.scope)")
    named = "[...document.querySelectorAll('select, input')].filter(c => !(c.labels.length || c.ariaLabel)).length"
    tab.click("#add-limit")
    assert tab.evaluate(named) == 0
    tab.keyboard.press("Escape")
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") in ("A", "SELECT", "INPUT", "BUTTON")


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (("namespaces", "namespaces"), ""),
        (("process", "namespaces"), "In 1 of 2 cells, methods ran as plain processes"),
        (("process", "process"), "In all of 2 cells, methods ran as plain processes"),
    ],
)
def test_a_dataset_page_says_where_methods_were_hardly_confined(
    board_of: Callable[..., Board], tmp_path: Path, levels: tuple[str, str], said: str
) -> None:
    scores = {"one": [0.5, 0.4]}
    (cells,) = board_of(scores).standings[0].standing.cells.tolist()
    told = {cell: {"confinement": level} for cell, level in zip(cells, levels, strict=True)}
    page = pages.render(board_of(scores, provenance=told), tmp_path)[1].read_text()
    assert ("plain processes" in page) == bool(said)
    assert said in page


@browser
@pytest.mark.parametrize(("behind", "said"), [(4, "first is better"), (5, "not told apart")])
def test_a_comparison_tells_apart_whom_the_ranks_do(
    opened: Any, board_of: Callable[..., Board], tmp_path: Path, behind: int, said: str
) -> None:
    resampled = {"a": np.where(np.arange(200) < behind, 0.499, 0.6)[None], "b": np.full((1, 200), 0.5)}
    board = board_of({"a": [0.6], "b": [0.5]}, resampled)
    pages.render(board, tmp_path)
    tab, ranked = opened("taiwan", tmp_path), board.standings[0]
    (column,) = [place for place, name in enumerate(ranked.standing.columns) if name == (ranked.headline["name"], "")]
    assert difference(ranked, 0, 1, column).reading == said
    assert tab.locator("#comparison tbody td:last-child").all_inner_texts()[0] == said
    assert (ranks(tab)["a"] == "1") == (said == "first is better")
