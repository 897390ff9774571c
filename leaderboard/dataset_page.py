"""The view of one (task, dataset): the table's cells, the figures for paper, and what the script is given."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from fourfold.leaderboard import curves, figure, paper, ranking, state_map
from fourfold.leaderboard.board import Board, Ranked, default_track
from fourfold.leaderboard.numerals import DASH, interval, named, spelled
from fourfold.leaderboard.payload import embedded, payload

PRIVACY = (
    ("epsilon_claimed", ""),
    ("epsilon_accounted", ""),
    ("epsilon_audited", ""),
    ("epsilon_audited", "white-box"),
    ("leakage_auc", ""),
    ("rung", ""),
)
"""What is claimed, what the ledger adds up to and what an audit could show stand side by side, always."""
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
MARKS = ("circle", "diamond", "triangle-up", "square")
CROWD = 60
"""The rows that a figure on paper draws at most, those on the front and then the best; a page with script draws all."""


def table_columns(ranked: Ranked) -> list[int]:
    """The columns of the table: the task's choice and always those of privacy, family by family."""
    privacy = (ranked.standing.column(*each) for each in PRIVACY)
    shown = list(dict.fromkeys([*ranked.shown, *(column for column in privacy if column is not None)]))
    families = [ranked.metric(ranked.standing.columns[column][0])["family"] for column in shown]
    return [
        column for _, column in sorted(zip(map(families.index, families), shown, strict=True), key=lambda pair: pair[0])
    ]


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
    if ranked.metric(name)["names"] and np.isfinite(standing.value[row, column]).any():
        return "not the same on all seeds"
    records = int(standing.n[row, column].max())
    return f"undefined: it rests on {records:,} records" if records else "not measured"


def view(ranked: Ranked, links: Sequence[str], board: Board) -> dict[str, Any]:
    """What ``dataset.html.jinja`` shows of a standing of the board. links: where each row's method has its page."""
    shown = table_columns(ranked)
    carried = payload(ranked, shown, list(links))
    places = {(column["metric"], column["group"]): place for place, column in enumerate(carried["columns"])}
    carried |= {
        "tracks": track_names(ranked),
        "marks": MARKS,
        "figure": figure.template(),
        "curves": curves.carried(ranked) if carried["headline"] is not None else None,
        "axes": [[places[ranked.standing.columns[column]] for column in pair] for pair in axes(ranked)],
    }
    heads = _heads(ranked, shown)
    families = [(name, len(list(group))) for name, group in groupby(head["family"] for head in heads)]
    return {
        "ranked": ranked,
        "heads": heads,
        "families": families,
        "body": body(ranked, shown, links),
        "tracks": track_names(ranked),
        "counts": _counts(ranked),
        "unconfined": _unconfined(ranked, board),
        "budgets": sorted(filter(math.isfinite, ranked.epsilons)),
        "figures": figures(ranked),
        "curves": curves.view(ranked),
        "second": _second(board.seconds.get((ranked.standing.task, ranked.standing.dataset)), links),
        "maps": state_map.views(ranked, links),
        "data": Markup(embedded(carried)),
        "failures": _failures(ranked, links),
    }


def _heads(ranked: Ranked, shown: Sequence[int]) -> list[dict[str, str]]:
    """The heads of a table's columns."""
    about = [ranked.metric(ranked.standing.columns[column][0]) for column in shown]
    return [
        {
            "title": ranked.title(column),
            "unit": metric["unit"],
            "better": metric["better"],
            "doc": metric["doc"],
            "arrow": ARROWS.get(metric["better"], ""),
            "family": metric["family"],
        }
        for column, metric in zip(shown, about, strict=True)
    ]


def _unconfined(ranked: Ranked, board: Board) -> tuple[int, int]:
    """Cells whose methods ran confined to less than namespaces, and all whose confinement is told."""
    cells = [board.provenance.get(cell, {}) for cell in ranked.standing.cells.ravel().tolist() if cell]
    told = [str(card["confinement"]) for card in cells if card.get("confinement")]
    return sum(level != "namespaces" for level in told), len(told)


