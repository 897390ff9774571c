"""The board as Markdown, CSV or JSON, and the comparison of two methods: what a terminal or another program reads."""

import csv as csv_format
import difflib
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from fourfold.leaderboard.board import Board, Ranked
from fourfold.leaderboard.numerals import interval, named, spelled
from fourfold.leaderboard.ranking import CONFIDENCE
from fourfold.leaderboard.summary import Summary, worst

_ARROWS = {"higher": " ↑", "lower": " ↓", "none": ""}


@dataclass(frozen=True)
class Difference:
    """One metric of two rows. difference: first less second, over the seeds both have; low, high: its 95 % interval.

    paired: ``bootstrap`` (the headline, by the resamples both share), ``seeds`` (Student's t over paired seeds, and no
    less than the intervals of both allow where the errors of seeds do not average out; None for one seed) or ``worst``
    (of guarantees and kinds, which have no interval). reading: the same in words. names: of the two values, where they
    stand for kinds, and '' twice where they do not.
    """

    task: str
    dataset: str
    metric: str
    group: str
    title: str
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    paired: str
    reading: str
    names: tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """Two rows on every dataset where both stand. sentences: one a dataset, on its headline."""

    first: str
    second: str
    differences: list[Difference]
    sentences: list[str]


def markdown(board: Board) -> str:
    """One table a dataset, as the pages show it: rank, method, and the task's chosen metrics with their intervals."""
    return "\n\n".join(_markdown(ranked) for ranked in board.standings) + "\n"


