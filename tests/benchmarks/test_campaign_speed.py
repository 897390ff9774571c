"""What a cell costs besides the method: a no-op from draw to Parquet, beside the same no-op in benchopt, in one run.

    pytest tests/benchmarks/test_campaign_speed.py --benchmark-only -s

benchopt calls a solver in its own process, isolates nothing and writes one file at the end; fourfold forks a guest,
attacks its answers and writes a synced file a cell. The bare method takes microseconds, so all of it is the suite's.
"""

import itertools
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import cluster, schedule, store
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Event, Finished, Setting
from fourfold.suite.local import process
from fourfold.suite.worker import Worker, keep, loader

KEY = b"0123456789abcdef"
Toy = Callable[..., list[Job]]

OBJECTIVE = """
    from benchopt import BaseObjective
    import numpy as np
    class Objective(BaseObjective):
        name = "toy"
        sampling_strategy = "run_once"
        def set_data(self, features, label, asked, answer):
            self.features, self.label, self.asked, self.answer = features, label, asked, answer
        def get_objective(self):
            return dict(features=self.features, label=self.label, asked=self.asked)
        def evaluate_result(self, answer):
            return dict(hits=float(np.mean((answer > 0.5) == self.answer)))
        def get_one_result(self):
            return dict(answer=np.zeros(100))
"""
DATASET = """
    from benchopt import BaseDataset
    import numpy as np
    class Dataset(BaseDataset):
        name = "tiny"
        parameters = {"seed": list(range(%d))}
        def get_data(self):
            rng = np.random.default_rng(self.seed)
            features = rng.normal(size=(200, 3))
            label = (features[:, 0] + rng.normal(size=200) > 0).astype(int)
            return dict(features=features[:100], label=label[:100], asked=features[100:], answer=label[100:])
"""
SOLVER = """
    from benchopt import BaseSolver
    import numpy as np
    class Solver(BaseSolver):
        name = "noop"
        sampling_strategy = "run_once"
        def set_objective(self, features, label, asked):
            self.asked = asked
        def run(self, _):
            self.answer = np.zeros(len(self.asked))
        def get_result(self):
            return dict(answer=self.answer)
"""


def benchopt_seconds(folder: Path, cells: int) -> float:
    """Wall clock of one benchopt run over this many data sets, its start included."""
    files = {"objective.py": OBJECTIVE, "datasets/tiny.py": DATASET % cells, "solvers/noop.py": SOLVER}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    options = ["-n", "1", "-r", "1", "--no-plot", "--no-html", "--no-cache"]
    command = [sys.executable, "-m", "benchopt", "run", str(folder), *options]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(folder.glob("outputs/*.parquet")), done.stdout
    return took


@pytest.fixture(scope="module")
def benchopt_cell(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds a cell: the difference of runs of 410 and of 10, the faster of two each, so that starts cancel out."""
    pytest.importorskip("benchopt", reason="benchopt is not installed: pip install 'fourfold[peers]'")
    folder = tmp_path_factory.mktemp
    few, many = (min(benchopt_seconds(folder("run"), cells) for _ in range(2)) for cells in (10, 410))
    return (many - few) / 400


@pytest.fixture
def warm(toy: Toy, tmp_path: Path) -> Iterator[tuple[Worker, Iterator[Job], Path]]:
    """A worker that has scored a cell, and cells that nobody has."""
    jobs = iter(toy("Noop", seeds=400))
    store.create(tmp_path / "results")
    with Worker(KEY, tmp_path / "scratch", loader(tmp_path), print) as worker:
        for job in itertools.islice(jobs, 3):
            assert worker.run(job).status == "ok"
        yield worker, jobs, tmp_path / "results"


@pytest.mark.benchmark(group="a warm no-op cell")
def test_a_warm_no_op_cell_from_draw_to_parquet(benchmark: Any, warm: Any, benchopt_cell: float) -> None:
    worker, jobs, results = warm

    def cell(job: Job) -> bool:
        return keep(worker.run(job), results, "a benchmark")

    assert benchmark.pedantic(cell, setup=lambda: ((next(jobs),), {}), rounds=100)
    median = benchmark.stats.stats.median
    benchmark.extra_info |= {"benchopt_ms": 1e3 * benchopt_cell, "ratio": median / benchopt_cell}
    print(f"\nmedian {1e3 * median:.1f} ms a cell; benchopt {1e3 * benchopt_cell:.1f} ms, which isolates nothing: "
          f"{median / benchopt_cell:.1f} times as much")


@pytest.mark.benchmark(group="a no-op campaign of 100 cells on two processes")
def test_a_campaign_of_no_ops_with_its_start(benchmark: Any, toy: Toy, tmp_path: Path) -> None:
    jobs = toy("Noop", seeds=100)
    places = (tmp_path / str(number) for number in itertools.count())

    def campaign(place: Path) -> int:
        setting = Setting(place / "results", place, place / "scratch", KEY, lambda cell: schedule.UNKNOWN, workers=2)
        return sum(isinstance(event, Finished) for event in process(jobs, setting))

    assert benchmark.pedantic(campaign, setup=lambda: ((next(places),), {}), rounds=3) == 100


def steady(events: Iterator[Event]) -> list[float]:
    """When each cell of a campaign was finished."""
    return [time.perf_counter() for event in events if isinstance(event, Finished)]


@pytest.mark.benchmark(group="62 cells of one second on two workers")
@pytest.mark.parametrize("method", ["Sleeper[seconds=1]", "Busy[seconds=1]"])
@pytest.mark.parametrize("backend", [process, cluster.run])
def test_what_a_campaign_adds_to_cells_of_a_second(
    benchmark: Any, toy: Toy, tmp_path: Path, backend: Any, method: str
) -> None:
    """Counted from where each worker has done one cell: what starts once, such as Ray, is no part of it."""
    setting = Setting(tmp_path / "results", tmp_path, tmp_path, KEY, lambda cell: schedule.UNKNOWN, workers=2)
    ends = benchmark.pedantic(lambda: steady(backend(toy(method, seeds=62), setting)), rounds=1)
    rows = store.read(setting.results, ["value"], metric="wall_seconds", group="").rows["value"].to_pylist()
    assert len(ends) == len(rows) == 62
    seconds = ends[-1] - ends[1]
    added, methods = seconds / 30 - 1, sum(rows) / 62
    benchmark.extra_info |= {"added": added, "methods_took": methods}
    print(f"\n{method} by {backend.__module__}: {seconds:.2f} s where 30 are the least, {added:.1%} more; "
          f"a method took {methods:.3f} s")
