"""deid, as its documentation shows it."""

from pathlib import Path
from typing import Any

from fourfold.baselines.dicom_deid.places import each
from fourfold.suite import Method


class Deid(Method):
    """The library deid 0.4.13 with its base recipe, of headers and of pixels.

    The recipe removes identifiers by keyword, UIDs among them, and blanks the regions that it knows of some devices.
    Patients and images are numbered, which the recipe leaves to its user; dates of theirs it would be given as well.
    """

    task = "dicom-deid"
    version = "1"
    author = "Vanessa Sochat and others, by fourfold"
    licence = "MIT"
    requirements = ("deid==0.4.13",)

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Replace the identifiers of each file, and blank the regions that the recipe knows."""
        from deid.config import DeidRecipe
        from deid.dicom import get_identifiers, replace_identifiers
        from deid.dicom.pixels import DicomCleaner

        recipe = DeidRecipe()
        self.patients: dict[str, int] = getattr(self, "patients", {})
        self.images: int = getattr(self, "images", 0)

        def one(old: Path, new: Path) -> None:
            found = get_identifiers([str(old)])
            identifiers = found[str(old)]
            self.images += 1
            given = {"entity_id": f"subject-{self.number(old)}", "item_id": f"image-{self.images}"}
            (cleaned,) = replace_identifiers([str(old)], deid=recipe, ids={str(old): identifiers | given})
            cleaner = DicomCleaner()
            if "PixelData" in cleaned and cleaner.detect(str(old))["flagged"]:
                pixels = cleaner.clean()
                if pixels is not None:
                    if cleaned.file_meta.TransferSyntaxUID.is_compressed:
                        cleaned.decompress()
                    cleaned.PixelData = pixels.tobytes()
            cleaned.save_as(new)

        each(source, target, one)

    def number(self, path: Path) -> int:
        """The patient's, from 1 on in the order in which they come."""
        from pydicom import dcmread

        patient = str(dcmread(path, force=True, specific_tags=["PatientID"]).get("PatientID"))
        return self.patients.setdefault(patient, len(self.patients) + 1)
