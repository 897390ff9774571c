import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def offered(fourfold: Run, words: str) -> set[str]:
    """What bash would offer after these words."""
    done = fourfold(
        _FOURFOLD_COMPLETE="bash_complete", COMP_WORDS=f"fourfold {words}", COMP_CWORD=str(len(words.split(" ")))
    )
    assert done.returncode == 0, done.stderr
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_commands_options_and_names_are_completed(fourfold: Run) -> None:
    assert offered(fourfold, "bo") == {"board"}
    assert "--time-limit" in offered(fourfold, "run --ti")
    assert offered(fourfold, "run --task co") == {"coins"}
    assert offered(fourfold, "run --dataset min") == {"minted"}
    assert offered(fourfold, "run --method coin-s") == {"coin-slope", "coin-sleeper"}
    assert offered(fourfold, "check coin-f") == {"coin-failing"}
    assert offered(fourfold, "run --backend s") == {"serial"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(fourfold: Run, shell: str) -> None:
    if shell == "bash" and not shutil.which("bash"):
        pytest.skip("no bash here, whose version its script depends on")
    done = fourfold(_FOURFOLD_COMPLETE=f"{shell}_source")
    assert done.returncode == 0, done.stderr
    assert "_FOURFOLD_COMPLETE" in done.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_completes_with_the_script(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """The script is sourced in a real bash, and the function that it registers fills COMPREPLY."""
    command = tmp_path / "fourfold"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m fourfold.suite.cli "$@"\n')
    command.chmod(0o755)
    script = """
    eval "$(_FOURFOLD_COMPLETE=bash_source fourfold)"
    COMP_WORDS=(fourfold run --method coin-sl) COMP_CWORD=3
    _fourfold_completion fourfold
    echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=dict(environment) | {"PATH": f"{tmp_path}:{environment['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {"coin-slope", "coin-sleeper"}
