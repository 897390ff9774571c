"""The plot of two metrics against each other, with its front: a Vega specification.

The page fills in data and axes. Colours are the page's own CSS variables, so that one figure serves light and dark.
"""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 700, 400

Spec = dict[str, Any]


def template() -> Spec:
    """The Vega specification, with an empty data set ``points`` and axes named ``x`` and ``y``.

    A point has x, xl, xh, y, yl, yh (value and interval, null where unknown), name, tip, mark (the shape of its track),
    front (true on the Pareto front) and label ('' where it is not to be named).
    """
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "padding": 2,
        "background": "transparent",
        "config": typography(),
        "signals": [{"name": "step", "value": "step-after"}],
        "data": [
            {"name": "points", "values": []},
            {
                "name": "front",
                "source": "points",
                "transform": [{"type": "filter", "expr": "datum.front"}, {"type": "collect", "sort": {"field": "x"}}],
            },
            {
                "name": "across",
                "source": "points",
                "transform": [{"type": "filter", "expr": "datum.xl !== null && datum.xh !== null"}],
            },
            {
                "name": "up",
                "source": "points",
                "transform": [{"type": "filter", "expr": "datum.yl !== null && datum.yh !== null"}],
            },
        ],
        "scales": [_scale("x", [0, {"signal": "width"}]), _scale("y", [{"signal": "height"}, 0])],
        "axes": [
            {"scale": "x", "orient": "bottom", "title": "x", "tickCount": 6},
            {
                "scale": "y",
                "orient": "left",
                "title": "y",
                "tickCount": 6,
                "grid": True,
                "titleAngle": 0,
                "titleAlign": "left",
                "titleAnchor": "start",
                "titleX": -40,
                "titleY": -16,
            },
        ],
        "marks": [
            _rule("across", "xl", "y", x2="xh"),
            _rule("up", "x", "yl", y2="yh"),
            mark(
                "line",
                "front",
                interpolate={"signal": "step"},
                stroke={"value": "var(--accent)"},
                strokeWidth={"value": 1.5},
            ),
            _symbols(),
            {
                **mark("text", "points", text={"field": "label"}, fontSize={"value": 11}, fill={"value": "var(--ink)"}),
                "transform": [
                    {
                        "type": "label",
                        "size": {"signal": "[width, height]"},
                        "avoidMarks": ["symbols"],
                        "padding": 60,
                        "offset": [4, 6],
                        "anchor": [
                            "right",
                            "top-right",
                            "bottom-right",
                            "top",
                            "bottom",
                            "left",
                            "top-left",
                            "bottom-left",
                        ],
                    }
                ],
            },
        ],
    }


def typography() -> Spec:
    """How every figure's text and axes look."""
    axis = {
        "labelColor": "var(--soft)",
        "titleColor": "var(--ink)",
        "domainColor": "var(--soft)",
        "tickColor": "var(--soft)",
        "gridColor": "var(--rule)",
        "gridOpacity": 0.7,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": 600,
        "labelOverlap": True,
    }
    return {"font": "system-ui, sans-serif", "axis": axis}


def _scale(axis: str, reach: Sequence[Any]) -> Spec:
    domain = {"data": "points", "fields": [axis, f"{axis}l", f"{axis}h"]}
    return {"name": axis, "type": "linear", "domain": domain, "range": list(reach), "zero": False, "padding": 18}


def mark(kind: str, data: str, **encoded: Any) -> Spec:
    """A mark of each record of a data set, at its fields x and y unless ``encoded`` says otherwise."""
    place = {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}
    return {"type": kind, "aria": False, "from": {"data": data}, "encode": {"update": {**place, **encoded}}}


def _rule(data: str, x: str, y: str, **other_end: str) -> Spec:
    ends = {end: {"scale": end[0], "field": field} for end, field in {"x": x, "y": y, **other_end}.items()}
    return mark("rule", data, **ends, stroke={"value": "var(--ink)"}, opacity={"value": 0.28})


def _symbols() -> Spec:
    accent, ink, paper = ({"value": f"var(--{name})"} for name in ("accent", "ink", "paper"))
    on_front = {"test": "datum.front", **accent}
    return {"name": "symbols"} | mark(
        "symbol",
        "points",
        shape={"field": "mark"},
        size={"value": 56},
        strokeWidth={"value": 1.4},
        fill=[on_front, paper],
        stroke=[on_front, ink],
        tooltip={"signal": "{title: datum.name, values: datum.tip}"},
    )
