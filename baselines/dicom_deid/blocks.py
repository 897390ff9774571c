"""Blocks of faint text: which are text, and the rectangles around their lines, as seldom all of a block is seen."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fourfold.baselines.dicom_deid.strokes import Bools, Box, Floats, pieces

ACROSS, ALONG = 3.0, 1.5
"""Heights of a line by which lines of a block are apart at most: across them, as there may be another between, and
along them."""
REACH, IN_GRAIN, ALONE = (1.2, 1.2), (2.5, 8.0), (6.0, 2.5)
"""Heights of a line by which a block may go on unseen on each side, across its lines and along them: where these are
seen well; where grain hides them; and where it hides all but one row."""
SMALL, TALL = 8, 0.04
"""What a line is tall, at least in pixels and at most as a share of the image's shorter side, for these reaches."""
NEAR = (8.0, 16.0)
"""Heights of a line around a block, across its lines and along them, in which a closer look may show others of it."""
SEEN, HINTED = 0.3, 0.1
"""The detector's probability that text stands at a pixel, and the one that tells how far it may reach."""
LOOKS, READ = 2, 2.5
"""Looks at an image in which a block must show, as one alone takes ribs, vessels and edges for text; or letters that
must be read in a line of it that one look shows."""
THICKEST, THICK = 20, 0.1
"""What a line of text is thinner than: in pixels, or as a share of an image's shorter side."""


def confirmed(lines: Sequence[Box], looks: Sequence[Floats], letters: Callable[[Box], float]) -> list[Box]:
    """Those of the lines that are of a block which several looks of the detector at the image show, or one and a
    reader.

    looks: (rows, columns) each, its probability of text. letters: how many can be read in a box.
    """
    found = []
    for block in _blocks(lines):
        shown = sum(_shows(look, block) for look in looks)
        if shown >= LOOKS or (shown and any(letters(box) >= READ for box in block)):
            found += block
    return found


def crowded(look: Floats) -> Bools:
    """(rows, columns) bool: the rectangles in which the detector sees text all over, too thick for one line.

    So it does where grain was smoothed away and text is in what is left of it.
    """
    labels, stats = pieces(look > HINTED)
    found = np.zeros(look.shape, bool)
    for number in range(1, len(stats)):
        left, top, wide, tall, _ = (int(each) for each in stats[number])
        here = np.s_[top : top + tall, left : left + wide]
        if is_thick(wide, tall, look.shape) and (look[here][labels[here] == number] > SEEN).any():
            found[here] = True
    return found


def is_thick(wide: int, tall: int, shape: tuple[int, ...]) -> bool:
    """Whether a piece of an image of this shape is too thick for a line of text."""
    return min(wide, tall) > max(THICKEST, THICK * min(shape))


def blocks(lines: Sequence[Box], shape: tuple[int, ...], grainy: bool) -> Bools:
    """(rows, columns) bool: the rectangles around lines of one direction that stand near each other, and around them.

    A lone row is no block, but where an image is ``grainy``, so that others may be lost in it.
    """
    found = np.zeros(shape, bool)
    for block in _blocks(lines):
        turned = _is_turned(block[0])
        tall = max(SMALL, min(float(np.median([_tall(box) for box in block])), TALL * min(shape)))
        tops, lefts, bottoms, rights = zip(*block, strict=True)
        top, left, bottom, right = min(tops), min(lefts), max(bottoms), max(rights)
        lone = (right - left if turned else bottom - top) <= 2 * tall
        if lone and not grainy:
            continue
        across, along = (round(tall * reach) for reach in (ALONE if lone else IN_GRAIN if grainy else REACH))
        down, over = (along, across) if turned else (across, along)
        found[max(top - down, 0) : bottom + down, max(left - over, 0) : right + over] = True
    return found


def surroundings(lines: Sequence[Box], shape: tuple[int, ...]) -> list[tuple[Box, bool]]:
    """Where else there may be lines of each block, and whether they are turned."""
    found = []
    for block in _blocks(lines):
        turned, tall = _is_turned(block[0]), max(SMALL, float(np.median([_tall(box) for box in block])))
        across, along = (round(tall * reach) for reach in NEAR)
        down, over = (along, across) if turned else (across, along)
        tops, lefts, bottoms, rights = zip(*block, strict=True)
        here = (max(min(tops) - down, 0), max(min(lefts) - over, 0),
                min(max(bottoms) + down, shape[0]), min(max(rights) + over, shape[1]))
        found.append((here, turned))
    return found


def _blocks(lines: Sequence[Box]) -> Iterator[list[Box]]:
    """The lines, those of one direction together that stand near each other."""
    for turned in (False, True):
        yield from _near([box for box in lines if _is_turned(box) == turned])


def _shows(look: Floats, block: Sequence[Box]) -> bool:
    return any((look[top:bottom, left:right] > HINTED).any() for top, left, bottom, right in block)


def _is_turned(box: Box) -> bool:
    return box[2] - box[0] > box[3] - box[1]


def _tall(box: Box) -> int:
    return min(box[2] - box[0], box[3] - box[1])


def _near(boxes: Sequence[Box]) -> list[list[Box]]:
    """The boxes, those together that are near each other, or near others that are."""
    groups: list[list[Box]] = []
    for box in boxes:
        joined = [group for group in groups if any(_are_near(box, other) for other in group)]
        groups = [group for group in groups if group not in joined] + [[box, *(each for g in joined for each in g)]]
    return groups


def _are_near(one: Box, other: Box) -> bool:
    reach = max(SMALL, min(_tall(one), _tall(other)))
    (top, left, bottom, right), (above, before, below, after) = one, other
    if _is_turned(one):
        (left, top, right, bottom), (before, above, after, below) = one, other
    across, along = ACROSS * reach, ALONG * reach
    return top < below + across and above < bottom + across and left < after + along and before < right + along
