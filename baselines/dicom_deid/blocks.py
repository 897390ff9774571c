"""Blocks of faint text: the rectangles around their lines, as what is seen of such a block is seldom all of it."""

from collections.abc import Sequence

import numpy as np

from fourfold.baselines.dicom_deid.strokes import Bools, Box

ACROSS, ALONG = 3.0, 1.5
"""Heights of a line by which lines of a block are apart at most: across them, as there may be another between, and
along them."""
REACH, IN_GRAIN, ALONE = (1.2, 1.2), (2.5, 8.0), (6.0, 2.5)
"""Heights of a line by which a block may go on unseen on each side, across its lines and along them: where these are
seen well; where grain hides them; and where it hides all but one row."""
SMALL, TALL = 8, 0.04
"""What a line is tall, at least in pixels and at most as a share of the image's shorter side, for these reaches."""


def blocks(lines: Sequence[Box], shape: tuple[int, ...], grainy: bool) -> Bools:
    """(rows, columns) bool: the rectangles around lines of one direction that stand near each other, and around them.

    A lone row is no block, but where an image is ``grainy``, so that others may be lost in it.
    """
    found = np.zeros(shape, bool)
    for turned in (False, True):
        for block in _near([box for box in lines if (box[2] - box[0] > box[3] - box[1]) == turned]):
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
    if bottom - top > right - left:
        (left, top, right, bottom), (before, above, after, below) = one, other
    across, along = ACROSS * reach, ALONG * reach
    return top < below + across and above < bottom + across and left < after + along and before < right + along
