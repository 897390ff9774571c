"""What of burned-in text was not seen and goes with what was: faint strokes, and those lost in anatomy or grain."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fourfold.baselines.dicom_deid.strokes import Bools, Box, Line, pieces

HALO = 1
"""Pixels around a stroke that go with it."""
MARGIN = 3
"""Pixels around a text that go with it where its strokes cannot be told from what they are on."""
LARGEST = 3
"""Heights of a line that a sign next to it is large at most."""
FARTHEST = 20
"""Heights of a line up to which it may go on beyond what was found of it."""
SMALL, ECHOES = 8, 5
"""Pixels that a faint text is tall at least, and how many of its heights around it others of its kind may stand."""
UNSEEN = 12
"""Grey levels, of 255, by which letters differ from the ground where they hardly can be seen."""
WIDEST = 127
"""Pixels up to which OpenCV takes a median around each: its counts are of 16 bits."""
STROKES = 92
"""The percentile of the differences in a box around a text that its strokes have."""
CLEAR, HIDDEN = 5.0, 8.0
"""How many times the noise around them strokes must stand out by to be told apart from it; and how many times an
image's grain, for others like them not to be lost in it."""


def wider(ink: Bools, by: int) -> Bools:
    """Strokes and so many pixels around them."""
    import cv2

    return cv2.dilate(ink.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)).astype(bool)


def around_line(line: Line, grey: npt.NDArray[np.uint8], strokes: Sequence[Bools], spared: Bools) -> Bools:
    """(rows, columns) bool: how a faint line goes on, and others like it."""
    return wider(continued(line.box, line.turned, strokes) | echoed(line.box, grey) & ~spared, HALO)


def around_box(box: Box, grey: npt.NDArray[np.uint8], strokes: Sequence[Bools], spared: Bools) -> Bools:
    """(rows, columns) bool: the strokes where the detector sees text, how it goes on, and others like it."""
    top, left, bottom, right = box
    turned, reach = bottom - top > right - left, max(MARGIN, round(0.6 * min(bottom - top, right - left)))
    band = (top, left - reach, bottom, right + reach) if turned else (top - reach, left, bottom + reach, right)
    return strokes_in(box, grey) | wider(continued(band, turned, strokes) | echoed(box, grey) & ~spared, HALO)


def is_hidden(box: Box, grey: npt.NDArray[np.uint8], grain: float) -> bool:
    """Whether strokes in a box hardly stand out from grain, of so many grey levels."""
    return stands_out(box, grey) < HIDDEN * grain


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


def strokes_in(box: Box, grey: npt.NDArray[np.uint8]) -> Bools:
    """(rows, columns) bool: what the strokes in a box are within, or where they are lost in noise, all around it."""
    gone = np.zeros(grey.shape, bool)
    where, apart, inside = _set_apart(box, grey)
    by = float(np.percentile(apart[inside], STROKES))
    noise = float(np.median(apart[~inside])) if not inside.all() else by
    gone[where] = True
    if by >= CLEAR * max(noise, 1):  # All along, and across as far as there are strokes.
        turned = box[2] - box[0] > box[3] - box[1]
        bare = np.asarray(~wider(apart > 0.3 * by, 1).any(axis=0 if turned else 1))
        gone[where] = ~bare if turned else ~bare[:, None]
    return gone


def stands_out(box: Box, grey: npt.NDArray[np.uint8]) -> float:
    """Grey levels by which the strokes in a box differ from what is around them."""
    _, apart, inside = _set_apart(box, grey)
    return float(np.percentile(apart[inside], STROKES))


def _set_apart(
    box: Box, grey: npt.NDArray[np.uint8]
) -> tuple[tuple[slice, slice], npt.NDArray[np.uint8], Bools]:
    """Where a text may be of which the detector sees the middle, in a box; by how many grey levels each pixel there
    differs from the median around it; and which of them are in the box."""
    import cv2

    top, left, bottom, right = box
    thick = min(bottom - top, right - left)
    reach, radius = max(MARGIN, round(0.6 * thick)), min(max(5, thick), WIDEST)
    first, start = max(top - reach, 0), max(left - reach, 0)
    above, before = max(first - radius, 0), max(start - radius, 0)
    near = grey[above : bottom + reach + radius, before : right + reach + radius]
    apart = np.asarray(cv2.absdiff(near, cv2.medianBlur(near, 2 * radius + 1)), np.uint8)
    rows, columns = min(bottom + reach, grey.shape[0]) - first, min(right + reach, grey.shape[1]) - start
    inside = np.zeros((rows, columns), bool)
    inside[top - first : bottom - first, left - start : right - start] = True
    shown = apart[first - above : first - above + rows, start - before : start - before + columns]
    return (slice(first, first + rows), slice(start, start + columns)), shown, inside


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
