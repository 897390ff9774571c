import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import compact, store

Run = Callable[..., Any]


def test_cells_that_agree_are_told(fourfold: Run, answer: Run, results: Path) -> None:
    found = answer(fourfold("verify", "results", "--sample", "100%", "--json"))
    assert len(found["agreeing"]) == 3
    assert found["numbers"] > 3 * 4
    assert (found["disagreements"], found["impossible"]) == ([], {})


def test_a_sample_is_what_it_says(fourfold: Run, answer: Run, results: Path) -> None:
    assert len(answer(fourfold("verify", "results", "--json"))["agreeing"]) == 1  # 5 % of three, and at least one
    assert len(answer(fourfold("verify", "results", "--sample", "2", "--json"))["agreeing"]) == 2
    done = fourfold("verify", "results", "--sample", "some")
    assert done.returncode == 2
    assert "write 5% or a number of cells" in done.stderr


def test_a_forged_number_is_found_out(fourfold: Run, results: Path) -> None:
    cell = next(cell for cell, status in sorted(store.statuses(results).items()) if status == "ok")
    rows, known = store.cell_rows(results, cell).to_pylist(), store.provenance(results, cell)
    for row in rows:
        if row["metric"] == "hits":
            row["value"] = 0.999
    compact.retire(results, [cell])
    store.write_cell(results, cell, rows, known)
    done = fourfold("verify", "results", "--sample", "100%")
    assert done.returncode == 3
    assert f"disagrees: {cell[:12]} hits value: 0.999 stored, " in done.stdout
    assert "2 of 3 cells agree" in done.stdout


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("archives", "the files of coin-slope are not in"),
        ("key", "drawn with another key"),
        ("task version", "made with version 0 of coins; here is version 1"),
    ],
)
def test_what_cannot_be_re_run_is_told_with_the_reason(fourfold: Run, results: Path, loss: str, told: str) -> None:
    if loss == "archives":
        for path in (results / "methods").iterdir():
            path.unlink()
    elif loss == "key":
        (results / "key").write_text("cd" * 32)
    else:
        for cell in [cell for cell, status in store.statuses(results).items() if status == "ok"]:
            rows, known = store.cell_rows(results, cell), store.provenance(results, cell)
            compact.retire(results, [cell])
            store.write_cell(results, cell, rows, known | {"task_version": "0"})
    done = fourfold("verify", "results", "--sample", "100%", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert len(found["impossible"]) == 3
    assert all(told in reason for reason in found["impossible"].values())


def test_without_the_key_nothing_is_made_up(fourfold: Run, results: Path) -> None:
    (results / "key").unlink()
    done = fourfold("verify", "results")
    assert done.returncode == 2
    assert "there is no key results/key" in done.stderr
    assert not (results / "key").exists()
