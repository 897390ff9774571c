"""The real head-counts, where they are at hand, and the public worlds."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.tasks.driver_displacement import worlds
from fourfold.tasks.driver_displacement.loaders import load
from fourfold.tasks.driver_displacement.origins import Vintages
from fourfold.tasks.driver_displacement.worlds import PublicWorlds

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cache() -> Path:
    for folder in (os.environ.get("FOURFOLD_DATA"), REPOSITORY.parent / "shared" / "data"):
        if folder and (Path(folder) / "driver").is_dir():
            return Path(folder)
    pytest.skip("needs the real head-counts: set FOURFOLD_DATA to a cache that holds driver/")


@pytest.fixture(scope="session")
def loaded(cache: Path) -> Callable[[str], Vintages]:
    return functools.cache(lambda name: load(name, cache))


@pytest.fixture(scope="session")
def public() -> PublicWorlds:
    return worlds.load()
