import os
import shutil
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_doctor_tells_what_is_here_and_how_to_get_what_is_not(fourfold: Run, answer: Run) -> None:
    found = {row["what"]: row for row in answer(fourfold("doctor", "--json"))}
    assert found["cores"]["said"].startswith(f"{len(os.sched_getaffinity(0))};")
    assert found["simulated"]["state"] == found["pocket"]["state"] == "ok"
    assert (found["minted"]["state"], found["minted"]["remedy"]) == ("lacks", "fourfold data fetch coins minted")
    assert "kaggle" in found["gmsc"]["remedy"]
    assert {"packages", "ray", "credit", "dp", "board"} <= set(found)
    assert all(row["remedy"] for row in found.values() if row["state"] == "lacks")


def test_doctor_tells_of_bubblewrap_what_the_path_has(fourfold: Run, answer: Run) -> None:
    found = {row["what"]: row for row in answer(fourfold("doctor", "--json", PATH="/nowhere"))}
    assert (found["bubblewrap"]["state"], found["gpu"]["state"]) == ("lacks", "lacks")
    assert "bubblewrap" in found["bubblewrap"]["remedy"]
    if shutil.which("bwrap"):
        said = {row["what"]: row["said"] for row in answer(fourfold("doctor", "--json"))}
        assert said["bubblewrap"] != "not installed"


def test_doctor_in_words(fourfold: Run) -> None:
    done = fourfold("doctor")
    assert done.returncode == 0
    assert "-> fourfold data fetch coins minted" in done.stdout
