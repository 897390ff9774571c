"""What people see in a terminal: the command line on a real pseudo-terminal."""

import os
import pty
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
WORDS = ("run", "-t", "coins", "-m", "coin-sleeper[seconds=0.7]", "--seeds", "2", "--backend", "serial")


def seen(command: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> str:
    """Everything that a command writes to its terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                more = os.read(ours, 1 << 16)
            except OSError:  # Linux's way to say that nobody holds the other end any more.
                break
            if not more:
                break
            written += more
    os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode()


def test_a_terminal_sees_what_is_under_way_and_a_line_a_finished_cell(
    command: tuple[str, ...], environment: Mapping[str, str], tmp_path: Path
) -> None:
    told = seen((*command, *WORDS), tmp_path, dict(environment) | {"TERM": "xterm-256color"})
    assert "\x1b[" in told
    assert "running: coins/pocket  coin-sleeper[seconds=0.7]" in told
    assert "0/2 done" in told
    assert "2/2  coins/pocket" in told


def test_a_terminal_that_can_do_nothing_sees_lines(
    command: tuple[str, ...], environment: Mapping[str, str], tmp_path: Path
) -> None:
    told = seen((*command, *WORDS), tmp_path, dict(environment) | {"TERM": "dumb"})
    assert all(each.isprintable() or each in "\r\n" for each in told)
    assert "2/2  coins/pocket" in told
