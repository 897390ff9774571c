"""What goes of a block of faint text of which only some lines were seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.baselines.dicom_deid.blocks import blocks

SHAPE = (400, 400)
LINES = [(100, 100, 110, 200), (124, 100, 134, 160)]


def turned(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    return [(left, top, right, bottom) for top, left, bottom, right in boxes]


@pytest.mark.parametrize(("grainy", "down", "over"), [(False, 10, 10), (True, 24, 75)])
def test_what_lies_between_two_lines_goes_and_more_around_them_where_grain_hides_it(grainy, down, over):
    gone = blocks(LINES, SHAPE, grainy)
    assert gone[100 - down : 134 + down, 100 - over : 200 + over].all()
    assert gone.sum() <= (34 + 2.5 * down) * (100 + 2.5 * over)


def test_it_is_the_same_upwards():
    assert np.array_equal(blocks(turned(LINES), SHAPE, False), blocks(LINES, SHAPE, False).T)


def test_a_lone_row_is_a_block_only_where_grain_may_hide_others():
    row = [LINES[0], (101, 210, 111, 260)]
    assert not blocks(row, SHAPE, False).any()
    gone = blocks(row, SHAPE, True)
    assert gone[50:160, 80:280].all()
    assert not gone[:30].any()


def test_lines_far_apart_or_of_two_directions_are_no_block():
    assert not blocks([LINES[0], (300, 100, 310, 200)], SHAPE, False).any()
    assert not blocks([LINES[0], (112, 120, 190, 130)], SHAPE, False).any()


def test_one_thick_blob_does_not_make_the_whole_image_go():
    assert blocks([(100, 100, 180, 190), (190, 100, 200, 200)], SHAPE, True).mean() < 0.45


@given(
    st.lists(st.tuples(st.integers(0, 380), st.integers(0, 380), st.integers(4, 20), st.integers(4, 200)), max_size=6),
    st.booleans(),
)
def test_their_order_does_not_matter(boxes, grainy):
    lines = [(top, left, top + tall, left + wide) for top, left, tall, wide in boxes]
    assert np.array_equal(blocks(lines, SHAPE, grainy), blocks(lines[::-1], SHAPE, grainy))
