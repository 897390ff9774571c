"""All is removed that can be, and the file still opens."""

import contextlib
import hashlib
import secrets
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from fourfold.baselines.dicom_deid.places import pairs
from fourfold.suite import Method

TEXT = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"])
KEPT = frozenset({0x00080005, 0x00080016, 0x00080060})
"""Character set, SOP class and modality: without them the file says nothing of what it is."""
BULK = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


class BlankAll(Method):
    """Empties every text, zeroes every pixel, replaces every UID and drops private elements, overlays and binary data.

    What it leaks is the floor; of what is useful it leaves the frame of the file, and which files belong together.
    """

    task = "dicom-deid"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Blank each file."""
        self.salt = getattr(self, "salt", secrets.token_bytes(16))
        for old, new in pairs(source, target):
            with contextlib.suppress(Exception):  # What cannot be read as DICOM is left out.
                dataset = dcmread(old, force=True)
                blank(dataset, self.salt)
                written(dataset).save_as(new, enforce_file_format=True)


def blank(dataset: Dataset, salt: bytes) -> None:
    """Empty a dataset and those nested in it; of its image, the elements of group 0028 are kept."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # Its value is none of its VR.
            del dataset[tag]
            continue
        if element.VR == "SQ" and not tag.is_private:
            for item in element.value:
                blank(item, salt)
        elif element.VR == "UI" and tag not in KEPT and not tag.is_private:
            element.value = _replaced(element, salt)
        elif tag.is_private or tag.group >> 8 == 0x60 or (element.VR in ("OB", "OW", "UN") and tag.group != 0x7FE0):
            del dataset[tag]
        elif element.VR in TEXT and tag.group != 0x0028 and tag not in KEPT:
            element.value = None


def _replaced(element: DataElement, salt: bytes) -> Any:
    values = [element.value] if element.VM <= 1 else list(element.value)
    return [value if str(value).startswith("1.2.840.10008.") else
            f"2.25.{int.from_bytes(hashlib.sha256(salt + str(value).encode()).digest()[:16])}" for value in values]


def written(dataset: FileDataset) -> FileDataset:
    """The dataset with pixels of zero, ready to be written uncompressed and with meta information of its own."""
    if "PixelData" in dataset:
        shape = [int(dataset.get(name) or 1) for name in ("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel")]
        size = (int(np.prod(shape)) * int(dataset.get("BitsAllocated") or 8) + 7) // 8
        dataset.PixelData = bytes(size + size % 2)
        dataset["PixelData"].VR = "OW"
        dataset["PixelData"].is_undefined_length = False
        if str(dataset.get("PhotometricInterpretation")).startswith("YBR"):
            dataset.PhotometricInterpretation = "RGB"
    for name in BULK[1:]:
        if name in dataset:
            dataset[name].value = bytes(len(dataset[name].value))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or generate_uid()
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    dataset.set_original_encoding(False, True)
    return dataset
