"""A task's second table: the same rows, ranked by another metric, some of them barred by a gate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fourfold.leaderboard.standing import Standing

Card = Mapping[str, Any]


def cards(tasks: Mapping[str, Card]) -> dict[str, Card]:
    """Of each task that has a second table its card as that table has it: with its headline, columns and gate."""
    return {
        name: {
            **card,
            "headline": card["second"]["metrics"][0],
            "shown": card["second"]["metrics"],
            "gate": card["second"]["gate"],
            "certificate": None,
        }
        for name, card in tasks.items()
        if card.get("second")
    }


def barred(standing: Standing, gate: str) -> dict[int, list[int]]:
    """Of each row that does not pass the gate the seeds on which it does not; a seed without a value does not."""
    column = standing.column(gate) if gate else None
    if column is None:
        return {}
    fails = ~(standing.value[:, column, : standing.asked] == 1)
    seeds = np.array(standing.seeds[: standing.asked])
    return {row: seeds[fails[row]].tolist() for row in np.flatnonzero(fails.any(axis=1)).tolist()}