def _second(ranked: Ranked | None, links: Sequence[str]) -> dict[str, Any] | None:
    """The task's second table on this dataset, None where there is none; its rows are those of the first."""
    if ranked is None:
        return None
    told = ranked.task["second"]
    gate = ranked.metric(told["gate"])["title"] if told["gate"] else ""
    heads = _heads(ranked, ranked.shown)
    return {"title": told["title"], "gate": gate, "heads": heads, "body": body(ranked, ranked.shown, links)}


def body(ranked: Ranked, shown: Sequence[int], links: Sequence[str]) -> Markup:
    """The table's lines, joined here and not in the template because there may be thousands of cells."""
    order, first = ranked.order, default_track(ranked.task)
    cells = zip(*(_cells(ranked, column, order) for column in shown), strict=True) if shown else [()] * len(order)
    whiskers, lines, before = _whiskers(ranked), [], None
    for row, values in zip(order, cells, strict=True):
        state, why = ranked.states[row]
        epsilon, sound = ranked.standing.rows[row].epsilon, bool(ranked.sound[row])
        competes = (sound, str(ranked.tracks[row]), epsilon) if sound else (sound,)
        opening = "<tr>" if before in (None, competes) else '<tr class="begins">'
        rank = ranked.rank(row) or f'<span title="{escape(why)}">{DASH}</span>'
        if ranked.rank(row) and epsilon < math.inf:
            rank += f"<small>{ranked.among('', epsilon)}</small>"
        track = "" if ranked.tracks[row] == first else f' <span class="tag">{escape(ranked.tracks[row])}</span>'
        badge = "" if ranked.sound[row] else f' <span class="badge {state}" title="{escape(why)}">{state}</span>'
        badge += certified(ranked, row)
        head = f'<a href="{escape(links[row])}">{escape(ranked.titles[row])}</a>{track}{badge}'
        whisker = f'<i class="whisker" style="{whiskers[row]}"></i>' if whiskers[row] else ""
        lines.append(
            f'{opening}<td class="rank">{rank}</td><th scope="row" class="name">{head}</th>'
            + "".join(values).replace("</td>", f"{whisker}</td>", 1)
            + "</tr>"
        )
        before = competes
    return Markup("\n".join(lines))


def certified(ranked: Ranked, row: int) -> str:
    """The mark of a row whose gap is certified; '' for any other."""
    if not ranked.certified[row]:
        return ""
    why = f"over all seeds together the gap is at most {spelled(float(ranked.bounds[row]))} at 95 % confidence"
    return f' <span class="tag sure" title="{why}">certified</span>'


def _cells(ranked: Ranked, column: int, order: Sequence[int]) -> list[str]:
    """One column's cells: the value and its interval, or a dash that says why there is none."""
    names, summary = ranked.metric(ranked.standing.columns[column][0])["names"], ranked.summary
    values = summary.mean[order, column].tolist()
    lows, highs = summary.low[order, column].tolist(), summary.high[order, column].tolist()
    cells = []
    for row, value, low, high in zip(order, values, lows, highs, strict=True):
        if value != value:
            why = escape(missing(ranked, row, column))
            cells.append(f'<td><span class="none" role="img" title="{why}" aria-label="none: {why}">{DASH}</span></td>')
        elif names:
            cells.append(f"<td>{escape(named(value, names))}</td>")
        elif 0.0005 <= low <= value <= high < 1 and high - low > 1e-9:  # nearly all of a board, spelled in one go
            cells.append(f"<td>{value:.3f}<small>{low:.3f} – {high:.3f}</small></td>")
        else:
            between = interval(low, high)
            cells.append(
                f"<td>{spelled(value)}<small>{between}</small></td>" if between else f"<td>{spelled(value)}</td>"
            )
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
    return [
        "" if math.isnan(middle) else f"--a:{left}%;--m:{middle}%;--b:{100 - right:.1f}%"
        for left, middle, right in zip(*at, strict=True)
    ]


def _counts(ranked: Ranked) -> dict[str, int]:
    return {
        state: sum(each == state for each, _ in ranked.states)
        for state in ("ranked", "unranked", "incomplete", "failed", "undefined", "refuted")
    }


def track_names(ranked: Ranked) -> list[str]:
    """The tracks there are, that of methods which declare none first."""
    return sorted(set(map(str, ranked.tracks)), key=lambda track: (track != default_track(ranked.task), track))


