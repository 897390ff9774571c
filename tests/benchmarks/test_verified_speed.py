"""The same method at ``verified`` and at ``accounted``, in turn, in the same run: wall clock of its fit.

    pytest tests/benchmarks/test_verified_speed.py --benchmark-only -s
"""

import dataclasses
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget
from fourfold.suite.pack import CURATED
from fourfold.suite.task import Ask, Want
from fourfold.suite.visit import Curation, visit
from fourfold.suite.warm import Parents

pytest.importorskip("torch")
pytest.importorskip("opacus")

N, INPUTS, CLASSES, QUERIES, TURNS = 20_000, 3969, 10, 100, 3
METHOD = """
import numpy as np
import torch
from torch.nn import functional
from fourfold.suite import Method
from fourfold.suite.descent import descend

class Linear(Method):
    task = "test"

    def fit(self, train, budget):
        curator = self.curator(train)
        head = {"w": torch.zeros(10, 3969, requires_grad=True), "b": torch.zeros(10, requires_grad=True)}
        def loss(p, x, y):
            return functional.cross_entropy(functional.linear(x, p["w"], p["b"]), y)
        self.head = descend(curator, loss, head, torch.optim.SGD(head.values(), lr=1.0, momentum=0.9), clip=0.1,
                            sample_rate=0.1, steps=150)

    def model(self):
        return (lambda p, x: functional.linear(x, p["w"], p["b"]).softmax(0)), self.head

    def predict(self, query):
        features = torch.tensor(np.array(query.features)).float()
        return functional.linear(features, *self.head.values()).softmax(1).numpy()
"""


@dataclasses.dataclass(frozen=True)
class Train:
    features: np.ndarray
    labels: np.ndarray
    n: int = N
    private: tuple[str, ...] = ("features", "labels")


@dataclasses.dataclass(frozen=True)
class Query:
    features: np.ndarray
    private: tuple[str, ...] = ("features",)


def test_verified_beside_accounted(benchmark: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N + QUERIES, INPUTS)).astype(np.float16)
    asks = (
        Ask("fit", Train(features[:N], rng.integers(0, CLASSES, N))),
        Ask("predict", Query(features[N:]), Want((QUERIES, CLASSES), 0.0, 1.0, 1.0)),
    )
    file = tmp_path / "linear.py"
    file.write_text(METHOD)
    preload, walls = ("torch", *CURATED), {"records": [], "curator": []}
    with Parents() as parents:

        def once(access: str) -> None:
            parent, other = parents.get(preload, 1), parents.get(preload, 1, custodian=True)
            curation = Curation(Secret(1, np.zeros(1000, np.bool_)), access)
            seen = visit(parent, str(file), "Linear", {}, Budget(epsilon=3.0), asks, curation, other)
            assert seen.status == "ok", seen.reason
            walls[access].append(seen.phases[0].wall)

        def both() -> None:
            for access in walls:
                once(access)

        benchmark.pedantic(both, rounds=TURNS, warmup_rounds=1)
    accounted, verified = (statistics.median(each[1:]) for each in walls.values())
    benchmark.extra_info.update(accounted=accounted, verified=verified, ratio=verified / accounted)
    print(f"\nfit, wall clock: accounted {accounted:.2f} s, verified {verified:.2f} s")
    assert verified < 1.5 * accounted
