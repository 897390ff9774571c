"""Ranking and rendering a large board: 300 methods on 40 datasets, 5 seeds each, 60,000 cells in all.

Run with ``pytest tests/benchmarks/test_board_speed.py --benchmark-only``. The table of rows is in memory beforehand,
as the store's reader gives it; ranking is the clustered paired bootstrap with all pairs, rendering every page. Vega is
bundled once a version and kept in the user's cache folder: where it is not there yet, the first round bundles it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fourfold.leaderboard.board import build
from fourfold.suite.cellfile import SCHEMA, SCORES

METHODS, DATASETS, SEEDS, REPLICATES = 300, 40, 5, 200
NAMES = (
    "benefit",
    "auc",
    "brier",
    "odds_gap",
    "parity_gap",
    "impact_ratio",
    "epsilon_claimed",
    "epsilon_accounted",
    "epsilon_audited",
    "leakage_auc",
    "rung",
    "refuted",
    "cpu_seconds",
    "peak_memory",
    "latency",
    "energy",
)


def task() -> dict[str, Any]:
    family = dict(zip(NAMES, ["accuracy"] * 3 + ["fairness"] * 3 + ["privacy"] * 6 + ["cost"] * 4, strict=True))
    metrics = [
        {
            "name": name,
            "title": name.replace("_", " "),
            "family": family[name],
            "doc": "",
            "unit": "",
            "low": None,
            "high": None,
            "better": "higher" if name in ("benefit", "auc", "impact_ratio", "rung") else "lower",
        }
        for name in NAMES
    ]
    return {
        "name": "large",
        "version": "1",
        "title": "Large",
        "headline": "benefit",
        "unranked": [],
        "metrics": metrics,
        "shown": ["benefit", "auc", "brier", "odds_gap", "parity_gap", "cpu_seconds"],
    }


def large() -> pa.Table:
    """One row a metric of every cell, as the suite writes them."""
    rng = np.random.default_rng(0)
    cells, each = METHODS * DATASETS * SEEDS, len(NAMES)
    dataset, method, seed = (part.ravel() for part in np.indices((DATASETS, METHODS, SEEDS)))

    def text(values: Any, codes: np.ndarray) -> pa.Array:
        return pa.array(values).take(pa.array(np.repeat(codes, each)))

    value = rng.normal(0.5, 0.02, (cells, each)) + (method / METHODS * 0.3)[:, None]
    value[:, NAMES.index("refuted")] = 0
    value[:, NAMES.index("rung")] = 2
    draws = rng.normal(0, 0.01, (DATASETS * SEEDS, REPLICATES)).astype(np.float32)[dataset * SEEDS + seed]
    draws += value[:, :1].astype(np.float32)
    offsets = np.zeros(cells * each + 1, np.int32)
    offsets[1:] = np.cumsum(np.tile([REPLICATES] + [0] * (each - 1), cells))
    lists = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(draws.ravel()), mask=pa.array(np.tile([False] + [True] * (each - 1), cells))
    )
    flat = value.ravel()
    rows = len(flat)
    columns = {
        "cell": text([f"{code:016x}" for code in range(cells)], np.arange(cells)),
        "task": pa.repeat("large", rows),
        "dataset": text([f"dataset-{code:02}" for code in range(DATASETS)], dataset),
        "method": text([f"method-{code:03}" for code in range(METHODS)], method),
        "method_digest": text([f"{code:064x}" for code in range(METHODS)], method),
        "parameters": pa.repeat("{}", rows),
        "epsilon": pa.repeat(np.inf, rows),
        "delta": pa.repeat(1e-5, rows),
        "seed": pa.array(np.repeat(seed, each), pa.int32()),
        "family": pa.repeat("", rows),
        "metric": pa.array(NAMES).take(pa.array(np.tile(np.arange(each), cells))),
        "group": pa.repeat("", rows),
        "value": pa.array(flat),
        "low": pa.array(flat - 0.02),
        "high": pa.array(flat + 0.02),
        "n": pa.repeat(pa.scalar(9000, pa.int64()), rows),
        "status": pa.repeat("ok", rows),
        "reason": pa.repeat("", rows),
        "replicates": lists,
    }
    return pa.table([columns[name] for name in SCORES], schema=pa.schema([SCHEMA.field(name) for name in SCORES]))


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return large()


@pytest.mark.benchmark(group="board")
def test_ranking(benchmark: Any, rows: pa.Table) -> None:
    board = benchmark.pedantic(build, (rows, {"large": task()}, {}), rounds=3)
    assert len(board.standings) == DATASETS
    assert board.standings[0].ranks.min() >= 1


@pytest.mark.benchmark(group="board")
def test_ranking_and_rendering(benchmark: Any, rows: pa.Table, tmp_path: Path) -> None:
    from fourfold.leaderboard import pages

    written = benchmark.pedantic(lambda: pages.render(build(rows, {"large": task()}, {}), tmp_path), rounds=3)
    assert len(written) == 1 + DATASETS + METHODS
    assert max(path.stat().st_size for path in written) < 1_500_000
