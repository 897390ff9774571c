import os
from collections.abc import Callable
from typing import Any

from fourfold.suite import sandbox

Run = Callable[..., Any]


def test_doctor_tells_what_is_here_and_how_to_get_what_is_not(fourfold: Run, answer: Run) -> None:
    found = {row["what"]: row for row in answer(fourfold("doctor", "--json"))}
    assert found["cores"]["said"].startswith(f"{len(os.sched_getaffinity(0))};")
    assert found["simulated"]["state"] == found["pocket"]["state"] == "ok"
    assert (found["minted"]["state"], found["minted"]["remedy"]) == ("lacks", "fourfold data fetch coins minted")
    assert "kaggle" in found["gmsc"]["remedy"]
    assert {"packages", "ray", "credit", "dp", "board"} <= set(found)
    assert all(row["remedy"] for row in found.values() if row["state"] == "lacks")


def test_doctor_tells_how_far_a_guest_is_confined(fourfold: Run, answer: Run) -> None:
    told = answer(fourfold("doctor", "--json", FOURFOLD_SANDBOX="process"))
    found = {row["what"]: row for row in told}["confinement"]
    assert (found["state"], found["said"].split(":")[0]) == ("lacks", "process")
    assert "as the user you are" in found["said"]
    assert "user namespaces" in found["remedy"]
    level, why = sandbox.level(sandbox.shown())
    found = {row["what"]: row for row in answer(fourfold("doctor", "--json"))}["confinement"]
    assert found["said"].startswith(f"{level}:")
    assert why in found["said"]


def test_doctor_in_words(fourfold: Run) -> None:
    done = fourfold("doctor")
    assert done.returncode == 0
    assert "-> fourfold data fetch coins minted" in done.stdout
