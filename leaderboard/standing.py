"""From the store's rows to one standing a (task, dataset): dense arrays over rows, columns and seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fourfold.suite.exhibit import METRIC as EXHIBIT

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Row(NamedTuple):
    """What stands on one line of a board: a method, by name and digest, its parameters (JSON) and its budget."""

    method: str
    digest: str
    parameters: str
    epsilon: float
    delta: float


@dataclass(frozen=True)
class Failure:
    """A cell that does not count: of which row and seed, how it ended, and what was said."""

    row: int
    seed: int
    status: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """All that was measured on one (task, dataset).

    columns: (metric, group). seeds: those that at least half of the rows were asked come first, ``asked`` of them.
    value, low, high: (rows, columns, seeds), NaN where null or missing; n: counts, likewise. cells: (rows, seeds), the
    id of the cell that counts, '' where there is none. ok: (rows, seeds), it ended well. reasons: why a value is null,
    by (row, column). replicates: (rows, seeds asked, B) of the headline, NaN for rows that are not complete; None where
    a complete row has none, or not as many as the others.
    """

    task: str
    dataset: str
    rows: Sequence[Row]
    columns: Sequence[tuple[str, str]]
    seeds: Sequence[int]
    asked: int
    value: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    n: Ints
    cells: npt.NDArray[np.object_]
    ok: Bools
    reasons: Mapping[tuple[int, int], str]
    failures: Sequence[Failure]
    replicates: npt.NDArray[np.float32] | None

    def column(self, metric: str, group: str = "") -> int | None:
        """Where a (metric, group) stands among the columns; None where nobody measured it."""
        return next((place for place, name in enumerate(self.columns) if name == (metric, group)), None)


@dataclass(frozen=True)
class _Cells:
    """The cells of one standing: ids, places (row, seed), how they ended, and which one of each place counts."""

    ids: Sequence[str]
    rows: Sequence[Row]
    seeds: Sequence[int]
    asked: int
    at_row: Ints
    at_seed: Ints
    counts: Bools
    ok: Bools
    failures: Sequence[Failure]


def standings(rows: pa.Table, headlines: Mapping[str, str], problems: Mapping[str, str]) -> list[Standing]:
    """Split the store's rows by (task, dataset), in name order.

    headlines: the ranking metric of each task. problems: by cell, what it was asked (task version, dataset bytes,
    draw). Only cells that were asked the same compare: of each seed, those of the problem that most were asked.
    """
    (task, tasks), (dataset, datasets) = (_encoded(rows[column]) for column in ("task", "dataset"))
    both = task * max(len(datasets), 1) + dataset
    names = {int(code): (tasks[code // len(datasets)], datasets[code % len(datasets)]) for code in np.unique(both)}
    order = np.argsort(both, kind="stable")
    ends = np.searchsorted(both[order], sorted(names), side="right")
    parts = dict(zip(sorted(names), np.split(order, ends[:-1]), strict=True)) if names else {}
    return [
        _standing(*names[code], _part(rows, parts[code]), headlines.get(names[code][0], ""), problems)
        for code in sorted(names, key=lambda code: names[code])
    ]


def _part(rows: pa.Table, places: Ints) -> pa.Table:
    """Some rows; without a copy where they lie together."""
    if places[-1] - places[0] + 1 == len(places):
        return rows.slice(int(places[0]), len(places))
    return rows.take(pa.array(places)).combine_chunks()


def _encoded(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    """Codes, and the distinct values that they stand for, in order of appearance."""
    encoded = pc.dictionary_encode(pc.fill_null(column, "")).unify_dictionaries()
    if not encoded.num_chunks:
        return np.zeros(0, np.int64), []
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in encoded.chunks])
    return codes.astype(np.int64), encoded.chunk(0).dictionary.to_pylist()


def _standing(task: str, dataset: str, table: pa.Table, headline: str, problems: Mapping[str, str]) -> Standing:
    cell, ids = _encoded(table["cell"])
    cells = _placed(table, cell, ids, problems)
    metric, metrics = _encoded(table["metric"])
    group, groups = _encoded(table["group"])
    scored = cells.counts[cell] & np.array([name not in ("", EXHIBIT) for name in metrics], bool)[metric]
    pairs, place = np.unique(metric[scored] * len(groups) + group[scored], return_inverse=True)
    columns = [(metrics[code // len(groups)], groups[code % len(groups)]) for code in pairs]
    where = (cells.at_row[cell[scored]], place, cells.at_seed[cell[scored]])
    shape = (len(cells.rows), len(columns), len(cells.seeds))

    value, low, high = (_dense(table[name], np.nan, scored, where, shape) for name in ("value", "low", "high"))
    n = _dense(table["n"], 0, scored, where, shape)
    names, ok = np.full((shape[0], shape[2]), "", object), np.zeros((shape[0], shape[2]), bool)
    names[cells.at_row[cells.counts], cells.at_seed[cells.counts]] = np.array(ids, object)[cells.counts]
    ok[cells.at_row[cells.counts], cells.at_seed[cells.counts]] = cells.ok[cells.counts]
    needed = np.asarray(ok[:, : cells.asked].all(axis=1))
    if (headline, "") in columns:
        needed &= ~np.isnan(value[:, columns.index((headline, "")), : cells.asked]).any(axis=1)
    return Standing(
        task,
        dataset,
        cells.rows,
        columns,
        cells.seeds,
        cells.asked,
        value,
        low,
        high,
        n,
        names,
        ok,
        _reasons(table, scored, where),
        cells.failures,
        _replicates(table, headline, cell, cells, needed),
    )


def _placed(table: pa.Table, cell: Ints, ids: Sequence[str], problems: Mapping[str, str]) -> _Cells:
    """Give each cell its row and seed, and say of each (row, seed) which cell counts."""
    first = np.zeros(len(ids), np.int64)
    first[cell[::-1]] = np.arange(len(cell))[::-1]
    about = table.select(["method", "method_digest", "parameters", "epsilon", "delta", "seed"]).take(pa.array(first))
    at_row, rows = _rows(about)
    seed_of = about["seed"].to_pylist()
    seeds, asked = _seeds(at_row.tolist(), seed_of)
    at_seed = np.array([seeds.index(seed) for seed in seed_of])
    endings = _endings(table, cell)
    problem_of = [problems.get(each, "") for each in ids]
    usual = _usual_problems(problem_of, seed_of)
    ok = np.array([code not in endings for code in range(len(ids))], bool)
    asked_the_same = np.array([problem == usual[seed] for problem, seed in zip(problem_of, seed_of, strict=True)], bool)
    chosen = np.full((len(rows), len(seeds)), -1)
    order = np.lexsort((np.array(ids), ok, asked_the_same))
    chosen[at_row[order], at_seed[order]] = order  # of several cells for one place the last, which is the best, stays
    counts = np.zeros(len(ids), bool)
    counts[chosen[chosen >= 0]] = True
    other = ("other problem", "it answered another draw or an older version of this problem")
    failures = [
        Failure(int(at_row[code]), seed_of[code], *(endings.get(code, other) if asked_the_same[code] else other))
        for code in np.flatnonzero(counts & ~(ok & asked_the_same)).tolist()
    ]
    return _Cells(
        ids,
        rows,
        seeds,
        asked,
        at_row,
        at_seed,
        counts & asked_the_same,
        ok,
        sorted(failures, key=lambda failure: (failure.row, failure.seed)),
    )


def _rows(about: pa.Table) -> tuple[Ints, list[Row]]:
    """Of each cell the row it belongs to, and the distinct rows in order."""
    keys = [about[name].combine_chunks() for name in about.column_names[:-1]]
    codes = np.stack([key.dictionary_encode("encode").indices.to_numpy() for key in keys])
    _, first, row_of = np.unique(codes, axis=1, return_index=True, return_inverse=True)
    found = [Row(*key) for key in zip(*(key.take(pa.array(first)).to_pylist() for key in keys), strict=True)]
    order = sorted(range(len(found)), key=found.__getitem__)
    return np.argsort(order)[row_of.ravel()], [found[place] for place in order]


def _usual_problems(asked: Sequence[str], seeds: Sequence[int]) -> dict[int, str]:
    times = Counter(zip(seeds, asked, strict=True))
    return {seed: problem for (seed, problem), _ in sorted(times.items(), key=lambda item: (item[1], item[0][1]))}


def _seeds(rows: Sequence[int], seeds: Sequence[int]) -> tuple[list[int], int]:
    """Those asked of at least half of the rows come first: a row with more seeds than all others ranks nobody out."""
    times = Counter(seed for _, seed in set(zip(rows, seeds, strict=True)))
    common = sorted(seed for seed, count in times.items() if 2 * count >= len(set(rows)))
    return common + sorted(set(times) - set(common)), len(common)


def _endings(table: pa.Table, cell: Ints) -> dict[int, tuple[str, str]]:
    """Status and reason of the cells that did not end well, by code."""
    bad = np.flatnonzero(pc.fill_null(pc.not_equal(table["status"], "ok"), True).to_numpy())
    told = table.select(["status", "reason"]).take(pa.array(bad)).to_pylist()
    found: dict[int, tuple[str, str]] = {}
    for code, row in zip(cell[bad].tolist(), told, strict=True):
        found.setdefault(code, (row["status"] or "", row["reason"] or ""))
    return found


def _dense(
    column: pa.ChunkedArray, absent: float, scored: Bools, where: tuple[Ints, ...], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    values = pc.fill_null(column, absent).to_numpy()
    dense = np.full(shape, absent, values.dtype)
    dense[where] = values[scored]
    return dense


def _reasons(table: pa.Table, scored: Bools, where: tuple[Ints, ...]) -> dict[tuple[int, int], str]:
    null = pc.is_null(table["value"]).to_numpy()[scored]
    texts = table["reason"].filter(pa.array(scored)).filter(pa.array(null)).to_pylist()
    return {
        (row, column): text
        for row, column, text in zip(where[0][null].tolist(), where[1][null].tolist(), texts, strict=True)
        if text
    }


def _replicates(
    table: pa.Table, headline: str, cell: Ints, cells: _Cells, needed: Bools
) -> npt.NDArray[np.float32] | None:
    if "replicates" not in table.column_names:
        return None
    chosen = pc.and_(
        pc.and_(pc.equal(table["metric"], headline), pc.equal(table["group"], "")), pc.is_valid(table["replicates"])
    )
    wanted = cells.counts & needed[cells.at_row] & (cells.at_seed < cells.asked)
    places = np.flatnonzero(pc.fill_null(chosen, False).to_numpy() & wanted[cell])
    lists = table["replicates"].take(pa.array(places))
    lengths = pc.list_value_length(lists).to_numpy()
    if not len(lengths) or len(lengths) < needed.sum() * cells.asked or len(np.unique(lengths)) != 1:
        return None
    dense = np.full((len(needed), cells.asked, int(lengths[0])), np.nan, np.float32)
    flat = pc.list_flatten(lists).to_numpy()
    dense[cells.at_row[cell[places]], cells.at_seed[cell[places]]] = flat.reshape(len(lengths), -1)
    return dense
