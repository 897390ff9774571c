"""The view of one method on one task: every metric, every group, every seed, how it was run and where it failed."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from fourfold.leaderboard import fans, score_table, sheets
from fourfold.leaderboard.board import VERDICTS, Board, Card, Ranked, selector
from fourfold.leaderboard.numerals import spelled
from fourfold.leaderboard.payload import embedded
from fourfold.leaderboard.standing import Failure

Method = tuple[str, str, str]
"""Task, name, digest."""
SHORT = (
    *("task_version", "dataset_checksum", "draw", "host", "device", "confinement", "started", "wall", "budget"),
    "faults",
)


def places(board: Board) -> dict[Method, list[tuple[Ranked, int]]]:
    """By (task, name, digest): on which standings a method has which rows."""
    found: dict[Method, list[tuple[Ranked, int]]] = {}
    for ranked in board.standings:
        for row, about in enumerate(ranked.standing.rows):
            found.setdefault((ranked.standing.task, about.method, about.digest), []).append((ranked, row))
    return dict(sorted(found.items()))


def viewer(
    board: Board, links: Mapping[tuple[str, str], str]
) -> Callable[[Method, Sequence[tuple[Ranked, int]]], dict[str, Any]]:
    """What gives ``method.html.jinja``'s view of a method, given its rows. What methods share is prepared here, once.

    links: where each (task, dataset) has its page.
    """
    written = {
        id(ranked): _parts(board, ranked, links[ranked.standing.task, ranked.standing.dataset])
        for ranked in board.standings
    }

    def view(method: Method, rows: Sequence[tuple[Ranked, int]]) -> dict[str, Any]:
        task, name, digest = method
        parts = [written[id(ranked)](row) for ranked, row in rows]
        _pictured(parts)
        return {
            "method": name,
            "digest": digest,
            "card": dict(board.methods.get(digest, {})),
            "task": board.tasks.get(task, {"name": task}),
            "parts": parts,
            "data": _fanned(parts),
        }

    return view


def _parts(board: Board, ranked: Ranked, link: str) -> Callable[[int], SimpleNamespace]:
    """What gives the part of a method's page on one row of a standing. All that rows share is prepared here, once."""
    standing, scores, again = ranked.standing, score_table.writer(ranked), commands(ranked)
    by_place = score_table.writer(ranked, places=True)
    failures: dict[int, list[Failure]] = {}
    for failure in standing.failures:
        failures.setdefault(failure.row, []).append(failure)
    heads = Markup("".join(f'<th scope="col" class="num">seed {seed}</th>' for seed in standing.seeds))

    def part(row: int) -> SimpleNamespace:
        cells = [cell for cell in standing.cells[row].tolist() if cell]
        return SimpleNamespace(
            title=ranked.titles[row],
            dataset=standing.dataset,
            link=link,
            rank=ranked.rank(row),
            among=ranked.among(ranked.tracks[row], standing.rows[row].epsilon),
            state=ranked.states[row][0],
            why=ranked.states[row][1],
            cells=" ".join([cell[:16] for cell in cells]),
            seed_heads=heads,
            scores=scores(row),
            by_place=by_place(row),
            failures=failures.get(row, ()),
            checks=_checks(board, ranked, row),
            provenance=_provenance(board, cells),
            command=again(row),
            exhibits=next((board.exhibits[cell] for cell in cells if cell in board.exhibits), {}),
            fans=None,
            sheets=None,
        )

    return part


def _fanned(parts: Sequence[SimpleNamespace]) -> Markup | None:
    """Give each part its fan charts; what the page's script needs of them, None where there are none."""
    carrying = [part for part in parts if part.exhibits]
    carried: list[dict[str, Any]] = []
    for part, shown in zip(carrying, fans.views([part.exhibits for part in carrying]), strict=True):
        if shown:
            part.fans = shown | {"place": len(carried)}
            carried.append(shown["carried"])
    return Markup(embedded({"figure": fans.template(), "parts": carried})) if carried else None


def _pictured(parts: Sequence[SimpleNamespace]) -> None:
    """Give each part its contact sheets and its leaks, as much of them as a page can carry."""
    carrying = [part for part in parts if part.exhibits]
    for part in carrying:
        part.sheets = sheets.view(part.exhibits, sheets.CARRIED // len(carrying))


def _checks(board: Board, ranked: Ranked, row: int) -> list[tuple[str, str, int, str]]:
    """Of each mechanism check its verdict, and what it saw where it failed first, or else on the first seed."""
    standing = ranked.standing
    found: dict[str, tuple[str, str, int, str]] = {}
    for seed, cell in zip(standing.seeds, standing.cells[row].tolist(), strict=True):
        for check, verdict in board.provenance.get(cell, {}).get("checks", {}).items():
            word = VERDICTS["mechanism_check"][bool(verdict["passed"])]
            if check not in found or (found[check][1], word) == ("passed", "failed"):
                found[check] = (check, word, seed, str(verdict["said"]))
    return list(found.values())


def commands(ranked: Ranked) -> Callable[[int], str]:
    """What gives the command line that runs the cells of one row of a standing again."""
    standing = ranked.standing
    task, dataset = map(shlex.quote, (standing.task, standing.dataset))
    seeds = "".join(f" --seed {seed}" for seed in standing.seeds[: standing.asked])

    def command(row: int) -> str:
        about = standing.rows[row]
        budget = f" --epsilon {about.epsilon:g}" if math.isfinite(about.epsilon) else ""
        return f"fourfold run -t {task} -d {dataset} -m {shlex.quote(selector(about))}{budget}{seeds} --rerun all"

    return command


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
