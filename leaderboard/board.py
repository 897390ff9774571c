"""The board: every standing summed over its seeds and ranked, with what is known of its task and its methods."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fourfold.leaderboard import ranking, refutation, second, twin
from fourfold.leaderboard.certificate import upper_bounds
from fourfold.leaderboard.standing import Row, Standing, standings
from fourfold.leaderboard.summary import Summary, summed

Card = Mapping[str, Any]
SOUND = {"ranked": "", "unranked": "this dataset is too small to tell methods apart; it ranks nobody"}
VERDICTS = {"mechanism_check": ("failed", "passed"), "refuted": ("no", "yes")}
"""What 0 and 1 are called, of metrics whose cards name no kinds."""


@dataclass(frozen=True)
class Lead:
    """The rows that may be first in a track among those that keep a budget (epsilon). ranks: there, of all rows."""

    track: str
    epsilon: float
    rows: Sequence[int]
    ranks: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranked:
    """A standing with its summary and its ranks.

    titles: a row each, unique. tracks: the rows of one compete with each other alone. ranks: (rows, 2), first and
    last among the rows that keep the row's own budget, which are those of its epsilon or a smaller one; zeros where not
    ranked. states: of each row ``ranked``, ``unranked`` (the dataset ranks nobody),
    ``incomplete``, ``failed`` (no cell ended well), ``undefined`` (the headline has no value), ``barred`` (by the gate
    of a second table) or ``refuted``, and why.
    bounds: of each row the upper bound that its certificate rests on, NaN where there is none.
    """

    standing: Standing
    summary: Summary
    task: Card
    titles: Sequence[str]
    tracks: npt.NDArray[np.object_]
    states: Sequence[tuple[str, str]]
    ranks: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.float64]

    @cached_property
    def certified(self) -> npt.NDArray[np.bool_]:
        """The rows whose gap is within the task's tolerance at 95 % confidence."""
        certificate = self.task.get("certificate") or {"within": -1.0}
        return np.asarray(self.bounds <= float(certificate["within"]))

    @cached_property
    def headline(self) -> dict[str, Any]:
        """The metric that ranks."""
        return self.metric(str(self.task.get("headline", "")))

    @cached_property
    def order(self) -> list[int]:
        """Ranked rows first, by track, budget, rank and headline; then the others, by budget and headline."""
        column = self.standing.column(self.headline["name"])
        value = np.full(len(self.titles), np.nan) if column is None else self.summary.mean[:, column]
        signed = np.nan_to_num(-value if self.headline["better"] == "higher" else value, nan=np.inf)
        first, budget = default_track(self.task), [self.epsilons.index(row.epsilon) for row in self.standing.rows]
        return sorted(
            range(len(self.titles)),
            key=lambda row: (
                not self.sound[row],
                self.tracks[row] != first,
                self.tracks[row],
                budget[row],
                *self.ranks[row],
                signed[row],
                self.titles[row],
            ),
        )

    @cached_property
    def epsilons(self) -> list[float]:
        """The budgets that there are, in the order of a table: rising, but infinity first where most rows have it."""
        found = [row.epsilon for row in self.standing.rows]
        mostly = 2 * found.count(math.inf) > len(found)
        return sorted(set(found), key=lambda epsilon: (mostly and epsilon < math.inf, epsilon))

    @cached_property
    def sound(self) -> npt.NDArray[np.bool_]:
        """The rows that may be compared: complete, defined and not refuted, whether or not the dataset ranks."""
        return np.array([state in ("ranked", "unranked") for state, _ in self.states], bool)

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The task's metrics by name."""
        return {metric["name"]: dict(metric) for metric in self.task.get("metrics", ())}

    def metric(self, name: str) -> dict[str, Any]:
        """What a metric means; one that the task does not describe is a fact without a goal."""
        plain = {
            "name": name,
            "title": name.replace("_", " "),
            "family": "",
            "better": "none",
            "doc": "",
            "unit": "",
            "low": None,
            "high": None,
            "names": (),
        }
        told = plain | self.metrics.get(name, {})
        return told | {"names": tuple(told["names"]) or VERDICTS.get(name, ())}

    @cached_property
    def shown(self) -> list[int]:
        """The columns a table shows unasked: the task's choice, by attribute where it has no value over all records."""
        chosen: list[int | None] = []
        for name in self.task.get("shown", ()):
            groups = sorted(group for metric, group in self.standing.columns if metric == name)
            wanted = [""] if "" in groups else [group for group in groups if not set("=:,") & set(group)]
            wanted += ["white-box"] * (name == "epsilon_audited" and "white-box" in groups)
            chosen += [self.standing.column(name, group) for group in wanted]
        return list(dict.fromkeys(column for column in chosen if column is not None))

    def title(self, column: int) -> str:
        """A column's heading: the metric, and the part of the records it speaks of."""
        name, group = self.standing.columns[column]
        return f"{self.metric(name)['title']} · {group}" if group else str(self.metric(name)["title"])

    @cached_property
    def leaders(self) -> list[Lead]:
        """Of each track and budget the rows that may be first among those that keep it, best first."""
        tracks = dict.fromkeys(str(self.tracks[row]) for row in self.order)
        epsilon = np.array([row.epsilon for row in self.standing.rows])
        eligible, place = self.ranks[:, 0] > 0, {row: at for at, row in enumerate(self.order)}
        found = []
        for budget in self.epsilons:
            ranks = ranking.rank_intervals(self.summary.beats, eligible & (epsilon <= budget), self.tracks)
            may = np.flatnonzero(ranks[:, 0] == 1).tolist()
            may.sort(key=lambda row: (*ranks[row], place[row]))
            found += [Lead(track, budget, [row for row in may if self.tracks[row] == track], ranks) for track in tracks]
        found.sort(key=lambda lead: list(tracks).index(lead.track))
        return [lead for lead in found if lead.rows]

    def rank(self, row: int) -> str:
        """``1–3``, ``2``, or '' for a row that is not ranked."""
        return spelled_rank(*self.ranks[row].tolist())

    def among(self, track: str, epsilon: float) -> str:
        """Which rows compete for a rank: ``blind, ε ≤ 3``; '' where it is all there are."""
        budget = f"ε ≤ {epsilon:g}" if epsilon < math.inf else "any ε" if len(self.epsilons) > 1 else ""
        return ", ".join(filter(None, [track, budget]))


