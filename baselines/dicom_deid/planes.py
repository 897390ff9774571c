"""Text taken out of overlay planes (PS3.3 C.9.2), whose outlines stay."""

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from fourfold.baselines.dicom_deid.redaction import identities
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.text_boxes import Reader

GROUPS, DATA = range(0x6000, 0x6020, 2), 0x3000


def redact_planes(dataset: Dataset, reader: Reader, scrubber: Scrubber) -> None:
    """Take identities out of the planes of a dataset, in place; a plane that cannot be looked at goes whole."""
    for group in GROUPS:
        if (group, DATA) not in dataset:
            continue
        try:
            dataset[group, DATA].value = _redacted(dataset, group, reader, scrubber)
        except Exception:  # Its size is not told, or not its own.
            del dataset[group, DATA]


def _redacted(dataset: Dataset, group: int, reader: Reader, scrubber: Scrubber) -> bytes:
    rows, columns = (int(dataset[group, element].value) for element in (0x0010, 0x0011))
    frames = int(dataset[group, 0x0015].value) if (group, 0x0015) in dataset else 1
    data = in_order(dataset, dataset[group, DATA].value)
    if frames * rows * columns > 8 * len(data):
        raise ValueError("a plane that is shorter than its rows and columns")
    bits = np.unpackbits(data, count=frames * rows * columns, bitorder="little").reshape(frames, rows, columns)
    for plane in bits:
        shown = np.repeat(255 * plane[..., None], 3, axis=2)
        gone, _ = identities(shown, plane.astype(np.int64), reader, scrubber)
        plane[gone] = 0
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    return in_order(dataset, packed + b"\0" * (len(packed) % 2)).tobytes()


def in_order(dataset: Dataset, data: bytes) -> npt.NDArray[np.uint8]:
    """The bytes of a plane as little-endian words, or such bytes as the dataset has them: they are its own inverse."""
    words = np.frombuffer(data, np.uint16)
    return (words if dataset.original_encoding[1] else words.byteswap()).view(np.uint8)
