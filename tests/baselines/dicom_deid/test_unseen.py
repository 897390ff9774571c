"""By how much strokes stand out, and what goes around them."""

import numpy as np
import pytest

unseen = pytest.importorskip(
    "fourfold.baselines.dicom_deid.unseen", reason="OpenCV is not installed: pip install fourfold[dicom]")

SHAPE = (120, 300)
BOX = (50, 100, 62, 200)


def drawn(by: int, noise: float) -> np.ndarray:
    """Vertical strokes, so many grey levels brighter than noise, over all rows of BOX and four more on either side."""
    image = 100 + np.random.default_rng(0).normal(0, noise, SHAPE)
    image[BOX[0] - 4 : BOX[2] + 4, BOX[1] : BOX[3] : 5] += by
    return image.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("by", [20, 60, 120])
def test_strokes_stand_out_by_what_they_were_drawn_with(by):
    assert abs(unseen.stands_out(BOX, drawn(by, 2)) - by) < 6


def test_what_is_faint_is_hidden_where_there_is_grain():
    assert unseen.is_hidden(BOX, drawn(50, 10), 10)
    assert not unseen.is_hidden(BOX, drawn(50, 2), 2)


def test_clear_strokes_go_as_far_across_as_they_reach_and_what_noise_hides_goes_all_around():
    across = np.flatnonzero(unseen.strokes_in(BOX, drawn(60, 2)).any(axis=1))
    assert (across[0], across[-1]) == (45, 66)
    lost = unseen.strokes_in(BOX, drawn(20, 15))
    assert lost[43:69, 93:207].all()
    assert lost.sum() == 26 * 114


def test_a_box_of_any_size_anywhere_in_an_image_is_looked_at():
    image = np.random.default_rng(0).integers(100, 104, (700, 600)).astype(np.uint8)
    for box in ((0, 0, 700, 600), (0, 0, 300, 400), (690, 590, 700, 600), (0, 595, 1, 600)):
        assert 0 <= unseen.stands_out(box, image) <= 255
        assert unseen.strokes_in(box, image).shape == image.shape
