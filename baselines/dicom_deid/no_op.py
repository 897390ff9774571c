"""Nothing is removed."""

import shutil
from typing import Any

from fourfold.suite import Method


class NoOp(Method):
    """Returns every file as it came: all that is planted leaks, and all that is useful stays."""

    task = "dicom-deid"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Copy."""
        shutil.copytree(source, target, dirs_exist_ok=True)
