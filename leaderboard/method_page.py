"""The view of one method on one task: every metric, every group, every seed, how it was run and where it failed."""

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from markupsafe import Markup, escape

from fourfold.leaderboard.board import Board, Card, Ranked
from fourfold.leaderboard.dataset_page import ARROWS, missing, rung
from fourfold.leaderboard.numerals import interval, spelled

Method = tuple[str, str, str]
"""Task, name, digest."""
FAMILIES = ("accuracy", "fairness", "privacy", "cost")
SHORT = ("task_version", "dataset_checksum", "draw", "host", "device", "confinement", "started", "wall", "budget")


Heads = list[tuple[int, str, str]]
"""Of each line of a table its column, its family and its heading, as HTML."""


def places(board: Board) -> dict[Method, list[tuple[Ranked, int]]]:
    """By (task, name, digest): on which standings a method has which rows."""
    found: dict[Method, list[tuple[Ranked, int]]] = {}
    for ranked in board.standings:
        for row, about in enumerate(ranked.standing.rows):
            found.setdefault((ranked.standing.task, about.method, about.digest), []).append((ranked, row))
    return dict(sorted(found.items()))


def views(board: Board, links: Mapping[tuple[str, str], str]) -> Iterator[tuple[Method, dict[str, Any]]]:
    """Of each method what ``method.html.jinja`` shows. links: where each (task, dataset) has its page."""
    heads = {(ranked.standing.task, ranked.standing.dataset): _heads(ranked) for ranked in board.standings}
    for (task, method, digest), found in places(board).items():
        parts = []
        for ranked, row in found:
            where = (task, ranked.standing.dataset)
            parts.append(
                _part(board, ranked, row) | {"link": links[where], "scores": _scores(ranked, row, heads[where])}
            )
        card = dict(board.methods.get(digest, {}))
        yield (
            (task, method, digest),
            {
                "method": method,
                "digest": digest,
                "card": card,
                "task": board.tasks.get(task, {"name": task}),
                "parts": parts,
            },
        )


def _part(board: Board, ranked: Ranked, row: int) -> dict[str, Any]:
    standing = ranked.standing
    about = standing.rows[row]
    cells = [cell for cell in standing.cells[row].tolist() if cell]
    return {
        "title": ranked.titles[row],
        "dataset": standing.dataset,
        "rank": ranked.rank(row),
        "track": ranked.tracks[row],
        "state": ranked.states[row][0],
        "why": ranked.states[row][1],
        "cells": " ".join(cell[:16] for cell in cells),
        "seed_heads": Markup("".join(f'<th scope="col" class="num">seed {seed}</th>' for seed in standing.seeds)),
        "failures": [failure for failure in standing.failures if failure.row == row],
        "provenance": _provenance(board, cells),
        "epsilon": about.epsilon,
        "delta": about.delta,
        "command": command(ranked, row),
    }


def command(ranked: Ranked, row: int) -> str:
    """The command line that runs this row's cells again."""
    about, standing = ranked.standing.rows[row], ranked.standing
    selected = ranked.titles[row].split(" ε=")[0].split(" #")[0]
    budget = f" --epsilon {about.epsilon:g}" if math.isfinite(about.epsilon) else ""
    named = (
        f"-{flag} {shlex.quote(name)}"
        for flag, name in zip("tdm", (standing.task, standing.dataset, selected), strict=True)
    )
    return f"fourfold run {' '.join(named)}{budget} --seeds {standing.asked} --rerun all"


def _scores(ranked: Ranked, row: int, heads: Heads) -> Markup:
    """The table's lines, by family; within, metrics in the task's order, those of all records before those of groups.

    They are joined here because a board of hundreds of methods has millions of these cells.
    """
    standing, summary = ranked.standing, ranked.summary
    means, lows, highs = (each[row].tolist() for each in (summary.mean, summary.low, summary.high))
    seeds, counts = standing.value[row].tolist(), standing.n[row].max(axis=1, initial=0).tolist()
    lines, family = [], None
    for column, named, head in heads:
        if means[column] != means[column] and standing.columns[column][1] and not counts[column]:
            continue  # a group that this row was never asked about
        if named != family:
            family = named
            lines.append(
                f'<tr class="family"><th scope="colgroup" colspan="{5 + len(standing.seeds)}">{escape(named)}</th></tr>'
            )
        cells = standing.columns[column][0] != "rung" and _line(
            means[column], lows[column], highs[column], counts[column], seeds[column]
        )
        if not cells:
            write = rung if standing.columns[column][0] == "rung" else spelled
            none = means[column] != means[column]
            between = escape(missing(ranked, row, column)) if none else interval(lows[column], highs[column])
            cells = _cells(
                write(means[column]),
                between,
                f"{counts[column]:,}" if counts[column] else "",
                map(write, seeds[column]),
            )
        lines.append(f"<tr>{head}{cells}</tr>")
    return Markup("\n".join(lines))


def _cells(*parts: str | Iterable[str]) -> str:
    *first, last = parts
    return "<td>" + "</td><td>".join([*first, *last]) + "</td>"  # type: ignore[list-item]


@cache
def _usual(seeds: int, decimals: int, bounded: bool) -> str:
    """A line's cells with room for mean, interval, count and seeds."""
    mean, low, high, *each = (f"{{{place}:.{decimals}f}}" for place in (0, 1, 2, *range(4, 4 + seeds)))
    return _cells(mean, f"{low} – {high}" if bounded else "", "{3:,}", each)


def _line(mean: float, low: float, high: float, count: int, seeds: list[float]) -> str:
    """A line of plain positive numbers, all there, written with the decimals of their mean; '' for any other line."""
    total = sum(seeds)  # NaN where one is missing
    if low < 0.0005 or not (
        0.0005 <= mean < 100 and count and total == total and min(seeds) >= 0.0005 and max(seeds) < 1000
    ):
        return ""
    return _usual(len(seeds), 3 if mean < 1 else 2 if mean < 10 else 1, high > low).format(
        mean, low, high, count, *seeds
    )


def _heads(ranked: Ranked) -> Heads:
    places = {metric: place for place, metric in enumerate(ranked.metrics)}
    found = []
    for column, (name, group) in enumerate(ranked.standing.columns):
        metric = ranked.metric(name)
        family = FAMILIES.index(metric["family"]) if metric["family"] in FAMILIES else len(FAMILIES)
        unit = f", {escape(metric['unit'])}" if metric["unit"] else ""
        head = (
            f'<th scope="row" class="name" title="{escape(metric["doc"])}">{escape(metric["title"])}{unit} '
            f'<span class="arrow">{ARROWS.get(metric["better"], "")}</span></th>'
            f'<td class="text">{escape(group or "all")}</td>'
        )
        found.append(
            ((family, places.get(name, len(places)), name, group), (column, metric["family"] or "other", head))
        )
    return [line for _, line in sorted(found)]


def _provenance(board: Board, cells: Sequence[str]) -> list[tuple[str, str]]:
    """What the first cell's file tells of its making, the log left out."""
    told: Card = next((board.provenance[cell] for cell in cells if cell in board.provenance), {})
    lines = [(name.replace("_", " "), _plain(told[name])) for name in SHORT if told.get(name) not in (None, "", {}, [])]
    versions = told.get("versions", {})
    return [*lines, *((f"version of {name}", str(version)) for name, version in versions.items())]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return spelled(value) if isinstance(value, float) else str(value)
