import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
COINS = ("run", "-t", "coins", "-m", "coin-slope", "--backend", "serial")


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file beneath a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["-t", "coin"], "there is no task coin; did you mean coins?"),
        (["-t", "coins", "-d", "poket"], "there is no dataset poket; did you mean pocket?"),
        (["-m", "coin-slop"], "there is no method coin-slop; did you mean coin-slope?"),
        (["-m", "coin-slope[nois=1]"], "coin-slope has no parameter nois; did you mean noise?"),
        (["-m", "coin-slope[noise=much]"], "coin-slope[noise=much]: a number was expected, such as 0.01"),
        (["-m", "./my_metod.py"], "there is no file or folder my_metod.py; did you mean my_method.py?"),
        (
            ["-t", "fair-credit", "-m", "coin-slope"],
            "coin-slope solves coins, which is not among the tasks asked for: fair-credit",
        ),
        (["-t", "coins", "-d", "taiwan"], "taiwan is a dataset of fair-credit, which is not among the tasks asked"),
        (["--address", "auto"], "--address auto is that of a Ray cluster, and --backend serial runs the cells on this"),
        (["--time-limi", "3"], "--time-limit"),
        (["--time-limit", "inf"], "inf is no number of seconds"),
        (["--time-limit", "nan"], "nan is no number of seconds"),
        (["--backend", "proces"], "'process'"),
        (["--seeds", "0"], "--seeds"),
        (["-d", "minted", "-m", "coin-slope"], "fourfold data fetch coins minted"),
    ],
)
def test_a_users_mistake_is_told_in_a_line_with_the_nearest_name(
    fourfold: Run, tmp_path: Path, words: list[str], offered: str
) -> None:
    (tmp_path / "my_method.py").write_text("x = 1\n")
    done = fourfold("run", *words, *([] if "--backend" in words else ["--backend", "serial"]))
    assert done.returncode == 2
    assert offered in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr + done.stdout
    if "fetch" not in offered:  # Once its data are there, that command is right.
        assert [path.name for path in tmp_path.iterdir()] == ["my_method.py"]


def test_a_dry_run_tells_the_plan_and_writes_nothing(fourfold: Run, tmp_path: Path) -> None:
    done = fourfold(*COINS, "--seeds", "3", "--dry-run")
    assert done.returncode == 0
    assert sum(line.startswith("run ") for line in done.stdout.splitlines()) == 3
    assert "3 cells to run, 0 cached; about" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_tells_what_is_cached_and_for_how_long_the_rest_takes(fourfold: Run, results: Path) -> None:
    before = snapshot(results)
    done = fourfold(*COINS, "--seeds", "5", "--dry-run")
    lines = done.stdout.splitlines()
    assert sum(line.startswith("cached ") for line in lines) == 3
    assert sum(line.startswith("run ") for line in lines) == 2
    assert "knows nothing" not in done.stdout
    assert snapshot(results) == before


def test_what_is_there_is_not_run_again(fourfold: Run, results: Path) -> None:
    before = snapshot(results)
    done = fourfold(*COINS, "--seeds", "3")
    assert done.returncode == 0
    assert done.stdout == "nothing to run: results has all 3 cells, 0 of them without a score\n"
    assert snapshot(results) == before


def test_nothing_to_run_starts_no_ray(
    fourfold: Run, results: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "decoy" / "ray").mkdir(parents=True)
    (tmp_path / "decoy" / "ray" / "__init__.py").write_text("raise SystemExit('ray was imported')\n")
    path = f"{tmp_path / 'decoy'}:{environment['PYTHONPATH']}"
    assert (
        "ray was imported" in fourfold("run", "-t", "coins", "-m", "coin-slope", "--seeds", "4", PYTHONPATH=path).stderr
    )
    done = fourfold("run", "-t", "coins", "-m", "coin-slope", "--seeds", "3", PYTHONPATH=path)
    assert (done.returncode, done.stdout[:14]) == (0, "nothing to run")


