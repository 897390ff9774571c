"""The dataset cache: what is there, whether it is whole, and how to get it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a dataset, beneath the cache, with the SHA-256 of its bytes and where to get it ('' = by hand)."""

    path: str
    sha256: str
    size: int
    url: str = ""


@dataclass(frozen=True)
class Dataset:
    """What a dataset is, where its bytes come from, and under which terms. Embedded ones: no files but a version."""

    name: str
    title: str
    licence: str
    source: str
    files: Sequence[File] = ()
    by_hand: str = ""
    version: str = ""
