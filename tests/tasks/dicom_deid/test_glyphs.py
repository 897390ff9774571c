"""Text is drawn in every script, shaped as it should be, and with fonts from installed packages alone."""

import subprocess
import sys

import numpy as np
import pytest

from fourfold.tasks.dicom_deid.glyphs import FACES, drawable, glyphs

NAMES = {
    "Latin": ("Müller", "Nguyễn"), "Cyrillic": ("Иванов", "Петров"), "Greek": ("Παππάς", "Νικολάου"),
    "Arabic": ("محمد", "علي"), "Persian": ("پگاه", "ژاله"), "Hebrew": ("כהן", "לוי"), "Devanagari": ("शर्मा", "सिंह"),
    "Thai": ("สมชาย", "ใจดี"), "Han": ("王小明", "李娜"), "Hiragana": ("さくら", "やまだ"),
    "Katakana": ("サクラ", "ヤマダ"), "Hangul": ("김철수", "이영희"), "Georgian": ("გიორგი", "ნინო"),
}  # fmt: skip


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("script", NAMES)
def test_each_script_is_drawn_and_texts_differ(script, face):
    first, second = (glyphs(name, 14, face) for name in NAMES[script])
    assert drawable(NAMES[script][0])
    assert first.dtype == bool
    assert 20 < first.sum() < first.size
    assert 7 <= first.shape[0] <= 24
    assert first.shape != second.shape or (first != second).any()


@pytest.mark.parametrize("script", NAMES)
def test_ink_is_trimmed_and_grows_with_the_type(script):
    small, large = (glyphs(NAMES[script][0], height) for height in (11, 22))
    for ink in (small, large):
        assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    assert large.shape[1] == pytest.approx(2 * small.shape[1], rel=0.15)


def test_characters_of_one_script_are_not_all_the_box_of_a_missing_one():
    for first, second in NAMES.values():
        letters = {character for character in first + second if character.isalpha()}
        drawn = {(glyphs(letter, 24).shape, glyphs(letter, 24).tobytes()) for letter in letters}
        assert len(drawn) == len(letters)


def test_hebrew_runs_from_right_to_left():
    word, first = glyphs("שלום", 20), glyphs("ש", 20)
    tops = range(word.shape[0] - first.shape[0] + 1)
    right, left = (
        any((word[top : top + first.shape[0], part] == first).all() for top in tops)
        for part in (slice(-first.shape[1], None), slice(first.shape[1]))
    )
    assert right
    assert not left


def test_arabic_letters_join():
    joined, apart = glyphs("ببب", 24), glyphs("ب ب ب", 24)
    assert joined.any(axis=0).all()
    assert not apart.any(axis=0).all()


def test_devanagari_vowels_stand_before_the_consonant_that_they_follow():
    syllable, consonant = glyphs("कि", 24), glyphs("क", 24)
    assert syllable.shape[1] > consonant.shape[1]
    assert syllable[-consonant.shape[0]:, -consonant.shape[1]:].sum() >= 0.8 * consonant.sum()


def test_composed_and_decomposed_texts_are_drawn_alike():
    assert (glyphs("Jürgen", 15) == glyphs("Ju\u0308rgen", 15)).all()


def test_the_bitmap_face_has_square_dots():
    ink = glyphs("MRN 0047", 22, "bitmap")
    rows, columns = (size // 2 * 2 for size in ink.shape)
    dots = ink[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
    assert (dots.all(axis=(1, 3)) == dots.any(axis=(1, 3))).all()


@pytest.mark.parametrize("text", ["தமிழ்", "Ա", "\ue000", "ok \U0001f600"])
def test_what_no_font_has_is_refused_by_name(text):
    assert not drawable(text)
    with pytest.raises(ValueError, match=r"cannot be drawn.*Latin letters"):
        glyphs(text, 12)


def test_blank_text_and_unknown_faces_are_refused():
    with pytest.raises(ValueError, match="no ink"):
        glyphs("  ", 12)
    with pytest.raises(ValueError, match="there are sans, mono, bold, bitmap"):
        glyphs("a", 12, "serif")


def test_arrays_that_are_shared_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        glyphs("shared", 12)[0, 0] = True


def test_no_font_of_the_machine_is_opened():
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from fourfold.tasks.dicom_deid.glyphs import glyphs, FACES
ink = [glyphs(text, 14, face).sum() for text in sys.argv[1:] for face in FACES]
assert min(ink) > 0
fonts = {path for path in opened if path.endswith((".ttf", ".otf", ".ttc", ".pfb", ".pcf", ".pil"))}
print("\\n".join(sorted(fonts)))
"""
    texts = [name for pair in NAMES.values() for name in pair]
    done = subprocess.run([sys.executable, "-c", script, *texts], capture_output=True, text=True, check=True)
    fonts = done.stdout.split()
    assert fonts
    assert all("site-packages" in font for font in fonts)


def test_drawing_is_the_same_again():
    before = glyphs("Same 123", 13, "mono").copy()
    glyphs.cache_clear()
    assert np.array_equal(before, glyphs("Same 123", 13, "mono"))
