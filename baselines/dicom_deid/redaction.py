"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

import re

import numpy as np
from pydicom import FileDataset

from fourfold.baselines.dicom_deid.identity import WORD, folded
from fourfold.baselines.dicom_deid.samples import Samples, decoded, images, store
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.text_boxes import Quad, Reader, box
from fourfold.baselines.dicom_deid.vocabulary import is_clinical

SURE = 0.8
"""The confidence from which what is read is believed."""
MARGIN = 3
"""Pixels around a text that go with it."""
_DIGITS = re.compile(r"\d+")


def redact(dataset: FileDataset, reader: Reader, scrubber: Scrubber) -> bool:
    """Take identities out of a dataset's pixels, in place; whether there were any."""
    samples = decoded(dataset)
    frames = images(dataset, samples)
    changed = False
    for frame, image in zip(samples, frames, strict=True):
        quads = reader.detect(image)
        for quad, (text, sure) in zip(quads, reader.said(image, quads), strict=True):
            if not (sure >= SURE and fits(text, quad) and is_marking(text, scrubber)):
                erase(frame, box(quad, frame.shape, MARGIN))
                changed = True
    if changed:
        store(dataset, samples)
    return changed


def is_marking(text: str, scrubber: Scrubber) -> bool:
    """Whether a text is of no one: words of the vocabulary and small numbers, and nothing known of the patient."""
    words = [folded(word) for word in WORD.findall(text)]
    if not words and not text.strip():
        return False
    small = all(len(number) <= 4 for number in _DIGITS.findall(text)) and sum(map(str.isdigit, text)) <= 6
    known = scrubber.known.names
    return small and text.isascii() and all(is_clinical(word) and word not in known for word in words) and (
        scrubber.clean(text) == text.strip())


def fits(text: str, quad: Quad) -> bool:
    """Whether a text that is so long would be so wide: what was misread seldom is."""
    sides = [float(np.linalg.norm(quad[at] - quad[at - 1])) for at in (1, 2)]
    tall, wide = min(sides), max(sides)
    return 0.2 * tall * len(text) <= wide <= 1.1 * tall * (len(text) + 1)


def erase(frame: Samples, where: tuple[slice, slice]) -> None:
    """Fill a box from its four edges, by how near each is; nothing within has a part in it."""
    rows, columns = where
    part = frame[rows, columns].astype(np.float64)
    tall, wide = part.shape[:2]
    if tall < 2 or wide < 2:
        return
    down = np.linspace(0, 1, tall).reshape(-1, 1, *(1,) * (part.ndim - 2))
    across = np.linspace(0, 1, wide).reshape(1, -1, *(1,) * (part.ndim - 2))
    vertical = (1 - down) * part[:1] + down * part[-1:]
    horizontal = (1 - across) * part[:, :1] + across * part[:, -1:]
    near_rows, near_columns = np.minimum(down, 1 - down) * tall, np.minimum(across, 1 - across) * wide
    weight = near_columns / np.maximum(near_rows + near_columns, 1e-9)
    filled = weight * vertical + (1 - weight) * horizontal
    frame[rows, columns] = np.rint(filled).astype(frame.dtype)
