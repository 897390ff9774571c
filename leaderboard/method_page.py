"""The view of one method on one task: every metric, every group, every seed, how it was run and where it failed."""

import math
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from fourfold.leaderboard.board import RUNGS, Board, Ranked
from fourfold.leaderboard.dataset_page import ARROWS, missing
from fourfold.leaderboard.numerals import DASH, interval, spelled

FAMILIES = ("accuracy", "fairness", "privacy", "cost")
SHORT = ("task_version", "dataset_checksum", "draw", "host", "device", "confinement", "started", "wall", "budget")


def view(board: Board, task: str, method: str, digest: str, links: dict[tuple[str, str], str]) -> dict[str, Any]:
    """What ``method.html.jinja`` shows. links: where each (task, dataset) has its page."""
    parts = []
    for ranked in board.standings:
        if ranked.standing.task == task:
            parts += [_part(board, ranked, row, links[task, ranked.standing.dataset])
                      for row, about in enumerate(ranked.standing.rows) if (about.method, about.digest) == (method, digest)]  # fmt: skip
    card = dict(board.methods.get(digest, {}))
    return {"method": method, "digest": digest, "card": card, "task": board.tasks.get(task, {"name": task}), "parts": parts}


def _part(board: Board, ranked: Ranked, row: int, link: str) -> dict[str, Any]:
    standing = ranked.standing
    about = standing.rows[row]
    cells = [(seed, cell, bool(ok)) for seed, cell, ok in zip(standing.seeds, standing.cells[row], standing.ok[row], strict=True)]
    return {
        "title": ranked.titles[row], "dataset": standing.dataset, "link": link, "rank": ranked.rank(row),
        "track": ranked.tracks[row], "state": ranked.states[row][0], "why": ranked.states[row][1], "cells": cells,
        "seeds": standing.seeds, "asked": standing.asked, "families": _families(ranked, row),
        "failures": [failure for failure in standing.failures if failure.row == row],
        "provenance": _provenance(board, [cell for _, cell, _ in cells if cell]), "epsilon": about.epsilon,
        "delta": about.delta, "command": command(ranked, row),
    }  # fmt: skip


def command(ranked: Ranked, row: int) -> str:
    """The command line that runs this row's cells again."""
    about, standing = ranked.standing.rows[row], ranked.standing
    selected = ranked.titles[row].split(" ε=")[0].split(" #")[0]
    budget = ["--epsilon", f"{about.epsilon:g}"] if math.isfinite(about.epsilon) else []
    return shlex.join(["fourfold", "run", "-t", standing.task, "-d", standing.dataset, "-m", selected, *budget,
                       "--seeds", str(standing.asked), "--rerun", "all"])  # fmt: skip


def _families(ranked: Ranked, row: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """The metrics by family; within, those of all records first, then group by group."""
    known = ~np.isnan(ranked.standing.value[row]).all(axis=1)
    places = {metric: place for place, metric in enumerate(ranked.metrics)}
    lines: dict[str, list[int]] = {family: [] for family in FAMILIES}
    for column, (name, group) in enumerate(ranked.standing.columns):
        if known[column] or group == "" or ranked.standing.n[row, column].any():
            lines.setdefault(ranked.metric(name)["family"], []).append(column)
    order = lambda column: (places.get(ranked.standing.columns[column][0], 999), *ranked.standing.columns[column])  # noqa: E731
    return [(family, _lines(ranked, row, sorted(columns, key=order))) for family, columns in lines.items() if columns]


def _lines(ranked: Ranked, row: int, columns: Sequence[int]) -> list[dict[str, Any]]:
    standing, summary = ranked.standing, ranked.summary
    lines = []
    for column in columns:
        name, group = standing.columns[column]
        metric = ranked.metric(name)
        write = _rung if name == "rung" else spelled
        value = float(summary.mean[row, column])
        lines.append({
            "title": metric["title"], "group": group, "unit": metric["unit"], "arrow": ARROWS.get(metric["better"], ""),
            "doc": metric["doc"], "value": write(value), "why": missing(ranked, row, column) if value != value else "",
            "interval": interval(float(summary.low[row, column]), float(summary.high[row, column])),
            "n": f"{standing.n[row, column].max():,}" if standing.n[row, column].any() else "",
            "seeds": [write(each) for each in standing.value[row, column].tolist()],
        })  # fmt: skip
    return lines


def _rung(value: float) -> str:
    return DASH if value != value else RUNGS[int(value)] if 0 <= value < len(RUNGS) else spelled(value)


def _provenance(board: Board, cells: Sequence[str]) -> list[tuple[str, str]]:
    """What the first cell's file tells of its making, the log left out."""
    told = next((board.provenance[cell] for cell in cells if cell in board.provenance), {})
    lines = [(name.replace("_", " "), _plain(told[name])) for name in SHORT if told.get(name) not in (None, "", {}, [])]
    versions = told.get("versions", {})
    return [*lines, *((f"version of {name}", str(version)) for name, version in versions.items())]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return spelled(value) if isinstance(value, float) else str(value)
