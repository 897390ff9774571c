"""The lines of a method page's tables: every metric, every group, every seed.

They are joined here and not in the template because a board of hundreds of methods has millions of these cells.
"""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from fourfold.leaderboard.board import Ranked
from fourfold.leaderboard.dataset_page import ARROWS, missing, rung
from fourfold.leaderboard.numerals import interval, spelled

FAMILIES = ("accuracy", "fairness", "privacy", "cost")


def writer(ranked: Ranked) -> Callable[[int], Markup]:
    """What writes the lines of one row of a standing. All that rows share is prepared here, once."""
    standing, summary, heads = ranked.standing, ranked.summary, _heads(ranked)
    order = [column for column, _, _ in heads]
    forms, chosen = _forms(ranked)
    counts = standing.n.max(axis=2, initial=0)
    by_row = [each[:, order] for each in (chosen, summary.mean, summary.low, summary.high, counts, standing.value)]
    title = f'<tr class="family"><th scope="colgroup" colspan="{5 + len(standing.seeds)}">%s</th></tr>'

    def written(row: int) -> Markup:
        lines, before = [], None
        values = zip(heads, *(each[row].tolist() for each in by_row), strict=True)
        for (column, family, head), form, mean, low, high, count, each in values:
            if mean != mean and not count and standing.columns[column][1]:
                continue  # a group that this row was never asked about
            if family != before:
                before = family
                lines.append(title % escape(family))
            if form:
                between = (low, high) if high > low else ()
                cells = forms[form] % (mean, *between, f"{count:,}", *each)
            else:
                write = rung if standing.columns[column][0] == "rung" else spelled
                why = escape(missing(ranked, row, column)) if mean != mean else interval(low, high)
                cells = _cells(write(mean), why, f"{count:,}" if count else "", map(write, each))
            lines.append(f"<tr>{head}{cells}</tr>")
        return Markup("\n".join(lines))

    return written


def _forms(ranked: Ranked) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Forms of lines to fill in, and which of them each (row, column) takes; 0 for a line out of the ordinary.

    Ordinary are lines of plain positive numbers, all there: they are written with the decimals of their mean.
    """
    standing, summary = ranked.standing, ranked.summary
    with np.errstate(invalid="ignore"):
        plain = (summary.mean >= 0.0005) & (summary.mean < 100) & ~(summary.low < 0.0005)
        plain &= (standing.n > 0).any(axis=2) & ((standing.value >= 0.0005) & (standing.value < 1000)).all(axis=2)
        plain &= np.array([name != "rung" for name, _ in standing.columns], bool)
        bounded = summary.high > summary.low
        decimals = 3 - np.digitize(summary.mean, [1, 10])
    forms = [""]
    for number in ("%.1f", "%.2f", "%.3f"):
        forms += [_cells(number, "", "%s", [number] * len(standing.seeds))]
        forms += [_cells(number, f"{number} – {number}", "%s", [number] * len(standing.seeds))]
    return forms, np.where(plain, 2 * decimals - 1 + bounded, 0)


def _cells(mean: str, between: str, count: str, seeds: Iterable[str]) -> str:
    return f"<td>{'</td><td>'.join([mean, between, count, *seeds])}</td>"


def _heads(ranked: Ranked) -> list[tuple[int, str, str]]:
    """Column, family and heading of each line: by family, metrics in the task's order, all records before groups."""
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
        order = (family, places.get(name, len(places)), name, group)
        found.append((order, (column, metric["family"] or "other", head)))
    return [line for _, line in sorted(found)]
