"""The headline against epsilon: which methods were run at several budgets, as a figure and, on paper, a table.

An infinite epsilon has no place on a logarithmic axis: it stands at the right end, in a place of its own.
"""

import math
from collections.abc import Sequence
from typing import Any

from fourfold.leaderboard.board import Ranked
from fourfold.leaderboard.figure import HEIGHT, WIDTH, Spec, mark, typography
from fourfold.leaderboard.numerals import interval, spelled
from fourfold.leaderboard.standing import Row

COLOURS = 6
"""The line colours that the style sheet has, ``--line-1`` and on."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
"""As many as are coprime with ``COLOURS``: the first thirty lines differ in one or the other."""
MOST = 12
"""The lines that the figure draws at once, the best of those in view."""


def lines(rows: Sequence[Row]) -> list[list[int]]:
    """The rows of each method (digest, parameters) that stands at several epsilons, by rising epsilon, ∞ last."""
    found: dict[tuple[str, str], dict[float, int]] = {}
    for place, row in enumerate(rows):
        found.setdefault((row.digest, row.parameters), {}).setdefault(row.epsilon, place)
    return [[places[epsilon] for epsilon in sorted(places)] for places in found.values() if len(places) > 1]


def view(ranked: Ranked) -> dict[str, Any] | None:
    """The table of the lines, in the board's order: ``epsilons``, and by line ``title`` and ``cells``. None: no line.

    A cell is (value, interval), '' where there is none: only rows that may be compared have one.
    """
    column = ranked.standing.column(ranked.headline["name"])
    found = [] if column is None else _ordered(ranked)
    if not found:
        return None
    rows, summary = ranked.standing.rows, ranked.summary
    epsilons = sorted({rows[row].epsilon for line in found for row in line})
    table = []
    for line in found:
        at = {rows[row].epsilon: row for row in line if ranked.sound[row]}
        cells = [
            tuple(map(float, (each[at[epsilon], column] for each in (summary.mean, summary.low, summary.high))))
            if epsilon in at
            else None
            for epsilon in epsilons
        ]
        told = [("", "") if cell is None else (spelled(cell[0]), interval(*cell[1:])) for cell in cells]
        table.append({"title": title(ranked, line[0]), "cells": told})
    return {"epsilons": [spelled_epsilon(epsilon) for epsilon in epsilons], "lines": table}


def carried(ranked: Ranked) -> dict[str, Any] | None:
    """What the page's script needs: the figure, and by line its title and its rows, as places in the table."""
    found = _ordered(ranked)
    if not found:
        return None
    place = {row: at for at, row in enumerate(ranked.order)}
    return {
        "figure": template(),
        "most": MOST,
        "lines": [{"title": title(ranked, line[0]), "rows": [place[row] for row in line]} for line in found],
    }


def _ordered(ranked: Ranked) -> list[list[int]]:
    """The lines in the order of their first rows in the table: by the smallest epsilon, where most rows have one."""
    place = {row: at for at, row in enumerate(ranked.order)}
    return sorted(lines(ranked.standing.rows), key=lambda line: min(place[row] for row in line))


def title(ranked: Ranked, row: int) -> str:
    """A row's title without its epsilon."""
    return ranked.titles[row].replace(f" ε={ranked.standing.rows[row].epsilon:g}", "")


def spelled_epsilon(epsilon: float) -> str:
    """``3``, ``∞``."""
    return "∞" if epsilon == math.inf else f"{epsilon:g}"


def template() -> Spec:
    """The Vega specification, with an empty data set ``points``, and no domains yet but that of values.

    A point has x (its epsilon, or where infinity stands), y, yl, yh (the headline and its interval), line (its title),
    aside (pixels by which it makes room for others), tip, and leap (true on both ends of the way to infinity).
    """
    place = {"x": {"scale": "x", "field": "x", "offset": {"field": "aside"}}}
    colour = {"scale": "colour", "field": "line"}
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": WIDTH,
        "height": HEIGHT - 60,
        "padding": 2,
        "background": "transparent",
        "config": typography(),
        "signals": [{"name": "infinity", "value": None}],
        "data": [
            {"name": "points", "values": []},
            _filtered("finite", "datum.x !== infinity"),
            _filtered("leaps", "datum.leap"),
            _filtered("known", "datum.yl !== null && datum.yh !== null"),
        ],
        "scales": _scales(),
        "axes": [_across(), {"scale": "y", "orient": "left", "tickCount": 6, "grid": True, **_UP_TITLE}],
        "legends": [_legend()],
        "marks": [
            mark("rule", "known", **place, **_ends("yl", "yh"), stroke=colour, opacity={"value": 0.6}),
            _line("finite", colour, place, []),
            _line("leaps", colour, place, [3, 4]),
            mark(
                "symbol",
                "points",
                **place,
                shape={"scale": "shape", "field": "line"},
                size={"value": 60},
                fill=colour,
                stroke={"value": "var(--paper)"},
                tooltip={"signal": "{title: datum.line, values: datum.tip}"},
            ),
        ],
    }


_UP_TITLE = {"title": "y", "titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": -40, "titleY": -16}


def _ends(low: str, high: str) -> Spec:
    return {"y": {"scale": "y", "field": low}, "y2": {"scale": "y", "field": high}}


def _filtered(name: str, keep: str) -> Spec:
    return {"name": name, "source": "points", "transform": [{"type": "filter", "expr": keep}]}


def _scales() -> list[Spec]:
    values = {"data": "points", "fields": ["y", "yl", "yh"]}
    colours = [f"var(--line-{number})" for number in range(1, COLOURS + 1)]
    return [
        {"name": "x", "type": "log", "domain": [1, 10], "range": [0, {"signal": "width"}], "nice": False},
        {
            "name": "y",
            "type": "linear",
            "domain": values,
            "range": [{"signal": "height"}, 0],
            "zero": False,
            "padding": 12,
        },
        {"name": "colour", "type": "ordinal", "domain": [], "range": colours},
        {"name": "shape", "type": "ordinal", "domain": [], "range": list(SHAPES)},
    ]


def _across() -> Spec:
    spelled = {"signal": "datum.value === infinity ? '∞' : format(datum.value, '~r')"}
    labels = {"update": {"text": spelled}}
    return {
        "scale": "x",
        "orient": "bottom",
        "title": "ε (logarithmic), ∞ without privacy",
        "values": [],
        "encode": {"labels": labels},
    }


def _legend() -> Spec:
    return {
        "fill": "colour",
        "shape": "shape",
        "orient": "bottom",
        "labelColor": "var(--ink)",
        "labelFontSize": 11,
        "symbolStrokeColor": "var(--paper)",
        "labelLimit": {"signal": "width - 40"},
        "offset": 12,
        "columns": {"signal": "width < 480 ? 1 : 2"},
        "columnPadding": 24,
    }


def _line(data: str, colour: Spec, place: Spec, dash: list[int]) -> Spec:
    facet = {"name": f"{data}_line", "data": data, "groupby": "line"}
    drawn = mark("line", facet["name"], **place, stroke=colour, strokeWidth={"value": 1.5}, strokeDash={"value": dash})
    return {"type": "group", "aria": False, "from": {"facet": facet}, "marks": [drawn]}