def _failures(ranked: Ranked, links: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "title": ranked.titles[each.row],
            "href": links[each.row],
            "seed": each.seed,
            "status": each.status,
            "reason": each.reason,
        }
        for each in ranked.standing.failures
    ]


def axes(ranked: Ranked) -> list[tuple[int, int]]:
    """The pairs of columns drawn on paper: the headline against the first accuracy, fairness gap and cost shown, but
    for one of its own family."""
    headline = ranked.standing.column(ranked.headline["name"])
    if headline is None:
        return []
    about = {column: ranked.metric(ranked.standing.columns[column][0]) for column in ranked.shown}
    goals = [column for column, metric in about.items() if metric["better"] != "none" and not metric["names"]]
    others = [family for family in ("accuracy", "fairness", "cost") if family != ranked.headline["family"]]
    found = (next((column for column in goals if about[column]["family"] == family), None) for family in others)
    return [(column, headline) for column in found if column is not None]


def figures(ranked: Ranked) -> list[dict[str, Any]]:
    """The figures for a page without script: SVG, and in words what is drawn and who stands on the front."""
    found = []
    for x, y in axes(ranked):
        points, on = _points(ranked, x, y)
        if points:
            crowd = f", the {len(points)} best" if len(points) < ranked.sound.sum() else ""
            found.append(
                {
                    "svg": paper.svg(points, [figure_axis(ranked, column) for column in (x, y)]),
                    "title": f"{ranked.title(y)} against {ranked.title(x)}{crowd}",
                    "front": ", ".join(f"{number} {ranked.titles[row]}" for number, row in enumerate(on, 1)),
                }
            )
    return found


def figure_axis(ranked: Ranked, column: int) -> dict[str, Any]:
    """An axis's title with unit and direction, and whether the values spread so far that it is logarithmic."""
    metric = ranked.metric(ranked.standing.columns[column][0])
    log = spreads(ranked, column)
    unit = f", {metric['unit']}" if metric["unit"] else ""
    return {
        "title": f"{ranked.title(column)}{unit} {ARROWS.get(metric['better'], '')}",
        "log": log,
        "better": metric["better"],
    }


def spreads(ranked: Ranked, column: int) -> bool:
    """True where the values to be compared span more than a factor of 30."""
    values = ranked.summary.mean[ranked.sound, column]
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > 30 * values.min())


def _points(ranked: Ranked, x: int, y: int) -> tuple[list[dict[str, Any]], list[int]]:
    """The points of a figure, and the rows on its front from left to right, which it numbers."""
    mean = ranked.summary.mean
    drawable = (ranked.sound & np.isfinite(mean[:, [x, y]]).all(axis=1)).tolist()
    better = [ranked.metric(ranked.standing.columns[column][0])["better"] for column in (x, y)]
    rows = [row for row in ranked.order if drawable[row]]
    rows.sort(key=lambda row: mean[row, y], reverse=better[1] == "higher")
    on = np.array(rows, int)[ranking.front(mean[rows, x], mean[rows, y], *better)].tolist()
    on.sort(key=lambda row: mean[row, x])
    tracks, drawn = track_names(ranked), list(dict.fromkeys([*on, *rows]))[: max(CROWD, len(on))]
    logs = [spreads(ranked, column) for column in (x, y)]
    points = [
        {
            "name": ranked.titles[row],
            "front": place < len(on),
            "label": str(place + 1) if place < len(on) else "",
            "mark": MARKS[tracks.index(str(ranked.tracks[row])) % len(MARKS)],
            **_reach(ranked, row, "x", x, logs[0]),
            **_reach(ranked, row, "y", y, logs[1]),
        }
        for place, row in enumerate(drawn)
    ]
    return points, on


def _reach(ranked: Ranked, row: int, axis: str, column: int, log: bool) -> dict[str, float | None]:
    """Value and interval along one axis; an interval that a logarithm cannot show is left out."""
    value, low, high = (
        float(each[row, column]) for each in (ranked.summary.mean, ranked.summary.low, ranked.summary.high)
    )
    known = low == low and (low > 0 or not log)
    return {axis: value, f"{axis}l": low if known else None, f"{axis}h": high if known else None}
