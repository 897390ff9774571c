"""A third party's package, installed for the length of a test module: one task and its methods."""

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from fourfold.suite import plan, registry
from fourfold.suite.evaluate import Job

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # As in a shell's background, for every child too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("here", deadline=None, max_examples=40)  # A deadline is the machine's load, not the code.
settings.load_profile("here")

TOY = Path(__file__).parent / "toy"
KEY = b"0123456789abcdef"

Toy = Callable[..., list[Job]]


def installed(folder: Path) -> Path:
    """Put the package into ``folder``, with the entry points by which it is found."""
    for name in ("toy_task.py", "toy_methods.py"):
        shutil.copy(TOY / name, folder)
    about = folder / "toy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[fourfold.tasks]\ntoy = toy_task:Toy\n")
    return folder


def _forget() -> None:
    importlib.invalidate_caches()
    for each in (registry._plugged, registry.task, registry.installed):
        each.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for Ray stand among those that compute, and none at the end: side by side they take turns."""
    waiting = list(dict.fromkeys(item.path for item in items if item.get_closest_marker("ray")))
    others = [path for path in dict.fromkeys(item.path for item in items) if path not in waiting]
    step = 0.7 * len(others) / max(1, len(waiting))
    place = {path: float(at) for at, path in enumerate(others)} | {path: step * at for at, path in enumerate(waiting)}
    items.sort(key=lambda item: place[item.path])


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """Jobs of the toy task, as ``toy("Noop", "Sleeper[seconds=1]", seeds=3)``; worker processes know it too."""
    home = str(installed(tmp_path_factory.mktemp("toy")))

    def jobs(*methods: str, seeds: int = 3, datasets: Sequence[str] = ("tiny",), time_limit: float = 60) -> list[Job]:
        chosen = [f"{home}/toy_methods.py:{method}" for method in methods]
        request = plan.Request(["toy"], datasets, chosen, range(seeds), time_limit=time_limit)
        return plan.jobs(request, KEY, Path(home))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")])))
        patch.syspath_prepend(home)
        _forget()
        yield jobs
    sys.modules.pop("toy_task", None)
    _forget()
