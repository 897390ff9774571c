"""What of burned-in text is spared, how lines are found by their strokes, and what stands where they were erased."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fourfold.baselines.dicom_deid.filling import fill
from fourfold.baselines.dicom_deid.identity import Identity
from fourfold.baselines.dicom_deid.markings import is_setting, of_no_one
from fourfold.baselines.dicom_deid.scrubber import Scrubber

cv2 = pytest.importorskip("cv2", reason="opencv is not installed: pip install fourfold[dicom]")
judging = pytest.importorskip("fourfold.baselines.dicom_deid.judging")
strokes = pytest.importorskip("fourfold.baselines.dicom_deid.strokes")


def marking(text: str) -> bool:
    known = Identity()
    known.add_name("Long^Grant")
    return of_no_one(text, Scrubber(known, -100, lambda uid: "2.25.7"))


@pytest.mark.parametrize("text", [
    "L", "R", "AP PORTABLE", "APPORTABLE", "kVp 120", "10 cm", "LAO 33", "BONEDENSITY", "15.Dcm", "47H2", "5e 4",
    "T-score -1.8", "MI 0.7", "2D", "DR 42", "Rum 15", "Rm", "kp 80",
])
def test_markings_are_spared(text):
    assert marking(text)


def test_a_name_that_looks_like_a_misread_marking_goes():
    known = Identity()
    known.add_name("Rum^Ann")
    assert not of_no_one("Rum 15", Scrubber(known, -100, lambda uid: "2.25.7"))


@pytest.mark.parametrize(("text", "is_one"), [
    ("Im 45", True), ("lm45", True), ("194 mA", True), ("kp 80", True), ("Im", False), ("45", False), ("Kim 45", False),
    ("Im 45678", False), ("Im 45 Ann", False),
])
def test_a_setting_is_a_label_and_its_number_alone(text, is_one):
    assert is_setting(text) == is_one


@pytest.mark.parametrize("text", [
    "NAKAMURA YUKI", "KatelynvilleKlinikum423", "LONG GRANT", "LONGGRANT", "A1234567", "12.03.2020", "06-AUG-2024",
    "Fairview General Hospital", "中村", "", "?", "A7843", "01.05.", "MRN574", "3D-JUN-2D24", "11.11.", "2714.87",
    "19 6309 D3", "17 0CT 2024", "Castromouth Medical Center 872", "Medical Center 814", "Radiology Partners",
    "DR Nakamura", "Hollyside Radiology Pa", "Sun Coast Imaging", "Hill View Health",
])
def test_all_else_goes(text):
    assert not marking(text)


def drawn(text: str, grain: int, turned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """An image with a text in one value, and where its strokes are."""
    picture = Image.new("L", (160, 60))
    canvas = ImageDraw.Draw(picture)
    canvas.fontmode = "1"
    canvas.text((20, 20), text, fill=255, font=ImageFont.load_default(14))
    ink = np.asarray(picture) > 0
    image = np.where(ink, 255, np.random.default_rng(0).integers(60, 61 + grain, ink.shape)).astype(np.uint8)
    return (np.rot90(image), np.rot90(ink)) if turned else (image, ink)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("grain", [0, 5, 120])
def test_a_line_of_one_value_is_found_whole_where_no_detector_sees_it(grain, turned):
    image, ink = drawn("QZKRV 48 WX", grain, turned)
    nothing = np.zeros(image.shape, np.float32)
    found = strokes.lines(image.astype(np.int64), np.ascontiguousarray(image), nothing)
    assert np.array_equal(strokes.merged([line for line in found if line.value == 255], image.shape), ink)


def line(top: int, left: int, bottom: int, right: int, glyphs: int, turned: bool = False) -> strokes.Line:
    return strokes.Line((top, left, bottom, right), np.ones((bottom - top, right - left), bool), turned, glyphs)


def test_first_letters_beneath_each_other_are_parts_of_their_markings_and_a_name_beside_them_is_none():
    markings = [line(top, 12, top + 8, 60, 5) for top in (10, 20, 30, 40)]
    assert judging.is_made_of(line(10, 4, 48, 11, 4, turned=True), markings, (100, 100))
    assert not judging.is_made_of(line(10, 4, 48, 11, 9, turned=True), markings, (100, 100))  # More than first letters.
    assert not judging.is_made_of(line(10, 70, 48, 77, 4, turned=True), markings, (100, 100))
    assert not judging.is_made_of(line(10, 4, 98, 11, 4, turned=True), markings, (100, 100))


def test_what_reads_as_a_marking_goes_with_its_row_be_the_rest_of_it_hardly_a_line():
    """As ``T-1985`` does, where little is seen of the ``12-OC`` before it."""
    hardly, rest = replace(line(28, 20, 34, 30, 3), doubtful=True), line(27, 32, 34, 69, 4)
    above, away, upwards = line(15, 32, 22, 63, 4), line(28, 90, 34, 120, 4), line(20, 71, 60, 78, 4, turned=True)
    assert judging.rest_of_rows([hardly], [above, rest, away, upwards]) == [rest]


def test_what_is_between_the_strokes_of_a_marking_is_a_part_of_it():
    markings = [line(10, 12, 20, 60, 5)]
    assert judging.is_made_of(line(12, 20, 18, 40, 3), markings, (100, 100))
    assert not judging.is_made_of(line(12, 50, 18, 90, 3), markings, (100, 100))


def test_grain_is_no_text():
    image = np.random.default_rng(1).integers(0, 256, (200, 200)).astype(np.uint8)
    assert not strokes.lines(image.astype(np.int64), image, np.zeros(image.shape, np.float32))


def test_what_was_erased_has_no_part_in_what_stands_there():
    one, other = (np.random.default_rng(0).integers(90, 110, (40, 60), dtype=np.uint8) for _ in range(2))
    gone, faint = np.zeros(one.shape, bool), np.zeros(one.shape, bool)
    gone[5:15, 10:40] = gone[13:25, 10:40] = faint[13:25, 10:40] = True
    one[8:22:2, 12:38] = 255
    for frame in (one, other):
        fill(frame, gone, faint)
    assert np.array_equal(one, other)
    assert 90 <= one.min() <= one.max() < 110


def test_an_image_that_goes_whole_is_black():
    image = np.full((10, 10), 7, np.uint8)
    fill(image, np.ones(image.shape, bool), np.zeros(image.shape, bool))
    assert not image.any()
