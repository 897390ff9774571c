"""dicognito, as its documentation shows it."""

from pathlib import Path
from typing import Any

from fourfold.baselines.dicom_deid.places import each
from fourfold.suite import Method


class Dicognito(Method):
    """The library dicognito 0.19.0 with its defaults: names, IDs, UIDs and dates are replaced alike in all files.

    Descriptions, comments, private elements and pixels stay as they are. Its command would rename each file after its
    UID; through the API, as its documentation shows it, names stay.
    """

    task = "dicom-deid"
    version = "1"
    author = "Blair Conrad, by fourfold"
    licence = "MIT"
    requirements = ("dicognito==0.19.0",)

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Anonymize each file by one anonymizer, so that patients stay one over all groups."""
        from dicognito.anonymizer import Anonymizer
        from pydicom import dcmread

        self.anonymizer = getattr(self, "anonymizer", None) or Anonymizer()

        def one(old: Path, new: Path) -> None:
            with dcmread(old) as dataset:
                self.anonymizer.anonymize(dataset)
                dataset.save_as(new)

        each(source, target, one)