@dataclass(frozen=True)
class Board:
    """All standings of a store, in (task, dataset) order, with the cards of its tasks and (by digest) of its methods.

    skipped: the files that were not read, each with why. cells: how many were. made: when, UTC. provenance: by cell.
    exhibits: by cell and name, of the cells whose exhibits are shown (see ``exhibits``). seconds: by (task, dataset)
    the rows as the task's second table ranks them, where its first metric was measured.
    """

    standings: Sequence[Ranked]
    tasks: Mapping[str, Card]
    methods: Mapping[str, Card]
    skipped: Sequence[tuple[str, str]]
    cells: int
    made: datetime
    provenance: Mapping[str, Card]
    exhibits: Mapping[str, Mapping[str, Card]] = field(default_factory=dict)
    seconds: Mapping[tuple[str, str], Ranked] = field(default_factory=dict)


def spelled_rank(first: int, last: int) -> str:
    """``1–3``, ``2``, or '' for zeros."""
    return "" if first == 0 else f"{first}" if first == last else f"{first}–{last}"


def default_track(task: Card) -> str:
    """The track of a method that declares none."""
    return str((*task.get("declares", {}).get("track", ()), "")[0])


def build(
    rows: pa.Table,
    tasks: Mapping[str, Card],
    methods: Mapping[str, Card],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    provenance: Mapping[str, Card] | None = None,
    made: datetime | None = None,
) -> Board:
    """Sum, compare and rank the rows of a store (its schema). tasks: cards by name. methods: cards by digest."""
    provenance = provenance or {}
    problems = {
        cell: f"{card.get('task_version')} {card.get('dataset_checksum')} {card.get('draw')}"
        for cell, card in provenance.items()
    }
    found = _all_ranked(rows, tasks, methods, problems)
    again = second.cards(tasks)
    concerned = pc.is_in(rows["task"], pa.array(list(again), pa.string()))
    seconds = {
        (each.standing.task, each.standing.dataset): each
        for each in _all_ranked(rows.filter(concerned), again, methods, problems)
        if each.standing.column(each.headline["name"]) is not None
    }
    cells, made = len(rows["cell"].unique()), made or datetime.now(UTC)
    return Board(found, tasks, methods, skipped, cells, made, provenance, seconds=seconds)


def _all_ranked(
    rows: pa.Table, tasks: Mapping[str, Card], methods: Mapping[str, Card], problems: Mapping[str, str]
) -> list[Ranked]:
    headlines = {name: str(card.get("headline", "")) for name, card in tasks.items()}
    parts = [
        twin.compared(part, [metric["name"] for metric in tasks.get(part.task, {}).get("metrics", ())])
        for part in standings(rows, headlines, problems)
    ]
    return [_ranked(standing, tasks.get(standing.task, {}), methods) for standing in parts]


