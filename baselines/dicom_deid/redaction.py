"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

import re

import numpy as np
from pydicom import FileDataset

from fourfold.baselines.dicom_deid.identity import WORD, folded
from fourfold.baselines.dicom_deid.samples import Samples, decoded, images, store
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.text_boxes import Quad, Reader, box
from fourfold.baselines.dicom_deid.vocabulary import is_clinical, words

SURE = {True: 0.8, False: 0.6}
"""The confidence from which what is read is believed, of up to two letters and of more."""
MARGIN = 3
"""Pixels around a text that go with it."""
_SHORT = frozenset(["ap", "pa", "no", "in", "of", "mm", "cm", "kv", "ma", "im", "se", "l", "r", "lat", "low"])
_DIGITS = re.compile(r"\d+")


def redact(dataset: FileDataset, reader: Reader, scrubber: Scrubber) -> bool:
    """Take identities out of a dataset's pixels, in place; whether there were any."""
    samples = decoded(dataset)
    frames = images(dataset, samples)
    changed = False
    for frame, image in zip(samples, frames, strict=True):
        quads = reader.detect(image)
        for quad, (text, sure) in zip(quads, reader.said(image, quads), strict=True):
            believed = sure >= SURE[len(text) <= 2] and fits(text, quad)
            if not (believed and is_marking(text, scrubber)):
                erase(frame, box(quad, frame.shape, MARGIN))
                changed = True
    if changed:
        store(dataset, samples)
    return changed


def is_marking(text: str, scrubber: Scrubber) -> bool:
    """Whether a text is of no one: words of the vocabulary and small numbers, and nothing known of the patient."""
    said = [folded(word) for word in WORD.findall(text)]
    digits = _DIGITS.findall(text)
    if not (said or digits) or not text.isascii() or max(map(len, digits), default=0) > 4 or len("".join(digits)) > 6:
        return False
    if any(name in word for word in said for name in scrubber.known.names if len(name) > 2 or name == word):
        return False
    spaced = " ".join(part.strip() for word in re.split(r"([A-Za-z]+)", text) for part in parted(word) if part.strip())
    return all(parted(word) and is_clinical(part) for word in said for part in parted(word)) and (
        scrubber.clean(spaced) == spaced)


def parted(word: str) -> list[str]:
    """A word, or the words that it is made of where the reader has seen no spaces; none where it is not."""
    if not word.isalpha() or word.lower() in words():
        return [word]
    best: list[list[str]] = [[]]
    for end in range(1, len(word) + 1):
        starts = [start for start in range(end) if (start == 0 or best[start]) and _part(word[start:end].lower())]
        found = [[*best[start], word[start:end]] for start in starts]
        best.append(min(found, key=len, default=[]))
    return best[-1]


def _part(word: str) -> bool:
    return word in _SHORT or (len(word) >= 4 and word in words())


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
