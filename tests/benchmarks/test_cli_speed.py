"""CPU seconds of the commands that people wait for, with bytecode as an installation has it. The target: under 0.3."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture


def cpu_seconds() -> float:
    """CPU seconds of all processes started and ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("words", [["--help"], ["ls"], ["ls", "methods"]], ids=" ".join)
def test_a_light_command(benchmark: BenchmarkFixture, tmp_path: Path, words: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-P", "-m", "fourfold.suite.cli", *words]
    taken: list[float] = []

    def run() -> None:
        before = cpu_seconds()
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        taken.append(cpu_seconds() - before)

    benchmark.pedantic(run, rounds=10, warmup_rounds=1)
    benchmark.extra_info["cpu_seconds"] = min(taken)
    assert min(taken) < 0.3
