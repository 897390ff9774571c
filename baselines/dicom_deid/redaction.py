"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

import re
from collections.abc import Sequence

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
AROUND = 4
"""Pixels beyond a box by which it is filled."""
_SHORT = frozenset(["ap", "pa", "no", "in", "of", "mm", "cm", "kv", "ma", "im", "se", "l", "r", "lat", "low"])
_DIGITS = re.compile(r"\d+")


def redact(dataset: FileDataset, reader: Reader, scrubber: Scrubber) -> bool:
    """Take identities out of a dataset's pixels, in place; whether there were any."""
    samples = decoded(dataset)
    frames = images(dataset, samples)
    changed = False
    for frame, image in zip(samples, frames, strict=True):
        quads = reader.detect(image)
        gone = []
        for quad, (text, sure) in zip(quads, reader.said(image, quads), strict=True):
            believed = sure >= SURE[len(text) <= 2] and fits(text, quad)
            if not (believed and is_marking(text, scrubber)):
                gone.append(box(quad, frame.shape, MARGIN))
        erase(frame, gone)
        changed = changed or bool(gone)
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
    made_of = [parted(word) for word in said]
    return all(made_of) and all(is_clinical(part) for parts in made_of for part in parts) and (
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


def erase(frame: Samples, boxes: Sequence[tuple[slice, slice]]) -> None:
    """Fill each box with the median of what is around it and in no box; nothing within has a part in it."""
    free = np.ones(frame.shape[:2], bool)
    for where in boxes:
        free[where] = False
    middle = np.median(frame, axis=(0, 1))
    for rows, columns in boxes:
        near = tuple(slice(max(side.start - AROUND, 0), side.stop + AROUND) for side in (rows, columns))
        ring = frame[near][free[near]]
        frame[rows, columns] = np.median(ring, axis=0) if len(ring) else middle
