"""Which faint lines are text, and what goes of a block of them of which only some were seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.baselines.dicom_deid.blocks import blocks, confirmed, crowded, surroundings

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


def look(*boxes: tuple[int, int, int, int], probability: float = 0.9) -> np.ndarray:
    """A look of the detector that sees text in these boxes."""
    seen = np.zeros(SHAPE, np.float32)
    for top, left, bottom, right in boxes:
        seen[top:bottom, left:right] = probability
    return seen


def test_a_block_is_text_where_two_looks_show_it_each_another_line():
    far = (300, 300, 310, 380)
    looks = [look(LINES[0]), look(LINES[1]), look(far), look()]
    assert sorted(confirmed([*LINES, far], looks, lambda _: 0)) == sorted(LINES)


def test_a_hint_is_enough_for_a_second_look_and_less_is_none():
    assert confirmed(LINES[:1], [look(LINES[0]), look(LINES[0], probability=0.15)], lambda _: 0) == LINES[:1]
    assert not confirmed(LINES[:1], [look(LINES[0]), look(LINES[0], probability=0.05)], lambda _: 0)


def test_one_look_is_enough_where_a_line_of_the_block_can_be_read_and_reading_alone_is_not():
    def letters(box):
        return 3 if box == LINES[1] else 0.5

    assert sorted(confirmed(LINES, [look(LINES[0]), look()], letters)) == sorted(LINES)
    assert not confirmed(LINES[:1], [look(LINES[0]), look()], letters)
    assert not confirmed(LINES, [look(), look()], letters)


def test_where_text_is_seen_all_over_a_rectangle_goes_and_lines_of_any_length_do_not():
    area, rows = (100, 100, 180, 220), [(10, 10, 30, 390), (200, 50, 380, 70)]
    gone = crowded(look(area, *rows))
    assert gone[100:180, 100:220].all()
    assert gone.sum() == 80 * 120
    assert not crowded(look(area, probability=0.2)).any()


def test_a_closer_look_goes_to_where_other_lines_of_a_block_may_be_and_no_further_than_the_image():
    assert surroundings(LINES, SHAPE) == [((20, 0, 214, 360), False)]
    assert surroundings(turned(LINES), SHAPE) == [((0, 20, 360, 214), True)]
    assert surroundings([], SHAPE) == []
    apart = [*LINES, (380, 300, 390, 390)]
    assert sorted(surroundings(apart, SHAPE)) == [((20, 0, 214, 360), False), ((300, 140, 400, 400), False)]
