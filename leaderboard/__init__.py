"""The leaderboard: reads a results folder, ranks what is in it, and writes pages. It runs no method."""

from fourfold.leaderboard.board import Board
from fourfold.leaderboard.reading import aggregate

__all__ = ["Board", "aggregate"]
