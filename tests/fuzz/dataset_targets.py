"""The loaders of each task's datasets under their promise, given one file that anybody may have written."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import dataset_seeds as seeds
from promise import fresh, scratch, target, told

from fourfold.suite.datasets import DatasetError
from fourfold.tasks.dp_images import loaders as image_loaders
from fourfold.tasks.driver_displacement import loaders as driver_loaders
from fourfold.tasks.fair_credit import loaders as credit_loaders


def loaded(loaders: ModuleType, name: str, place: int, data: bytes, others: Sequence[bytes] = ()) -> Any:
    """A dataset whose file at ``place`` holds these bytes, of any size, and the others those."""
    dataset = loaders.DATASETS[name]
    files = [replace(file, size=0) for file in dataset.files]
    root = fresh()
    contents = [*others[:place], data, *others[place:]]
    for file, content in zip(files, contents, strict=True):
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with mock.patch.dict(loaders.DATASETS, {name: replace(dataset, files=files)}):
        return told(lambda: loaders.load(name, root), DatasetError)


def read_by(loaders: ModuleType, name: str, reader: Callable[[Path], Any], data: bytes) -> Any:
    """A file of a dataset, by a reader of fewer records than the real one has."""
    dataset = loaders.DATASETS[name]
    path = fresh() / dataset.files[0].path
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return told(lambda: loaders._read(dataset, scratch(), 0, reader), DatasetError)


@target(seeds.german, tries=10)
def german(data: bytes) -> None:
    loaded(credit_loaders, "german", 0, data)


@target(seeds.give_me_some_credit, tries=10)
def give_me_some_credit(data: bytes) -> None:
    with mock.patch("fourfold.tasks.fair_credit.sources.GMSC_ROWS", 2):
        loaded(credit_loaders, "gmsc", 0, data)


@target(seeds.digits)
def digits(data: bytes) -> None:
    shape = (2, 28, 28)
    found = read_by(image_loaders, "mnist", lambda path: image_loaders.read_idx(path, shape), data)
    assert found is None or found.shape == shape


@target(seeds.cifar)
def cifar(data: bytes) -> None:
    found = read_by(image_loaders, "cifar10", lambda path: image_loaders.read_cifar(path, 1), data)
    assert found is None or [len(images) for images, _ in found] == [5, 1]


@target(seeds.jpegs, tries=15)
def jpegs(data: bytes) -> None:
    found = read_by(image_loaders, "cifar10-jpeg", lambda path: image_loaders.read_jpeg(path, 2), data)
    assert found is None or found[0].shape == (2, 32, 32, 3)


@target(seeds.drivers, tries=8)
def drivers(data: bytes) -> None:
    loaded(driver_loaders, "nyc-tlc", 1, data, [seeds.monthly("2022-03")])


@target(seeds.areas, tries=3)
def areas(data: bytes) -> None:
    loaded(driver_loaders, "us-states", 1, data, [seeds.occupations()])


@target(seeds.bases, tries=10)
def bases(data: bytes) -> None:
    loaded(driver_loaders, "nyc-bases", 0, data)