def _markdown(ranked: Ranked) -> str:
    heads = ["Rank", "Method"] + [_heading(ranked, column) for column in ranked.shown] + ["State"]
    lines = [
        f"## {ranked.standing.task}: {ranked.standing.dataset}",
        "",
        _line(heads),
        _line(["---:", "---", *["---:"] * (len(heads) - 3), "---"]),
    ]
    for row in ranked.order:
        values = [_value(ranked, row, column) for column in ranked.shown]
        state, why = ranked.states[row]
        told = state if state in ("ranked", "unranked") else f"{state}: {why}"
        track = f" ({ranked.tracks[row]})" if len(set(ranked.tracks)) > 1 else ""
        told += ", certified" if ranked.certified[row] else ""
        rank, epsilon = ranked.rank(row), ranked.standing.rows[row].epsilon
        rank += f" ({ranked.among('', epsilon)})" if rank and epsilon < math.inf else ""
        lines.append(_line([rank or "—", ranked.titles[row] + track, *values, told]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    plain = (" ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(plain)} |"


def _heading(ranked: Ranked, column: int) -> str:
    metric = ranked.metric(ranked.standing.columns[column][0])
    unit = f", {metric['unit']}" if metric["unit"] else ""
    return ranked.title(column) + unit + _ARROWS.get(metric["better"], "")


def _value(ranked: Ranked, row: int, column: int) -> str:
    summary, names = ranked.summary, ranked.metric(ranked.standing.columns[column][0])["names"]
    between = interval(float(summary.low[row, column]), float(summary.high[row, column]))
    return named(float(summary.mean[row, column]), names) + (f" [{between}]" if between else "")


def _name(ranked: Ranked, row: int, column: int) -> str:
    """The kind that a value stands for, '' where it stands for none."""
    value, names = float(ranked.summary.mean[row, column]), ranked.metric(ranked.standing.columns[column][0])["names"]
    return named(value, names) if names and math.isfinite(value) else ""


def csv(board: Board) -> str:
    """Long form, a line a (row, metric, group); empty where nothing is known. Formulas in names are left inert.

    rank_first, rank_last: within the row's track, among rows of its epsilon or a smaller one. name: of the kind that
    the mean stands for, if it does.
    """
    out = io.StringIO()
    lines = list(_records(board))
    names = [
        "task",
        "dataset",
        "method",
        "digest",
        "parameters",
        "epsilon",
        "delta",
        "track",
        "state",
        "rank_first",
        "rank_last",
        "certified",
        "family",
        "metric",
        "group",
        "mean",
        "low",
        "high",
        "name",
    ]
    writer = csv_format.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow(
            {
                name: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
                for name, value in line.items()
            }
        )
    return out.getvalue()


def _records(board: Board) -> Iterator[dict[str, Any]]:
    for ranked in board.standings:
        standing, summary = ranked.standing, ranked.summary
        for row in ranked.order:
            about = standing.rows[row]
            first, last = (int(rank) or None for rank in ranked.ranks[row])
            shared = {
                "task": standing.task,
                "dataset": standing.dataset,
                "method": about.method,
                "digest": about.digest,
                "parameters": about.parameters,
                "epsilon": about.epsilon,
                "delta": about.delta,
                "track": str(ranked.tracks[row]),
                "state": ranked.states[row][0],
                "rank_first": first,
                "rank_last": last,
                "certified": bool(ranked.certified[row]),
            }
            for column in _columns(ranked):
                metric, group = standing.columns[column]
                yield shared | {
                    "family": ranked.metric(metric)["family"],
                    "metric": metric,
                    "group": group,
                    "mean": _known(summary.mean[row, column]),
                    "low": _known(summary.low[row, column]),
                    "high": _known(summary.high[row, column]),
                    "name": _name(ranked, row, column),
                }


def _columns(ranked: Ranked) -> list[int]:
    """The columns in the task's order of metrics, then by name and group, however the store lay them down."""
    places = {name: place for place, name in enumerate(ranked.metrics)}
    names = ranked.standing.columns
    return sorted(range(len(names)), key=lambda column: (places.get(names[column][0], len(places)), names[column]))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def to_json(board: Board) -> str:
    """All the board holds but single seeds and when it was made, as one JSON object; an infinite epsilon is null.

    rank: within the row's track, among rows of its epsilon or a smaller one. name: of the kind a mean stands for.
    Equal results come to equal text.
    """
    standings = [
        {
            "task": ranked.standing.task,
            "dataset": ranked.standing.dataset,
            "headline": ranked.headline["name"],
            "seeds": list(ranked.standing.seeds[: ranked.standing.asked]),
            "rows": [_row(ranked, row) for row in ranked.order],
        }
        for ranked in board.standings
    ]
    skipped = [{"path": path, "why": why} for path, why in sorted(board.skipped)]
    whole = {"cells": board.cells, "skipped": skipped, "standings": standings}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)


def _row(ranked: Ranked, row: int) -> dict[str, Any]:
    about, summary, (state, why) = ranked.standing.rows[row], ranked.summary, ranked.states[row]
    scores = [
        {
            "metric": ranked.standing.columns[column][0],
            "group": ranked.standing.columns[column][1],
            "mean": mean,
            "low": _known(summary.low[row, column]),
            "high": _known(summary.high[row, column]),
        }
        | ({"name": name} if (name := _name(ranked, row, column)) else {})
        for column in _columns(ranked)
        if (mean := _known(summary.mean[row, column])) is not None
    ]
    return {
        "title": ranked.titles[row],
        "method": about.method,
        "digest": about.digest,
        "parameters": about.parameters,
        "epsilon": _known(about.epsilon),
        "delta": about.delta,
        "track": str(ranked.tracks[row]),
        "state": state,
        "why": why,
        "rank": [int(rank) for rank in ranked.ranks[row]] if ranked.ranks[row, 0] else None,
        "certified": bool(ranked.certified[row]),
        "scores": scores,
    }


def compare(board: Board, first: str, second: str) -> Comparison:
    """The paired differences of two rows, on every dataset where both stand, over the metrics that a table shows.

    first, second: titles as the board shows them (``scorecard[bins=12]``, ``dp-sgd ε=3``), or bare names where only one
    row has it. Raises ValueError, with the nearest titles, where there is no such row or several.
    """
    found: list[tuple[Ranked, int, int]] = []
    for ranked in board.standings:
        rows = [_find(ranked, name) for name in (first, second)]
        if rows[0] is not None and rows[1] is not None:
            found.append((ranked, rows[0], rows[1]))
    if not found:
        titles = sorted({title for ranked in board.standings for title in ranked.titles})
        missing = next(
            (name for name in (first, second) if all(_find(ranked, name) is None for ranked in board.standings)), ""
        )
        if not missing:
            raise ValueError(f"{first} and {second} stand on no dataset together: nothing to compare")
        near = difflib.get_close_matches(missing, titles, 3, 0.4) or titles[:3]
        raise ValueError(
            f"the board has no row {missing!r}, or several of that name; it has, nearest: {', '.join(near) or 'none'}"
        )
    gaps = [difference(ranked, a, b, column) for ranked, a, b in found for column in ranked.shown]
    return Comparison(
        first,
        second,
        [gap for gap in gaps if not math.isnan(gap.difference)],
        [_sentence(ranked, a, b) for ranked, a, b in found],
    )


def _find(ranked: Ranked, name: str) -> int | None:
    if name in ranked.titles:
        return ranked.titles.index(name)
    rows = [row for row, about in enumerate(ranked.standing.rows) if name == about.method]
    return rows[0] if len(rows) == 1 else None


def difference(ranked: Ranked, first: int, second: int, column: int) -> Difference:
    """The paired difference of two rows of a standing in one metric; NaN where they share no seed."""
    standing, summary = ranked.standing, ranked.summary
    metric, group = standing.columns[column]
    value = np.where(standing.ok, standing.value[:, column], np.nan)[:, : standing.asked]
    gaps = value[first] - value[second]
    gaps = gaps[np.isfinite(gaps)]
    mean = float(gaps.mean()) if len(gaps) else math.nan
    low, high, paired = None, None, "seeds"
    if worst(metric, ranked.metric(metric)):  # a guarantee is shown as the worst of its seeds, and so are two compared
        mean, paired = float(summary.mean[first, column] - summary.mean[second, column]), "worst"
        gaps = gaps[:0]
    if (
        (metric, group) == (ranked.headline["name"], "")
        and summary.replicates is not None
        and ranked.sound[[first, second]].all()
    ):
        edges = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
        drawn = summary.replicates[first] - summary.replicates[second]
        # The outer neighbours and nothing between, so that the interval leaves 0 out just where the ranks tell apart.
        low = float(np.quantile(drawn, edges[0], method="lower"))
        high = float(np.quantile(drawn, edges[1], method="higher"))
        paired = "bootstrap"
    elif len(gaps) > 1:
        reach = float(stdtrit(len(gaps) - 1, (1 + CONFIDENCE) / 2) * gaps.std(ddof=1) / math.sqrt(len(gaps)))
        low, high = mean - reach, mean + reach
        if not summary.averages[column] and gaps.any():
            low = min(low, mean - _together(summary, first, second, column))
            high = max(high, mean + _together(summary, second, first, column))
    names = (_name(ranked, first, column), _name(ranked, second, column))
    if any(names):
        reading = f"both {names[0]}" if mean == 0 else f"{names[0]} against {names[1]}"
    elif paired == "worst" and mean:
        reading = "worst of the seeds"
    else:
        reading = _reading(ranked.metric(metric)["better"], mean, low, high)
    return Difference(
        standing.task,
        standing.dataset,
        metric,
        group,
        _heading(ranked, column),
        float(summary.mean[first, column]),
        float(summary.mean[second, column]),
        mean,
        low,
        high,
        paired,
        reading,
        names,
    )


def _together(summary: Summary, first: int, second: int, column: int) -> float:
    """How far below their difference the true one may lie by the intervals of both, added by squares; 0 where unknown.

    What all seeds share, a paired difference over seeds does not see. As their errors have something in common, this
    errs on the wide side.
    """
    below = summary.mean[first, column] - summary.low[first, column]
    return float(np.nan_to_num(np.hypot(below, summary.high[second, column] - summary.mean[second, column])))


def _reading(better: str, mean: float, low: float | None, high: float | None) -> str:
    if mean == 0 and low == high:
        return "equal"
    if low is None or high is None:
        return "one seed: not known"
    if low <= 0 <= high:
        return "not told apart"
    if better == "none":
        return "first is higher" if mean > 0 else "second is higher"
    return "first is better" if (mean > 0) == (better == "higher") else "second is better"


def _sentence(ranked: Ranked, a: int, b: int) -> str:
    where, headline = f"{ranked.standing.task}/{ranked.standing.dataset}", ranked.headline
    column = ranked.standing.column(headline["name"])
    gap = None if column is None else difference(ranked, a, b, column)
    if gap is None or math.isnan(gap.difference):
        return f"{where}: {headline['title']} is known of no seed of both {ranked.titles[a]} and {ranked.titles[b]}."
    told = f"in {headline['title']}, {ranked.titles[a]} less {ranked.titles[b]} is {spelled(gap.difference)}"
    if gap.low is None or gap.high is None:
        return f"{where}: one seed tells nothing apart; {told}."
    within = f" [{spelled(gap.low)}, {spelled(gap.high)}]"
    if gap.reading in ("not told apart", "equal"):
        return f"{where}: {ranked.titles[a]} and {ranked.titles[b]} cannot be told apart; {told}{within}."
    better, worse = (a, b) if gap.reading.startswith("first") else (b, a)
    return f"{where}: {ranked.titles[better]} is better than {ranked.titles[worse]}; {told}{within}."


def comparison_json(comparison: Comparison) -> str:
    """A comparison as one JSON object."""
    return json.dumps(asdict(comparison), ensure_ascii=False, allow_nan=False, indent=1)
