"""The view of one (task, dataset): the table's cells, the figures for paper, and what the script is given."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from fourfold.leaderboard import figure, ranking
from fourfold.leaderboard.board import RUNGS, Ranked, default_track
from fourfold.leaderboard.numerals import interval, spelled
from fourfold.leaderboard.payload import embedded, payload

PRIVACY = ("epsilon_claimed", "epsilon_accounted", "epsilon_audited", "leakage_auc", "rung")
"""What is claimed, what the ledger adds up to and what an audit could show stand side by side, always."""
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
MARKS = ("circle", "diamond", "triangle-up", "square")
CROWD = 60
"""Rows beyond which a figure on paper leaves the intervals out."""


def table_columns(ranked: Ranked) -> list[int]:
    """The columns of the table: the task's choice, then privacy, each once."""
    privacy = [column for name in PRIVACY if (column := ranked.standing.column(name)) is not None]
    shown = [column for column in ranked.shown if column not in privacy]
    return shown + privacy


def missing(ranked: Ranked, row: int, column: int) -> str:
    """Why a value is not there, in words."""
    standing = ranked.standing
    name = standing.columns[column][0]
    if (row, column) in standing.reasons:
        return standing.reasons[row, column]
    if not standing.ok[row].any():
        return "no cell ended well"
    if name == "epsilon_claimed":
        return "its author claims none"
    if name == "epsilon_accounted":
        return "it kept no ledger of mechanisms"
    records = int(standing.n[row, column].max())
    return f"undefined: it rests on {records:,} records" if records else "not measured"


def view(ranked: Ranked, links: Sequence[str]) -> dict[str, Any]:
    """What ``dataset.html.jinja`` shows. links: where each row's method has its page."""
    shown = table_columns(ranked)
    carried = payload(ranked, shown, list(links))
    places = {(column["metric"], column["group"]): place for place, column in enumerate(carried["columns"])}
    carried |= {
        "tracks": track_names(ranked), "marks": MARKS, "figure": figure.template(),
        "axes": [[places[ranked.standing.columns[column]] for column in pair] for pair in axes(ranked)],
    }  # fmt: skip
    about = [ranked.metric(ranked.standing.columns[column][0]) for column in shown]
    heads = [{"title": ranked.title(column), "unit": metric["unit"], "better": metric["better"], "doc": metric["doc"],
              "arrow": ARROWS.get(metric["better"], ""), "family": metric["family"]}
             for column, metric in zip(shown, about, strict=True)]  # fmt: skip
    families = [(name, len(list(group))) for name, group in groupby(head["family"] for head in heads)]
    return {
        "ranked": ranked, "heads": heads, "families": families, "rows": _rows(ranked, shown, links),
        "tracks": track_names(ranked), "counts": _counts(ranked), "leaders": leaders(ranked),
        "budgets": sorted({row.epsilon for row in ranked.standing.rows if math.isfinite(row.epsilon)}),
        "figures": figures(ranked), "data": embedded(carried), "failures": _failures(ranked, links),
    }  # fmt: skip


def _rows(ranked: Ranked, shown: Sequence[int], links: Sequence[str]) -> list[dict[str, Any]]:
    summary, order = ranked.summary, ranked.order
    cells = [_cells(ranked, column, order) for column in shown]
    whiskers = _whiskers(ranked)
    return [
        {"title": ranked.titles[row], "href": links[row], "track": ranked.tracks[row], "state": ranked.states[row][0],
         "why": ranked.states[row][1], "rank": ranked.rank(row), "epsilon": ranked.standing.rows[row].epsilon,
         "begins": place > 0 and _group(ranked, row) != _group(ranked, order[place - 1]), "cells": [column[place] for column in cells], "whisker": whiskers[row]}
        for place, row in enumerate(order)
    ] if len(summary.mean) else []  # fmt: skip


def _group(ranked: Ranked, row: int) -> tuple[bool, str]:
    """Rows that compete: a table rules them off from the next ones."""
    sound = bool(ranked.sound[row])
    return sound, str(ranked.tracks[row]) if sound else ""


def _cells(ranked: Ranked, column: int, order: Sequence[int]) -> list[tuple[str, str, str]]:
    """Of each row the value, its interval, and why it is missing, as text."""
    name, summary = ranked.standing.columns[column][0], ranked.summary
    values = summary.mean[order, column].tolist()
    lows, highs = summary.low[order, column].tolist(), summary.high[order, column].tolist()
    cells = []
    for row, value, low, high in zip(order, values, lows, highs, strict=True):
        if value != value:
            cells.append(("", "", missing(ranked, row, column)))
        elif name == "rung":
            cells.append((RUNGS[int(value)] if 0 <= value < len(RUNGS) else spelled(value), "", ""))
        else:
            cells.append((spelled(value), interval(low, high), ""))
    return cells


