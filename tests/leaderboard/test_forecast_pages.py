"""From cells' files to the board: fan charts, maps of states and a second table, of forecasts made up here."""

import hashlib
import html
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.leaderboard import fans as fan_charts
from fourfold.leaderboard import pages as rendering
from fourfold.leaderboard import reading
from fourfold.leaderboard.board import Board
from fourfold.leaderboard.state_map import TILES
from fourfold.suite import cards, exhibit, store

PageOf = Callable[[Path, str], Path]
HOSTILE = "</script><script>alert(1)</script>"
# name, relative loss, coverage, regret, passes the gate
METHODS = [
    ("naive", 1.0, 0.7, 9.0, 1.0),
    ("bass", 0.6, 0.84, 3.0, 1.0),
    ("boosted", 0.7, 0.6, 2.0, 0.0),
    (HOSTILE, 1.4, 0.4, 12.0, 1.0),
]
SEEDS, B = (0, 1, 2), 200
PERIODS = [f"{year}Q{quarter}" for year in (2026, 2027) for quarter in (1, 2, 3, 4)]


def metric(name: str, family: str, better: str, **more: Any) -> dict[str, Any]:
    title = name.replace("_", " ")
    plain = {"name": name, "title": title, "family": family, "better": better, "doc": "", "unit": "", "names": []}
    return {**plain, "low": None, "high": None, **more}


