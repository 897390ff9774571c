"""Telling canaries, and their coins, by what the suite lets slip: the order of records, the time it takes."""

from pathlib import Path

import numpy as np
import pytest

from fourfold.suite import registry
from fourfold.suite.metrics import privacy
from fourfold.suite.task import Ask, Draw, Want

attack = pytest.mark.attack
KEY = b"0123456789abcdef"


@pytest.fixture(scope="module")
def problem():
    """The loans of fair-credit's simulated applicants: their queries hold some hundred canaries."""
    task = registry.task("fair-credit")
    return task.draw(task.load("simulated", Path()), Draw(KEY, "fair-credit", "simulated", 0), {"track": "blind"})


@attack(both="records and queries are in random order, canaries among them")
def test_tells_coins_by_the_order_of_queries(strike, judge, problem):
    seen = strike(asks=problem.asks, predict="return np.linspace(0, 1, len(query.features))")
    hidden = problem.answers.hidden
    first = len(hidden["test"]) + len(hidden["validation"])
    place = np.argsort(hidden["order"])[first : first + len(hidden["canary"])]
    _, low, high = privacy.leakage_auc(seen.answers[1][place], hidden["coin"])
    assert len(place) > 50
    judge(not low <= 0.5 <= high)


@attack(both="records and queries are in random order, canaries among them")
def test_tells_canaries_by_the_order_of_records(strike, judge, problem):
    seen = strike("self.n = len(train.features)", asks=problem.asks, predict="""
        print(self.n)
        return np.full(len(query.features), 0.5)
    """)
    canary = np.isin(np.arange(int(seen.log)), problem.members[:, 0])
    _, low, high = privacy.leakage_auc(np.linspace(0, 1, len(canary)), canary)
    judge(not low <= 0.5 <= high)


@attack(both="what the suite does between two asks takes as long whatever the coins say")
def test_tells_coins_by_the_time_it_waits_for_an_ask(strike, judge):
    rng = np.random.default_rng(5)
    records, queries = rng.normal(size=(2000, 4)), rng.permutation(400)
    coin = np.arange(400) % 2 == 0

    def waited(coin):
        kept = np.concatenate([records[400:], records[:400][coin]])
        fit = Ask("fit", {"features": kept, "label": np.zeros(len(kept))})
        seen = strike("self.told = time.perf_counter()", asks=(
            fit, Ask("predict", {"features": records[queries]}, Want((400,), 0.0, 1.0)),
        ), predict="""
            print(time.perf_counter() - self.told)
            return np.full(len(query.features), 0.5)
        """)
        return float(seen.log)

    waits = [(waited(coin), waited(~coin)) for _ in range(8)]
    one, other = zip(*waits, strict=True)
    judge(max(one) < min(other) or max(other) < min(one))
