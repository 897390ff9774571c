"""Fan charts on a method's page: a Vega specification, and the charts that the page carries for its script."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fourfold.leaderboard import fan_paper
from fourfold.leaderboard.figure import Spec, mark, typography
from fourfold.suite.exhibit import QUANTILES

WIDTH, HEIGHT = 700, 340
CARRIED = 600_000
"""Characters of charts that a page carries, shared evenly among its datasets."""

Chart = Mapping[str, Any]


def view(exhibits: Mapping[str, Mapping[str, Any]], share: int) -> dict[str, Any] | None:
    """What a page shows of a cell's fan charts; None where it has none.

    share: the characters of charts to be carried. ``carried`` is for the script: the ``periods`` that charts point to,
    and ``charts`` with ``keys`` (target, series, origin), history, outcome and quantiles. ``left_out`` counts those
    that did not fit, the ones like the first last.
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
    carried.sort(key=lambda pair: order[id(pair[0])])
    return {
        "title": found[0]["title"],
        "paper": fan_paper.multiples(charts, first),
        "first": first,
        "numbers": fan_paper.numbers(first),
        "left_out": len(charts) - len(carried),
        "carried": {
            "first": _keys(first),
            "periods": list(periods),
            "charts": [each for _, each in carried],
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


def _within(share: int, charts: Sequence[Chart], periods: dict[tuple[str, ...], int]) -> Iterator[tuple[Chart, Chart]]:
    """The first charts that fit into so many characters, each as it is and as the script gets it; at least one."""
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
        spent += len(json.dumps(slim, separators=(",", ":")))
        if spent > share and chart is not charts[0]:
            return
        yield chart, slim


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
