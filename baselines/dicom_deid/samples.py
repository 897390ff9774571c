"""The pixels of a dataset as arrays, as images that a reader of text sees, and back."""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import FileDataset
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit

Samples = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]


def decoded(dataset: FileDataset) -> Samples:
    """The samples, (frames, rows, columns) or, in colour, (frames, rows, columns, 3), as RGB; palettes not applied."""
    frames, count = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    shape = (frames, int(dataset.Rows), int(dataset.Columns)) + (count,) * (count > 1)
    return pixel_array(dataset).reshape(shape).copy()


def images(dataset: FileDataset, samples: Samples) -> Image:
    """The frames as 8-bit RGB, (frames, rows, columns, 3), from the darkest sample to the brightest."""
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        samples = apply_color_lut(samples, dataset)
    grey = samples.astype(np.float32)
    low, high = float(grey.min()), float(grey.max())
    scaled = ((grey - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    return scaled if scaled.ndim == 4 else np.repeat(scaled[..., None], 3, axis=3)


def codes(samples: Samples) -> npt.NDArray[np.int64]:
    """The samples as one number a pixel, (frames, rows, columns), equal where the colours are."""
    wide = samples.astype(np.int64)
    return wide if wide.ndim == 3 else wide @ np.array([1 << 32, 1 << 16, 1])


def lossy(dataset: FileDataset) -> bool:
    """Whether compression has changed the samples."""
    return dataset.get("LossyImageCompression") == "01" or dataset.file_meta.TransferSyntaxUID in (
        JPEGBaseline8Bit, JPEGExtended12Bit)


def store(dataset: FileDataset, samples: Samples) -> None:
    """Write samples that were ``decoded`` back, uncompressed."""
    data = samples.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    element = dataset["PixelData"]
    element.VR, element.is_undefined_length = "OW" if samples.itemsize > 1 else "OB", False
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_original_encoding(False, True)
    if samples.ndim == 4:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            delattr(dataset, name)
