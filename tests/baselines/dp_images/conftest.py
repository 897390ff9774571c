"""Scored runs of the methods here on the digits, by the suite's own evaluator: guests, checks, rehearsals and all."""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Evaluator, Job, Result
from fourfold.suite.method import Budget
from fourfold.suite.pack import read, set_parameters
from fourfold.tasks.dp_images import DPImages

BASELINES = Path(__file__).parents[3] / "baselines" / "dp_images"

TAKEN = {"digits": (1297, 200), "mnist": (20_000, 500)}
"""Images to learn from and to test on: as many digits as a draw has, fewer to examine models on."""

Scored = Callable[..., Result]


def real_images(dataset: str) -> Path:
    """The cache that holds a dataset; skips without one."""
    for folder in (os.environ.get("FOURFOLD_DATA"), BASELINES.parents[2] / "shared" / "data"):
        if folder and (Path(folder) / dataset).is_dir():
            return Path(folder)
    pytest.skip(f"needs real images: set FOURFOLD_DATA to a cache that holds {dataset}/")


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scored]:
    """``scored("cnn:TanhCNN", epsilon, steps=60)``: one cell; a dataset that is not at hand skips the test."""
    pytest.importorskip("torch")
    folder, task = tmp_path_factory.mktemp("scored"), DPImages()
    with Evaluator(b"0123456789abcdef", folder) as evaluator:

        @functools.cache
        def loaded(dataset: str) -> Any:
            cache = folder if dataset == task.embedded else real_images(dataset)
            whole = task.load(dataset, cache)
            rows = np.random.default_rng(0).permutation(len(whole.labels))
            train, test, _ = np.split(rows, np.cumsum(TAKEN[dataset]))
            return dataclasses.replace(whole, train=train, test=test)

        @functools.cache
        def run(method: str, epsilon: float, dataset: str, parameters: tuple[tuple[str, Any], ...]) -> Result:
            file, _, klass = method.partition(":")
            pack = read(BASELINES / f"{file}.py", klass)
            given = set_parameters(pack, {name: str(value) for name, value in parameters})
            budget = Budget(epsilon=epsilon, seed=1, memory_limit=int(float(pack.get("memory")) * 2**30))
            cell = Cell(task.name, task.version, dataset, "0", "draw", pack.name, pack.digest, given, budget, 0)
            return evaluator.run(Job(cell, pack), task, loaded(dataset))

        def score(method: str, epsilon: float = math.inf, dataset: str = "digits", **parameters: Any) -> Result:
            return run(method, epsilon, dataset, tuple(sorted(parameters.items())))

        yield score


@pytest.fixture(scope="session")
def value() -> Callable[..., float | None]:
    """``value(result, metric, group="")``: one number of a scored run; what went wrong, where it was not."""

    def find(result: Result, metric: str, group: str = "") -> float | None:
        assert result.status == "ok", result.reason
        [found] = [row["value"] for row in result.rows if (row["metric"], row["group"]) == (metric, group)]
        return None if found is None else float(found)

    return find
