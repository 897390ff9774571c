"""20 worlds drawn with all their workers, on one core.

    pytest tests/benchmarks/test_simulator_speed.py --benchmark-only -s
"""

import time

import numpy as np

from fourfold.tasks.driver_displacement import policy, simulator
from fourfold.tasks.driver_displacement.worlds import hidden_windows

WORLDS = 20


def test_twenty_worlds(benchmark):
    seconds, workers = [], []

    def draw():
        start = time.process_time()
        workers.append(sum(len(simulator.world(rng).workers.place) for rng in np.random.default_rng(0).spawn(WORLDS)))
        seconds.append(time.process_time() - start)

    benchmark.pedantic(draw, rounds=5, warmup_rounds=1)
    benchmark.extra_info["cpu_seconds"] = min(seconds)
    benchmark.extra_info["workers"] = workers[0]
    print(f"\n{WORLDS} worlds, {workers[0]:,} workers: {min(seconds):.2f} CPU s (median {np.median(seconds):.2f})")


def test_policy_of_six_worlds(benchmark):
    windows = hidden_windows(np.random.default_rng(0))
    ahead = [np.asarray(w.truth.displaced)[:, w.origin + 1 : w.origin + 1 + w.horizon, None] for w in windows]
    truth = [np.repeat(each, 11, axis=2) for each in ahead]
    scores = benchmark.pedantic(
        lambda: policy.policy_scores(windows, truth, np.random.default_rng(0)), rounds=5, warmup_rounds=1
    )
    assert scores
