import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from fourfold.suite import local, plan, schedule, store
from fourfold.suite.atomic import StoreError
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Event, Finished, Retried, Setting, Started

KEY = b"0123456789abcdef"
Backend = Callable[[Sequence[Job], Setting], Iterator[Event]]
Toy = Callable[..., list[Job]]
BACKENDS = [local.serial, local.process]
CAMPAIGN = Path(__file__).parents[1] / "toy" / "campaign.py"
CELLS = [("Sleeper[seconds=0.2]", "tiny", 2), ("Sleeper[seconds=60]", "twin", 2)]
"""Two cells of 0.2 s, and two that no test waits for; every backend takes them in this order."""


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path / "results", tmp_path / "cache", tmp_path / "scratch", KEY, lambda cell: schedule.UNKNOWN,
                   workers=2, command="a test")


def quick_then_endless(toy: Toy) -> list[Job]:
    """The jobs of ``CELLS``."""
    found = [toy(method, seeds=seeds, datasets=(dataset,), time_limit=90) for method, dataset, seeds in CELLS]
    return [job for jobs in found for job in jobs]


def finished(events: Iterator[Event]) -> dict[str, Finished]:
    found = [event for event in events if isinstance(event, Finished)]
    by_cell = {event.result.cell.id: event for event in found}
    assert len(by_cell) == len(found)
    return by_cell


def deterministic(results: Path) -> list[dict[str, Any]]:
    """The rows that depend on nothing but the cell, in one order."""
    rows = store.read(results, family=["accuracy", "fairness", "privacy"]).rows.to_pylist()
    return sorted(rows, key=lambda row: (row["cell"], row["metric"], row["group"]))


def descendants() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE}