def test_only_the_seeds_named_are_run(fourfold: Run, results: Path) -> None:
    done = fourfold(*COINS, "--seed", "1", "--seed", "70000")
    assert "1 cells to run, 1 cached" in done.stdout
    assert "seed 70000  ok" in done.stdout
    assert "seed 0" not in done.stdout


def test_a_finished_cell_has_a_line_with_its_headline_and_its_cost(fourfold: Run) -> None:
    done = fourfold(*COINS, "--seeds", "2")
    line = next(line for line in done.stdout.splitlines() if line.startswith("1/2"))
    assert "coins/pocket  coin-slope[noise=0.01]  seed" in line
    assert "  ok  hits 0." in line
    assert "s CPU" in line
    assert done.stdout.splitlines()[-1] == "results: results; to see the board: fourfold board results"


def test_a_failed_cell_is_a_result_and_its_reason_is_told_once(fourfold: Run) -> None:
    done = fourfold(
        "run", "-t", "coins", "-m", "coin-failing", "-m", "coin-slope", "--seeds", "2", "--backend", "serial"
    )
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if line.startswith("  coin-failing: failed (2 cells): ")]
    assert len(told) == 1
    assert "no idea" in told[0]
    assert "2 ok, 2 failed, in " in done.stdout


@pytest.mark.parametrize(("rerun", "slope", "failing"), [("missing", 0, 0), ("failed", 0, 2), ("all", 3, 2)])
def test_rerun_takes_what_it_says_and_loses_nothing(
    fourfold: Run, results: Path, rerun: str, slope: int, failing: int
) -> None:
    before = {path.read_bytes() for path in results.rglob("*.parquet")}
    done = fourfold(
        "run",
        "-t",
        "coins",
        "-m",
        "coin-slope",
        "-m",
        "coin-failing",
        "--seed",
        "0",
        "--seed",
        "1",
        "--seed",
        "2",
        "--backend",
        "serial",
        "--rerun",
        rerun,
    )
    lines = [line for line in done.stdout.splitlines() if line[:1].isdigit() and "/" in line[:4]]
    assert sum("coin-slope" in line for line in lines) == slope
    assert sum("coin-failing" in line for line in lines) == failing + 1
    assert before <= {path.read_bytes() for path in results.rglob("*.parquet")}


def test_plain_progress_has_no_control_characters_even_where_a_method_has(fourfold: Run) -> None:
    done = fourfold(
        "run", "-t", "coins", "-m", "coin-failing", "-m", "coin-slope", "--seeds", "1", "--backend", "serial"
    )
    assert all(each.isprintable() or each == "\n" for each in done.stdout + done.stderr)


def test_display_rich_is_live_and_none_is_silent(fourfold: Run) -> None:
    rich = fourfold(*COINS, "--seeds", "1", "--display", "rich", TERM="xterm-256color")
    assert "\x1b[" in rich.stdout
    none = fourfold(*COINS, "--seed", "2", "--display", "none")
    assert not any(line.startswith("1/1") for line in none.stdout.splitlines())


def test_no_color_is_heeded(fourfold: Run) -> None:
    words = ("run", "-t", "coins", "-m", "coin-failing", "--seeds", "1", "--backend", "serial", "--display", "rich")
    assert "\x1b[31m" in fourfold(*words, "--results", "one", TERM="xterm-256color").stdout
    assert "\x1b[31m" not in fourfold(*words, "--results", "two", TERM="xterm-256color", NO_COLOR="1").stdout


