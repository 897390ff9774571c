"""The view of one method on one task: every metric, every group, every seed, how it was run and where it failed."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from fourfold.leaderboard import score_table
from fourfold.leaderboard.board import Board, Card, Ranked, selector
from fourfold.leaderboard.numerals import spelled

Method = tuple[str, str, str]
"""Task, name, digest."""
SHORT = ("task_version", "dataset_checksum", "draw", "host", "device", "confinement", "started", "wall", "budget")


def places(board: Board) -> dict[Method, list[tuple[Ranked, int]]]:
    """By (task, name, digest): on which standings a method has which rows."""
    found: dict[Method, list[tuple[Ranked, int]]] = {}
    for ranked in board.standings:
        for row, about in enumerate(ranked.standing.rows):
            found.setdefault((ranked.standing.task, about.method, about.digest), []).append((ranked, row))
    return dict(sorted(found.items()))


def views(board: Board, links: Mapping[tuple[str, str], str]) -> Iterator[tuple[Method, dict[str, Any]]]:
    """Of each method what ``method.html.jinja`` shows. links: where each (task, dataset) has its page."""
    write = {(ranked.standing.task, ranked.standing.dataset): score_table.writer(ranked) for ranked in board.standings}
    for (task, method, digest), found in places(board).items():
        parts = []
        for ranked, row in found:
            where = (task, ranked.standing.dataset)
            parts.append(SimpleNamespace(**_part(board, ranked, row), link=links[where], scores=write[where](row)))
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
    task, dataset, method = map(shlex.quote, (standing.task, standing.dataset, selector(about)))
    budget = f" --epsilon {about.epsilon:g}" if math.isfinite(about.epsilon) else ""
    seeds = "".join(f" --seed {seed}" for seed in standing.seeds[: standing.asked])
    return f"fourfold run -t {task} -d {dataset} -m {method}{budget}{seeds} --rerun all"


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
