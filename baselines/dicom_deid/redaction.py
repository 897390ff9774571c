"""Burned-in text taken out of pixels: whatever is found, but for what can be read and is a marking of no one's."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pydicom import FileDataset

from fourfold.baselines.dicom_deid.blocks import blocks
from fourfold.baselines.dicom_deid.filling import fill
from fourfold.baselines.dicom_deid.markings import fits, of_no_one
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

Codes = npt.NDArray[np.int64]

SURE = 0.8
"""The confidence from which what is read is believed."""
PLAIN = 0.95
"""The confidence from which it is believed beside a line that identifies someone."""
CERTAIN, LONG = 0.9, 6
"""The confidence and the letters from which on what is read is not read again."""
SHORT = 8
"""Glyphs of a line that is worth a third look."""
HALO = 1
"""Pixels around a stroke that go with it."""
MARGIN = 3
"""Pixels around a text that go with it where its strokes cannot be told from what they are on."""
SEEN, HINTED = 0.3, 0.1
"""The detector's probability that text stands at a pixel, and the one that tells how far it may reach."""
SOLID = 0.5
"""How much of the rectangle around it what the detector sees fills, if it is text."""
THICK = 0.1
"""Of an image's shorter side, what a line of text is thinner than."""
FARTHEST = 20
"""Heights of a line up to which it may go on beyond what was found of it."""
LARGEST, APART, STEPS = 3, 0.9, 3
"""Of the tallest line, how large a sign next to it is at most and how far off; and how many stand side by side."""
SMALL, ECHOES = 8, 5
"""Pixels that a faint text is tall at least, and how many of its heights around it others of its kind may stand."""
UNSEEN = 12
"""Grey levels, of 255, by which letters differ from the ground where they hardly can be seen."""
STROKES = 92
"""The percentile of the differences in a box around a text that its strokes have."""
CLEAR = 5.0
"""How many times the noise strokes must stand out by to be told apart from it."""


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
            more = continued(line.box, line.turned, strokes) | echoed(line.box, grey) & ~spared
            faint |= wider(more, HALO)
    for box in unexplained(likely, found):
        if not marking_in(box, image, reader, scrubber):
            top, left, bottom, right = box
            turned, reach = bottom - top > right - left, max(MARGIN, round(0.6 * min(bottom - top, right - left)))
            band = (top, left - reach, bottom, right + reach) if turned else (top - reach, left, bottom + reach, right)
            weak.append(box)
            more = continued(band, turned, strokes) | echoed(box, grey) & ~spared
            faint |= strokes_in(box, grey) | wider(more, HALO)
    hidden = [box for box in weak if stands_out(box, grey) < CLEAR * grain(image)]
    faint |= (blocks(weak, grey.shape, False) | blocks(hidden, grey.shape, grain(image) > GRAINY)) & ~spared
    return gone | faint, faint


def judged(
    found: Sequence[Line], image: Image, reader: Reader, scrubber: Scrubber
) -> tuple[list[Line], list[Line]]:
    """The lines that are text, and those of them that go: what is no marking, what stands in a row with it, and what
    stands in a block with it and hardly reads as a marking, or hardly as a line."""
    sure = [line for line in found if not line.doubtful]
    told = [line for line in sure if is_word(line)]
    read = {line: kept(line, image, reader, scrubber) for line in told if not is_ruler(line)}
    bad = [line for line, certain in read.items() if not certain]
    bad += [line for line in told if line not in bad and any(in_row(line, other) for other in bad)]
    hardly = [line for line, certain in read.items() if certain < PLAIN and line not in bad]
    bad += parallel(bad, [*hardly, *(line for line in found if line.doubtful)])
    return [*sure, *(line for line in bad if line.doubtful)], bad


def is_word(line: Line) -> bool:
    """Whether a line is more than a lone glyph, which may be a speck; a lone piece that is long may be a word."""
    tall, wide = line.ink.shape
    return line.glyphs != 1 or line.turned or wide >= 1.5 * tall


def signs(bad: Sequence[Line], coded: Codes | None, grey: npt.NDArray[np.uint8], spared: Bools) -> Bools:
    """(rows, columns) bool: the strokes beside bad lines that are drawn as they are and make no line themselves."""
    gone = np.zeros(grey.shape, bool)
    for value in {line.value for line in bad}:
        alike = [line for line in bad if line.value == value]
        boxes, tall = [line.box for line in alike], max(line.tall for line in alike)
        for strokes in standing_out(grey) if value is None else [np.asarray(coded == value)]:
            gone |= beside(boxes, strokes & ~spared, tall, APART, STEPS)
    return gone


def wider(ink: Bools, by: int) -> Bools:
    """Strokes and so many pixels around them."""
    import cv2

    return cv2.dilate(ink.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)).astype(bool)


