"""What a board reads from a results folder: rows, cards and provenance, in bulk."""

import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fourfold.leaderboard import exhibits
from fourfold.leaderboard.board import Board, Card, build
from fourfold.suite import bundle, cards, cellfile, layout, store


def aggregate(root: str | Path) -> Board:
    """Read a results folder and rank what is in it. Files that are no cells are named in ``skipped``, never fatal.

    Raises StoreError where there is no such folder, or it cannot be read.
    """
    root = Path(root)
    results, described = store.read(root, cellfile.SCORES), cards.read_cards(root)
    skipped = [(str(each.path), each.why) for each in [*results.skipped, *described.skipped]]
    provenance = provenances(root)
    board = build(
        results.rows, task_cards(described.task, provenance), described.method, skipped=skipped, provenance=provenance
    )
    return exhibits.added(board, results.rows, root)


def provenances(root: Path) -> dict[str, dict[str, Any]]:
    """The provenance of every cell that can be read, by id."""

    def look(listing: layout.Listing) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for folder in listing.compacted:
            try:
                table = bundle.read_file(folder / "cells.parquet", columns=["cell", "provenance"])
            except cellfile.ForeignError:
                continue  # the reading of rows names it among the skipped
            found.update(zip(table["cell"].to_pylist(), map(json.loads, table["provenance"].to_pylist()), strict=True))
        loose = [(cell, path) for cell, path in listing.loose.items() if cell not in found]
        with ThreadPoolExecutor(4) as pool:
            texts = pool.map(lambda pair: _provenance(pair[1], pair[0]), loose)
            found.update((cell, json.loads(text)) for (cell, _), text in zip(loose, texts, strict=True) if text)
        return found

    return layout.steadily(root, look)


def _provenance(path: Path, cell: str) -> str:
    try:
        return cellfile.provenance_of(path, cell)
    except cellfile.ForeignError:
        return ""  # likewise


def task_cards(cards: Mapping[str, Card], provenance: Mapping[str, Card]) -> dict[str, Card]:
    """Of each task the card of the version that most cells were made with. cards: by any key, with name, version."""
    times = Counter(str(each.get("task_version", "")) for each in provenance.values())
    ordered = sorted(
        cards.values(), key=lambda card: (times[str(card.get("version", ""))], str(card.get("version", "")))
    )
    return {str(card["name"]): card for card in ordered if "name" in card}
