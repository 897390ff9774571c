"""How long it takes to score forecasts: 20 windows of 204 series, 8 horizons and 11 quantiles, 1,000 resamples."""

import time

import numpy as np
import pytest

from fourfold.suite.task import Draw
from fourfold.tasks.driver_displacement.naive import reference
from fourfold.tasks.driver_displacement.scoring import REPLICATES, score
from fourfold.tasks.driver_displacement.worlds import hidden_windows

DRAW = Draw(b"0123456789abcdef", "driver-displacement", "simulated", 0)
WINDOWS = 20


@pytest.fixture(scope="module")
def answered():
    """Windows of worlds that are hidden, and forecasts of both targets with some skill."""
    windows = hidden_windows(np.random.default_rng(0), WINDOWS)
    rng = np.random.default_rng(1)
    answers = [reference(window) * rng.normal(1, 0.02, (204, 2, 8, 1)) for window in windows]
    return {"windows": windows, "coin": np.zeros(0, bool), "canary": np.zeros((0, 2), np.int64)}, [None, *answers]


def test_scores_of_twenty_windows_with_a_thousand_resamples(benchmark, answered):
    assert REPLICATES == 1000
    scored = benchmark.pedantic(score, args=(*answered, DRAW), rounds=5, warmup_rounds=1)
    start = time.process_time()
    score(*answered, DRAW)
    benchmark.extra_info["cpu_seconds"] = time.process_time() - start
    benchmark.extra_info["scores"] = len(scored.scores)
    intervals = [each for each in scored.scores if each.low is not None]
    benchmark.extra_info["intervals"] = len(intervals)
    assert len(intervals) > 150
    print(f"\n{benchmark.extra_info}")