def _whiskers(ranked: Ranked) -> list[str]:
    """Dot and whisker of the headline, as CSS lengths on one scale for all rows; '' where unknown."""
    column = ranked.standing.column(ranked.headline["name"])
    if column is None or not len(ranked.titles):
        return [""] * len(ranked.titles)
    mean, low, high = (values[:, column] for values in (ranked.summary.mean, ranked.summary.low, ranked.summary.high))
    low, high = np.where(np.isnan(low), mean, low), np.where(np.isnan(high), mean, high)
    least, most = np.nanmin(low, initial=np.inf), np.nanmax(high, initial=-np.inf)
    if not most > least:
        return [""] * len(mean)
    at = [np.round(100 * (values - least) / (most - least), 1) for values in (low, mean, high)]
    return ["" if math.isnan(middle) else f"--a:{left}%;--m:{middle}%;--b:{100 - right:.1f}%"
            for left, middle, right in zip(*at, strict=True)]  # fmt: skip


def _counts(ranked: Ranked) -> dict[str, int]:
    return {state: sum(each == state for each, _ in ranked.states)
            for state in ("ranked", "unranked", "incomplete", "failed", "undefined", "refuted")}  # fmt: skip


def leaders(ranked: Ranked) -> list[tuple[str, list[int]]]:
    """Of each track the rows that may be first, best value first."""
    tracks = dict.fromkeys(str(ranked.tracks[row]) for row in ranked.order)
    return [(track, found) for track in tracks
            if (found := [row for row in ranked.order if ranked.ranks[row, 0] == 1 and ranked.tracks[row] == track])]


def track_names(ranked: Ranked) -> list[str]:
    """The tracks there are, that of methods which declare none first."""
    return sorted(set(map(str, ranked.tracks)), key=lambda track: (track != default_track(ranked.task), track))


def _failures(ranked: Ranked, links: Sequence[str]) -> list[dict[str, Any]]:
    return [{"title": ranked.titles[each.row], "href": links[each.row], "seed": each.seed, "status": each.status,
             "reason": each.reason} for each in ranked.standing.failures]  # fmt: skip


def axes(ranked: Ranked) -> list[tuple[int, int]]:
    """The pairs of columns drawn on paper: the headline against the first fairness gap and the first cost shown."""
    headline = ranked.standing.column(ranked.headline["name"])
    if headline is None:
        return []
    goals = [column for column in ranked.shown if ranked.metric(ranked.standing.columns[column][0])["better"] != "none"]
    found = (next((column for column in goals if ranked.metric(ranked.standing.columns[column][0])["family"] == family), None)
             for family in ("fairness", "cost"))  # fmt: skip
    return [(column, headline) for column in found if column is not None]


def figures(ranked: Ranked) -> list[dict[str, str]]:
    """The figures for a page without script: SVG text, and in words what is drawn and who stands on the front."""
    drawn = []
    for x, y in axes(ranked):
        points, on = _points(ranked, x, y)
        if points:
            titles = [figure_axis(ranked, column) for column in (x, y)]
            drawn.append({"svg": figure.svg(points, titles), "title": f"{ranked.title(y)} against {ranked.title(x)}",
                          "front": ", ".join(ranked.titles[row] for row in on)})  # fmt: skip
    return drawn


def figure_axis(ranked: Ranked, column: int) -> dict[str, Any]:
    """An axis's title with unit and direction, and whether the values spread so far that it is logarithmic."""
    metric = ranked.metric(ranked.standing.columns[column][0])
    values = ranked.summary.mean[ranked.sound, column]
    values = values[np.isfinite(values)]
    log = bool(len(values) and values.min() > 0 and values.max() > 30 * values.min())
    unit = f", {metric['unit']}" if metric["unit"] else ""
    return {"title": f"{ranked.title(column)}{unit} {ARROWS.get(metric['better'], '')}", "log": log, "better": metric["better"]}


def _points(ranked: Ranked, x: int, y: int) -> tuple[list[dict[str, Any]], list[int]]:
    summary, rows = ranked.summary, [row for row in ranked.order if ranked.sound[row]]
    rows = [row for row in rows if np.isfinite(summary.mean[row, [x, y]]).all()]
    better = [ranked.metric(ranked.standing.columns[column][0])["better"] for column in (x, y)]
    front = ranking.front(summary.mean[rows, x], summary.mean[rows, y], *better)
    tracks = track_names(ranked)
    log, points = figure_axis(ranked, x)["log"], []
    for row, on in zip(rows, front.tolist(), strict=True):
        point = {"name": ranked.titles[row], "front": on, "label": ranked.titles[row] if on else "", "tip": "",
                 "mark": MARKS[tracks.index(str(ranked.tracks[row])) % len(MARKS)]}  # fmt: skip
        for axis, column in (("x", x), ("y", y)):
            value, low, high = (float(each[row, column]) for each in (summary.mean, summary.low, summary.high))
            known = len(rows) <= CROWD and low == low and not (log and axis == "x" and low <= 0)
            point |= {axis: value, f"{axis}l": low if known else None, f"{axis}h": high if known else None}
        points.append(point)
    return points, [row for row, on in zip(rows, front.tolist(), strict=True) if on]
