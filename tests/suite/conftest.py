import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fourfold.suite.store import create, write_cell

Cell = tuple[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., Cell]:
    """Builds the id and the rows of cell number ``i``: two accuracy metrics, the first with replicates, and a cost."""

    def make(i: int, **changes: Any) -> Cell:
        cell = hashlib.sha256(f"cell {i}".encode()).hexdigest()
        same = {
            "cell": cell, "task": "fair-credit", "dataset": f"dataset-{i % 3}", "method": f"method-{i % 2}",
            "method_digest": "ab" * 32, "parameters": "{}", "epsilon": float("inf"), "delta": 1e-5, "seed": i % 5,
            "group": "", "low": None, "high": None, "n": 100, "status": "ok", "reason": "",
        }
        rows = [
            {**same, "family": "accuracy", "metric": "auc", "value": 0.7 + i / 1000,
             "replicates": [0.5 + i, 0.25, 0.125]},
            {**same, "family": "accuracy", "metric": "brier", "value": None, "replicates": None},
            {**same, "family": "cost", "metric": "cpu_seconds", "value": 1.5, "replicates": None},
        ]
        return cell, [{**row, **changes} for row in rows]

    return make


@pytest.fixture
def root(tmp_path: Path, make_cell: Callable[..., Cell]) -> Path:
    """A results folder of four cells."""
    root = create(tmp_path / "results")
    for i in range(4):
        assert write_cell(root, *make_cell(i), {"command": f"run {i}"})
    return root


@pytest.fixture(scope="session")
def as_set() -> Callable[[pa.Table], list[str]]:
    """Rows without their order, in a form in which a NaN equals a NaN."""
    return lambda table: sorted(repr(sorted(row.items())) for row in table.to_pylist())


@pytest.fixture(scope="session")
def alone() -> list[str]:
    """What goes before a command to run it in a network that has only ``lo``: Ray listens on every interface.

    Nothing where this user may not make a network; Ray asks for a token anyway.
    """
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    able = shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if able else []


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a small file system of its own in memory; skips where that needs a privilege that we lack."""
    places = []

    def mount(options: str, *, again: bool = False) -> Path:
        place = tmp_path / "mounted"
        place.mkdir(exist_ok=True)
        flags = f"remount,{options}" if again else options
        command = ["mount", "-t", "tmpfs", "-o", flags, "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root")
        places.append(place)
        return place

    yield mount
    for place in set(places):
        subprocess.run(["umount", str(place)], check=True)


_KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from fourfold.suite import bundle, cards, compact, merge, store
import pandas, pyarrow.dataset

template, out, code = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
changing = {"os.link", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "open", "shutil.rmtree"}

def attempt(root, last):
    step = 0
    def hook(event, arguments):
        nonlocal step
        if event in changing and str(root) in str(arguments[0]):
            step += 1
            if step == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    exec(code, {"root": root, "store": store, "compact": compact.compact, "retire": compact.retire})

last, status = 0, None
while status != 0:
    last += 1
    root = out / str(last)
    shutil.copytree(template, root)
    child = os.fork()
    if not child:
        attempt(root, last)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status not in (0, signal.SIGKILL):
        raise SystemExit(f"step {last} ended with {status}")
print(last)
"""


@pytest.fixture
def killed_at_each_step(tmp_path: Path) -> Callable[[Path, str], list[Path]]:
    """Runs ``code`` on copies of a results folder, killed (-9) before its first, second, ... touch of a file.

    Returns the folders that the killed processes left behind, and last the one of the process that came through.
    """

    def run(template: Path, code: str) -> list[Path]:
        out = tmp_path / "killed"
        out.mkdir()
        done = subprocess.run([sys.executable, "-c", _KILLER, template, out, code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [out / str(number + 1) for number in range(int(done.stdout))]

    return run
