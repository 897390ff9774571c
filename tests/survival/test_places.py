"""What fails beneath a campaign: its store goes away, its disk or its temporary folder is full, clocks jump."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fourfold.suite import store
from fourfold.suite.evaluate import Job
from fourfold.suite.warm import UnfitError
from fourfold.suite.worker import Worker, loader

Toy = Callable[..., list[Job]]
SEEDS = 6


@pytest.fixture
def command(toy: Toy, tmp_path: Path) -> list[str]:
    """A campaign of six cells of a quarter of a second."""
    home = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    return [sys.executable, "-P", "-m", "fourfold.suite.cli", "run", "-t", "toy", "-m",
            f"{home}/toy_methods.py:Sleeper[seconds=0.25]", "--seeds", str(SEEDS), "--key", str(tmp_path / "key"),
            "--results", str(tmp_path / "place" / "results"), "--display", "plain", "--workers", "2"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOURFOLD_")}
    (tmp_path / "place").mkdir()
    return kept | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "FOURFOLD_DATA": str(tmp_path / "data")}


@contextlib.contextmanager
def started(command: list[str], environment: Mapping[str, str], done: int) -> Iterator["subprocess.Popen[str]"]:
    """A campaign of which this many cells are done."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=dict(environment), stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip().startswith(f"{done}/{SEEDS}"):
                break
        yield process
    finally:
        process.kill()
        process.communicate()


def cells(results: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in results.glob("cells/*/*.parquet")}


def finished(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_store_that_goes_away_ends_the_campaign_and_when_it_is_back_the_same_command_goes_on(
    command: list[str], environment: Mapping[str, str], tmp_path: Path
) -> None:
    results, away = tmp_path / "place" / "results", tmp_path / "away"
    command += ["--backend", "process"]
    with started(command, environment, 2) as process:
        results.rename(away)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "No such file or directory; bring the folder back" in complaint
    assert "Traceback" not in complaint
    assert not results.exists()
    kept = cells(away)
    assert 2 <= len(kept) < SEEDS
    away.rename(results)
    assert f"{SEEDS - len(kept)} cells to run, {len(kept)} cached" in finished(command, environment)
    assert len(cells(results)) == SEEDS
    assert cells(results).items() >= kept.items()
    assert set(store.statuses(results).values()) == {"ok"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A small disk at ``place``."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


def test_a_disk_that_is_unmounted_takes_no_results_beneath_its_mount_point(
    command: list[str], environment: Mapping[str, str], small: Path
) -> None:
    command[command.index("--results") + 1] = str(small)
    with started([*command, "--backend", "process"], environment, 2) as process:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "bring the folder back (an unmounted disk?)" in complaint
    assert list(small.iterdir()) == []


def test_a_disk_that_fills_loses_nothing_and_halves_nothing(
    command: list[str], environment: Mapping[str, str], small: Path
) -> None:
    command += ["--backend", "process"]
    results = small / "results"
    with started(command, environment, 2) as process:
        filler = small / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            file.write(bytes(4 << 20))
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "No space left on device; free some space there" in complaint
    kept = cells(results)
    assert 2 <= len(kept) < SEEDS
    assert store.read(results).skipped == []
    assert list(results.rglob(".*.tmp")) == []
    filler.unlink()
    finished(command, environment)
    assert len(cells(results)) == SEEDS
    assert cells(results).items() >= kept.items()


def test_a_full_temporary_folder_is_no_methods_fault_and_no_cell_is_lost_to_it(
    toy: Toy, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toy_task

    (job,), score = toy("Noop", seeds=1), toy_task.Toy.score

    def scored(*given: object) -> object:
        (small / "what it scores by").write_bytes(bytes(1 << 16))
        return score(*given)

    monkeypatch.setattr(toy_task.Toy, "score", scored)
    with Worker(b"0123456789abcdef", tmp_path, loader(tmp_path), print) as worker:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        with (small / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        with pytest.raises(UnfitError, match=f"{small} takes no temporary files: No space left on device; make room"):
            worker.run(job)
        (small / "filler").unlink()
        assert worker.run(job).status == "ok"


JUMPING = """
import itertools, time
_true, _count = time.time, itertools.count()
time.time = lambda: _true() + (-1) ** next(_count) * 40 * 86400
time.time_ns = lambda: int(time.time() * 1e9)
"""


def test_a_clock_that_jumps_by_months_changes_no_score_and_no_duration(
    command: list[str], environment: Mapping[str, str], tmp_path: Path
) -> None:
    command += ["--backend", "process"]
    finished(command, environment)
    results = tmp_path / "place" / "results"
    expected = store.read(results, ["cell", "metric", "group", "value"], family=["accuracy", "fairness", "privacy"])
    shutil.rmtree(results)
    (tmp_path / "jumping").mkdir()
    (tmp_path / "jumping" / "sitecustomize.py").write_text(JUMPING)
    path = os.pathsep.join([str(tmp_path / "jumping"), environment["PYTHONPATH"]])
    said = finished(command, {**environment, "PYTHONPATH": path})
    assert f"{SEEDS} ok" in said
    found = store.read(results, ["cell", "metric", "group", "value"], family=["accuracy", "fairness", "privacy"])
    order = [(name, "ascending") for name in ("cell", "metric", "group")]
    assert found.rows.sort_by(order).equals(expected.rows.sort_by(order))
    for cell in store.done(results):
        made = store.provenance(results, cell)
        assert 0.25 < made["wall"] < 60
        assert 0 <= made["guest_start"] < 60
    times = store.read(results, ["value"], metric="wall_seconds", group="").rows["value"].to_pylist()
    assert all(0.25 < each < 60 for each in times)
    started = [store.provenance(results, cell)["started"] for cell in store.done(results)]
    assert max(started) - min(started) > 86400, "the clock did not jump"
