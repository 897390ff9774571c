"""Strokes that were drawn on an image, and the lines of text that they make.

Annotations are drawn in one value, or stand out from what is around them, in strokes much thinner than they are tall;
they come as glyphs of like height side by side, with nothing else of their kind close around them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Box = tuple[int, int, int, int]
"""Top, left, bottom, right; the last two are beyond it."""

SMALLEST, TALLEST, WIDEST = 4, 72, 400
"""Pixels that a glyph is tall, and that one is wide in a script whose letters are joined."""
SMALL = 14
"""Pixels up to which the detector may not see what stands out little."""
DRAWN = 0.7
"""The share of the pixels of one value that touch two others of it, from which on it is a value that is drawn with."""
VALUES = 16
"""Values of an image that are looked at, the most frequent."""
AROUND = 21
"""Pixels of the window whose median is what a stroke stands out from."""
LEAST = 10
"""Of 255 grey levels, by how many a stroke stands out at least."""
JOINED = 2.5
"""How many times taller than wide a lone piece is that runs upwards: a word whose letters are joined."""
GAP = 1.3
"""Widest space within a line, in heights of its glyphs."""
LONE, FULL = 0.05, 0.15
"""What share of a frame of 2 pixels around a line may be ink, and how much ink beside its glyphs may be in it."""
SUSPECTED, SEEN = 0.15, 0.3
"""The mean of a detector's probability on strokes from which on it has a part in a line, and from which on it sees
one."""
LENGTHS = 2
"""Of the ticks of a scale."""
SOFT = 0.25
"""The share of the pixels at a line's strokes that are between these and the ground, from which on it is soft."""
COVERED = 0.8
"""The share of a soft line that others must cover to stand in for it."""
_MANY = 2500
_LOOKS, _SEEN, DOUBTFUL = 1, 2, 3


