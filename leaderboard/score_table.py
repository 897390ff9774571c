"""The lines of a method page's tables: every metric, every group, every seed.

They are joined here and not in the template because a board of hundreds of methods has millions of these cells.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from fourfold.leaderboard.board import Ranked
from fourfold.leaderboard.dataset_page import ARROWS, missing
from fourfold.leaderboard.numerals import interval, named, spelled
from fourfold.leaderboard.refutation import ATTACKS
from fourfold.leaderboard.summary import worst

FAMILIES = ("accuracy", "fairness", "privacy", "cost")
DECIMALS = ("%.3f", "%.2f", "%.1f")
BOUNDED, APART, LEFT_OUT = len(DECIMALS), -1, -2
ANY = -1

Head = tuple[int, str, str, str]
"""Column, family and heading of a line, and what stands for an interval where there is none."""


PLACES = "state="
"""How groups begin that are places on a map: many, and so in a table of their own."""


def writer(ranked: Ranked, *, places: bool = False) -> Callable[[int], Markup]:
    """What writes the lines of one row of a standing. All that rows share is prepared here, once.

    places: of the groups that are places, or of all others.

    Rows whose lines are of the same kinds and counts, which is nearly all, fill in one template; of the lines apart,
    many are equal, such as those that name a kind.
    """
    standing, summary = ranked.standing, ranked.summary
    heads = [head for head in _heads(ranked) if standing.columns[head[0]][1].startswith(PLACES) == places]
    order = [column for column, *_ in heads]
    kinds, counts = _kinds(ranked)[:, order], standing.n.max(axis=2, initial=0)[:, order]
    width = 3 + len(standing.seeds)
    ends = np.stack([summary.mean, summary.low, summary.high], axis=2)
    numbers = np.concatenate([ends, standing.value], axis=2)[:, order].reshape(len(kinds), len(heads) * width)

    @lru_cache(maxsize=64)
    def template(kinds: bytes, counts: bytes) -> tuple[str, npt.NDArray[np.int64], list[tuple[int, int]]]:
        return _template(heads, np.frombuffer(kinds, np.int8), np.frombuffer(counts, np.int64), len(standing.seeds))

    @lru_cache(maxsize=1024)
    def apart(row: int, line: int, numbers: bytes, count: int) -> str:
        return _line_apart(ranked, row, heads[line], np.frombuffer(numbers).tolist(), count)

    def written(row: int) -> Markup:
        text, taken, others = template(kinds[row].tobytes(), counts[row].tobytes())
        values = numbers[row].take(taken).tolist()
        for place, line in others:
            known = numbers[row, line * width : (line + 1) * width]
            whose = row if np.isnan(known[0]) else ANY  # only why there is no value is a row's own
            values[place] = apart(whose, line, known.tobytes(), int(counts[row, line]))
        return Markup(text % tuple(values))

    return written


def _kinds(ranked: Ranked) -> npt.NDArray[np.int8]:
    """Of each (row, column) the kind of its line: an index of ``DECIMALS``, plus ``BOUNDED`` where it has an interval.

    ``APART`` is a line out of the ordinary. Ordinary are lines of plain positive numbers, all there: they are written
    with the decimals of their mean. ``LEFT_OUT`` is the line of a group that the row was never asked about.
    """
    standing, summary = ranked.standing, ranked.summary
    counted = (standing.n > 0).any(axis=2)
    with np.errstate(invalid="ignore"):
        plain = (summary.mean >= 0.0005) & (summary.mean < 100) & ~(summary.low < 0.0005)
        plain &= counted & ((standing.value >= 0.0005) & (standing.value < 1000)).all(axis=2)
        plain &= np.array([not ranked.metric(name)["names"] for name, _ in standing.columns], bool)
        kinds = np.digitize(summary.mean, [1, 10]) + BOUNDED * (summary.high > summary.low)
    grouped = np.array([bool(group) for _, group in standing.columns], bool)
    apart = np.where(np.isnan(summary.mean) & ~counted & grouped, LEFT_OUT, APART)
    return np.where(plain, kinds, apart).astype(np.int8)


def _template(
    heads: Sequence[Head], kinds: npt.NDArray[np.int8], counts: npt.NDArray[np.int64], seeds: int
) -> tuple[str, npt.NDArray[np.int64], list[tuple[int, int]]]:
    """A form of the lines; which numbers (3 + seeds a line) fill it in; and where in these lines apart are put."""
    title = f'<tr class="family"><th scope="colgroup" colspan="{5 + seeds}">%s</th></tr>'
    lines: list[str] = []
    taken: list[int] = []
    others: list[tuple[int, int]] = []
    before = None
    for line, ((_, family, head, note), kind, count) in enumerate(
        zip(heads, kinds.tolist(), counts.tolist(), strict=True)
    ):
        if kind == LEFT_OUT:
            continue
        if family != before:
            before = family
            lines.append(title % escape(family).replace("%", "%%"))
        first = line * (3 + seeds)
        if kind == APART:
            others.append((len(taken), line))
            taken.append(first)
            cells = "%s"
        else:
            bounded, number = kind >= BOUNDED, DECIMALS[kind % BOUNDED]
            taken += range(first, first + 3 + seeds) if bounded else [first, *range(first + 3, first + 3 + seeds)]
            cells = _cells(number, f"{number} – {number}" if bounded else note, f"{count:,}", [number] * seeds)
        lines.append(f"<tr>{head.replace('%', '%%')}{cells}</tr>")
    return "\n".join(lines), np.array(taken, int), others


def _line_apart(ranked: Ranked, row: int, head: Head, numbers: Sequence[float], count: int) -> str:
    """The cells of a line out of the ordinary: each number as it is best spelled, or why there is none."""
    column, _, _, note = head
    mean, low, high, *seeds = numbers
    names = ranked.metric(ranked.standing.columns[column][0])["names"]

    def write(value: float) -> str:
        return str(escape(named(value, names))) if names else spelled(value)

    between = interval(low, high) or note if mean == mean else escape(missing(ranked, row, column))
    return _cells(write(mean), between, f"{count:,}" if count else "", map(write, seeds))


def _cells(mean: str, between: str, count: str, seeds: Iterable[str]) -> str:
    return f"<td>{'</td><td>'.join([mean, between, count, *seeds])}</td>"


def _heads(ranked: Ranked) -> list[Head]:
    """The lines' heads: by family, metrics in the task's order, all records before groups."""
    places = {metric: place for place, metric in enumerate(ranked.metrics)}
    standing, found = ranked.standing, []
    for column, (name, group) in enumerate(standing.columns):
        metric = ranked.metric(name)
        family = FAMILIES.index(metric["family"]) if metric["family"] in FAMILIES else len(FAMILIES)
        unit = f", {escape(metric['unit'])}" if metric["unit"] else ""
        note = "worst seed" if worst(name, metric) and metric["better"] != "none" and standing.asked > 1 else ""
        head = (
            f'<th scope="row" class="name" title="{escape(metric["doc"])}">{escape(metric["title"])}{unit} '
            f'<span class="arrow">{ARROWS.get(metric["better"], "")}</span></th>'
            f'<td class="text">{_of(name, group, standing.columns)}</td>'
        )
        order = (family, places.get(name, len(places)), name, group)
        found.append((order, (column, metric["family"] or "other", head, note)))
    return [line for _, line in sorted(found)]


def _of(name: str, group: str, columns: Sequence[tuple[str, str]]) -> str:
    """What a line speaks of: a group, all records, or the attack that was made."""
    if group in ATTACKS and (name, "white-box") in columns:
        return f'<span title="{ATTACKS[group]}">{group or "black-box"}</span>'
    return str(escape(group or "all"))