def test_processes_come_to_the_same_as_one_process(fourfold: Run, answer: Run, results: Path) -> None:
    key = str(results / "key")
    done = fourfold(
        "run",
        "-t",
        "coins",
        "-m",
        "coin-slope",
        "--seeds",
        "3",
        "--key",
        key,
        "--backend",
        "process",
        "--workers",
        "2",
        "-r",
        "other",
    )
    assert done.returncode == 0, done.stderr
    assert (
        fourfold("merge", "other", "-o", "results").stdout
        == "0 cells copied to results, 3 were in both, 0 in conflict\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
class TestDisk:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of 256 KiB."""
        place = tmp_path / "small"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("this machine lets nobody mount")
        yield place
        subprocess.run(["umount", str(place)], check=True)

    def test_a_full_disk_is_told_and_the_same_command_goes_on(self, fourfold: Run, small: Path) -> None:
        words = (*COINS, "--seeds", "6", "-r", str(small / "results"))
        assert fourfold(*COINS, "--seeds", "2", "-r", str(small / "results")).returncode == 0
        filler = small / "filler"
        filler.write_bytes(b"0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_bsize))
        before = {path: path.read_bytes() for path in small.rglob("*.parquet")}
        done = fourfold(*words)
        assert done.returncode == 2
        assert "No space left on device; free some space there" in done.stderr
        assert "Traceback" not in done.stderr
        assert {path: path.read_bytes() for path in small.rglob("*.parquet")} == before
        filler.unlink()
        done = fourfold(*words)
        assert done.returncode == 0
        assert "4 cells to run, 2 cached" in done.stdout

    def test_a_read_only_folder_is_told(self, fourfold: Run, small: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        done = fourfold(*COINS, "--seeds", "1", "-r", str(small / "results"))
        assert done.returncode == 2
        assert "Read-only file system; that file system is read-only: give another folder with --results" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_corrupt_cache_file_is_told_with_the_next_command(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "cache" / "coins").mkdir(parents=True)
    (tmp_path / "cache" / "coins" / "minted.csv").write_bytes(b"seed\n77")
    (tmp_path / "cache" / "coins" / "minted.csv").write_bytes(b"seed")
    done = fourfold(*COINS, "-d", "minted", "--seeds", "1", "--data", str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "minted.csv: it has 4 bytes instead of 7. Run: fourfold data fetch coins minted" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_was_not_there_is_made_and_told(fourfold: Run, tmp_path: Path) -> None:
    words = (*COINS, "--seeds", "1", "--key", "kee")
    assert fourfold(*words, "--dry-run").stderr == ""
    assert "there was no kee: a new key was made there" in fourfold(*words).stderr
    assert (tmp_path / "kee").exists()
    assert fourfold(*words).stderr == ""


def test_a_key_that_is_none_is_told(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "key").write_text("hunter2\n")
    done = fourfold(*COINS)
    assert done.returncode == 2
    assert "results/key holds no key" in done.stderr


@pytest.mark.parametrize("backend", ["serial", "process", "ray"])
def test_what_is_required_of_the_sandbox_is_refused_with_less(fourfold: Run, backend: str) -> None:
    words = ("run", "-t", "coins", "-m", "coin-slope", "--seeds", "1", "--require-sandbox", "--backend", backend)
    done = fourfold(*words, FOURFOLD_SANDBOX="process")
    assert done.returncode == 2
    assert "guests would be confined to 'process' here, and 'namespaces' is required: see `fourfold" in done.stderr
    assert "Traceback" not in done.stderr
    assert fourfold("status", "--json").stdout.count('"ok"') == 0


def test_a_check_and_a_submission_run_nothing_in_less_than_is_required(fourfold: Run, tmp_path: Path) -> None:
    method = tmp_path / "open_door.py"
    method.write_text(
        "from fourfold.suite import Method\n"
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
        "class OpenDoor(Method):\n    task = 'coins'\n    def fit(self, train, budget): pass\n"
        "    def predict(self, query): return 0\n"
    )
    for command in ("check", "submit"):
        done = fourfold(command, str(method), "--require-sandbox", FOURFOLD_SANDBOX="process")
        assert done.returncode == 2
        assert "'namespaces' is required" in done.stderr
    assert not (tmp_path / "ran").exists()
