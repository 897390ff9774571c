"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import FileDataset

from fourfold.baselines.dicom_deid.blocks import blocks
from fourfold.baselines.dicom_deid.filling import fill
from fourfold.baselines.dicom_deid.judging import is_word, judged, marking_in
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
from fourfold.baselines.dicom_deid.text_boxes import GRAINY, Reader, grain
from fourfold.baselines.dicom_deid.unseen import HALO, around_box, around_line, beside, is_hidden, vanishing, wider

Codes = npt.NDArray[np.int64]

SEEN, HINTED = 0.3, 0.1
"""The detector's probability that text stands at a pixel, and the one that tells how far it may reach."""
SOLID = 0.5
"""How much of the rectangle around it what the detector sees fills, if it is text."""
THICK = 0.1
"""Of an image's shorter side, what a line of text is thinner than."""
APART, STEPS = 0.9, 3
"""Of the tallest line, how far off a sign next to it is at most; and how many stand side by side."""


def redact(dataset: FileDataset, reader: Reader, scrubber: Scrubber) -> bool:
    """Take identities out of a dataset's pixels, in place; whether there were any."""
    samples = decoded(dataset)
    exact = None if lossy(dataset) else codes(samples)
    found = [
        identities(image, None if exact is None else exact[number], reader, scrubber)
        for number, image in enumerate(images(dataset, samples))
    ]
    gone, faint = (np.logical_or.reduce(each) for each in zip(*found, strict=True))
    if gone.any():
        for frame in samples:  # What is seen on one frame stands on others too, and may be lost in their noise.
            fill(frame, gone, faint)
        store(dataset, samples)
    return bool(gone.any())


def identities(
    image: Image, coded: Codes | None, reader: Reader, scrubber: Scrubber
) -> tuple[Bools, Bools]:
    """(rows, columns) bool: what must go of an image (rows, columns, 3); and what of it may be faint.

    coded: its samples, a number a colour; None where compression has changed them.
    """
    import cv2

    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    likely = reader.likely(image)
    found, bad = judged(lines(coded, grey, likely), image, reader, scrubber)
    spared = boxed([line for line in found if line not in bad and (is_word(line) or is_ruler(line))], grey.shape, 0)
    strokes = [np.logical_or(*standing_out(grey, by=by)) for by in (1, 0.5)]
    gone = wider(merged([line for line in bad if line.value is not None], grey.shape), HALO)
    gone |= wider(signs(bad, coded, grey, spared), HALO)
    faint = np.zeros(grey.shape, bool)
    weak = [line.box for line in bad if line.value is None]
    for line in bad:
        gone |= vanishing(line, grey)
        if is_soft(line, grey):
            top, left, bottom, right = line.box
            by = HALO + (line.value is not None)
            faint[max(top - by, 0) : bottom + by, max(left - by, 0) : right + by] = True
        if line.value is None:
            faint |= around_line(line, grey, strokes, spared)
    for box in unexplained(likely, found):
        if not marking_in(box, image, reader, scrubber):
            weak.append(box)
            faint |= around_box(box, grey, strokes, spared)
    noise = grain(image)
    hidden = [box for box in weak if is_hidden(box, grey, noise)]
    faint |= (blocks(weak, grey.shape, False) | blocks(hidden, grey.shape, noise > GRAINY)) & ~spared
    return gone | faint, faint


def signs(bad: Sequence[Line], coded: Codes | None, grey: npt.NDArray[np.uint8], spared: Bools) -> Bools:
    """(rows, columns) bool: the strokes beside bad lines that are drawn as they are and make no line themselves."""
    gone = np.zeros(grey.shape, bool)
    for value in {line.value for line in bad}:
        alike = [line for line in bad if line.value == value]
        boxes, tall = [line.box for line in alike], max(line.tall for line in alike)
        for strokes in standing_out(grey) if value is None else [np.asarray(coded == value)]:
            gone |= beside(boxes, strokes & ~spared, tall, APART, STEPS)
    return gone


def unexplained(likely: Floats, found: Sequence[Line]) -> list[Box]:
    """Where the detector sees text and no line was found that covers it."""
    import cv2

    covered = np.zeros(likely.shape, bool)
    for line in found:
        top, left, bottom, right = line.box
        reach = 0 if line.value is None else max(2, round(0.3 * line.tall))
        covered[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
    rest = (likely > HINTED) & ~covered
    labels, stats = pieces(rest)
    near_lines = wider(covered, 2)
    boxes = []
    for number in range(1, len(stats)):
        left, top, wide, tall, area = (int(each) for each in stats[number])
        here = np.s_[top : top + tall, left : left + wide]
        own = labels[here] == number
        cut, long = near_lines[here][own].any(), max(wide, tall)
        if min(wide, tall) > max(20, THICK * min(likely.shape)):
            continue
        _, sides, _ = cv2.minAreaRect(np.argwhere(own).astype(np.float32))
        solid = area >= SOLID * (sides[0] + 1) * (sides[1] + 1)
        if (likely[here][own] > SEEN).sum() >= 8 and solid and (long > 14 if cut else long > 1.3 * min(wide, tall)):
            boxes.append((top, left, top + tall, left + wide))
    return boxes
