"""The real images, where they are at hand."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.tasks.dp_images.data import ImageData
from fourfold.tasks.dp_images.loaders import load

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cache() -> Path:
    for folder in (os.environ.get("FOURFOLD_DATA"), REPOSITORY.parent / "shared" / "data"):
        if folder and (Path(folder) / "mnist").is_dir():
            return Path(folder)
    pytest.skip("needs the real images: set FOURFOLD_DATA to a cache that holds mnist/, fashion-mnist/, cifar10-jpeg/")


@pytest.fixture(scope="session")
def loaded(cache: Path) -> Callable[[str], ImageData]:
    return functools.cache(lambda name: load(name, cache))


@pytest.fixture(scope="session")
def digits() -> ImageData:
    return load("digits", Path("nowhere"))
