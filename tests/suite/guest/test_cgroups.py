"""A guest's memory is counted by a cgroup of its own, of which nothing stays."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite import cgroups
from fourfold.suite.visit import Visit
from fourfold.suite.warm import Parents

HOME, WHY = cgroups.home()
pytestmark = pytest.mark.skipif(HOME is None, reason=f"no cgroup may be made here: {WHY}")
Run = Callable[..., Visit]
HOLDING = """
import os, sys, time
from fourfold.suite import cgroups
pid = os.fork()
if not pid:
    cgroups.join(os.getppid())
    print(os.getppid(), os.getpid(), flush=True)
    time.sleep(60)
os.waitpid(pid, 0)
"""


def groups() -> set[str]:
    assert HOME is not None
    return {path.name for path in HOME.glob("fourfold-*-*")}


def test_files_in_memory_count_in_its_peak(run: Run) -> None:
    fit = "def fit(self, train, budget): open('held', 'wb').write(bytes(200 << 20))"
    seen = run(fit, memory_limit=1 << 30)
    assert (seen.status, seen.limited_by) == ("ok", "cgroup"), seen.reason
    assert 200 << 20 < seen.peak_memory < 400 << 20


def test_processes_count_together_and_the_limit_is_told(run: Run) -> None:
    seen = run(
        """
        def fit(self, train, budget):
            for number in range(4):
                open(f'held{number}', 'wb').write(bytes(60 << 20))
                os.fork() or (open('/tmp/more', 'ab').write(bytes(60 << 20)), os._exit(0))
                os.wait()
    """,
        memory_limit=300 << 20,
    )
    assert (seen.status, seen.killed) == ("out-of-memory", False)
    assert seen.reason.startswith("it held more than was agreed, files in memory, sockets and page tables counted; use")


def test_what_it_reads_from_files_is_not_held(run: Run, tmp_path: Path) -> None:
    package = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    seen = run(f"""
        def fit(self, train, budget):
            size = 0
            for folder, _, names in os.walk({str(package)!r}):
                for name in names:
                    if size < 400 << 20:
                        size += len(open(os.path.join(folder, name), 'rb').read())
    """, memory_limit=1 << 30)
    assert seen.status == "ok", seen.reason
    assert seen.peak_memory < 350 << 20


def test_a_group_lasts_as_long_as_its_guest() -> None:
    with Parents() as parents:
        owner = f"fourfold-{parents.get((), 1).pid}-"

        def own() -> list[str]:
            return [name for name in groups() if name.startswith(owner)]

        deadline = time.monotonic() + 30
        while not own() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(own()) == 1  # Of the guest that is ahead.
    assert own() == []


def test_what_a_killed_suite_left_is_removed_at_the_next_start() -> None:
    made = subprocess.Popen([sys.executable, "-c", HOLDING], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert made.stdout is not None
    owner, guest = map(int, made.stdout.readline().split())
    name = f"fourfold-{owner}-{guest}"
    assert name in groups()
    fresh = [sys.executable, "-c", "from fourfold.suite import cgroups; assert cgroups.home()[0]"]
    subprocess.run(fresh, check=True)
    assert name in groups()  # Its owner lives.
    os.killpg(made.pid, signal.SIGKILL)
    made.wait()
    made.stdout.close()
    deadline = time.monotonic() + 30
    while name in groups() and time.monotonic() < deadline:
        subprocess.run(fresh, check=True)
    assert name not in groups()


def test_a_group_of_version_2_is_written_to_by_other_names(tmp_path: Path) -> None:
    group = tmp_path / "fourfold-1-2"
    group.mkdir()
    (group / "memory.max").touch()
    cgroups._write(group, cgroups._version(group), 12345)
    written = {path.name: path.read_text() for path in group.iterdir()}
    assert written == {
        "memory.max": "12345", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": str(cgroups.PROCESSES),
    }  # fmt: skip
    shutil.rmtree(group)
