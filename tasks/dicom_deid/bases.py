"""Images to write on: what a base is, how one is varied so that no two are alike, and those that pydicom ships."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int32]
"""Integer samples of an image, (frames, rows, columns) or, in colour, (frames, rows, columns, 3)."""


@dataclass(frozen=True)
class Base:
    """An image without identity. pixels: samples as stored, within ``bits``, negative ones only where ``signed``.

    photometric: ``MONOCHROME1`` (the lowest is white), ``MONOCHROME2`` (the highest is) or ``RGB``.
    A CT's samples are Hounsfield units where signed, and Hounsfield units + 1024 where not.
    """

    modality: str
    pixels: Samples
    bits: int
    signed: bool = False
    photometric: str = "MONOCHROME2"

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest value that can be stored."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


MIRRORED = ("NM", "US", "XA")
"""Modalities whose images remain plausible when left and right are swapped; others have their sides marked."""
_SHIPPED: dict[str, tuple[str, tuple[float, float, float, float], int]] = {
    "CT_small.dcm": ("CT", (0, 0, 1, 1), 2), "J2K_pixelrep_mismatch.dcm": ("CT", (0, 0, 1, 1), 1),
    "MR_small.dcm": ("MR", (0, 0, 1, 1), 4), "examples_overlay.dcm": ("MR", (0, 0, 1, 1), 1),
    "JPEG2000.dcm": ("NM", (0, 0, 1, 1), 1), "examples_ybr_color.dcm": ("US", (0.05, 0.14, 0.9, 0.88), 2),
    "examples_rgb_color.dcm": ("US", (0.25, 0.08, 0.68, 0.92), 2),
}
"""Files in pydicom's wheel: modality, the part without text as shares (top, left, bottom, right), times enlarged."""


@cache
def shipped() -> tuple[Base, ...]:
    """Images from files within pydicom's wheel, without their native text; nothing is downloaded."""
    from pydicom.data import get_testdata_file

    found = []
    for name, (modality, part, times) in _SHIPPED.items():
        base = read(str(get_testdata_file(name, download=False)), modality, part)
        pixels = base.pixels[:4].repeat(times, axis=1).repeat(times, axis=2)
        found.append(replace(base, pixels=smoothed(pixels, times / 3) if times > 1 else pixels))
    return tuple(found)


def read(path: str | BinaryIO, modality: str, part: Sequence[float] = (0, 0, 1, 1), every: int = 1) -> Base:
    """A part of a DICOM file's image as a base of at most 12 bits. every: of so many rows and columns one is kept.

    Raises what pydicom raises where the file cannot be read.
    """
    from pydicom import dcmread
    from pydicom.pixels import pixel_array

    parsed = dcmread(path)
    coloured, frames = int(parsed.SamplesPerPixel) == 3, int(parsed.get("NumberOfFrames") or 1)
    pixels = np.asarray(pixel_array(parsed)).astype(np.int32)
    pixels = pixels.reshape((frames, parsed.Rows, parsed.Columns) + (3,) * coloured)
    (top, bottom), (left, right) = ((round(part[at] * size), round(part[at + 2] * size))
                                    for at, size in ((0, parsed.Rows), (1, parsed.Columns)))
    pixels = pixels[:, top:bottom, left:right]
    if every > 1:  # The mean of each square, so that fine lines do not break up.
        rows, columns = (size // every * every for size in pixels.shape[1:3])
        squares = pixels[:, :rows, :columns].reshape(frames, rows // every, every, columns // every, every, -1)
        pixels = squares.mean(axis=(2, 4)).astype(np.int32).reshape(
            (frames, rows // every, columns // every) + (3,) * coloured)
    if modality == "US":
        pixels = _on_a_screen(pixels)
    if coloured:
        return Base(modality, pixels, 8, photometric="RGB")
    if modality == "CT":
        hounsfield = pixels * float(parsed.get("RescaleSlope") or 1) + float(parsed.get("RescaleIntercept") or 0)
        return Base(modality, hounsfield.clip(-1024, 3071).astype(np.int32), 16, True)
    bits = 8 if modality == "US" else 12
    pixels = pixels - min(0, int(pixels.min()))
    while pixels.max() >= 1 << bits:
        pixels = pixels >> 1
    photometric = "MONOCHROME1" if parsed.PhotometricInterpretation == "MONOCHROME1" else "MONOCHROME2"
    return Base(modality, pixels, bits, False, photometric)


def _on_a_screen(pixels: Samples) -> Samples:
    """An ultrasound with the black margins again that its text was cut away with."""
    rows, columns = pixels.shape[1:3]
    margins = ((0, 0), (rows // 6, rows // 12), (columns // 6, columns // 6), (0, 0))
    return np.pad(pixels, margins[:pixels.ndim])


def varied(rng: np.random.Generator, base: Base) -> Base:
    """Another image of the same: cropped by up to a tenth, mirrored where harmless, other gamma, and fresh noise.

    No two are equal, and none can be had by a difference from the original.
    """
    rows, columns = base.pixels.shape[1:3]
    cut = [int(rng.integers(0, max(1, size // 20))) for size in (rows, rows, columns, columns)]
    right = columns - cut[3] - (columns - cut[3] - cut[2]) % 2  # Chrominance may be shared by two columns.
    pixels = base.pixels[:, cut[0]:rows - cut[1], cut[2]:right].astype(np.float32)
    if rng.random() < 0.5 and base.modality in MIRRORED:
        pixels = pixels[:, :, ::-1]
    low, high = float(pixels.min()), max(float(pixels.max()), float(pixels.min()) + 1)
    scaled = ((pixels - low) / (high - low)) ** np.float32(np.exp(rng.normal(0, 0.12)))
    pixels = low + (high - low) * scaled + noise(rng, pixels.shape, max(1.0, 0.006 * (high - low)))
    return replace(base, pixels=np.rint(pixels).clip(*base.limits).astype(np.int32))


def noise(rng: np.random.Generator, shape: Sequence[int], deviation: float) -> npt.NDArray[np.float32]:
    """Gaussian noise, one draw a pixel, the same in all three colours."""
    coloured = len(shape) == 4
    drawn = rng.standard_normal(tuple(shape[:3]), dtype=np.float32) * np.float32(deviation)
    return drawn[..., None] if coloured else drawn


def smoothed(pixels: Samples, deviation: float) -> Samples:
    """Rows and columns blurred by a Gaussian of so many pixels."""
    from scipy.ndimage import gaussian_filter

    sigma = (0, deviation, deviation, 0)[:pixels.ndim]
    return np.rint(gaussian_filter(pixels.astype(np.float32), sigma)).astype(np.int32)
