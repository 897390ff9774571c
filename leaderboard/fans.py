"""Fan charts on a method's page: a Vega specification, and the charts that the page carries for its script."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fourfold.leaderboard import fan_paper
from fourfold.leaderboard.figure import Spec, mark, typography
from fourfold.suite.exhibit import QUANTILES

WIDTH, HEIGHT = 700, 340
CARRIED = 800_000
"""Characters of charts that a page carries, shared among its datasets: enough for some 2,000."""

Chart = Mapping[str, Any]


def views(each: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[dict[str, Any] | None]:
    """``view`` of the exhibits of each cell on a page. What one does not need of its share of CARRIED, others get."""
    found: list[dict[str, Any] | None] = [None] * len(each)
    left = CARRIED
    fewest_first = sorted(range(len(each)), key=lambda place: _count(each[place]))
    for to_come, place in zip(range(len(each), 0, -1), fewest_first, strict=True):
        found[place] = shown = view(each[place], left // to_come)
        left -= shown["spent"] if shown else 0
    return found


def _count(exhibits: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(len(each["charts"]) for each in exhibits.values() if each["kind"] == "fans")


def view(exhibits: Mapping[str, Mapping[str, Any]], share: int) -> dict[str, Any] | None:
    """What a page shows of a cell's fan charts; None where it has none.

    share: the characters of charts to be carried; ``spent``, those that are. ``carried`` is for the script: the
    ``periods`` that charts point to, and ``charts`` with ``keys`` (target, series, origin), history, outcome and
    quantiles. ``left_out`` counts those that did not fit, the ones like the first last.
    """
    found = [each for each in exhibits.values() if each["kind"] == "fans" and each["charts"]]
    if not found:
        return None
    charts = [chart for each in found for chart in each["charts"]]
    first = _first(charts)
    periods: dict[tuple[str, ...], int] = {}
    near = sorted(charts, key=lambda chart: (chart is not first, _kind(chart) != _kind(first)))
    carried = list(_within(share, near, periods))
    order = {id(chart): place for place, chart in enumerate(charts)}
    carried.sort(key=lambda each: order[id(each[0])])
    left_out = len(charts) - len(carried)
    return {
        "title": found[0]["title"],
        "paper": fan_paper.multiples(charts, first),
        "first": first,
        "numbers": fan_paper.numbers(first),
        "left_out": left_out,
        "spent": sum(size for _, _, size in carried),
        "carried": {
            "first": _keys(first),
            "left_out": left_out,
            "periods": list(periods),
            "charts": [slim for _, slim, _ in carried],
        },
    }


def _first(charts: Sequence[Chart]) -> Chart:
    """The chart to begin with: of the last target and the last origin the series that is largest there."""
    alike = [chart for chart in charts if _kind(chart) == _kind(charts[-1])]
    return max(alike, key=fan_paper.reached)


def _kind(chart: Chart) -> tuple[str, str]:
    return chart["target"], chart["origin"]


def _keys(chart: Chart) -> list[str]:
    return [chart["target"], chart["series"], chart["origin"]]


def _within(
    share: int, charts: Sequence[Chart], periods: dict[tuple[str, ...], int]
) -> Iterator[tuple[Chart, Chart, int]]:
    """The first charts that fit into so many characters, at least one: as each is, as the script gets it, its size."""
    spent = 0
    for chart in charts:
        place = periods.setdefault(tuple(chart["periods"]), len(periods))
        slim = {
            "keys": _keys(chart),
            "periods": place,
            "history": chart["history"],
            "outcome": chart["outcome"],
            "quantiles": [chart["quantiles"][level] for level in QUANTILES],
        }
        size = len(json.dumps(slim, separators=(",", ":")))
        spent += size
        if spent > share and chart is not charts[0]:
            return
        yield chart, slim, size


_UP_TITLE = {"title": "y", "titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": -40, "titleY": -12}


def template() -> Spec:
    """The Vega specification, with empty data sets.

    ``past`` and ``outcome`` have x (a period's name) and y; ``fan`` x and the quantiles a, b, y, c, d from low to high.
    The points of the last two have a tip.
    """
    blue, ink = {"value": "var(--line-2)"}, {"value": "var(--ink)"}
    line = {"strokeWidth": {"value": 1.8}}
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "padding": 2,
        "background": "transparent",
        "config": typography(),
        "data": [{"name": name, "values": []} for name in ("past", "outcome", "fan")],
        "scales": _scales(),
        "axes": [
            {"scale": "x", "orient": "bottom", "values": []},
            {"scale": "y", "orient": "left", "tickCount": 5, "grid": True, "format": ",~r", **_UP_TITLE},
        ],
        "marks": [
            _band("a", "d", 0.18),
            _band("b", "c", 0.3),
            mark("line", "fan", stroke=blue, **line),
            mark("line", "past", stroke=ink, strokeWidth={"value": 1.4}),
            _dots("fan", 24, blue),
            _dots("outcome", 46, {"value": "var(--accent)"}),
        ],
    }


def _scales() -> list[Spec]:
    every = [{"data": name, "field": "y"} for name in ("past", "outcome", "fan")]
    every += [{"data": "fan", "field": end} for end in "ad"]
    up = {"name": "y", "type": "linear", "domain": {"fields": every}, "range": [{"signal": "height"}, 0]}
    return [
        {"name": "x", "type": "point", "domain": [], "range": [0, {"signal": "width"}], "padding": 0.5},
        up | {"zero": False, "nice": True},
    ]


def _band(low: str, high: str, opacity: float) -> Spec:
    ends = {"y": {"scale": "y", "field": low}, "y2": {"scale": "y", "field": high}}
    return mark("area", "fan", **ends, fill={"value": "var(--line-2)"}, fillOpacity={"value": opacity})


def _dots(data: str, size: int, fill: Mapping[str, str]) -> Spec:
    return mark(
        "symbol", data, size={"value": size}, fill=fill, tooltip={"signal": "{title: datum.x, values: datum.tip}"}
    )
