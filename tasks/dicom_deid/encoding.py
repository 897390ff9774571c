"""Pixels as DICOM stores them: depth, sign, photometric interpretation, planes, palettes, frames, transfer syntaxes.

What is written: native, RLE and JPEG 2000 lossless of all kinds, and JPEG baseline of 8 bits. What is not, as no
library among the dependencies writes it: JPEG lossless (process 14), JPEG extended of 12 bits, and JPEG-LS.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.bases import Base, Samples

if TYPE_CHECKING:
    from pydicom import Dataset

SYNTAXES = ("native", "rle", "jpeg2000", "jpeg")
"""Explicit little endian; RLE; JPEG 2000 lossless; JPEG baseline, which alone loses something."""
PHOTOMETRICS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422")
BLOCK = 16
"""Pixels of a side of the largest square that JPEG baseline encodes as one: beyond those that a glyph touches, what is
decoded with it and without it is equal. In YBR_FULL_422 it is the pair of pixels that share their colour."""

LARGEST = 1 << 18


@dataclass(frozen=True)
class Style:
    """How samples are stored. bits: BitsStored. planar: PlanarConfiguration, of native colour alone.

    photometric: of PHOTOMETRICS; the last two take RGB samples and store luminance and chrominance.
    """

    syntax: str = "native"
    photometric: str = "MONOCHROME2"
    bits: int = 8
    signed: bool = False
    planar: int = 0

    @property
    def exact(self) -> bool:
        """Whether what is decoded is what was encoded."""
        return self.syntax != "jpeg" and not self.photometric.startswith("YBR")


def style_of(base: Base, rng: np.random.Generator) -> Style:
    """A style that is in use for such an image: more than half native, the rest compressed in one of three ways.

    JPEG 2000 is for images of at most LARGEST samples, as it takes ten times as long as the others.
    """
    drawn, turn, planar = rng.random(), rng.random(), int(rng.random() < 0.3)
    syntax = "native" if drawn < 0.55 else "rle" if drawn < 0.78 else "jpeg2000" if drawn < 0.86 else "jpeg"
    if (syntax == "jpeg" and base.bits != 8) or (syntax == "jpeg2000" and base.pixels.size > LARGEST):
        syntax = "rle"
    photometric = base.photometric
    if photometric == "RGB":
        if syntax == "jpeg":
            photometric = "YBR_FULL_422" if turn < 0.5 else "YBR_FULL"
        elif syntax == "native" and turn < 0.4:
            photometric = "YBR_FULL" if turn < 0.2 else "YBR_FULL_422"
    elif base.bits == 8 and syntax != "jpeg" and base.modality in ("US", "SC", "NM") and turn < 0.4:
        photometric = "PALETTE COLOR"
    return Style(syntax, photometric, base.bits, base.signed,
                 planar if syntax == "native" and photometric in ("RGB", "YBR_FULL") else 0)


def encode(dataset: "Dataset", pixels: Samples, style: Style) -> None:
    """Write samples, (frames, rows, columns) or (..., 3), into a dataset, with all that describes them.

    Its file meta information is made where it has none, and gets the transfer syntax. Raises ValueError for samples
    beyond the style's bits, for colour where it is grey or grey where it is colour, and for JPEG of more than 8 bits.
    """
    _check(pixels, style)
    frames, rows, columns = pixels.shape[:3]
    stored = pixels.astype(_type(style))
    if style.photometric.startswith("YBR") and style.syntax != "jpeg":
        stored = _luminance(stored)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    dataset.PhotometricInterpretation = style.photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.itemsize, style.bits, style.bits - 1
    dataset.PixelRepresentation = int(style.signed)
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = style.planar if style.syntax == "native" else int(style.syntax == "rle")
    if frames > 1:
        dataset.NumberOfFrames = frames
    if style.photometric == "PALETTE COLOR":
        _add_palette(dataset)
    _add_pixels(dataset, stored, style)


def _check(pixels: Samples, style: Style) -> None:
    half = 1 << (style.bits - 1)
    low, high = (-half, half - 1) if style.signed else (0, 2 * half - 1)
    if pixels.min() < low or pixels.max() > high:
        raise ValueError(f"samples from {pixels.min()} to {pixels.max()} do not fit {style}: it holds {low} to {high}")
    if (pixels.ndim == 4) != (style.photometric in ("RGB", "YBR_FULL", "YBR_FULL_422")):
        raise ValueError(f"samples of shape {pixels.shape} are none of {style.photometric}")
    if style.syntax == "jpeg" and style.bits != 8:
        raise ValueError(f"JPEG baseline holds 8 bits, not {style.bits}: take jpeg2000")


def _type(style: Style) -> npt.DTypeLike:
    return f"<{'i' if style.signed else 'u'}{1 if style.bits <= 8 else 2}"


def _luminance(stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """RGB as YBR_FULL: PS3.3 C.7.6.3.1.2."""
    weights = np.array(((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813)), np.float32)
    mixed = stored.astype(np.float32) @ weights.T + np.array((0, 128, 128), np.float32)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def _add_palette(dataset: "Dataset") -> None:
    """A palette of 256 entries of 16 bits: grey, a little warmer in the middle, as of an ultrasound's display."""
    grey = np.arange(256) * 257
    warm = 9000 * np.sin(np.pi * np.arange(256) / 255)
    for name, shift in (("Red", warm), ("Green", warm / 2), ("Blue", -warm / 2)):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = (grey + shift).clip(0, 65535).astype("<u2").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", entries)


