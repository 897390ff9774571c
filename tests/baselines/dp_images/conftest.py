"""Scored runs of the methods here on the digits, by the suite's own evaluator: guests, checks, rehearsals and all."""

import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Evaluator, Job, Result
from fourfold.suite.method import Budget
from fourfold.suite.pack import read, set_parameters
from fourfold.tasks.dp_images import DPImages

BASELINES = Path(__file__).parents[3] / "baselines" / "dp_images"

Scored = Callable[..., Result]


def real_images(dataset: str) -> Path:
    """The cache that holds a dataset; skips without one."""
    for folder in (os.environ.get("FOURFOLD_DATA"), BASELINES.parents[2] / "shared" / "data"):
        if folder and (Path(folder) / dataset).is_dir():
            return Path(folder)
    pytest.skip(f"needs real images: set FOURFOLD_DATA to a cache that holds {dataset}/")


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scored]:
    """``scored("cnn:TanhCNN", epsilon)``: one cell; ``dataset=`` other than digits skips where it is not at hand."""
    pytest.importorskip("torch")
    folder, task = tmp_path_factory.mktemp("scored"), DPImages()
    with Evaluator(b"0123456789abcdef", folder) as evaluator:

        @functools.cache
        def loaded(dataset: str) -> Any:
            cache = folder if dataset == task.embedded else real_images(dataset)
            return task.load(dataset, cache)

        @functools.cache
        def score(method: str, epsilon: float = math.inf, dataset: str = "digits", **parameters: Any) -> Result:
            file, _, klass = method.partition(":")
            pack = read(BASELINES / f"{file}.py", klass)
            given = set_parameters(pack, {name: str(value) for name, value in parameters.items()})
            budget = Budget(epsilon=epsilon, seed=1, memory_limit=int(float(pack.get("memory")) * 2**30))
            cell = Cell(task.name, task.version, dataset, "0", "draw", pack.name, pack.digest, given, budget, 0)
            return evaluator.run(Job(cell, pack), task, loaded(dataset))

        yield score


@pytest.fixture(scope="session")
def value() -> Callable[..., float | None]:
    """``value(result, metric, group="")``: one number of a scored run; what went wrong, where it was not."""

    def find(result: Result, metric: str, group: str = "") -> float | None:
        assert result.status == "ok", result.reason
        [found] = [row["value"] for row in result.rows if (row["metric"], row["group"]) == (metric, group)]
        return None if found is None else float(found)

    return find