def gone(processes: set[int], seconds: float = 10) -> bool:
    """Whether all of these end within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(_alive(pid) for pid in processes):
            return True
        time.sleep(0.05)
    return False


def _alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_processes_and_one_process_come_to_the_same(toy: Toy, setting: Setting, tmp_path: Path) -> None:
    jobs = toy("Slope", "Slope[noise=0.1]", "Noop", seeds=3, datasets=("tiny", "twin"))
    other = Setting(**vars(setting) | {"results": tmp_path / "other"})
    assert set(finished(local.serial(jobs, setting))) == set(finished(local.process(jobs, other))) == {
        job.cell.id for job in jobs}
    one, many = deterministic(setting.results), deterministic(other.results)
    assert {row["metric"] for row in one} >= {"hits", "hit_gap", "leakage_auc"}
    assert len({row["value"] for row in one if row["metric"] == "hits"}) > 3
    assert one == many


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_result_is_in_the_store_before_it_is_announced(backend: Backend, toy: Toy, setting: Setting) -> None:
    seen = []
    for event in backend(toy("Noop", seeds=2), setting):
        if isinstance(event, Finished):
            seen.append(event.result.cell.id)
            assert store.provenance(setting.results, seen[-1])["command"] == "a test"
            assert event.written
    assert len(seen) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_method_that_fails_stops_no_other(backend: Backend, toy: Toy, setting: Setting) -> None:
    jobs = toy("Failing", "Noop", seeds=1)
    found = {event.result.cell.method: event.result for event in finished(backend(jobs, setting)).values()}
    assert (found["failing"].status, found["noop"].status) == ("failed", "ok")
    assert "no idea" in found["failing"].reason
    assert store.statuses(setting.results) == {result.cell.id: result.status for result in found.values()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_method_that_kills_the_suite_s_processes_harms_itself_alone(
    backend: Backend, toy: Toy, setting: Setting
) -> None:
    found = {event.result.cell.method: event.result for event in finished(
        backend(toy("Murderer", "Noop", seeds=1), setting)).values()}
    assert (found["murderer"].status, found["noop"].status) == ("failed", "ok")


def test_a_cell_all_of_whose_workers_die_is_its_methods_failure_and_no_others(toy: Toy, setting: Setting) -> None:
    jobs, retried = toy("Sleeper", "Noop", seeds=1), 0
    for event in local.process(jobs, setting):
        retried += isinstance(event, Retried)
        if isinstance(event, Started) and event.cell.method == "sleeper":
            os.kill(int(event.worker), signal.SIGKILL)
    assert retried == schedule.ATTEMPTS - 1
    statuses = {job.cell.method: store.statuses(setting.results)[job.cell.id] for job in jobs}
    assert statuses == {"sleeper": "failed", "noop": "ok"}
    failed = next(job.cell.id for job in jobs if job.cell.method == "sleeper")
    assert "SIGKILL, 3 times; a method must" in store.cell_rows(setting.results, failed)["reason"][0].as_py()


def test_a_task_that_fails_is_not_held_against_the_method(
    toy: Toy, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toy_task

    jobs = toy("Noop", seeds=2)
    monkeypatch.setattr(toy_task.Toy, "score", lambda *_: 1 / 0)
    results = [event.result for event in finished(local.serial(jobs, setting)).values()]
    assert [result.status for result in results] == ["lost", "lost"]
    assert "ZeroDivisionError" in results[0].reason


def test_a_worker_that_is_killed_is_replaced_and_its_cell_tried_again(toy: Toy, setting: Setting) -> None:
    jobs, events, killed = toy("Sleeper", seeds=4), [], 0
    for event in local.process(jobs, setting):
        events.append(event)
        if isinstance(event, Started) and not killed:
            killed = int(event.worker)
            os.kill(killed, signal.SIGKILL)
    again = [event for event in events if isinstance(event, Retried)]
    assert len(again) == 1
    assert "SIGKILL" in again[0].reason
    assert set(store.statuses(setting.results).values()) == {"ok"}
    assert len(store.statuses(setting.results)) == 4
    assert str(killed) not in {event.worker for event in events if isinstance(event, Finished)}


def test_a_worker_that_cannot_start_ends_the_campaign_and_says_so(
    toy: Toy, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = toy("Noop", seeds=1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(local.WorkerError, match="left with exit code 1 before it was ready"):
        list(local.process(jobs, setting))


def test_a_dataset_that_cannot_be_loaded_ends_the_campaign_and_says_which(toy: Toy, setting: Setting) -> None:
    jobs = [Job(dataclasses.replace(job.cell, dataset="nowhere"), job.pack) for job in toy("Noop", seeds=1)]
    with pytest.raises(RuntimeError, match=r"toy/nowhere cannot be loaded: KeyError"):
        list(local.process(jobs, setting))


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_midway_ends_every_process_and_keeps_what_is_finished(
    backend: Backend, toy: Toy, setting: Setting, tmp_path: Path
) -> None:
    before, jobs, done = descendants(), quick_then_endless(toy), []
    events = backend(jobs, setting)
    for event in events:
        done += [event.result.cell.id] if isinstance(event, Finished) else []
        if isinstance(event, Started) and done:
            break
    time.sleep(0.3)
    started, began = descendants() - before, time.monotonic()
    assert started
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5
    assert gone(started, 2)
    assert set(done) <= store.done(setting.results)
    assert {job.cell.id for job in plan.compare(jobs, store.statuses(setting.results), "missing").todo} >= {
        job.cell.id for job in jobs if job.cell.dataset == "twin"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_store_that_takes_no_more_ends_the_campaign_and_every_process(
    backend: Backend, toy: Toy, setting: Setting
) -> None:
    before = descendants()
    for prefix in range(256):  # A file where a cell's folder would be, as not even root may write beneath it.
        store.create(setting.results)
        (setting.results / "cells" / f"{prefix:02x}").touch()
    with pytest.raises(StoreError, match="cannot write"):
        list(backend(toy("Noop", seeds=4), setting))
    assert gone(descendants() - before, 5)


def test_two_campaigns_on_one_store_leave_each_cell_once(toy: Toy, setting: Setting) -> None:
    jobs = toy("Noop", "Slope", seeds=3)
    one, other = local.process(jobs, setting), local.process(jobs, setting)
    found: list[Event] = []
    for pair in zip(one, other, strict=False):
        found += pair
    found += [*one, *other]
    ends = [event for event in found if isinstance(event, Finished)]
    assert len(ends) == 12
    assert sum(event.written for event in ends) == 6
    assert len(store.done(setting.results)) == 6


@contextlib.contextmanager
def driver(tmp_path: Path, backend: str) -> Iterator[subprocess.Popen[str]]:
    """A campaign in a process of its own, in a process group as a terminal would give it; two cells of it never end."""
    home = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    process = subprocess.Popen(
        [sys.executable, str(CAMPAIGN), backend, home, str(tmp_path), json.dumps(CELLS)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_finished(process: subprocess.Popen[str], count: int) -> set[int]:
    """Wait for this many results, and a little; return the driver's descendants."""
    assert process.stdout is not None
    while count:
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        count -= line.startswith("Finished")
    time.sleep(0.5)
    return {each.pid for each in psutil.Process(process.pid).children(recursive=True)}


@pytest.mark.parametrize("backend", ["serial", "process"])
def test_ctrl_c_ends_all_without_a_worker_complaining(backend: str, toy: Toy, tmp_path: Path) -> None:
    with driver(tmp_path, backend) as process:
        started = until_finished(process, 1)
        os.killpg(process.pid, signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
        assert complaint.count("Traceback") == 1  # The driver's own, as nothing there catches it.
        assert complaint.rstrip().endswith("KeyboardInterrupt")
        assert gone(started, 2)
    assert set(store.statuses(tmp_path / "results").values()) == {"ok"}


@pytest.mark.parametrize("backend", ["serial", "process"])
def test_a_killed_driver_leaves_no_process_and_a_store_that_resumes(
    backend: str, toy: Toy, tmp_path: Path, setting: Setting
) -> None:
    jobs = quick_then_endless(toy)
    with driver(tmp_path, backend) as process:
        started = until_finished(process, 1)
        assert started
        process.kill()
        assert gone(started, 3)
    kept = store.statuses(setting.results)
    assert len(kept) >= 1
    left = plan.compare(jobs, kept, "missing").todo
    assert {job.cell.id for job in left} == {job.cell.id for job in jobs} - set(kept)
