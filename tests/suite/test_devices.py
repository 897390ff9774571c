"""What a machine without enough GPUs does with methods that ask for them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fourfold.suite import devices, local, plan, schedule, store
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Event, Finished, Setting

Backend = Callable[[Sequence[Job], Setting], Iterator[Event]]
Toy = Callable[..., list[Job]]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts on the path, alone, an ``nvidia-smi`` with this script for a body; this machine need have no GPU."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(body: str) -> None:
        (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{body}\n")
        (folder / "nvidia-smi").chmod(0o755)

    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return install


def test_gpus_are_those_the_driver_tells_of_and_the_user_lets_be_seen(
    driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert devices.gpus() == []
    driver("echo 'NVIDIA H100, 81559 MiB'; echo 'NVIDIA H100, 81559 MiB'")
    assert devices.gpus() == ["NVIDIA H100, 81559 MiB"] * 2
    for visible, count in (("", 0), ("-1", 0), ("1", 1), ("0,1", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert len(devices.gpus()) == count


def test_a_driver_that_does_not_answer_has_no_gpus(driver: Callable[[str], None]) -> None:
    driver("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver'; exit 9")
    assert devices.gpus() == []


@pytest.mark.parametrize("backend", [local.serial, local.process])
def test_what_asks_for_more_gpus_than_there_are_is_lost_and_runs_where_there_are_enough(
    backend: Backend, toy: Toy, driver: Callable[[str], None], tmp_path: Path
) -> None:
    jobs = toy("Hungry", "Noop", seeds=1)
    setting = Setting(
        tmp_path / "results", tmp_path, tmp_path / "scratch", b"0123456789abcdef", lambda cell: schedule.UNKNOWN
    )
    found = {each.result.cell.method: each for each in backend(jobs, setting) if isinstance(each, Finished)}
    assert {name: each.result.status for name, each in found.items()} == {"hungry": "lost", "noop": "ok"}
    assert found["hungry"].result.reason.startswith("this machine has 0 GPUs and it declares 1; run it again")
    assert found["hungry"].written

    driver("echo 'NVIDIA H100, 81559 MiB'")
    again = plan.compare(jobs, store.statuses(setting.results), "failed").todo
    assert [job.cell.method for job in again] == ["hungry"]
    (end,) = [each for each in backend(jobs[:1], setting) if isinstance(each, Finished)]
    assert end.result.status == "ok"
