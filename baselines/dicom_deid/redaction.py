"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import FileDataset

from fourfold.baselines.dicom_deid.blocks import HINTED, READ, SEEN, blocks, confirmed, crowded, is_thick, surroundings
from fourfold.baselines.dicom_deid.filling import fill
from fourfold.baselines.dicom_deid.judging import is_word, judged, letters_in, marking_in
from fourfold.baselines.dicom_deid.samples import Image, codes, decoded, images, lossy, store
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.strokes import (
    Bools,
    Box,
    Floats,
    Line,
    boxed,
    is_ruler,
    is_soft,
    lines,
    merged,
    pieces,
    standing_out,
)
from fourfold.baselines.dicom_deid.text_boxes import GRAINY, Reader, grain, levelled, smoothed, uncoloured
from fourfold.baselines.dicom_deid.unseen import (
    HALO,
    MARGIN,
    around_box,
    around_line,
    beside,
    is_hidden,
    vanishing,
    wider,
)

Codes = npt.NDArray[np.int64]

SOLID = 0.5
"""How much of the rectangle around it what the detector sees fills, if it is text."""
APART, STEPS = 0.9, 3
"""Of the tallest line, how far off a sign next to it is at most; and how many stand side by side."""


def redact(dataset: FileDataset, reader: Reader, scrubber: Scrubber) -> bool:
    """Take identities out of a dataset's pixels, in place; whether there were any."""
    samples = decoded(dataset)
    exact = None if lossy(dataset) else codes(samples)
    shown = images(dataset, samples)
    found = [
        identities(image, None if exact is None else exact[number], reader, scrubber)
        for number, image in enumerate(shown)
    ]
    if len(shown) > 1:  # What stands still is seen in their mean, where the grain of each frame hides it.
        found.append(identities(shown.mean(axis=0).astype(np.uint8), None, reader, scrubber))
    if len(shown) > 2:
        found.append((passing := on_some(shown, reader), passing))
    gone, faint = (np.logical_or.reduce(each) for each in zip(*found, strict=True))
    if gone.any():
        for frame in samples:  # What is seen on one frame stands on others too, and may be lost in their noise.
            fill(frame, gone, faint)
        store(dataset, samples)
    return bool(gone.any())


def on_some(frames: Image, reader: Reader) -> Bools:
    """(rows, columns) bool: the rectangles of text that can be read in what frames (number, rows, columns, 3) differ by
    from their median, as text does that stands on a few of them alone."""
    changes = np.abs(frames - np.median(frames, axis=0)).max(axis=0)
    shown = np.asarray(changes * (255 / max(float(changes.max()), 1.0)), np.uint8)
    look = reader.upright(shown)
    nothing = np.zeros(look.shape, bool)
    boxes, _ = _texts(look > HINTED, look, nothing)
    read = [box for box in boxes if letters_in(box, [shown], reader) >= READ]
    gone = blocks(read, look.shape, False)
    for top, left, bottom, right in read:
        gone[max(top - MARGIN, 0) : bottom + MARGIN, max(left - MARGIN, 0) : right + MARGIN] = True
    return gone


def identities(
    image: Image, coded: Codes | None, reader: Reader, scrubber: Scrubber
) -> tuple[Bools, Bools]:
    """(rows, columns) bool: what must go of an image (rows, columns, 3); and what of it may be faint.

    coded: its samples, a number a colour; None where compression has changed them.
    """
    import cv2

    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    looks = reader.looks(image)
    found, bad = judged(lines(coded, grey, np.maximum.reduce(looks)), image, reader, scrubber)
    spared = boxed([line for line in found if line not in bad and (is_word(line) or is_ruler(line))], grey.shape, 0)
    hinted = [box for box in unexplained(looks, found) if not marking_in(box, image, reader, scrubber)]
    weak = [*(line.box for line in bad if line.value is None), *hinted]
    shown = [image, uncoloured(image)] if np.ptp(image, axis=2).any() else [image]
    ways = [*shown, *map(levelled, shown), levelled(smoothed(image))]
    weak = confirmed(weak, looks, lambda box: letters_in(box, ways, reader))
    bad = [line for line in bad if line.value is not None or line.box in weak]
    near = surroundings(weak, grey.shape)
    closer = np.maximum.reduce([reader.closer(each, near) for each in shown])
    weak += [box for box in unexplained([closer], found) if not marking_in(box, image, reader, scrubber)]
    gone = wider(merged([line for line in bad if line.value is not None], grey.shape), HALO)
    gone |= wider(signs(bad, coded, grey, spared), HALO)
    for line in bad:
        gone |= vanishing(line, grey)
    faint = softened(bad, grey) | around(bad, weak, grey, spared)
    noise = grain(image)
    hidden = [box for box in weak if is_hidden(box, grey, noise)]
    faint |= (blocks(weak, grey.shape, False) | blocks(hidden, grey.shape, noise > GRAINY)) & ~spared
    if noise > GRAINY:
        faint |= crowded(looks[-1]) & ~spared
    return gone | faint, faint


