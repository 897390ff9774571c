"""What a board shows of the exhibits in a results folder: of each method and dataset, those of one cell."""

from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fourfold.leaderboard.board import Board, Ranked
from fourfold.suite import exhibit, store


def added(board: Board, rows: pa.Table, root: Path) -> Board:
    """The board with the exhibits of the cells that it shows. rows: those of the store, for which cells carry any.

    One that cannot be shown is named in ``skipped``, with why. Raises StoreError.
    """
    carrying = frozenset(rows.filter(pc.equal(rows["metric"], exhibit.METRIC))["cell"].unique().to_pylist())
    wanted = sorted({cell for ranked in board.standings for cell in chosen(ranked, carrying).values()})
    if not wanted:
        return board
    held = store.read(root, ["cell", "group", "exhibit"], metric=exhibit.METRIC, cell=wanted).rows.to_pylist()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    skipped = list(board.skipped)
    for row in sorted(held, key=lambda row: (row["cell"], row["group"])):
        try:
            found.setdefault(row["cell"], {})[row["group"]] = exhibit.decode(row["exhibit"] or b"")
        except ValueError as error:
            skipped.append((f"exhibit {row['group']!r} of cell {row['cell'][:16]}", str(error)))
    return replace(board, exhibits=found, skipped=skipped)


def chosen(ranked: Ranked, carrying: Set[str]) -> dict[tuple[str, str], str]:
    """By method (name, digest) the cell to show: of its first row, at the smallest epsilon, the lowest seed."""
    found: dict[tuple[str, str], str] = {}
    for row, cells in zip(ranked.standing.rows, ranked.standing.cells.tolist(), strict=True):
        of_row = [cell for _, cell in sorted(zip(ranked.standing.seeds, cells, strict=True)) if cell in carrying]
        if of_row:
            found.setdefault((row.method, row.digest), of_row[0])
    return found
