"""Names of files and folders that tell nothing of whose they are."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.surrogates import Surrogates

MAPPING = "mapping.csv"
"""Where it is told which file became which, in columns ``old`` and ``new``."""
_PARTS = re.compile(r"[\W_]+|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_SHORT = 4
"""Letters or digits up to which a part of a name tells nobody, unless it is known to be of a name."""


class FileNames:
    """New names, given what is known of all patients."""

    def __init__(self, scrubber: Scrubber, surrogates: Surrogates) -> None:
        self._scrubber, self._surrogates = scrubber, surrogates

    def renamed(self, path: PurePosixPath) -> PurePosixPath:
        """The path with each part replaced that may tell who it is of; equal parts alike."""
        return PurePosixPath(*(self.part(part) for part in path.parts))

    def part(self, name: str) -> str:
        """A file's or folder's name, or a code that stands for it."""
        stem, dot, ending = name.rpartition(".") if re.search(r"\.[A-Za-z]{2,4}$", name) else (name, "", "")
        if self._tells_nobody(stem):
            return name
        return self._surrogates.code("file name", stem, 8) + dot + ending

    def _tells_nobody(self, stem: str) -> bool:
        words = [word for word in _PARTS.split(stem) if word]
        return all(
            word.isascii() and (len(word) <= _SHORT or (word.isalpha() and word.lower() in _PLAIN)) for word in words
        ) and self._scrubber.clean(stem, strict=False) == stem


_PLAIN = frozenset(["dicom", "dicomdir", "image", "images", "series", "study", "studies", "patient", "slice", "frame"])


def write_mapping(target: Path, names: Mapping[str, str]) -> None:
    """Say which file became which, if any was renamed."""
    changed = {old: new for old, new in names.items() if old != new}
    if changed:
        with open(target / MAPPING, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("old", "new"), *changed.items()])
