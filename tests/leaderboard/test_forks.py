"""Work shared out among forks is all done, and what fails in one is raised here."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from fourfold.leaderboard.forks import each_in_a_fork


def write(place: Path) -> None:
    place.write_text(str(os.getpid()))


def test_each_share_is_done_and_only_the_first_here(tmp_path: Path) -> None:
    each_in_a_fork([partial(write, tmp_path / str(number)) for number in range(3)])
    found = [int((tmp_path / str(number)).read_text()) for number in range(3)]
    assert found[0] == os.getpid()
    assert len(set(found)) == (3 if sys.platform == "linux" else 1)


def test_what_fails_in_a_fork_is_raised_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        each_in_a_fork([partial(write, tmp_path / "one"), partial(write, tmp_path / "nowhere" / "two")])
    assert (tmp_path / "one").exists()
    assert capfd.readouterr() == ("", "")


def test_a_fork_that_dies_costs_nothing(tmp_path: Path) -> None:
    here = os.getpid()

    def die_elsewhere() -> None:
        if os.getpid() != here:
            os._exit(9)
        write(tmp_path / "two")

    each_in_a_fork([partial(write, tmp_path / "one"), die_elsewhere])
    assert (tmp_path / "two").exists()