def softened(bad: Sequence[Line], grey: npt.NDArray[np.uint8]) -> Bools:
    """(rows, columns) bool: the boxes of lines whose strokes fade into what is around them."""
    faint = np.zeros(grey.shape, bool)
    for line in bad:
        if is_soft(line, grey):
            faint |= boxed([line], grey.shape, HALO + (line.value is not None))
    return faint


def around(bad: Sequence[Line], weak: Sequence[Box], grey: npt.NDArray[np.uint8], spared: Bools) -> Bools:
    """(rows, columns) bool: what goes around each faint line, and around each box that is weak and no such line's."""
    faint = np.zeros(grey.shape, bool)
    strokes = [np.logical_or(*standing_out(grey, by=by)) for by in (1, 0.5)]
    lines = [line for line in bad if line.value is None]
    for line in lines:
        faint |= around_line(line, grey, strokes, spared)
    for box in set(weak).difference(line.box for line in lines):
        faint |= around_box(box, grey, strokes, spared)
    return faint


def signs(bad: Sequence[Line], coded: Codes | None, grey: npt.NDArray[np.uint8], spared: Bools) -> Bools:
    """(rows, columns) bool: the strokes beside bad lines that are drawn as they are and make no line themselves."""
    gone = np.zeros(grey.shape, bool)
    for value in {line.value for line in bad}:
        alike = [line for line in bad if line.value == value]
        boxes, tall = [line.box for line in alike], max(line.tall for line in alike)
        for strokes in standing_out(grey) if value is None else [np.asarray(coded == value)]:
            gone |= beside(boxes, strokes & ~spared, tall, APART, STEPS)
    return gone


def unexplained(looks: Sequence[Floats], found: Sequence[Line]) -> list[Box]:
    """Where the detector sees text and no line was found that covers it; looks: as ``Reader.looks`` has them.

    In what is too thick for a line, as text is together with anatomy that some look takes for it, those looks tell it
    that level or pale the image.
    """
    covered = np.zeros(looks[0].shape, bool)
    for line in found:
        top, left, bottom, right = line.box
        reach = 0 if line.value is None else max(2, round(0.3 * line.tall))
        covered[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
    near_lines, likely = wider(covered, 2), np.maximum.reduce(looks)
    boxes, thick = _texts((likely > HINTED) & ~covered, likely, near_lines)
    return boxes + [box for look in looks[2:] for box in _texts(thick & (look > HINTED), look, near_lines)[0]]


def _texts(hinted: Bools, likely: Floats, near_lines: Bools) -> tuple[list[Box], Bools]:
    """The boxes of the hinted pieces that may be text, and (rows, columns) bool those that are too thick for it."""
    import cv2

    labels, stats = pieces(hinted)
    boxes, thick = list[Box](), np.zeros(hinted.shape, bool)
    for number in range(1, len(stats)):
        left, top, wide, tall, area = (int(each) for each in stats[number])
        here = np.s_[top : top + tall, left : left + wide]
        own = labels[here] == number
        if is_thick(wide, tall, likely.shape):
            thick[here] |= own
            continue
        cut, long = near_lines[here][own].any(), max(wide, tall)
        _, sides, _ = cv2.minAreaRect(np.argwhere(own).astype(np.float32))
        solid = area >= SOLID * (sides[0] + 1) * (sides[1] + 1)
        if (likely[here][own] > SEEN).sum() >= 8 and solid and (long > 14 if cut else long > 1.3 * min(wide, tall)):
            boxes.append((top, left, top + tall, left + wide))
    return boxes, thick
