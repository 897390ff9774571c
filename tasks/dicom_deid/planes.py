"""Whether identifiers that were drawn in the plane of an overlay (PS3.3 C.9.2) can still be read in any."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid import ocr
from fourfold.tasks.dicom_deid.key import Mask, Planted
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.residual import HIDDEN, LEGIBLE

if TYPE_CHECKING:
    from pydicom import Dataset

GROUPS = range(0x6000, 0x6020, 2)
_MARGIN = 6

Plane = npt.NDArray[np.bool_]


def legible(file: File, item: Planted) -> tuple[str, str]:
    """In what form an item can be read in a plane of the output, and a measure of it; two empty texts if it cannot.

    As in pixels, ``residual``: by the share of its glyphs that are still there, less that of what is between them, or
    the other way around; in doubt, and where a plane has another size so that nobody knows where to look, by OCR.
    """
    dataset, _ = file.parsed
    if item.mask is None or dataset is None:
        return "", ""
    mask = item.mask
    box = np.s_[mask.top : mask.top + mask.glyphs.shape[0], mask.left : mask.left + mask.glyphs.shape[1]]
    size = dataset.get("Rows"), dataset.get("Columns")
    for plane in planes(dataset):
        there = plane[box]
        if plane.shape == size and there.shape == mask.glyphs.shape:
            share = abs(float(there[mask.glyphs].mean()) - float(there[~mask.glyphs].mean()))
            measured = f"{share:.0%} of its glyphs are there"
            if share > LEGIBLE:
                return "contrast", measured
            if share < HIDDEN:
                continue
            top, left = max(0, mask.top - _MARGIN), max(0, mask.left - _MARGIN)
            plane = plane[top : box[0].stop + _MARGIN, left : box[1].stop + _MARGIN]
        else:
            measured = f"in a plane of {plane.shape[0]} x {plane.shape[1]}"
        form, read = ocr.reads(plane.astype(np.float64), item.forms) if plane.any() else ("", "")
        if form:
            return form, f"{measured}; {read}"
    return "", ""


def stands(file: File, mask: Mask) -> bool:
    """Whether the drawing of a mask, and nothing else in its box, is in an overlay's plane."""
    dataset, _ = file.parsed
    box = np.s_[mask.top : mask.top + mask.glyphs.shape[0], mask.left : mask.left + mask.glyphs.shape[1]]
    return dataset is not None and any(np.array_equal(plane[box], mask.glyphs) for plane in planes(dataset))


def planes(dataset: "Dataset") -> Iterator[Plane]:
    """Each overlay's plane, (rows, columns) bool; the first frame of one that has several."""
    for group in GROUPS:
        try:
            rows, columns = (int(dataset[group, element].value) for element in (0x0010, 0x0011))
            data = np.frombuffer(dataset[group, 0x3000].value, np.uint8)
            if not dataset.original_encoding[1] and dataset[group, 0x3000].VR != "OB":
                data = data.view(">u2").astype("<u2").view(np.uint8)  # Words, and big-endian.
            if rows * columns > 8 * len(data):
                continue
            bits = np.unpackbits(data, count=rows * columns, bitorder="little")
            yield bits.astype(bool).reshape(rows, columns)
        except Exception:  # There is none, or it cannot be shown, and then nobody reads it.
            continue
