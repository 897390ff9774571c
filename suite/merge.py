"""The union of results folders. Nothing is overwritten; where two disagree on what is deterministic, it is said."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fourfold.suite.atomic import StoreError, explained, make_folder, write_once
from fourfold.suite.bundle import build, load
from fourfold.suite.cards import read_cards, write_card
from fourfold.suite.cellfile import ForeignError, decode
from fourfold.suite.exhibit import METRIC as EXHIBIT
from fourfold.suite.layout import Listing, Skipped, archive_path, members, steadily
from fourfold.suite.store import create, done, place_cell, read

if TYPE_CHECKING:
    import pandas as pd

_KEY = ["cell", "family", "metric", "group"]
_NUMBERS = ["value", "low", "high", "n"]


@dataclass(frozen=True)
class Conflict:
    """Two runs of one cell that should agree and do not: the numbers that differ; none where a side has no such row."""

    cell: str
    metric: str
    group: str
    left: dict[str, float | None]
    right: dict[str, float | None]


@dataclass(frozen=True)
class Differs:
    """Two runs of one cell that ended differently, such as ``ok`` and ``timeout``: no conflict, and the left stays."""

    cell: str
    left: str
    right: str


@dataclass
class Merged:
    """What a merge did: cells copied, cells in both, methods' archives copied, and what did not fit together.

    ``into`` is the left of it.
    """

    copied: int = 0
    present: int = 0
    archives: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    differs: list[Differs] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def merge(sources: Iterable[Path], into: Path) -> Merged:
    """Copy into one results folder, made where it is missing, each cell, card and method of others that it lacks.

    Cells in both are compared in all but cost and exhibits, whose numbers are measured as scores too. What ``into`` has
    stays, as do the sources. Raises StoreError.
    """
    sources, merged = list(sources), Merged()
    for source in sources:
        if not ((source / "cells").is_dir() or (source / "compacted").is_dir()):
            raise StoreError(f"{source} is no results folder: give one that `fourfold run --results` wrote")
    create(into)
    for source in sources:
        if not source.samefile(into):
            _merge_one(source, into, merged)
    return merged


def _merge_one(source: Path, into: Path, merged: Merged) -> None:
    before = done(into)
    cells = steadily(source, lambda listing: _merge_cells(listing, source, into, before))
    for name in ("copied", "present", "conflicts", "differs", "skipped"):
        setattr(merged, name, getattr(merged, name) + getattr(cells, name))
    cards = read_cards(source)
    merged.skipped += cards.skipped
    for kind, stack in (("task", cards.task), ("method", cards.method)):
        for ident, card in stack.items():
            if not write_card(into, kind, ident, card):
                path = source / "cards" / f"{kind}-{ident}.json"
                merged.skipped.append(Skipped(path, f"another card stands under that name in {into}"))
    merged.archives += _copy_archives(source, into)


def _merge_cells(listing: Listing, source: Path, into: Path, before: set[str]) -> Merged:
    """Copy the cells listed that ``into`` lacks, and compare those that it had ``before``.

    Raises FileNotFoundError where a compaction moves them meanwhile; what was copied by then is not copied again.
    """
    merged, now = Merged(skipped=list(listing.skipped)), done(into)
    theirs = set(listing.loose).union(*(members(folder) for folder in listing.compacted))
    mine = now - _compare(source, into, theirs & before, merged)
    merged.copied = len(theirs & (now - before)) + _copy_compacted(listing, into, mine, merged.skipped)
    merged.copied += _copy_loose(listing, into, mine, merged.skipped)
    return merged


def _copy_compacted(listing: Listing, into: Path, mine: set[str], skipped: list[Skipped]) -> int:
    count = 0
    for folder in listing.compacted:
        if new := members(folder).keys() - mine:
            try:
                build(into / "compacted", [load(folder, only=new)])
            except (ForeignError, pa.ArrowException) as error:
                skipped.append(Skipped(folder, str(error)))
                continue
            mine |= new
            count += len(new)
    return count


def _copy_loose(listing: Listing, into: Path, mine: set[str], skipped: list[Skipped]) -> int:
    count = 0
    for cell in sorted(set(listing.loose) - mine):
        path = listing.loose[cell]
        try:
            data = path.read_bytes()
            decode(data, cell)
        except FileNotFoundError:
            raise
        except (ForeignError, OSError) as error:
            skipped.append(Skipped(path, str(error)))
        else:
            count += place_cell(into, cell, data)
    return count


def _copy_archives(source: Path, into: Path) -> int:
    count = 0
    for path in sorted((source / "methods").glob("*.zip")):
        place = archive_path(into, path.stem)
        with explained("copy", path):
            make_folder(place.parent)
            count += not place.exists() and write_once(place, path.read_bytes())
    return count


def _compare(source: Path, into: Path, cells: set[str], merged: Merged) -> set[str]:
    """Compare the cells that both should have; return those of which ``into`` has no readable row."""
    if not cells:
        return set()
    results = read(into, [*_KEY, *_NUMBERS, "status"], cell=cells)
    left, right = results.frame(), read(source, results.rows.column_names, cell=cells).frame()
    merged.skipped += results.skipped
    ours, theirs = _statuses(left), _statuses(right)
    both = ours.keys() & theirs.keys()
    merged.present += len(both)
    merged.differs += [Differs(cell, ours[cell], theirs[cell]) for cell in sorted(both) if ours[cell] != theirs[cell]]
    fine = {cell for cell in both if ours[cell] == theirs[cell] == "ok"}
    left, right = (side[side["cell"].isin(fine) & (side["family"] != "cost") & (side["metric"] != EXHIBIT)]
                   for side in (left, right))
    merged.conflicts += _conflicts(left, right)
    return cells - ours.keys()


def _statuses(rows: "pd.DataFrame") -> dict[str, str]:
    """The status of each cell: that of its row that is not ok, where there is one."""
    worst = rows.assign(ok=rows["status"] == "ok").sort_values("ok", kind="stable").drop_duplicates("cell")
    return dict(zip(worst["cell"], worst["status"], strict=True))


def _conflicts(left: "pd.DataFrame", right: "pd.DataFrame") -> list[Conflict]:
    sides = left.merge(right, on=_KEY, how="outer", suffixes=(" left", " right"), indicator="side")
    agree = sides["side"] == "both"
    for name in _NUMBERS:
        a, b = sides[f"{name} left"], sides[f"{name} right"]
        agree &= (a == b) | (a.isna() & b.isna())
    return [_conflict(row) for row in sides[~agree].to_dict("records")]


def _conflict(row: dict[Any, Any]) -> Conflict:
    pairs = {name: (_plain(row[f"{name} left"]), _plain(row[f"{name} right"])) for name in _NUMBERS}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    left, right = ({name: pair[at] for name, pair in differing.items()} for at in (0, 1))
    return Conflict(row["cell"], row["metric"], row["group"],
                    {} if row["side"] == "right_only" else left, {} if row["side"] == "left_only" else right)


def _plain(number: float) -> float | None:
    return None if number != number else float(number)
