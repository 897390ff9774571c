"""Kitware's dicom-anonymizer, as its command runs it."""

from pathlib import Path
from typing import Any

from fourfold.suite import Method


class DicomAnonymizer(Method):
    """The program dicom-anonymizer 2.1.0 with its defaults, once a folder: Table E.1-1 without options, no pixels.

    Private elements and descriptions are removed, all dates become one. It skips files without a preamble.
    """

    task = "dicom-deid"
    version = "1"
    author = "Kitware, by fourfold"
    licence = "BSD-3-Clause"
    requirements = ("dicom-anonymizer==2.1.0",)

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Run it on every folder: it does not look into those within."""
        from dicomanonymizer.anonymizer import anonymize

        for folder in [Path(source), *(path for path in sorted(Path(source).rglob("*")) if path.is_dir())]:
            beside = Path(target, folder.relative_to(source))
            beside.mkdir(parents=True, exist_ok=True)
            if any(path.is_file() for path in folder.iterdir()):
                anonymize(str(folder), str(beside), {}, True)
