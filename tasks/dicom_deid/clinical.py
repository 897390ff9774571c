"""Real images as bases: CT, MR, ultrasound, radiographs and a bone scan that are free to use, their pixels alone.

Parts with text from a machine are cut away. Every image drawn from them is ``varied``, by crop, gamma and noise.
"""

import csv
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np

from fourfold.suite.datasets import DatasetError, require
from fourfold.tasks.dicom_deid.bases import Base, read, varied
from fourfold.tasks.dicom_deid.sources import CLINICAL, HOME


@dataclass(frozen=True)
class Source:
    """A file's bytes, its modality, the part without text as in ``bases.read``, and how much smaller it is made."""

    data: bytes = field(repr=False)
    modality: str
    part: tuple[float, float, float, float] = (0, 0, 1, 1)
    every: int = 1


_WHOLE = (0.0, 0.0, 1.0, 1.0)
_PARTS: dict[str, tuple[str, tuple[float, float, float, float], int]] = {
    "pydicom_data/explicit_VR-UN.dcm": ("CT", _WHOLE, 1), "pydicom_data/bad_sequence.dcm": ("CT", _WHOLE, 1),
    "pydicom_data/MR-SIEMENS-DICOM-WithOverlays.dcm": ("MR", _WHOLE, 1),
    "pydicom_data/MR2_J2KR.dcm": ("MR", _WHOLE, 2),
    **{f"dcm_qa_deident/{number:05d}.dcm": ("MR", _WHOLE, 1) for number in range(50, 150, 5)},
    "pydicom_data/JPEG-LL.dcm": ("NM", _WHOLE, 1),
    "pydicom_data/RG1_J2KI.dcm": ("CR", _WHOLE, 4), "pydicom_data/RG3_J2KR.dcm": ("DX", _WHOLE, 4),
    "pydicom_data/US1_UNCR.dcm": ("US", (0.25, 0.08, 0.68, 0.92), 1),
    "pydicom_data/gdcm-US-ALOKA-16.dcm": ("US", (0.2, 0.12, 0.82, 0.49), 1),
    "pydicom_data/JPGLosslessP14SV1_1s_1f_8b.dcm": ("US", (0.22, 0.17, 0.74, 0.73), 2),
    "deid_data/GREYSCALE_IMAGE.dcm": ("US", (0.14, 0.14, 0.9, 0.86), 2),
}
"""The files that are used, beneath ``dicom``: the others are tables of text, masks, test patterns, or all labels."""


Sources = Mapping[str, tuple[Source, ...]]


def images(cache: Path) -> Sources:
    """The files in a cache by modality. Raises DatasetError, with what to do, where one is absent or damaged."""
    require(CLINICAL, cache)
    dicom = {row["file"]: row["sha256"] for row in _rows(cache / HOME / "dicom" / "manifest.csv")}
    sources = [Source(_whole(cache / HOME / "dicom" / name, _digest(dicom, f"dicom/{name}")), *how)
               for name, how in _PARTS.items()]
    sources += [Source(_whole(cache / HOME / "cxr_hannover" / row["filename"], row["sha256"]), row["modality"])
                for row in _rows(cache / HOME / "cxr_hannover" / "metadata.csv")]
    return {modality: tuple(source for source in sources if source.modality == modality)
            for modality in sorted({source.modality for source in sources})}


def varied_from(sources: Sources, rng: np.random.Generator, modality: str) -> Base:
    """An image of a modality, varied from a real one; of a modality without one, a drawing."""
    from fourfold.tasks.dicom_deid.phantoms import drawn

    if modality not in sources:
        return drawn(rng, modality)
    return varied(rng, _base(sources[modality][int(rng.integers(len(sources[modality])))]))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _digest(table: Mapping[str, str], name: str) -> str:
    if name not in table:
        near = difflib.get_close_matches(name, table, 1)
        raise DatasetError(f"the manifest of dataset clinical names no {name}; the nearest is {', '.join(near)}")
    return table[name]


def _whole(path: Path, sha256: str) -> bytes:
    if not path.is_file():
        raise DatasetError(f"dataset clinical needs {path}: it is not there. {CLINICAL.by_hand}")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DatasetError(f"{path} of dataset clinical is damaged: its digest is not the one in its table. "
                           f"{CLINICAL.by_hand}")
    return data


@lru_cache(maxsize=64)
def _base(source: Source) -> Base:
    """Read a file as a base; a radiograph's 8 bits become the upper ones of 12, as noise will fill the lower."""
    if not source.data.startswith(b"\x89PNG"):
        return read(BytesIO(source.data), source.modality, source.part, source.every)
    from PIL import Image

    with Image.open(BytesIO(source.data)) as image:
        pixels = np.asarray(image.convert("L")).astype(np.int32)
    return Base(source.modality, pixels[None] * 16, 12)