def kept(line: Line, image: Image, reader: Reader, scrubber: Scrubber) -> float:
    """The confidence with which a line is read and is a marking, 0 if it is not; its strokes are read, and if that
    tells nothing, the image."""
    for shown in shown_as(line, image):
        for upright in [shown] if not line.turned else (np.rot90(shown, -1), np.rot90(shown, 1)):
            text, sure = reader.line(np.ascontiguousarray(upright))
            whole = line.value is None or len(text.replace(" ", "")) + 1 >= line.glyphs
            if sure >= SURE and whole and fits(text, upright.shape) and of_no_one(text, scrubber):
                return sure
            if sure >= CERTAIN and len(text) >= LONG:
                return 0.0
    return 0.0


def shown_as(line: Line, image: Image) -> Iterator[Image]:
    """A line as readers of text are shown it: its strokes softened, the image, and a short one's strokes sharper."""
    import cv2

    ends, sides = (3, 8) if line.turned else (8, 3)
    white = np.pad(np.where(line.ink, 0, 255).astype(np.uint8), ((sides,) * 2, (ends,) * 2), constant_values=255)
    larger = cv2.resize(white, None, fx=6, fy=6, interpolation=cv2.INTER_LINEAR)
    yield np.repeat(cv2.GaussianBlur(larger, (0, 0), 3)[..., None], 3, axis=2)
    yield cut_out(line.box, image, 2)
    if line.glyphs <= SHORT:
        larger = cv2.resize(white, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        yield np.repeat(larger[..., None], 3, axis=2)


def cut_out(box: Box, image: Image, margin: int) -> Image:
    """A part of an image."""
    top, left, bottom, right = box
    return image[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]


def in_row(one: Line, other: Line) -> bool:
    """Whether a line stands in the row of another, so near that it may be the rest of it."""
    if one.turned != other.turned or is_ruler(one):
        return False
    (top, left, bottom, right), (above, before, below, after) = (
        (line.box[1], line.box[0], line.box[3], line.box[2]) if line.turned else line.box for line in (one, other))
    shared, low, high = min(bottom, below) - max(top, above), *sorted((one.tall, other.tall))
    return shared >= 0.6 * low and high <= 1.6 * low and max(left, before) - min(right, after) <= 2 * high


def parallel(bad: Sequence[Line], doubtful: Sequence[Line]) -> list[Line]:
    """Those of the doubtful lines that stand in a block with bad ones: of one direction and height, and next to it."""
    block, waiting = list(bad), list(doubtful)
    while joined := [line for line in waiting if any(_in_block(line, other) for other in block)]:
        block += joined
        waiting = [line for line in waiting if line not in joined]
    return block[len(bad) :]


def _in_block(one: Line, other: Line) -> bool:
    low, high = sorted((one.tall, other.tall))
    (top, left, bottom, right), (above, before, below, after) = one.box, other.box
    reach = 1.5 * high
    near = top < below + reach and above < bottom + reach and left < after + reach and before < right + reach
    return near and one.turned == other.turned and high <= 1.6 * low


def beside(near: Sequence[Box], strokes: Bools, tall: int, apart: float, steps: int) -> Bools:
    """(rows, columns) bool: the pieces of strokes next to boxes, and so many steps on the pieces next to these, as
    signs do that make no line by themselves. apart: how far off at most, in heights of a line, which is so ``tall``."""
    labels, stats = pieces(strokes)
    reach = round(apart * tall)
    left, top, wide, high, _ = stats.T
    waiting = np.flatnonzero(np.maximum(wide, high) <= LARGEST * tall)
    waiting, joined = waiting[waiting > 0], list[int]()
    for _ in range(steps):
        new = np.zeros(len(waiting), bool)
        for above, before, below, after in near:
            new |= (top[waiting] < below + reach) & (above < (top + high)[waiting] + reach) & (
                left[waiting] < after + reach) & (before < (left + wide)[waiting] + reach)
        near = [(int(top[at]), int(left[at]), int(top[at] + high[at]), int(left[at] + wide[at])) for at in waiting[new]]
        joined += waiting[new].tolist()
        waiting = waiting[~new]
    return np.isin(labels, joined)


def echoed(box: Box, grey: npt.NDArray[np.uint8]) -> Bools:
    """(rows, columns) bool: the strokes around a faint text that stand out as much as its own: other lines of it.

    What is thin stands out by its top-hat (Meyer 1979), whatever the anatomy behind it.
    """
    import cv2

    top, left, bottom, right = box
    tall = max(SMALL, round(1.5 * min(bottom - top, right - left)))
    width = np.ones((2 * round(0.3 * tall) + 1,) * 2, np.uint8)
    gone = np.zeros(grey.shape, bool)
    where = np.s_[max(top - ECHOES * tall, 0) : bottom + ECHOES * tall,
                  max(left - ECHOES * tall, 0) : right + ECHOES * tall]
    high, low = where[0].start, where[1].start
    own = np.s_[top - high : bottom - high, left - low : right - low]
    hats = [cv2.morphologyEx(grey[where], way, width) for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)]
    hat = max(hats, key=lambda each: float(np.percentile(each[own], 85)))
    least = 0.5 * float(np.percentile(hat[own], 85))
    if least > max(2.0, 2 * float(np.median(hat))):
        inner = (own[0].start, own[1].start, own[0].stop, own[1].stop)
        gone[where] = beside([inner], hat > least, tall, 1.0, ECHOES * 2)
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