TASK = {
    "name": "forecast",
    "version": "1",
    "title": "Forecast",
    "headline": "relative_loss",
    "shown": ["relative_loss", "coverage_80"],
    "unranked": [],
    "second": {"title": "Places given out", "metrics": ["regret", "gain", "no_group_worse"], "gate": "no_group_worse"},
    "metrics": [
        metric("relative_loss", "accuracy", "lower"),
        metric("coverage_80", "accuracy", "none"),
        metric("regret", "accuracy", "lower"),
        metric("gain", "accuracy", "none"),
        metric("no_group_worse", "fairness", "higher", names=["fails", "holds"]),
    ],
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def chart(series: str, target: str, origin: int, size: float) -> dict[str, Any]:
    return {
        "series": series,
        "target": target,
        "origin": PERIODS[origin],
        "periods": PERIODS[: origin + 4],
        "history": [round(size * (1 + place)) for place in range(origin)] + [None],
        "outcome": [round(size * 9), round(size * 9.5), None],
        "quantiles": {level: [round(size * (8 + 2 * float(level)))] * 3 for level in exhibit.QUANTILES},
    }


def fans(seed: int) -> dict[str, Any]:
    charts = [
        chart(series, target, origin, size + seed)
        for target in ("headcount", "displaced")
        for origin in (2, 4)
        for series, size in (("CA truck", 1000.0), ("TX bus", 20.0), (HOSTILE, 3.0))
    ]
    return {"kind": "fans", "title": "Forecasts and what happened", "charts": charts[:-1]}


def cell(method: tuple[Any, ...], seed: int) -> tuple[str, list[dict[str, Any]]]:
    name, loss, coverage, regret, holds = method
    shared, own = np.random.default_rng(seed), np.random.default_rng([seed, len(name)])
    here = {
        "cell": digest(f"{name} {seed}"),
        "task": "forecast",
        "dataset": "simulated",
        "method": name,
        "method_digest": digest(name),
        "parameters": "{}",
        "epsilon": math.inf,
        "delta": 1e-5,
        "seed": seed,
        "status": "ok",
        "reason": "",
    }
    rows = []

    def add(metric: str, value: float, group: str = "", spread: float = 0.0) -> None:
        draws = (value + spread * (shared.normal(0, 1, B) + 0.1 * own.normal(0, 1, B))).tolist() if spread else None
        told = {"metric": metric, "family": "accuracy", "group": group, "value": value, "n": 90, "replicates": draws}
        rows.append(here | told | {"low": value - 0.1, "high": value + 0.1})

    add("relative_loss", loss, spread=0.02)
    add("coverage_80", coverage)
    for place, code in enumerate(sorted(TILES)):
        add("relative_loss", loss * (0.7 + 0.01 * place), f"state={code}")
        if code != "CA":
            add("coverage_80", coverage, f"state={code}")
    add("regret", regret, spread=0.3)
    add("gain", 5 - regret)
    add("no_group_worse", holds if seed == 1 else 1.0)
    return here["cell"], rows + exhibit.rows(here, {"fans": exhibit.encode(fans(seed))})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = store.create(tmp_path_factory.mktemp("forecasts") / "results")
    cards.write_card(root, "task", "forecast-1", TASK)
    for method in METHODS:
        for seed in SEEDS:
            store.write_cell(root, *cell(method, seed), {"task_version": "1"})
    return root


@pytest.fixture(scope="module")
def forecasts(results: Path) -> Board:
    return reading.aggregate(results)


@pytest.fixture(scope="module")
def folder(forecasts: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("board")
    rendering.render(forecasts, out)
    return out


def test_the_board_shows_the_lowest_seed_of_each_method_and_no_exhibit_is_a_score(forecasts: Board) -> None:
    assert set(forecasts.exhibits) == {digest(f"{name} 0") for name, *_ in METHODS}
    assert forecasts.exhibits[digest("bass 0")] == {"fans": fans(0)}
    assert not any(name == exhibit.METRIC for name, _ in forecasts.standings[0].standing.columns)


def test_an_exhibit_that_cannot_be_shown_is_named_and_the_rest_stands(results: Path, tmp_path: Path) -> None:
    root = store.create(tmp_path / "results")
    for name, data in (("bass", b"not an exhibit"), ("naive", exhibit.encode(fans(0)))):
        ident, rows = cell((name, 0.6, 0.8, 3.0, 1.0), 0)
        rows[-1]["exhibit"] = data
        store.write_cell(root, ident, rows, {})
    board = reading.aggregate(root)
    assert [row for row in board.skipped if "'fans' of cell" in row[0]]
    assert board.exhibits[digest("naive 0")]["fans"]["kind"] == "fans"
    assert len(board.standings[0].titles) == 2


def test_pages_with_charts_are_small_and_text_stays_text(folder: Path) -> None:
    for path in folder.glob("*.html"):
        text = path.read_text()
        assert path.stat().st_size < 1_500_000
        assert HOSTILE not in text
        assert "<script>alert" not in text


def test_without_a_script_the_largest_series_are_drawn_and_told(folder: Path, page_of: PageOf) -> None:
    text = page_of(folder, "bass").read_text()
    drawing = text.split('class="drawing fan">')[1].split("</div>")[0]
    assert drawing.count('class="median"') == 2  # the last target and origin have two series
    assert drawing.index("CA truck") < drawing.index("TX bus")
    table = text.split('data-is="numbers"')[1].split("</table>")[0]
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in table.split("<tbody>")[1].split("</tr>")]
    assert lines[0] == ["2026Q1", "1,000", *[""] * 5]
    assert lines[4] == ["2027Q1", "—", *[""] * 5]
    assert lines[5] == ["2027Q2", "9,000", "8,100", "8,200", "9,000", "9,800", "9,900"]
    assert lines[7][1] == "—"


def many(count: int) -> dict[str, Any]:
    charts = [chart(f"series {place}", "headcount", 4, 1000.0) for place in range(count)]
    return {"fans": {"kind": "fans", "title": "Forecasts and what happened", "charts": charts}}


def test_what_one_dataset_does_not_need_of_a_page_another_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    each = [many(40), {}, many(2), many(20)]
    whole = sum(shown["spent"] for shown in fan_charts.views(each) if shown)
    monkeypatch.setattr(fan_charts, "CARRIED", whole)
    found = fan_charts.views(each)
    assert [shown and (len(shown["carried"]["charts"]), shown["left_out"]) for shown in found] == [
        (40, 0),
        None,
        (2, 0),
        (20, 0),
    ]
    monkeypatch.setattr(fan_charts, "CARRIED", 3 * whole // 4)
    found = [shown for shown in fan_charts.views(each) if shown]
    left_out = [shown["left_out"] for shown in found]
    assert (left_out[0] > 0, *left_out[1:]) == (True, 0, 0)
    assert [shown["carried"]["left_out"] for shown in found] == left_out
    assert sum(shown["spent"] for shown in found) <= 3 * whole // 4


def test_the_second_table_ranks_by_its_own_metric_and_bars_who_fails_the_gate(
    forecasts: Board, folder: Path, page_of: PageOf
) -> None:
    second = forecasts.seconds["forecast", "simulated"]
    titles = [second.titles[row] for row in second.order]
    assert titles == ["bass", "naive", HOSTILE, "boosted"]
    assert [second.rank(row) for row in second.order] == ["1", "2", "3", ""]
    assert second.states[second.titles.index("boosted")] == ("barred", "no group worse: fails on seed 1")
    assert forecasts.standings[0].rank(forecasts.standings[0].titles.index("boosted")) == "2"
    table = page_of(folder, "simulated").read_text().split('class="second"')[1].split("</table>")[0]
    cells = re.findall(r"<td[^>]*>([^<]*)", table.split("<tbody>")[1].split("</tr>")[0])
    assert cells[:3] == ["1", "3.00", "2.00"]
    assert "barred" in table


def test_a_task_without_a_second_table_has_none(board: Board, pages: Path, page_of: PageOf) -> None:
    assert board.seconds == {}
    text = page_of(pages, "taiwan").read_text()
    assert 'class="second"' not in text
    assert 'class="maps"' not in text


def test_every_state_is_on_the_map_with_its_value_and_in_the_table(folder: Path, page_of: PageOf) -> None:
    assert len(TILES) == 52
    assert len(set(TILES.values())) == 52
    text = html.unescape(page_of(folder, "simulated").read_text())
    loss, coverage = (text.split(f'id="map-title-{number}"')[1].split("</section>")[0] for number in (1, 2))
    first = loss.split("<svg")[1].split("</svg>")[0]
    told = dict(re.findall(r"<title>(\w\w): ([0-9.]+)", first))
    for place, code in enumerate(sorted(TILES)):
        assert float(told[code]) == pytest.approx(0.6 * (0.7 + 0.01 * place), abs=0.006)
    assert "lowest in AK, 0.420, highest in WY, 0.726" in first
    assert '<title>CA: —</title><rect class="unknown"' in coverage
    table = dict(re.findall(r'<tr><th scope="row">(\w\w)</th><td class="num">([^<]*)', loss))
    assert table == told


@pytest.mark.parametrize(
    ("name", "value", "side"),
    [("relative_loss", 0.5, "under"), ("relative_loss", 2.0, "over"), ("coverage_80", 0.6, "over")],
)
def test_the_colour_tells_the_side_of_the_middle(name: str, value: float, side: str) -> None:
    from fourfold.leaderboard import state_map

    scale = state_map.SCALES.get(name, state_map.RATIO)
    assert state_map._colour(scale.place(value)) == (side, "0.85")
    assert state_map._colour(scale.place(1.0 if name == "relative_loss" else 0.8))[1] == "0.00"


@pytest.mark.browser
def test_a_reader_chooses_series_and_origin(opened: Any, folder: Path) -> None:
    tab = opened("bass", folder, viewport={"width": 390, "height": 844}, color_scheme="dark")
    section = tab.locator("section.fans")
    figure = section.locator('[data-is="figure"]')
    tab.wait_for_selector('[data-drawn="displaced, CA truck, 2027Q1"] svg', timeout=60_000)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert not section.locator(".drawing.fan").is_visible()
    assert "displaced" in figure.locator(".role-axis-title").all_text_contents()
    section.locator('[data-is="series"]').select_option("TX bus")
    section.locator('[data-is="origin"]').select_option("2026Q3")
    tab.wait_for_selector('[data-drawn="displaced, TX bus, 2026Q3"] svg', timeout=60_000)
    assert figure.locator(".mark-symbol path").count() == 3 + 2  # medians, and the outcomes that are known
    section.locator("summary").click()
    lines = section.locator('[data-is="numbers"] tbody tr').all_inner_texts()
    assert [line.split() for line in lines][:1] == [["2026Q1", "20.0"]]
    assert lines[3].split() == ["2026Q4", "180", "162", "164", "180", "196", "198"]


@pytest.mark.browser
def test_a_series_with_a_hostile_name_is_text_and_a_missing_chart_says_so(opened: Any, folder: Path) -> None:
    tab = opened("bass", folder)
    tab.wait_for_selector('[data-is="figure"] svg', timeout=60_000)
    section = tab.locator("section.fans")
    section.locator('[data-is="series"]').select_option(HOSTILE)
    told = section.locator('[data-is="told"]')
    assert told.inner_text() == f"There is no forecast of displaced for {HOSTILE} from 2027Q1."
    section.locator('[data-is="origin"]').select_option("2026Q3")
    assert told.inner_text() == f"{HOSTILE}, displaced, forecast from 2026Q3."


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_maps_without_scrolling_sideways(opened: Any, folder: Path, scheme: str) -> None:
    tab = opened("simulated", folder, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab.wait_for_selector("#plot svg", timeout=60_000)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator(".maps svg").count() == 2 * len(METHODS)
    assert tab.evaluate("[...document.querySelectorAll('table')].every(t => t.caption && t.caption.textContent.trim())")
