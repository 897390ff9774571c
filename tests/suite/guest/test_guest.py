"""What a guest sees and what it leaves: its own folder and pipes, a seed, its threads; for the next one, nothing."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.suite import namespaces
from fourfold.suite.method import Budget
from fourfold.suite.visit import Visit, visit
from fourfold.suite.warm import Parents

Run = Callable[..., Visit]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what Linux alone tells or enforces")


def test_a_guest_sees_nothing_of_the_suite(
    tmp_path: Path, run: Run, heard: Any, asks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FOURFOLD_KEY", "RAY_ADDRESS", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "SOME_TOKEN"):
        monkeypatch.setenv(name, "secret")
    look = """
        def fit(self, train, budget):
            import json, tempfile
            places = [os.getcwd(), os.path.expanduser("~"), tempfile.gettempdir()]
            print(json.dumps([dict(os.environ), *places, os.listdir()]))
    """
    with Parents() as fresh:
        file = tmp_path / "guest_method.py"
        run(look)
        seen = visit(fresh.get((), 1), str(file), "Guest", {}, Budget(), asks)
    variables, folder, home, temporary, files = heard(seen)
    assert "secret" not in variables.values()
    assert {name for name in variables if not re.fullmatch(r"\w+_(NUM|MAXIMUM|MAX)_THREADS", name)} <= {
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "HOME",
        "TMPDIR",
        "PYTHONHASHSEED",
        "MALLOC_MMAP_MAX_",
        "MALLOC_TRIM_THRESHOLD_",
        "ARROW_DEFAULT_MEMORY_POOL",
        "PYTHONDONTWRITEBYTECODE",
        "CUDA_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
    }
    assert folder == home == temporary
    assert files == []
    if folder != namespaces.HOME:
        assert not os.path.exists(folder)


@LINUX
def test_a_guest_holds_no_descriptors_but_its_pipes(run: Run, heard: Any) -> None:
    kinds = heard(
        run(
            """
        def fit(self, train, budget):
            import json
            listing = os.open("/proc/self/fd", os.O_RDONLY)
            found = [f"/proc/self/fd/{fd}" for fd in sorted(map(int, os.listdir(listing))) if fd != listing]
            print(json.dumps([os.readlink(path).split(":")[0] for path in found if os.path.exists(path)]))
    """,
            preload=("torch",),
        )
    )
    assert kinds == ["/dev/null", "pipe", "pipe", "pipe", "pipe"]


def test_one_guest_leaves_nothing_for_the_next(run: Run, heard: Any) -> None:
    leave = """
        def fit(self, train, budget):
            import json, fourfold.suite
            seen = [getattr(np, "left", None), os.environ.get("LEFT"), os.path.exists("left"),
                    hasattr(fourfold.suite, "left"), np.random.random(), hash("text"), sys.path.count("left")]
            np.left, fourfold.suite.left, os.environ["LEFT"] = 1, 1, "1"
            sys.path.append("left")
            np.random.seed(99)
            open("left", "w").close()
            os.mkdir("locked", 0)
            print(json.dumps(seen))
    """
    first, second = heard(run(leave)), heard(run(leave))
    assert first == second
    assert first[:4] == [None, None, False, False]


@pytest.mark.parametrize("cpus", [1, 2])
def test_threads_are_pinned_to_what_was_given(run: Run, heard: Any, cpus: int) -> None:
    counts = heard(
        run(
            """
        def fit(self, train, budget):
            import json, threadpoolctl, torch
            np.ones((300, 300)) @ np.ones((300, 300))
            pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
            print(json.dumps([torch.get_num_threads(), *pools]))
    """,
            preload=("torch",),
            cpus=cpus,
        )
    )
    assert set(counts) == {cpus} or os.cpu_count() == 1


@pytest.mark.parametrize(
    "draw",
    [
        "np.random.rand(50)",
        "[__import__('random').random() for _ in range(50)]",
        "__import__('torch').rand(50)",
        "[hash(str(i)) % 1000 / 1000 for i in range(50)]",
    ],
)
def test_who_forgets_to_seed_is_reproducible_too(run: Run, draw: str) -> None:
    source = f"def predict(self, query): return {draw}"
    first, again, other = (run(predict=source, preload=("torch",), seed=seed).answers[1] for seed in (1, 1, 2))
    assert first is not None
    np.testing.assert_array_equal(first, again)
    assert "hash" in draw or not np.array_equal(first, other)
