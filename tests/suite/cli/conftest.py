"""The command line as users have it: a process, in a folder of its own, with a third party's package installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[1] / "plugin"
FOURFOLD = (sys.executable, "-P", "-m", "fourfold.suite.cli")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a third party's package is installed, by pip."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("plugged")
    shutil.copytree(PLUGIN, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        "--target",
        str(target),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


@pytest.fixture(scope="session")
def environment(plugged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the processes: none of the user's own settings, an empty dataset cache."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FOURFOLD_", "_FOURFOLD", "NO_COLOR"))
    }
    cache = tmp_path_factory.mktemp("cache")
    return kept | {
        "PYTHONPATH": str(plugged),
        "FOURFOLD_DATA": str(cache / "data"),
        "XDG_CACHE_HOME": str(cache),
        "COLUMNS": "200",
    }


@pytest.fixture(scope="session")
def command() -> tuple[str, ...]:
    """The words that start the command line."""
    return FOURFOLD


@pytest.fixture(scope="session")
def alone() -> tuple[str, ...]:
    """The words before a command that give it a network with ``lo`` alone: Ray listens on every interface there is.

    None where this user may not make a network, as Ray asks for a token anyway.
    """
    words = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        return ()
    return words


@pytest.fixture(scope="session")
def anywhere(environment: Mapping[str, str]) -> Run:
    """Runs ``fourfold`` with the given words: ``anywhere(folder, "ls", FOURFOLD_SEEDS="3")``."""

    def run(
        folder: Path, *words: str, before: tuple[str, ...] = (), **changes: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *FOURFOLD, *words],
            cwd=folder,
            env=dict(environment) | changes,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def fourfold(anywhere: Run, tmp_path: Path) -> Run:
    """Runs ``fourfold`` in this test's folder."""

    def run(*words: str, before: tuple[str, ...] = (), **changes: str) -> subprocess.CompletedProcess[str]:
        return anywhere(tmp_path, *words, before=before, **changes)

    return run


@pytest.fixture(scope="session")
def scored(anywhere: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder that nobody may change: three cells of one method, and two of one that fails."""
    folder = tmp_path_factory.mktemp("scored")
    ran = anywhere(folder, "run", "-t", "coins", "-m", "coin-slope", "--seeds", "3", "--backend", "serial")
    assert ran.returncode == 0, ran.stderr
    ran = anywhere(folder, "run", "-t", "coins", "-m", "coin-failing", "--seeds", "2", "--backend", "serial")
    assert ran.returncode == 1, ran.stderr
    return folder / "results"


@pytest.fixture
def results(scored: Path, tmp_path: Path) -> Path:
    """A copy of those results in this test's folder, as ``results``."""
    return Path(shutil.copytree(scored, tmp_path / "results"))


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command answered as JSON; it must have gone well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(name="answer")
def answer_fixture() -> Callable[[subprocess.CompletedProcess[str]], Any]:
    """The function ``answer``."""
    return answer
