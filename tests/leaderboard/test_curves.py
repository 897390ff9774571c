"""The headline against epsilon: which lines there are, the table on paper, and the figure in a real Chromium."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fourfold.leaderboard import curves, pages
from fourfold.leaderboard.board import Board, build
from fourfold.leaderboard.standing import Row
from fourfold.suite.cellfile import SCHEMA

HOSTILE = "</script><script>alert(1)</script>"
EPSILONS = (1.0, 3.0, 8.0, math.inf)
ACCURACY = {
    "scattering-linear": (0.78, 0.82, 0.84, 0.88),
    "dp-sgd": (0.61, 0.70, 0.76, 0.93),
    HOSTILE: (0.40, 0.55, None, 0.71),
}
"""By method the accuracy at each of ``EPSILONS``; None where the cells failed."""
METRICS = [
    {"name": name, "title": name.replace("_", " "), "family": family, "better": better, "doc": "", "unit": "",
     "low": low, "high": high}
    for name, family, better, low, high in (
        ("accuracy", "accuracy", "higher", 0, 1),
        ("class_gap", "fairness", "lower", 0, 1),
        ("class_gap_added", "fairness", "lower", -1, 1),
        ("cpu_seconds", "cost", "lower", 0, None),
        ("slowdown", "cost", "lower", 0, None),
    )
]  # fmt: skip
TASK: dict[str, Any] = {
    "name": "dp-images", "title": "Private image classification", "headline": "accuracy", "metrics": METRICS,
    "shown": ["accuracy", "class_gap", "class_gap_added", "slowdown"],
}  # fmt: skip


def rows_of(method: str, epsilon: float, seed: int, accuracy: float | None) -> list[dict[str, Any]]:
    here = {
        "cell": hashlib.sha256(repr((method, epsilon, seed)).encode()).hexdigest(),
        "task": "dp-images", "dataset": "mnist", "method": method, "method_digest": method, "parameters": "{}",
        "epsilon": epsilon, "delta": 1e-5, "seed": seed, "family": "accuracy", "group": "", "low": None, "high": None,
        "n": 10_000, "status": "ok", "reason": "", "replicates": None,
    }  # fmt: skip
    if accuracy is None:
        return [here | {"metric": "", "value": None, "status": "failed", "reason": "no luck"}]
    value = accuracy + 0.006 * (seed - 1)
    return [
        here | {"metric": "accuracy", "value": value, "low": value - 0.01, "high": value + 0.01},
        here | {"metric": "class_gap", "value": 0.5 - accuracy / 2 + 0.01 * seed},
        here | {"metric": "cpu_seconds", "group": "fit", "value": 60.0 + seed if epsilon < math.inf else 12.0},
        here | {"metric": "cpu_seconds", "value": 61.0 + seed if epsilon < math.inf else 13.0},
    ]


def made(cells: list[dict[str, Any]]) -> Board:
    return build(pa.Table.from_pylist(cells, schema=SCHEMA), {"dp-images": TASK}, {})


@pytest.fixture(scope="module")
def private() -> Board:
    """Three methods at four epsilons, one of which failed, and one that was run without privacy alone."""
    cells = [
        row
        for method, values in ACCURACY.items()
        for epsilon, value in zip(EPSILONS, values, strict=True)
        for seed in range(3)
        for row in rows_of(method, epsilon, seed, value)
    ]
    return made(cells + [row for seed in range(3) for row in rows_of("cnn", math.inf, seed, 0.97)])


@pytest.fixture(scope="module")
def folder(private: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("private")
    pages.render(private, out)
    return out


def test_a_line_is_the_same_code_and_parameters_at_several_epsilons() -> None:
    rows = [
        Row("a", "1", "{}", math.inf, 1e-5),
        Row("a", "1", "{}", 8.0, 1e-5),
        Row("a", "1", "{}", 1.0, 1e-5),
        Row("a", "1", '{"clip": 2}', 3.0, 1e-5),
        Row("a", "2", "{}", 3.0, 1e-5),
        Row("b", "3", "{}", 1.0, 1e-5),
        Row("b", "3", "{}", 1.0, 1e-6),
    ]
    assert curves.lines(rows) == [[2, 1, 0]]


def test_the_table_has_the_boards_own_numbers_and_blanks_where_a_row_is_not_compared(private: Board) -> None:
    found = curves.view(private.standings[0])
    assert found is not None
    assert found["epsilons"] == ["1", "3", "8", "∞"]
    values = {line["title"]: [value for value, _ in line["cells"]] for line in found["lines"]}
    assert values == {
        "dp-sgd": ["0.610", "0.700", "0.760", "0.930"],
        "scattering-linear": ["0.780", "0.820", "0.840", "0.880"],
        HOSTILE: ["0.400", "0.550", "", "0.710"],
    }
    assert [line["title"] for line in found["lines"]] == list(ACCURACY)


def test_a_dataset_without_several_budgets_has_no_such_section(tmp_path: Path) -> None:
    plain = made(rows_of("cnn", math.inf, 0, 0.97) + rows_of("dp-sgd", 3.0, 0, 0.7))
    assert curves.view(plain.standings[0]) is None
    assert curves.carried(plain.standings[0]) is None
    pages.render(plain, tmp_path)
    assert not any('id="curves-title"' in path.read_text() for path in tmp_path.glob("*.html"))


# In the browser

browser = pytest.mark.browser


def drawn(tab: Any, titles: str) -> Any:
    tab.wait_for_selector(f"#curves[data-drawn={json.dumps(titles)}] svg", timeout=60_000)
    return tab


@browser
def test_each_row_has_its_point_at_its_epsilon_and_infinity_stands_last(opened: Any, folder: Path) -> None:
    tab = drawn(opened("mnist", folder=folder), ", ".join(ACCURACY))
    wanted = tab.evaluate("curvePoints()")
    assert [(point["line"], point["y"]) for point in wanted["points"]] == [
        (method, pytest.approx(value)) for method, values in ACCURACY.items() for value in values if value is not None
    ]
    places = [point["x"] for point in wanted["points"] if point["line"] == "dp-sgd"]
    assert places == [1, 3, 8, wanted["infinity"]]
    assert wanted["infinity"] > 8 * 2
    assert [point["leap"] for point in wanted["points"] if point["line"] == "dp-sgd"] == [False, False, True, True]
    assert tab.locator("#curves svg .mark-symbol.role-mark path").count() == 11
    assert tab.locator("#curves svg .mark-rule.role-mark line").count() == 11
    labels = tab.locator("#curves svg .role-axis-label text").all_text_contents()
    assert labels[:4] == ["1", "3", "8", "∞"]
    assert HOSTILE in tab.locator("#curves svg .role-legend-label").all_text_contents()


@browser
def test_the_figure_follows_the_filters_and_a_line_keeps_its_colour(opened: Any, folder: Path) -> None:
    tab = drawn(opened("mnist", folder=folder), ", ".join(ACCURACY))
    colour = "document.querySelector('#curves svg .mark-symbol.role-mark path:nth-of-type({})').getAttribute('fill')"
    before = tab.evaluate(colour.format(5))
    tab.fill("#find", "dp-sgd")
    drawn(tab, "dp-sgd")
    assert tab.locator("#curves svg .mark-symbol.role-mark path").count() == 4
    assert tab.evaluate(colour.format(1)) == before == "var(--line-2)"
    tab.fill("#find", "cnn")
    tab.wait_for_function("document.querySelector('#curves-told').textContent.startsWith('Nothing to draw')")


@browser
def test_of_many_lines_the_best_are_drawn_and_the_reader_is_told(opened: Any, tmp_path: Path) -> None:
    methods = {f"method-{number:02}": 0.9 - 0.02 * number for number in range(curves.MOST + 3)}
    cells = [rows_of(name, epsilon, 0, top) for name, top in methods.items() for epsilon in (1.0, 8.0)]
    pages.render(made([row for cell in cells for row in cell]), tmp_path)
    best = list(methods)[: curves.MOST]
    tab = drawn(opened("mnist", folder=tmp_path), ", ".join(best))
    assert tab.locator("#curves-told").inner_text().startswith("The best 12 of 15;")
    looks = tab.evaluate(
        "[...document.querySelectorAll('#curves svg .role-legend-symbol path')]"
        ".map(path => path.getAttribute('fill') + path.getAttribute('d'))"
    )
    assert len(set(looks)) == len(looks) == curves.MOST
    tab.fill("#find", "method-14")
    drawn(tab, "method-14")
    assert tab.locator("#curves-told").inner_text() == ""


@browser
def test_without_a_script_there_is_a_table(opened: Any, folder: Path) -> None:
    tab = opened("mnist", folder=folder, java_script_enabled=False)
    assert tab.locator("table.curves").is_visible()
    assert not tab.locator("#curves").is_visible()
    lines = tab.locator("table.curves tbody tr").all()
    assert [line.locator("th").inner_text() for line in lines] == list(ACCURACY)
    assert lines[0].locator("td").last.inner_text().startswith("0.880")


@browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_the_page_sideways(opened: Any, folder: Path, scheme: str) -> None:
    tab = opened("mnist", folder=folder, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    drawn(tab, ", ".join(ACCURACY))
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("document.querySelector('#curves svg').getBoundingClientRect().right") <= 390
    tab.locator(".chooser summary").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
