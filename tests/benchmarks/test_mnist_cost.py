"""What one private row of MNIST costs, from a cache without features to Parquet: features, training, rehearsal, score.

    FOURFOLD_DATA=where/mnist/is pytest tests/benchmarks/test_mnist_cost.py --benchmark-only -s

CPU seconds of the whole command and all that it starts, which is more than the row charges the method with.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import registry
from fourfold.suite.datasets import cache_folder, state

TARGET = 240.0
"""CPU seconds."""


@pytest.mark.benchmark(group="MNIST at epsilon 3, from a fresh cache to a scored row")
def test_a_row_of_mnist_from_a_fresh_cache(benchmark: Any, tmp_path: Path) -> None:
    cache = cache_folder()
    if state(registry.task("dp-images").datasets["mnist"], cache) != "present":
        pytest.skip(f"mnist is not in {cache}: fourfold data fetch dp-images mnist, or set FOURFOLD_DATA")
    words = ("run", "-t", "dp-images", "-d", "mnist", "-m", "scattering-linear", "--epsilon", "3", "--seeds", "1")
    command = [sys.executable, "-P", "-m", "fourfold.suite.cli", *words, "--backend", "serial", "--results", "results"]
    fresh = {**os.environ, "FOURFOLD_DATA": str(cache), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = benchmark.pedantic(
        lambda: subprocess.run(command, cwd=tmp_path, env=fresh, capture_output=True, text=True), rounds=1
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    benchmark.extra_info["cpu_seconds"] = used
    print(f"\n{used:.0f} CPU s in all; {done.stdout.splitlines()[1]}")
    assert used < TARGET