@dataclass(frozen=True, eq=False)
class Line:
    """A line of text. ink: (bottom - top, right - left) bool, its strokes. turned: it runs upwards or downwards.

    glyphs: how many pieces it is made of, signs of less than SMALLEST pixels left out.
    doubtful: it is one only if there is another at its side. value: what it is drawn in, if in one.
    """

    box: Box
    ink: Bools
    turned: bool
    glyphs: int
    doubtful: bool = False
    value: int | None = None

    @property
    def tall(self) -> int:
        """Pixels across the line."""
        top, left, bottom, right = self.box
        return right - left if self.turned else bottom - top

    @property
    def where(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        top, left, bottom, right = self.box
        return slice(top, bottom), slice(left, right)


def lines(codes: npt.NDArray[np.int64] | None, grey: Grey, likely: Floats) -> list[Line]:
    """The lines of text of an image (rows, columns).

    codes: its samples, one number a colour; None where compression has changed them. grey: as it is seen. likely: a
    detector's probability of text.
    """
    exact: list[Line] = []
    for value in drawn(codes) if codes is not None else ():
        drawn_in = np.asarray(codes == value)
        exact += [replace(line, value=int(value)) for line in _of_map(drawn_in, grey, likely, sure=True)]
    soft = [line for line in exact if line.glyphs == 1 or is_soft(line, grey)]
    found = [line for line in exact if line not in soft]
    for contrast in standing_out(grey):
        found += _of_map(contrast & ~boxed(found, grey.shape, 2), grey, likely, sure=False)
    whole = boxed([line for line in found if line.value is None], grey.shape, 0)
    return found + [line for line in soft if whole[line.where][line.ink].mean() < COVERED]


def boxed(lines: Sequence[Line], shape: tuple[int, ...], by: int) -> Bools:
    """(rows, columns) bool: the boxes of lines, so many pixels wider."""
    found = np.zeros(shape, bool)
    for top, left, bottom, right in (line.box for line in lines):
        found[max(top - by, 0) : bottom + by, max(left - by, 0) : right + by] = True
    return found


def drawn(codes: npt.NDArray[np.int64]) -> list[np.int64]:
    """The values that something may be drawn in: the least, the greatest, and those of which nearly each pixel touches
    two of its own."""
    rows, columns = codes.shape
    padded = np.pad(codes, 1, constant_values=-1)
    same = np.zeros(codes.shape, np.uint8)
    for down in range(3):
        for across in range(3):
            same += padded[down : down + rows, across : across + columns] == codes
    values, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    touching = np.bincount(place.ravel()[(same >= 3).ravel()], minlength=len(values))
    chosen = (counts >= 12) & (touching >= DRAWN * counts)
    chosen[[0, -1]] = True
    order = [at for at in np.argsort(-counts, kind="stable") if chosen[at]]
    return [values[at] for at in order[:VALUES]]


def standing_out(grey: Grey, by: float = 1) -> tuple[Bools, Bools]:
    """What is brighter, and what is darker, than the median around it by more than the noise there; ``by`` times as
    much as it takes to begin a line."""
    import cv2

    apart = grey.astype(np.int16) - cv2.medianBlur(grey, AROUND)
    noise = cv2.medianBlur(np.minimum(np.abs(apart), 255).astype(np.uint8), 31).astype(np.float32)
    least = by * np.maximum(LEAST, 5 * noise)
    return apart > least, apart < -least


def pieces(mask: Bools) -> tuple[Labels, Labels]:
    """The number of the piece that each pixel is of, 0 = none; and of each piece, and of none, its left, top, width,
    height and area."""
    import cv2

    found: Any = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return found[1], found[2]


def _of_map(mask: Bools, grey: Grey, likely: Floats, sure: bool) -> list[Line]:
    """The lines among the pieces of a map of strokes. sure: pieces are of one value, which noise seldom makes."""
    labels, stats = pieces(mask)
    rulers = [_ruler(labels, int(number), stats[number]) for number in np.flatnonzero(_slender(stats))]
    chosen = [ruler for ruler in rulers if is_ruler(ruler)]
    for ruler in chosen:
        mask = mask.copy()
        mask[ruler.where] &= ~ruler.ink
    if chosen:
        labels, stats = pieces(mask)
    used = np.zeros(len(stats), bool)
    ranked = [
        (rank, members, turned) for turned in (False, True) for gap in (GAP, GAP / 2)
        for members in _groups(stats, turned, gap)
        for rank in [_rank(_line(labels, stats, members, turned), mask, grey, likely, stats[members], sure)] if rank
    ]
    for rank, members, turned in sorted(
            ranked, key=lambda each: (each[0], _wide_apart(stats[each[1]], each[2]), -len(each[1]))):
        if not used[members].any():
            used[members] = True
            chosen.append(replace(_line(labels, stats, members, turned), doubtful=rank == DOUBTFUL))
    return [line if is_ruler(line) else _with_signs(line, labels, stats, used) for line in chosen]


def _wide_apart(stats: Labels, turned: bool) -> bool:
    """Whether pieces are as far from each other as lines are, and not as letters are."""
    left, top, wide, tall, _ = stats.T
    start, along, across = (top, tall, wide) if turned else (left, wide, tall)
    order = np.argsort(start)
    return len(stats) > 1 and bool(
        np.percentile(start[order][1:] - (start + along)[order][:-1], 25) > 0.5 * np.median(across))


def _line(
    labels: Labels, stats: Labels, members: npt.NDArray[np.intp], turned: bool
) -> Line:
    box = _around(stats[members])
    return Line(box, np.isin(labels[box[0] : box[2], box[1] : box[3]], members), turned, len(members))


def _slender(stats: Labels) -> Bools:
    _, _, wide, tall, area = stats.T
    long, thick = np.maximum(wide, tall), np.minimum(wide, tall)
    return (long >= 20) & (long >= 2.5 * thick) & (thick >= 3) & (area <= 0.7 * wide * tall)


def _ruler(labels: Labels, number: int, stats: Labels) -> Line:
    box = _around(stats[None])
    return Line(box, labels[box[0] : box[2], box[1] : box[3]] == number, turned=False, glyphs=0)


def _groups(stats: Labels, turned: bool, gap: float) -> Iterator[npt.NDArray[np.intp]]:
    """The pieces of like height side by side; turned: one above the other."""
    from scipy.sparse.csgraph import connected_components

    left, top, wide, tall, area = stats.T
    along, across = (tall, wide) if turned else (wide, tall)
    fits = (across >= SMALLEST) & (across <= TALLEST) & (along <= WIDEST) & (area >= 4) & (area >= 0.06 * wide * tall)
    fits[0] = False
    pieces = np.flatnonzero(fits)
    if not 0 < len(pieces) <= _MANY:
        return
    start = ((top if turned else left)[pieces]).astype(np.float32)
    base = ((left if turned else top)[pieces]).astype(np.float32)
    end, height = start + along[pieces], across[pieces].astype(np.float32)
    shared = np.minimum.outer(base + height, base + height) - np.maximum.outer(base, base)
    least, most = np.minimum.outer(height, height), np.maximum.outer(height, height)
    apart = np.maximum.outer(start, start) - np.minimum.outer(end, end)
    beside = (shared >= 0.6 * least) & (apart <= gap * most) & (most <= 2.2 * least)
    count, group = connected_components(beside, directed=False)
    for number in range(count):
        members = pieces[group == number]
        box = _around(stats[members])
        down, over = box[2] - box[0], box[3] - box[1]
        if (len(members) > 1 and (down if turned else over) >= 1.2 * (over if turned else down)) or (
                len(members) == 1 and turned == (down > JOINED * over)):
            yield members


def _around(stats: Labels) -> Box:
    left, top, wide, tall, _ = stats.T
    return int(top.min()), int(left.min()), int((top + tall).max()), int((left + wide).max())


def _rank(line: Line, mask: Bools, grey: Grey, likely: Floats, stats: Labels, sure: bool) -> int:
    """How these pieces are text: _LOOKS, _SEEN by the detector, DOUBTFUL; 0: they are not."""
    seen = float(likely[line.where][line.ink].mean())
    if (line.glyphs == 1 and seen < SEEN) or (line.glyphs < 3 and not sure) or line.tall > 1.5 * TALLEST:
        return 0
    shown = grey[line.where]
    if abs(float(shown[line.ink].mean()) - float(shown[~line.ink].mean() if not line.ink.all() else 0)) < LEAST:
        return 0
    top, left, bottom, right = line.box
    framed: Bools = mask[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2]
    within = mask[line.where]
    ring = (framed.sum() - within.sum()) / max(framed.size - within.size, 1)
    beside = (within & ~line.ink).sum() / max(line.ink.sum(), 1)
    across = stats[:, 2 if line.turned else 3]
    alike = line.glyphs >= 3 and across.std() <= 0.35 * across.mean()
    written = alike and (sure or (line.glyphs >= 5 and line.tall <= SMALL))
    if ring <= LONE and beside <= FULL and (seen >= SUSPECTED or written):
        return _LOOKS
    if line.glyphs >= 4 and seen >= SEEN and ring <= 4 * LONE and beside <= 2 * FULL:
        return _SEEN
    return DOUBTFUL if alike and ring <= 2 * LONE and beside <= 2 * FULL else 0


def _with_signs(line: Line, labels: Labels, stats: Labels, used: Bools) -> Line:
    """The line with the dots, strokes and accents that stand in or at it."""
    ends, sides = max(2, round(0.6 * line.tall)), max(2, round(0.4 * line.tall))
    down, over = (ends, sides) if line.turned else (sides, ends)
    top, left, bottom, right = line.box
    top, left = max(top - down, 0), max(left - over, 0)
    bottom, right = min(bottom + down, labels.shape[0]), min(right + over, labels.shape[1])
    near = np.unique(labels[top:bottom, left:right])
    near = near[(near > 0) & ~used[near]]
    x, y, wide, tall, _ = stats[near].T
    small = (np.maximum(wide, tall) <= 0.6 * line.tall) & (y >= top) & (x >= left) & (y + tall <= bottom) & (
        x + wide <= right)
    signs = near[small]
    if not len(signs):
        return line
    used[signs] = True
    ink = merged([replace(line, box=(line.box[0] - top, line.box[1] - left, line.box[2] - top, line.box[3] - left))],
                 (bottom - top, right - left)) | np.isin(labels[top:bottom, left:right], signs)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    inner = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1
    return replace(line, box=box, ink=inner)


def is_soft(line: Line, grey: Grey) -> bool:
    """Whether a line's strokes fade into what is around them, so that those of one value are not all of it."""
    if line.value is None:
        return True
    import cv2

    shown = grey[line.where].astype(np.float32)
    edge = cv2.dilate(line.ink.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~line.ink
    if not edge.any():
        return False
    ink, ground = float(shown[line.ink].mean()), float(np.median(shown[~line.ink]))
    between = (shown[edge] - ground) / (ink - ground if ink != ground else 1)
    return float(np.mean((between > 0.3) & (between < 0.95))) > SOFT


def is_ruler(line: Line) -> bool:
    """Whether it is a scale: a straight stroke all along, and ticks of one or two lengths at equal distances; words
    of scripts that hang from a line have some too, but each of another shape."""
    ink = line.ink if line.ink.shape[0] >= line.ink.shape[1] else line.ink.T
    long, wide = ink.shape
    spine: Bools = np.asarray(ink.mean(axis=0) >= 0.9)
    if long < 2.5 * wide or not spine.any():
        return False
    ticks: Bools = np.asarray(ink[:, ~spine].any(axis=1))
    starts = np.flatnonzero(ticks[1:] & ~ticks[:-1])
    steps = np.diff(starts)
    return len(steps) >= 3 and int(np.ptp(steps)) <= 2 and len(np.unique(ink[ticks], axis=0)) <= LENGTHS


def merged(lines: Sequence[Line], shape: tuple[int, int]) -> Bools:
    """(rows, columns) bool: the ink of all of these."""
    found = np.zeros(shape, bool)
    for line in lines:
        found[line.where] |= line.ink
    return found
