import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

Run = Callable[..., Any]
CELLS = 9  # More than are done before the signal comes, however busy the machine.
WORDS = ("run", "-t", "coins", "-m", "coin-sleeper[seconds=0.6]", "--seeds", str(CELLS))


def interrupted(
    command: tuple[str, ...], folder: Path, environment: Mapping[str, str], number: int
) -> tuple[int, str, str]:
    """Start a campaign, and once two of its cells are done send it, and whatever shares its terminal, a signal."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.lstrip().startswith("2/"):
                break
        below = psutil.Process(process.pid).children(recursive=True)
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        rest, complained = process.communicate(timeout=60)
    _, alive = psutil.wait_procs(below, timeout=10)
    assert not alive, f"left behind: {alive}"
    return process.returncode, said + rest, complained


@pytest.mark.parametrize(("backend", "number"), [
    ("serial", signal.SIGINT), ("process", signal.SIGINT), ("process", signal.SIGTERM),
    pytest.param("ray", signal.SIGINT, marks=pytest.mark.ray),
    pytest.param("ray", signal.SIGTERM, marks=pytest.mark.ray),
])  # fmt: skip
def test_an_interrupted_campaign_goes_on_with_the_same_command(
    fourfold: Run,
    command: tuple[str, ...],
    alone: tuple[str, ...],
    environment: Mapping[str, str],
    tmp_path: Path,
    backend: str,
    number: int,
) -> None:
    words, before = (*WORDS, "--backend", backend), alone if backend == "ray" else ()
    code, said, complained = interrupted((*before, *command, *words), tmp_path, environment, number)
    assert code == 130, complained
    assert "interrupted; the same command does the rest" in complained
    assert "Traceback" not in complained
    assert "ok, in " in said
    done = len(list((tmp_path / "results" / "cells").rglob("*.parquet")))
    assert 2 <= done < CELLS
    again = fourfold(*words, before=before)
    assert again.returncode == 0, again.stderr
    assert f"{CELLS - done} cells to run, {done} cached" in again.stdout
    assert len(list((tmp_path / "results" / "cells").rglob("*.parquet"))) == CELLS


def test_what_was_left_half_written_is_no_cell(
    fourfold: Run, command: tuple[str, ...], environment: Mapping[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [*command, *WORDS, "--backend", "serial"],
        cwd=tmp_path,
        env=dict(environment),
        text=True,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.lstrip().startswith("2/"):
                break
        process.kill()
    time.sleep(0.5)
    again = fourfold(*WORDS, "--backend", "serial")
    assert again.returncode == 0, again.stderr
    done = int(again.stdout.partition(" cells to run, ")[2].partition(" ")[0])
    assert 2 <= done < CELLS
    assert f"{CELLS - done} cells to run, {done} cached" in again.stdout
    assert len(list((tmp_path / "results" / "cells").rglob("*.parquet"))) == CELLS