def _add_pixels(dataset: "Dataset", stored: npt.NDArray[Any], style: Style) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

    uid = {"native": ExplicitVRLittleEndian, "rle": RLELossless, "jpeg2000": JPEG2000Lossless,
           "jpeg": JPEGBaseline8Bit}[style.syntax]
    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid
    if style.syntax == "native":
        data = _native(stored, style)
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
        return
    if style.syntax == "jpeg":
        _add_jpeg(dataset, stored, style)
        return
    if style.syntax == "jpeg2000" and style.photometric == "RGB":
        dataset.PhotometricInterpretation = "YBR_RCT"  # So says PS3.5 8.2.4 of its reversible colour transform.
    dataset.compress(uid, stored[0] if len(stored) == 1 else stored, generate_instance_uid=False)
    if stored.ndim == 4:
        dataset.PlanarConfiguration = int(style.syntax == "rle")


def _native(stored: npt.NDArray[Any], style: Style) -> bytes:
    """Bytes of uncompressed frames, by pixel or by plane, or with the chrominance of each two pixels together."""
    if style.photometric == "YBR_FULL_422":
        frames, rows, columns = stored.shape[:3]
        if columns % 2:
            raise ValueError(f"YBR_FULL_422 needs an even number of columns, not {columns}")
        pairs = stored.reshape(frames, rows, columns // 2, 2, 3)
        shared = pairs[..., 1:].astype(np.uint16).sum(axis=3) // 2
        return np.concatenate((pairs[..., 0], shared.astype(np.uint8)), axis=-1).tobytes()
    return (np.moveaxis(stored, 3, 1) if style.planar else stored).tobytes()


def _add_jpeg(dataset: "Dataset", stored: npt.NDArray[Any], style: Style) -> None:
    """Frames of 8 bits as JPEG baseline at quality 92, with what must be said of a loss."""
    from PIL import Image
    from pydicom.encaps import encapsulate

    coded = []
    for frame in stored:
        target = BytesIO()
        shared = {"subsampling": "4:2:2" if style.photometric == "YBR_FULL_422" else "4:4:4"} if frame.ndim == 3 else {}
        Image.fromarray(frame).save(target, "JPEG", quality=92, **shared)
        coded.append(target.getvalue())
    dataset.PixelData = encapsulate(coded)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.LossyImageCompressionRatio = f"{stored.nbytes / sum(map(len, coded)):.2f}"
