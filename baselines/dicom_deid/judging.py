"""Which lines of burned-in text go: all but those that are read as a marking of no one's."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fourfold.baselines.dicom_deid.markings import fits, is_setting, of_no_one
from fourfold.baselines.dicom_deid.samples import Image
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.strokes import Box, Line, boxed, is_ruler
from fourfold.baselines.dicom_deid.text_boxes import Reader

SURE, SURE_OF_SETTING = 0.8, 0.65
"""The confidence from which what is read is believed, and a machine's label with its number."""
THEIRS = 0.8
"""The share of a line's strokes within markings, from which on it is a part of them."""
PLAIN = 0.95
"""The confidence from which it is believed beside a line that identifies someone."""
CERTAIN, LONG = 0.97, 6
"""The confidence and the letters from which on what is read is not read again."""
SHORT = 8
"""Glyphs of a line that is worth a third look."""
AROUND = 3
"""Pixels around what the detector sees that are read with it."""


def judged(
    found: Sequence[Line], image: Image, reader: Reader, scrubber: Scrubber
) -> tuple[list[Line], list[Line]]:
    """The lines that are text, and those of them that go: what is no marking, what stands in a row with it, and what
    stands in a block with it and hardly reads as a marking, or hardly as a line."""
    sure = [line for line in found if not line.doubtful]
    told = [line for line in sure if is_word(line)]
    read = {line: kept(line, image, reader, scrubber) for line in told if not is_ruler(line)}
    markings = [line for line, certain in read.items() if certain]
    bad = [line for line, certain in read.items() if not certain and not is_made_of(line, markings, image.shape[:2])]
    bad += rest_of_rows(bad, told)
    hardly = [line for line, certain in read.items() if certain < PLAIN and line not in bad]
    bad += parallel(bad, [*hardly, *(line for line in found if line.doubtful)])
    bad += rest_of_rows(bad, told)
    return [*sure, *(line for line in bad if line.doubtful)], bad


def is_made_of(line: Line, markings: Sequence[Line], shape: tuple[int, ...]) -> bool:
    """Whether a line consists of parts of markings: of the ground between their strokes, or of their first letters,
    which stand beneath each other in a column and seem a line that runs upwards."""
    if boxed(markings, shape, 0)[line.where][line.ink].mean() >= THEIRS:
        return True
    crossed = [replace(other, box=_longer(other)) for other in markings if other.turned != line.turned]
    crossed = [other for other in crossed if boxed([other], shape, 0)[line.where][line.ink].any()]
    return line.glyphs <= 2 * len(crossed) and boxed(crossed, shape, 0)[line.where][line.ink].mean() >= THEIRS


def _longer(line: Line) -> Box:
    """The box of a line and one more sign at each end."""
    top, left, bottom, right = line.box
    down, over = (line.tall, 0) if line.turned else (0, line.tall)
    return max(top - down, 0), max(left - over, 0), bottom + down, right + over


def is_word(line: Line) -> bool:
    """Whether a line is more than a lone glyph, which may be a speck; a lone piece that is long may be a word."""
    tall, wide = line.ink.shape
    return line.glyphs != 1 or line.turned or wide >= 1.5 * tall


def kept(line: Line, image: Image, reader: Reader, scrubber: Scrubber) -> float:
    """The confidence with which a line is read and is a marking, 0 if it is not; its strokes are read, and if that
    tells nothing, the image."""
    for shown in shown_as(line, image):
        for upright in [shown] if not line.turned else (np.rot90(shown, -1), np.rot90(shown, 1)):
            text, sure = reader.line(np.ascontiguousarray(upright))
            whole = line.value is None or len(text.replace(" ", "")) + 1 >= line.glyphs
            least = SURE_OF_SETTING if is_setting(text) else SURE
            if sure >= least and whole and fits(text, upright.shape) and of_no_one(text, scrubber):
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


def marking_in(box: Box, image: Image, reader: Reader, scrubber: Scrubber) -> bool:
    """Whether what stands in a box can be read and is a marking."""
    read = _read(box, image, AROUND, reader)
    return any(sure >= SURE and fits(text, shape) and of_no_one(text, scrubber) for text, sure, shape in read)


def letters_in(box: Box, images: Sequence[Image], reader: Reader) -> float:
    """How many letters can be read in a box, each counted by the confidence, in the image that shows most of them."""
    wide = max(AROUND, round(0.35 * min(box[2] - box[0], box[3] - box[1])))
    read = [each for image in images for margin in {AROUND, wide} for each in _read(box, image, margin, reader)]
    return max(sure * len(text.replace(" ", "")) for text, sure, _ in read)


def _read(box: Box, image: Image, margin: int, reader: Reader) -> Iterator[tuple[str, float, tuple[int, ...]]]:
    """What a box and so much around it says, with which confidence, and the shape that was read; a tall one both ways
    that it may be turned."""
    shown = cut_out(box, image, margin)
    for upright in [shown] if shown.shape[0] <= 1.5 * shown.shape[1] else [np.rot90(shown, -1), np.rot90(shown, 1)]:
        yield *reader.line(np.ascontiguousarray(upright)), upright.shape


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


def rest_of_rows(bad: Sequence[Line], told: Sequence[Line]) -> list[Line]:
    """Those of the lines, not bad by themselves, that stand in a row with bad ones."""
    return [line for line in told if line not in bad and any(in_row(line, other) for other in bad)]


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
