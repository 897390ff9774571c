from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
FLAGS = (
    "-t",
    "coins",
    "-m",
    "coin-slope[noise=0.2]",
    "-m",
    "coin-sleeper",
    "--seed",
    "1",
    "--seed",
    "3",
    "--results",
    "there",
    "--key",
    "secret",
    "--workers",
    "2",
    "--rerun",
    "failed",
    "--time-limit",
    "9.5",
    "--dry-run",
)
VARIABLES = {
    "FOURFOLD_TASK": "coins",
    "FOURFOLD_METHOD": "coin-slope[noise=0.2] coin-sleeper",
    "FOURFOLD_SEED": "1 3",
    "FOURFOLD_RESULTS": "there",
    "FOURFOLD_KEY": "secret",
    "FOURFOLD_WORKERS": "2",
    "FOURFOLD_RERUN": "failed",
    "FOURFOLD_TIME_LIMIT": "9.5",
    "FOURFOLD_DRY_RUN": "1",
}
TOML = """
task = "coins"
method = ["coin-slope[noise=0.2]", "coin-sleeper"]
seed = [1, 3]
results = "there"
key = "secret"
workers = 2
rerun = "failed"
time-limit = 9.5
dry-run = true
"""


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("ab" * 32)
    return tmp_path


def test_flags_environment_and_toml_make_the_same_plan(fourfold: Run, keyed: Path) -> None:
    flags = fourfold("run", *FLAGS)
    assert flags.returncode == 0, flags.stderr
    assert "4 cells to run, 0 cached; about" in flags.stdout
    assert fourfold("run", **VARIABLES).stdout == flags.stdout
    (keyed / "sweep.toml").write_text(TOML)
    assert fourfold("run", "--config", "sweep.toml").stdout == flags.stdout
    (keyed / "sweep.toml").rename(keyed / "fourfold.toml")
    assert fourfold("run").stdout == flags.stdout


def test_a_flag_goes_before_the_environment_and_that_before_the_file(fourfold: Run, keyed: Path) -> None:
    (keyed / "fourfold.toml").write_text(TOML)
    assert "2 cells to run" in fourfold("run", FOURFOLD_METHOD="coin-slope").stdout
    assert "coin-failing" in fourfold("run", "-m", "coin-failing", FOURFOLD_METHOD="coin-slope").stdout


def test_results_mean_the_same_to_every_command(fourfold: Run, results: Path, keyed: Path) -> None:
    results.rename(keyed / "there")
    asked = fourfold("status", "there").stdout
    assert "5 cells" in asked
    assert fourfold("status", "-r", "there").stdout == fourfold("status", FOURFOLD_RESULTS="there").stdout == asked
    (keyed / "fourfold.toml").write_text('results = "there"\n')
    assert fourfold("status").stdout == asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('resuls = "x"', "fourfold.toml sets resuls, which is no option; did you mean results?"),
        ("workers = 'many'", "'many' is not a valid integer"),
        ("results = ['a', 'b']", "fourfold.toml: results must be a single value"),
        ("results = ", "fourfold.toml cannot be read"),
    ],
)
def test_a_wrong_file_is_told_in_a_line(fourfold: Run, keyed: Path, text: str, told: str) -> None:
    (keyed / "fourfold.toml").write_text(text)
    done = fourfold("run", "-t", "coins", "--dry-run")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_named_must_be_there(fourfold: Run) -> None:
    done = fourfold("run", "--config", "nowhere.toml")
    assert done.returncode == 2
    assert "nowhere.toml cannot be read: No such file or directory" in done.stderr
