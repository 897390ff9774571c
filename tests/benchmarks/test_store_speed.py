"""The results folder at the size of a large board; ``pytest tests/benchmarks/test_store_speed.py --benchmark-only``."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fourfold.suite import layout
from fourfold.suite.bundle import MANIFEST, Cells, build
from fourfold.suite.compact import compact
from fourfold.suite.store import create, done, read, replicates_matrix, statuses, write_cell

METHODS, DATASETS, SEEDS = 300, 40, 5
ROWS, RANKED, REPLICATES = 30, 3, 200
"""Rows a cell; those with bootstrap replicates; and how many."""


def _words(codes: np.ndarray, words: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, pa.string()))


def _campaign(root: Path, cells: int, rows: int, ranked: int) -> Path:
    """A compacted folder of ``cells`` cells, made as ``compact`` makes it but without the loose files before."""
    rng = np.random.default_rng(0)
    cell, metric = np.repeat(np.arange(cells), rows), np.tile(np.arange(rows), cells)
    zero, value, has = np.zeros(cells * rows, int), rng.random(cells * rows), metric < ranked
    offsets = np.concatenate([[0], np.cumsum(np.where(has, REPLICATES, 0))]).astype(np.int32)
    values = rng.normal(0.7, 0.01, offsets[-1]).astype(np.float32)
    ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(cells)]
    method, dataset = cell // SEEDS % METHODS, cell // (METHODS * SEEDS)
    names = [f"dataset-{number:02}" for number in range(dataset[-1] + 1)]
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(METHODS)]
    table = pa.table({
        "cell": _words(cell, ids), "task": _words(zero, ["fair-credit"]),
        "dataset": _words(dataset, names), "method": _words(method, [f"method-{m:03}" for m in range(METHODS)]),
        "method_digest": _words(method, digests),
        "parameters": _words(zero, ["{}"]), "epsilon": zero + np.inf, "delta": zero + 1e-5,
        "seed": pa.array(cell % SEEDS, pa.int32()),
        "family": _words(metric * 4 // rows, ["accuracy", "cost", "fairness", "privacy"]),
        "metric": _words(metric, [f"metric-{m:02}" for m in range(rows)]), "group": _words(zero, [""]),
        "value": value, "low": value - 0.01, "high": value + 0.01, "n": zero + 1000,
        "status": _words(zero, ["ok"]), "reason": _words(zero, [""]),
        "replicates": pa.ListArray.from_arrays(offsets, pa.array(values), mask=pa.array(~has)),
    })
    provenance = json.dumps({"log": "round 100: loss 0.5\n" * 20, "host": "node", "versions": {"numpy": "2.0"}})
    manifest = {"cell": ids, "task": ["fair-credit"] * cells, "dataset": [names[d] for d in dataset[::rows]],
                "status": ["ok"] * cells, "provenance": [provenance] * cells}
    build(create(root) / "compacted", [Cells(table, pa.table(manifest, schema=MANIFEST))])
    return root


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of 300 methods on 40 datasets with 5 seeds: 60,000 cells, 1.8 million rows."""
    return _campaign(tmp_path_factory.mktemp("board") / "results", METHODS * DATASETS * SEEDS, ROWS, RANKED)


@pytest.fixture(scope="module")
def hundred_thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _campaign(tmp_path_factory.mktemp("hundred_thousand") / "results", 100_000, 10, 0)


def _cell(number: int) -> tuple[str, list[dict[str, Any]]]:
    cell = hashlib.sha256(f"cell {number}".encode()).hexdigest()
    same = {"cell": cell, "task": "fair-credit", "dataset": "taiwan", "method": "scorecard", "method_digest": "ab" * 32,
            "parameters": "{}", "epsilon": np.inf, "delta": 1e-5, "seed": 0, "family": "accuracy", "group": "",
            "value": 0.5, "low": 0.4, "high": 0.6, "n": 1000, "status": "ok", "reason": ""}
    replicates = np.linspace(0, 1, REPLICATES, dtype=np.float32)
    return cell, [{**same, "metric": f"metric-{metric}", "replicates": replicates if metric < RANKED else None}
                  for metric in range(ROWS)]


@pytest.mark.parametrize("scan", [done, statuses])
def test_scan_100_000_compacted_cells(benchmark: BenchmarkFixture, hundred_thousand: Path, scan: Any) -> None:
    found = benchmark.pedantic(scan, (hundred_thousand,), setup=layout.members.cache_clear, rounds=10)
    assert len(found) == 100_000


def test_read_the_headline_of_60_000_cells(benchmark: BenchmarkFixture, board: Path) -> None:
    """What a board ranks by: one metric of every cell, with its replicates as one matrix."""
    def headline() -> np.ndarray:
        columns = ["dataset", "method", "parameters", "epsilon", "seed", "status", "value", "low", "high", "replicates"]
        return replicates_matrix(read(board, columns, metric="metric-00").rows)

    matrix = benchmark.pedantic(headline, setup=layout.members.cache_clear, rounds=5)
    assert matrix.shape == (METHODS * DATASETS * SEEDS, REPLICATES)


def test_read_one_dataset_of_60_000_cells(benchmark: BenchmarkFixture, board: Path) -> None:
    results = benchmark.pedantic(read, (board,), {"dataset": "dataset-07"}, setup=layout.members.cache_clear, rounds=5)
    assert results.rows.num_rows == METHODS * SEEDS * ROWS


def test_write_one_cell(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    root, number = create(tmp_path / "results"), itertools.count()
    benchmark.pedantic(lambda cell, rows: write_cell(root, cell, rows, {}),
                       setup=lambda: (_cell(next(number)), {}), rounds=200)
    assert len(done(root)) == next(number)


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = create(tmp_path_factory.mktemp("loose") / "results")
    for number in range(2000):
        write_cell(root, *_cell(number), {})
    return root


def test_read_2_000_loose_cells(benchmark: BenchmarkFixture, loose: Path) -> None:
    results = benchmark.pedantic(read, (loose, ["method", "value"]), {"metric": "metric-0"}, rounds=3)
    assert results.rows.num_rows == 2000


def test_compact_2_000_loose_cells(benchmark: BenchmarkFixture, loose: Path) -> None:
    assert benchmark.pedantic(compact, (loose,), rounds=1).cells == 2000
