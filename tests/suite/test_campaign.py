import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite import campaign, cards, layout, local, pack, plan, store
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Finished, Setting

KEY = b"0123456789abcdef"
Toy = Callable[..., list[Job]]


@pytest.fixture
def request_of(toy: Toy) -> Callable[..., plan.Request]:
    """A request for methods of the toy task."""
    home = Path(str(os.environ["PYTHONPATH"]).partition(os.pathsep)[0])

    def make(*methods: str, seeds: int = 2) -> plan.Request:
        return plan.Request(["toy"], [], [f"{home}/toy_methods.py:{method}" for method in methods], range(seeds))

    return make


def run(found: campaign.Campaign, results: Path, scratch: Path) -> list[str]:
    """Run what is planned; return the status of each cell."""
    campaign.prepare(found, results)
    setting = Setting(results, scratch, scratch, KEY, found.estimate)
    return [event.result.status for event in local.serial(found.plan.todo, setting) if isinstance(event, Finished)]


def test_planning_writes_nothing_and_finds_what_is_missing(
    request_of: Callable[..., plan.Request], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    found = campaign.planned(request_of("Noop"), results, KEY, tmp_path)
    assert (len(found.plan.todo), len(found.plan.cached), found.learned) == (2, 0, False)
    assert not results.exists()
    assert run(found, results, tmp_path / "scratch") == ["ok", "ok"]
    again = campaign.planned(request_of("Noop", seeds=3), results, KEY, tmp_path)
    assert (len(again.plan.todo), len(again.plan.cached), again.learned) == (1, 2, True)
    assert 0 < again.estimate(again.plan.todo[0].cell) < 5


def test_cells_run_anew_are_kept_aside(request_of: Callable[..., plan.Request], tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(campaign.planned(request_of("Noop", "Failing"), results, KEY, tmp_path), results, tmp_path / "scratch")
    before = {path.read_bytes() for path in (results / "cells").rglob("*.parquet")}
    failed = campaign.planned(request_of("Noop", "Failing"), results, KEY, tmp_path, "failed")
    assert {job.pack.klass for job in failed.plan.todo} == {"Failing"}
    run(failed, results, tmp_path / "scratch")
    assert len(list((results / "retired").iterdir())) == 2
    assert before <= {path.read_bytes() for path in results.rglob("*.parquet")}
    assert sorted(store.statuses(results).values()) == ["failed", "failed", "ok", "ok"]


def test_a_board_finds_cards_of_task_and_method(request_of: Callable[..., plan.Request], tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = campaign.planned(request_of("Slope"), results, KEY, tmp_path)
    campaign.prepare(found, results)
    written = cards.read_cards(results)
    task = written.task["toy-1"]
    assert (task["name"], task["headline"], task["shown"]) == ("toy", "hits", ["hits"])
    assert {"hits", "hit_gap", "leakage_auc", "epsilon_audited", "cpu_seconds"} <= {
        metric["name"] for metric in task["metrics"]
    }
    method = written.method[found.plan.todo[0].pack.digest]
    assert (method["class"], method["parameters"]) == ("Slope", {"noise": 0.01})


def test_an_archive_comes_back_as_the_same_method(request_of: Callable[..., plan.Request], tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = campaign.planned(request_of("Slope[noise=0.5]"), results, KEY, tmp_path)
    campaign.prepare(found, results)
    job = found.plan.todo[0]
    archive = layout.archive_path(results, job.pack.digest)
    assert pack.load(archive.read_bytes()).digest == job.pack.digest
    again = campaign.planned(plan.Request(["toy"], [], [f"{archive}[noise=0.5]"], range(2)), results, KEY, tmp_path)
    assert {each.cell.id for each in again.plan.todo} == {each.cell.id for each in found.plan.todo}


def test_scratch_lasts_where_the_users_cache_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with campaign.scratch() as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert folder.is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with campaign.scratch() as folder:
        assert folder.is_dir()
    assert not folder.exists()
