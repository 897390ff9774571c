"""The plot of two metrics against each other, with its front: one Vega specification, for the page and for paper.

Altair describes it and vl-convert compiles it, once; a page then fills in data and axes. Colours are the page's own
CSS variables, so that one figure serves light and dark.
"""

import copy
import gzip
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

WIDTH, HEIGHT = 700, 400
_VERSION = "6.1"

Spec = dict[str, Any]


@cache
def bundle() -> str:
    """Vega, its expression interpreter and its embedder as one script, which sets ``window.vegaEmbed`` and no other name."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=_VERSION)
    return f'(() => {{"use strict";{script}\n}})();'


@cache
def packed_bundle() -> str:
    """The bundle, compressed (gzip) and spelled in base64: 0.4 MB instead of 0.9 in every page."""
    return b64encode(gzip.compress(bundle().encode(), 9, mtime=0)).decode()


@cache
def template() -> Spec:
    """The Vega specification, with an empty data set ``points``.

    A point has x, xl, xh, y, yl, yh (value and interval), name, mark (the shape of its track), front (true on the Pareto
    front) and label ('' where it is not to be named). The front is drawn as a staircase by the signal ``step``.
    """
    import altair as alt
    import vl_convert

    points = alt.Chart(alt.NamedData("points"))
    x = alt.X("x:Q", scale=alt.Scale(zero=False, nice=False, padding=18), axis=alt.Axis(title="x", tickCount=6, grid=False))
    y = alt.Y("y:Q", scale=alt.Scale(zero=False, nice=False, padding=18), axis=alt.Axis(title="y", tickCount=6))
    quiet = {"aria": False, "color": "var(--ink)", "opacity": 0.28}
    step: Any = alt.param(name="step", value="step-after")
    on_front = alt.datum.front
    layers = alt.layer(
        points.mark_rule(**quiet).encode(x=alt.X("xl:Q"), x2="xh:Q", y=y),
        points.mark_rule(**quiet).encode(x=x, y=alt.Y("yl:Q"), y2="yh:Q"),
        points.transform_filter(on_front)
        .mark_line(color="var(--accent)", strokeWidth=1.5, interpolate={"expr": "step"}, aria=False)
        .encode(x=x, y=y, order=alt.Order("x:Q")),
        points.mark_point(size=56, opacity=1, strokeWidth=1.4).encode(
            x=x,
            y=y,
            shape=alt.Shape("mark:N", scale=None, legend=None),
            fill=alt.condition(on_front, alt.value("var(--accent)"), alt.value("var(--paper)")),
            stroke=alt.condition(on_front, alt.value("var(--accent)"), alt.value("var(--ink)")),
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("tip:N", title="values")],
        ),
        points.transform_filter("datum.label != ''")
        .mark_text(fontSize=11, color="var(--ink)", aria=False)
        .encode(x=x, y=y, text="label:N"),
    )
    chart = layers.properties(width=WIDTH, height=HEIGHT, background="transparent", padding=2).add_params(step)
    described = chart.configure(**_typography()).to_dict()
    described.setdefault("datasets", {})["points"] = []
    compiled: Spec = vl_convert.vegalite_to_vega(described, vl_version=_VERSION)
    return _with_spread_labels(compiled)


def _typography() -> dict[str, Any]:
    axis = {
        "labelColor": "var(--soft)", "titleColor": "var(--ink)", "domainColor": "var(--soft)", "tickColor": "var(--soft)",
        "gridColor": "var(--rule)", "gridOpacity": 0.7, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": 600,
    }  # fmt: skip
    beside = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": -40, "titleY": -16}
    return {"font": "system-ui, sans-serif", "axis": axis, "axisY": beside, "view": {"stroke": None}}


def _with_spread_labels(spec: Spec) -> Spec:
    """Let Vega place the labels where they cover neither each other nor a point (its ``label`` transform)."""
    (texts,) = [mark for mark in spec["marks"] if mark["type"] == "text"]
    (symbols,) = [mark["name"] for mark in spec["marks"] if mark["type"] == "symbol"]
    for name in ("align", "baseline"):
        texts["encode"]["update"].pop(name, None)
    size: Any = {"signal": "[width, height]"}
    texts["transform"] = [{
        "type": "label", "size": size, "avoidMarks": [symbols], "padding": 60, "offset": [4, 6],
        "anchor": ["right", "top-right", "bottom-right", "top", "bottom", "left", "top-left", "bottom-left"],
    }]  # fmt: skip
    return spec


def filled(points: Sequence[Mapping[str, Any]], axes: Sequence[Mapping[str, Any]]) -> Spec:
    """The specification with its data. axes: of x and y the ``title``, whether it is ``log``, and what is ``better``."""
    spec = copy.deepcopy(template())
    next(data for data in spec["data"] if data["name"] == "points")["values"] = list(points)
    for name, about in zip("xy", axes, strict=True):
        for axis in spec["axes"]:
            if axis["scale"] == name and "title" in axis:
                axis["title"] = about["title"]
        scale = next(scale for scale in spec["scales"] if scale["name"] == name)
        scale["type"] = "log" if about["log"] else "linear"
    next(signal for signal in spec["signals"] if signal["name"] == "step")["value"] = stairs(axes[0]["better"])
    return spec


def stairs(x_better: str) -> str:
    """How the staircase turns: what a point reaches lies on the worse side of it in x."""
    return "step-before" if x_better == "higher" else "step-after"


def svg(points: Sequence[Mapping[str, Any]], axes: Sequence[Mapping[str, Any]]) -> str:
    """The figure as SVG text, to stand in a page as it is. Names in it are escaped by Vega.

    Labels stand above and right of their points: to spread them, Vega needs a canvas, which only a browser has.
    """
    import vl_convert

    spec = filled(points, axes)
    (texts,) = [mark for mark in spec["marks"] if mark["type"] == "text"]
    del texts["transform"]
    texts["encode"]["update"] |= {"dx": {"value": 7}, "dy": {"value": -7}}
    return str(vl_convert.vega_to_svg(spec))
