"""Nothing is returned."""

from typing import Any

from fourfold.suite import Method


class DropAll(Method):
    """Returns no file at all, which is no de-identification: what is missing fails every check."""

    task = "dicom-deid"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Write nothing."""