def marking_in(box: Box, image: Image, reader: Reader, scrubber: Scrubber) -> bool:
    """Whether what stands in a box can be read and is a marking."""
    shown = cut_out(box, image, MARGIN)
    ways = [shown] if shown.shape[0] <= 1.5 * shown.shape[1] else [np.rot90(shown, -1), np.rot90(shown, 1)]
    for upright in ways:
        text, sure = reader.line(np.ascontiguousarray(upright))
        if sure >= SURE and fits(text, upright.shape) and of_no_one(text, scrubber):
            return True
    return False


def strokes_in(box: Box, grey: npt.NDArray[np.uint8]) -> Bools:
    """(rows, columns) bool: what the strokes in a box are within, or where they are lost in noise, all around it."""
    import cv2

    gone = np.zeros(grey.shape, bool)
    top, left, bottom, right = box
    thick = min(bottom - top, right - left)
    reach = max(MARGIN, round(0.6 * thick))  # The detector sees the middle of a text.
    wide = np.s_[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
    apart = cv2.absdiff(grey, cv2.medianBlur(grey, 2 * max(5, thick) + 1))
    by = float(np.percentile(apart[top:bottom, left:right], STROKES))
    outside = np.ones(grey.shape, bool)
    outside[top:bottom, left:right] = False
    noise = float(np.median(apart[wide][outside[wide]])) if outside[wide].any() else by
    gone[wide] = True
    if by >= CLEAR * max(noise, 1):  # All along, and across as far as there are strokes.
        turned = bottom - top > right - left
        bare = np.asarray(~wider(apart[wide] > 0.3 * by, 1).any(axis=0 if turned else 1))
        gone[wide] = ~bare if turned else ~bare[:, None]
    return gone


def stands_out(box: Box, grey: npt.NDArray[np.uint8]) -> float:
    """Grey levels by which the strokes in a box differ from what is around them."""
    import cv2

    top, left, bottom, right = box
    around = 2 * max(5, min(bottom - top, right - left))
    where = np.s_[max(top - around, 0) : bottom + around, max(left - around, 0) : right + around]
    apart = cv2.absdiff(grey[where], cv2.medianBlur(grey[where], around + 1))
    high, low = top - where[0].start, left - where[1].start
    return float(np.percentile(apart[high : high + bottom - top, low : low + right - left], STROKES))


def continued(box: Box, turned: bool, strokes: Sequence[Bools]) -> Bools:
    """(rows, columns) bool: the strokes with which a text goes on beyond its ends, as each of these maps shows them."""
    return np.logical_or.reduce([_continued(box, turned, each) for each in strokes])


def _continued(box: Box, turned: bool, strokes: Bools) -> Bools:
    """Until there are none for a while."""
    gone = np.zeros(strokes.shape, bool)
    top, left, bottom, right = box
    if turned:
        return _continued((left, top, right, bottom), False, strokes.T).T
    tall = bottom - top
    for start, step in ((right, tall), (left - tall, -tall)):
        empty = 0
        while empty < 2 and start + tall >= 0 and abs(start - left) <= FARTHEST * tall + right - left and (
                start < strokes.shape[1]):
            here = np.s_[max(top, 0) : bottom, max(start, 0) : start + tall]
            share = strokes[here].mean() if strokes[here].size else 0.0
            empty = 0 if 0.08 <= share <= 0.7 else empty + 1
            if not empty:
                gone[here] = strokes[here]
            start += step
    return gone


def vanishing(line: Line, grey: npt.NDArray[np.uint8]) -> Bools:
    """(rows, columns) bool: where a line may go on unseen beyond its ends, as black letters on black."""
    if line.turned:
        turned = replace(line, box=(line.box[1], line.box[0], line.box[3], line.box[2]), ink=line.ink.T, turned=False)
        return vanishing(turned, grey.T).T
    gone = np.zeros(grey.shape, bool)
    top, left, bottom, right = line.box
    shade, tall = float(np.median(grey[line.where][line.ink])), bottom - top
    for start, step in ((right, tall), (left - tall, -tall)):
        for _ in range(8):
            here = np.s_[top:bottom, max(start, 0) : max(start + tall, 0)]
            if not grey[here].size or abs(float(np.median(grey[here])) - shade) > UNSEEN:
                break
            gone[here] = True
            start += step
    return gone