def _ranked(standing: Standing, task: Card, methods: Mapping[str, Card]) -> Ranked:
    metrics = {metric["name"]: metric for metric in task.get("metrics", ())}
    fresh = (task.get("certificate") or {}).get("seeds")
    fixed = standing.dataset in task.get("fixed", ())
    summary = summed(standing, metrics, str(task.get("headline", "")), fresh, fixed=fixed)
    usual = default_track(task)
    tracks = np.array(
        [methods.get(row.digest, {}).get("declared", {}).get("track", usual) for row in standing.rows], object
    )
    sound = "unranked" if standing.dataset in task.get("unranked", ()) else "ranked"
    complete = _complete(standing, summary, str(task.get("headline", "")))
    states = [(sound, SOUND[sound]) if complete[row] else _lacking(standing, row) for row in range(len(standing.rows))]
    gate = str(task.get("gate", ""))
    for row, seeds in second.barred(standing, gate).items():
        if states[row][0] == "ranked":
            states[row] = ("barred", f"{gate.replace('_', ' ')}: fails on seed {', '.join(map(str, seeds))}")
    for row, why in refutation.refuted(standing).items():
        states[row] = ("refuted", why)
    ranked = np.array([state == "ranked" for state, _ in states], bool)
    ranks = ranking.rank_intervals(summary.beats, ranked, tracks, np.array([row.epsilon for row in standing.rows]))
    bounds = upper_bounds(standing, task.get("certificate"))
    return Ranked(standing, summary, task, _titles(standing.rows, methods), tracks, states, ranks, bounds)


def _complete(standing: Standing, summary: Summary, headline: str) -> npt.NDArray[np.bool_]:
    """The rows whose every seed ended well with a headline that can be compared: (rows,).

    So is one that few were asked, where the row failed on it: else who fails on what is hard would lose nothing.
    """
    column = standing.column(headline)
    if column is None:
        return np.zeros(len(standing.rows), bool)
    seeds = slice(0, standing.asked)
    known = (standing.ok[:, seeds] & ~np.isnan(standing.value[:, column, seeds])).all(axis=1)
    known &= (standing.ok | (standing.cells == "")).all(axis=1)
    if summary.replicates is not None:
        known &= ~np.isnan(summary.replicates).any(axis=1)
    return np.asarray(known)


def _lacking(standing: Standing, row: int) -> tuple[str, str]:
    """What an incomplete row lacks."""
    well = int(standing.ok[row, : standing.asked].sum())
    if not standing.ok[row].any():
        first = next((failure for failure in standing.failures if failure.row == row), None)
        return "failed", f"{first.status}: {first.reason}" if first else "no cell ended well"
    if well < standing.asked:
        return "incomplete", f"{well} of {standing.asked} seeds ended well"
    failed = ((standing.cells[row] != "") & ~standing.ok[row]).tolist()
    if any(failed):
        return "incomplete", f"failed on seed {', '.join(map(str, compress(standing.seeds, failed)))}"
    return "undefined", "the headline has no value on some seed, or on over a tenth of a seed's resamples"


def _titles(rows: Sequence[Row], methods: Mapping[str, Card]) -> list[str]:
    """``name[parameters] ε=3``, defaults left out; with the digest where two would be called the same."""
    plain = [_title(row, methods.get(row.digest, {}).get("parameters", {})) for row in rows]
    times = Counter(plain)
    told = [f"{title} #{row.digest[:8]}" if times[title] > 1 else title for title, row in zip(plain, rows, strict=True)]
    times = Counter(told)
    return [f"{title} δ={row.delta:g}" if times[title] > 1 else title for title, row in zip(told, rows, strict=True)]


def _title(row: Row, defaults: Mapping[str, Any]) -> str:
    return selector(row, defaults) + (f" ε={row.epsilon:g}" if math.isfinite(row.epsilon) else "")


def selector(row: Row, defaults: Mapping[str, Any] | None = None) -> str:
    """The method as the command line takes it: ``name[parameter=value]``, without those that are ``defaults``."""
    if row.parameters in ("{}", ""):
        return row.method
    try:
        given = dict(json.loads(row.parameters))
    except (ValueError, TypeError):
        given = {"parameters": row.parameters}
    given = {name: value for name, value in given.items() if (defaults or {}).get(name) != value}
    if not given:
        return row.method
    return f"{row.method}[{','.join(f'{name}={value}' for name, value in sorted(given.items()))}]"
