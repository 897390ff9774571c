"""The leaderboard: reads a results folder, ranks what is in it, and writes pages. It runs no method."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.leaderboard.board import Board

__all__ = ["aggregate"]


def aggregate(root: str | Path) -> "Board":
    """Read a results folder and rank what is in it; ``pages`` and ``text`` write it down. See ``reading.aggregate``."""
    from fourfold.leaderboard import reading

    return reading.aggregate(root)
