"""Who may import whom, downwards only; and what stays out of the guest."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
FOLDERS = ("suite", "tasks", "baselines", "leaderboard")
GUEST_SIDE = (
    *("__init__", "method", "boundary", "evidence", "folder", "guest", "namespaces", "sandbox", "seccomp", "state"),
)
STORE = ("store", "layout", "cellfile", "bundle", "cards", "exhibit")
ALLOWED = {
    "leaderboard": {"leaderboard", "suite.metrics", *(f"suite.{room}" for room in STORE)},
    "baselines": {"tasks", "suite"},
    "tasks": {"tasks", "suite"},
}
LAYERS = (
    "method",
    "task",
    "cell",
    "pack",
    "visit",
    "evaluate",
    "plan",
    "events",
    "local",
    "cluster",
    "campaign",
    "cli",
)


def modules():
    for folder in FOLDERS:
        for path in sorted((REPO / folder).rglob("*.py")):
            yield pytest.param(path, id=path.relative_to(REPO).as_posix())


def imported(path):
    """The fourfold modules a file names, without the prefix: ``suite.task``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            names = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("fourfold."):
                yield name.removeprefix("fourfold.")


@pytest.mark.parametrize("path", modules())
def test_imports_go_downwards(path):
    folder = path.relative_to(REPO).parts[0]
    for name in imported(path):
        if folder == "suite":
            at_the_front_door = path.relative_to(REPO / "suite").parts[0] == "cli"
            assert at_the_front_door or name.startswith("suite"), f"{path.name} imports {name}"
        else:
            own = {".".join(path.relative_to(REPO).parts[:-1])} if folder == "baselines" else set()
            assert any(
                name == each or name.startswith(f"{each}.") or each.startswith(f"{name}.")
                for each in ALLOWED[folder] | own
            ), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules())
def test_a_layer_imports_none_above_it(path):
    if path.parent != REPO / "suite" or path.stem not in LAYERS:
        return
    above = set(LAYERS[LAYERS.index(path.stem) + 1 :])
    assert not {name.split(".")[1] for name in imported(path) if name.startswith("suite.")} & above


@pytest.mark.parametrize("path", modules())
def test_the_suite_knows_no_task_and_no_baseline_by_name(path):
    if path.relative_to(REPO).parts[0] != "suite":
        return
    text = path.read_text()
    for name in ("fair-credit", "fair_credit", "dp-images", "dicom-deid", "driver-displacement", "scorecard("):
        assert f"import {name}" not in text
        assert f'== "{name}"' not in text


def test_the_guests_side_needs_numpy_and_pyarrow_alone():
    """What is imported within a function is for methods that learn through a curator, and need torch anyway."""
    for stem in GUEST_SIDE:
        for node in ast.parse((REPO / "suite" / f"{stem}.py").read_text()).body:
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names | {"numpy", "pyarrow"} or name.startswith("fourfold.suite"), (
                    f"{stem}: {name}"
                )
                if name.startswith("fourfold.suite."):
                    assert name.split(".")[2] in GUEST_SIDE, f"{stem}: {name}"


def test_starting_a_guest_imports_numpy_and_pyarrow_alone():
    code = "import sys; import fourfold.suite.guest; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "torch", "ray", "scipy", "sklearn", "opacus", "psutil"} & set(loaded)


def test_importing_the_contract_costs_the_standard_library_alone():
    code = "import sys; import fourfold.suite; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "torch", "ray", "pyarrow", "scipy", "sklearn"} & set(loaded)


@pytest.mark.parametrize("path", modules())
def test_files_have_one_reason_and_a_name_that_says_it(path):
    assert path.stem not in ("utils", "helpers", "common", "manager", "misc")
    assert len(path.read_text().splitlines()) <= 400
