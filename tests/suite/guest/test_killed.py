"""A guest that somebody kills, from outside, while its method runs."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fourfold.suite.evaluate import Job
from fourfold.suite.visit import TRIES
from fourfold.suite.worker import Worker, loader

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

Toy = Callable[..., list[Job]]
KEY = b"0123456789abcdef"


@contextlib.contextmanager
def killed(times: int, before: list[psutil.Process]) -> Iterator[set[int]]:
    """Meanwhile kill this many guests, a while after each has begun; what is yielded are their process ids."""
    ended, found = threading.Event(), set[int]()

    def kill() -> None:
        while len(found) < times and not ended.wait(0.4):
            new = [each for each in psutil.Process().children(recursive=True) if each not in before]
            for each in new[-1:]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "fourfold.suite.guest" in each.cmdline():
                        each.kill()
                        found.add(each.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def test_one_that_is_killed_is_run_again_and_comes_to_the_same(toy: Toy, tmp_path: Path) -> None:
    (job,), before = toy("Sleeper[seconds=1]", seeds=1), psutil.Process().children(recursive=True)
    with Worker(KEY, tmp_path, loader(tmp_path), print) as worker:
        expected = worker.run(job)
        with killed(1, before) as pids:
            found = worker.run(job)
    assert len(pids) == 1
    assert (found.status, expected.status) == ("ok", "ok"), found.reason
    one, other = ({(row["metric"], row["group"]): row["value"] for row in result.rows if row["family"] != "cost"}
                  for result in (found, expected))
    assert one == other
    assert ("leakage_auc", "") in one


def test_one_that_is_killed_each_time_has_a_reason_and_ends_nothing_else(toy: Toy, tmp_path: Path) -> None:
    endless, noop = *toy("Sleeper[seconds=60]", seeds=1), *toy("Noop", seeds=1)
    before = psutil.Process().children(recursive=True)
    with Worker(KEY, tmp_path, loader(tmp_path), print) as worker:
        assert worker.run(noop).status == "ok"  # And a warm parent is there.
        with killed(TRIES, before) as pids:
            found = worker.run(endless)
        assert len(pids) == TRIES
        assert (found.status, "killed by SIGKILL" in found.reason) == ("out-of-memory", True)
        assert worker.run(noop).status == "ok"
