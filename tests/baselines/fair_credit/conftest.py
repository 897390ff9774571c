"""Applicants made up on the spot: enough for every method to learn from, and none of the task's code."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest


@dataclass(frozen=True)
class Records:
    """What a method is given: training records, or (label None) queries."""

    features: np.ndarray
    columns: tuple[str, ...]
    bounds: np.ndarray
    label: np.ndarray | None
    group: np.ndarray | None
    group_names: tuple[str, ...] = ("minority", "majority")
    private: tuple[str, ...] = ("features", "label", "group")

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.features)

    def ask(self, aware: bool) -> "Records":
        """Make queries of these records."""
        return replace(self, label=None, group=self.group if aware else None)


COLUMNS = ("income", "debt", "area", "age", "employed", "income_missing")
BOUNDS = np.array([[0, 1e6], [0, 100], [-4, 4], [18, 90], [0, 1], [0, 1]], dtype=float)


def applicants(n: int, seed: int = 0, unknown: float = 0.1) -> Records:
    """Draw n applicants: ``area`` tells the minority, who default more often; ``debt`` works as a U, not a line."""
    rng = np.random.default_rng(seed)
    group = (rng.random(n) < 0.7).astype(np.int8)
    income = np.exp(rng.normal(10 + 0.4 * group, 0.6))
    debt, age = rng.uniform(0, 100, n), rng.uniform(18, 90, n)
    area = rng.normal(1.2 - 2.4 * group, 1.0)
    employed = rng.random(n) < 0.9
    features = np.column_stack([income, debt, area, age, employed, np.zeros(n)])
    odds = -2.6 - 0.9 * (np.log(income) - 10.3) + 0.0016 * (debt - 50) ** 2 + 1.0 * (group == 0) - 1.0 * employed
    label = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    group[rng.random(n) < unknown] = -1
    return Records(np.clip(features, *BOUNDS.T), COLUMNS, BOUNDS, label, group)


@pytest.fixture(scope="session")
def draw() -> Callable[..., Records]:
    return applicants
