"""Notes on an image that are no pixels: overlay planes and their text, and graphic annotations."""

import numpy as np

from fourfold.tasks.dicom_deid import wording
from fourfold.tasks.dicom_deid.glyphs import glyphs
from fourfold.tasks.dicom_deid.headers import pick
from fourfold.tasks.dicom_deid.key import Mask
from fourfold.tasks.dicom_deid.slots import Filler

OVERLAY = 0x6000_0000
TYPE = 12
"""Pixels that a name is high in an overlay's plane."""


def overlay(to: Filler, rows: int, columns: int) -> None:
    """A plane with the outline of a lesion and the patient's name above it; its label and comment tell it, too."""
    plane = np.zeros((rows, columns), np.uint8)
    top, left = int(to.rng.integers(rows // 4, rows // 2)), int(to.rng.integers(columns // 4, columns // 2))
    plane[top : top + rows // 8, [left, left + columns // 8]] = 1
    plane[[top, top + rows // 8], left : left + columns // 8] = 1
    outline = Mask(top, left, plane[top : top + rows // 8 + 1, left : left + columns // 8 + 1].astype(bool))
    name = " ".join(to.who.person.latin[::-1])
    ink = glyphs(name, TYPE)[:, : columns - 8]
    mask = Mask(4, int(to.rng.integers(4, max(5, columns - ink.shape[1] - 4))), ink)
    to.put(OVERLAY | 0x0010, rows)
    to.put(OVERLAY | 0x0011, columns)
    to.text(OVERLAY | 0x0022, pick(to.rng, wording.GRAPHICS), "overlay", 64)
    to.put(OVERLAY | 0x0040, "G")
    to.put(OVERLAY | 0x0050, [1, 1])
    to.put(OVERLAY | 0x0100, 1)
    to.put(OVERLAY | 0x0102, 0)
    to.plant(OVERLAY | 0x1500, "name", name, "Lesion", locus="overlay")
    if to.given:
        plane[mask.top : mask.top + ink.shape[0], mask.left : mask.left + ink.shape[1]] |= ink
        to.note("name", "overlay", to.where(OVERLAY | 0x3000), name, mask=mask)
    to.noted_kept("graphic", to.where(OVERLAY | 0x3000), ("outline",), outline)
    data = np.packbits(plane.reshape(-1), bitorder="little").tobytes()
    to.put(OVERLAY | 0x3000, data + b"\0" * (len(data) % 2))
    to.text(OVERLAY | 0x4000, pick(to.rng, wording.COMMENTS), "overlay")


def annotation(to: Filler) -> None:
    """A text that a reader put on the image."""
    item = to.item("GraphicAnnotationSequence", "overlay")
    item.put("GraphicLayer", "NOTES")
    text = item.item("TextObjectSequence")
    text.keep("AnchorPointAnnotationUnits", "PIXEL", "attribute")
    text.text("UnformattedTextValue", pick(to.rng, wording.GRAPHICS), "overlay")
    text.keep("AnchorPoint", [20.0, 20.0], "attribute")
    text.put("AnchorPointVisibility", "N")
