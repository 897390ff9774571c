from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_ls_names_tasks_datasets_and_methods(fourfold: Run) -> None:
    said = fourfold("ls").stdout
    assert all(name in said for name in ("fair-credit", "simulated", "taiwan", "logistic", "dp-logistic"))
    assert "Least squares, a little noisy, so that its seed matters." in said


def test_ls_tells_of_methods_without_running_them(fourfold: Run, answer: Run) -> None:
    found = {row["method"]: row for row in answer(fourfold("ls", "methods", "--json"))}
    slope = found["coin-slope"]
    assert (slope["task"], slope["parameters"], slope["licence"], slope["private"]) == (
        "coins",
        {"noise": 0.01},
        "MIT",
        False,
    )
    assert found["dp-logistic"]["private"] is True


def test_ls_tells_the_state_of_datasets(fourfold: Run, answer: Run, plugged: Path, tmp_path: Path) -> None:
    def state(name: str) -> str:
        rows = answer(fourfold("ls", "datasets", "--json", "--data", str(tmp_path / "cache")))
        return str(next(row["state"] for row in rows if row["dataset"] == name))

    assert (state("pocket"), state("minted")) == ("embedded", "absent")
    (tmp_path / "cache" / "coins").mkdir(parents=True)
    (tmp_path / "cache" / "coins" / "minted.csv").write_bytes(b"seed\n7")
    assert state("minted") == "corrupt"


def test_ls_runs_finds_the_results_folders_here(fourfold: Run, answer: Run, results: Path) -> None:
    rows = answer(fourfold("ls", "runs", "--json"))
    assert [(row["results"], row["cells"]) for row in rows] == [("results", 5)]


def test_a_broken_plug_in_hides_no_other(
    fourfold: Run, answer: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    about = tmp_path / "plugs" / "broken-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[fourfold.tasks]\nbroken = nowhere:Task\n[fourfold.methods]\nlost = nowhere_too:M\n"
    )
    found = answer(fourfold("ls", "--json", PYTHONPATH=f"{tmp_path / 'plugs'}:{environment['PYTHONPATH']}"))
    assert {"broken", "coins", "fair-credit"} <= {row["task"] for row in found["tasks"]}
    assert "nowhere" in next(row["title"] for row in found["tasks"] if row["task"] == "broken")
    assert "nowhere_too" in next(row["says"] for row in found["methods"] if row["method"] == "lost")


def test_the_nearest_command_is_offered(fourfold: Run) -> None:
    done = fourfold("boart")
    assert done.returncode == 2
    assert done.stderr == "fourfold: there is no command boart; did you mean board?\n"
