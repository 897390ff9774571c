"""Text is burned in where each modality has it, and the masks say exactly where."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid.bases import Base
from fourfold.tasks.dicom_deid.burning import Burned, burn, dated, identity_lines
from fourfold.tasks.dicom_deid.key import KINDS, Person
from fourfold.tasks.dicom_deid.phantoms import MODALITIES, phantom

NATIVE = {
    "Latin": ("Müller-Lüdenscheidt", "Hans-Jürgen"), "Cyrillic": ("Иванов", "Пётр"), "Arabic": ("العلي", "محمد"),
    "Hebrew": ("כהן", "משה"), "Devanagari": ("शर्मा", "प्रिया"), "Thai": ("ใจดี", "สมชาย"), "Han": ("王", "小明"),
    "Japanese": ("山田", "サクラ"), "Hangul": ("김", "철수"), "Greek": ("Παππάς", "Νίκος"),
}  # fmt: skip
LINES = (("name", "Doe, Jane"), ("mrn", "00471123"), ("date", "2021-04-05"), ("institution", "St. Mary"))


def person(script="Latin", native=None):
    names = native or NATIVE[script]
    return Person("X", names, ("Latin", "Letters"), "o", script, "F", 50, "19540312", {"mrn": "00471123"})


def covered(burned: Burned, marks) -> np.ndarray:
    """Which (frames, rows, columns) are under the glyphs of marks, each of which must be alone there."""
    found = np.zeros(burned.given.shape[:3], dtype=int)
    for mark in marks:
        mask = mark.mask
        frames = slice(None) if mask.frame < 0 else slice(mask.frame, mask.frame + 1)
        rows, columns = mask.glyphs.shape
        part = found[frames, mask.top:mask.top + rows, mask.left:mask.left + columns]
        assert part.shape[1:] == mask.glyphs.shape
        part += mask.glyphs
    assert found.max(initial=0) <= 1
    return found.astype(bool)


def changed(one, other) -> np.ndarray:
    found = one != other
    return found.any(axis=-1) if found.ndim == 4 else found


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MODALITIES), st.integers(0, 10_000), st.sampled_from(sorted(NATIVE)))
def test_masks_are_exactly_where_the_two_images_differ(modality, seed, script):
    rng = np.random.default_rng(seed)
    base = phantom(rng, modality)
    lines = identity_lines(person(script), "20210405", "A123456", "St. Mary Hospital", rng)
    burned = burn(base, lines, rng)
    assert burned.given.shape == burned.reference.shape == base.pixels.shape
    where = covered(burned, [*burned.identity, *burned.distractors])
    identity = covered(burned, burned.identity)
    assert (changed(burned.given, burned.reference) == identity).all()
    assert {(mark.kind, mark.text) for mark in burned.identity} <= {
        (kind, text[:end]) for kind, text in lines for end in range(2, len(text) + 1)}
    assert {mark.kind for mark in burned.identity} == {kind for kind, _ in lines} <= set(KINDS)
    low, high = base.limits
    for image in (burned.given, burned.reference):
        assert low <= image.min()
        assert image.max() <= high
    assert where.sum() == identity.sum() + covered(burned, burned.distractors).sum()


@pytest.mark.parametrize("modality", MODALITIES)
def test_distractors_are_seen_in_both_images(modality):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        burned = burn(phantom(rng, modality), LINES, rng)
        where = covered(burned, burned.distractors)
        assert len(burned.distractors) >= 2
        assert all(mark.mask.frame == -1 for mark in burned.distractors)
        assert not changed(burned.given, burned.reference)[where].any()
        for mark in burned.distractors:
            rows, columns = (slice(at, at + size) for at, size in
                             zip((mark.mask.top, mark.mask.left), mark.mask.glyphs.shape, strict=True))
            patch = burned.reference[:, rows, columns].astype(float)
            on, off = patch[:, mark.mask.glyphs].mean(axis=1), np.median(patch[:, ~mark.mask.glyphs], axis=1)
            spread = float(burned.reference.max() - burned.reference.min())
            assert (np.abs(on - off).reshape(len(patch), -1).max(axis=1) > 0.2 * spread).all()


def test_every_glyph_of_the_identity_has_contrast_in_every_ink_and_place():
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        burned = burn(phantom(rng, MODALITIES[seed % len(MODALITIES)]), LINES, rng)
        spread = float(burned.reference.max() - burned.reference.min())
        for mark in burned.identity:
            frame = max(0, mark.mask.frame)
            rows, columns = (slice(at, at + size) for at, size in
                             zip((mark.mask.top, mark.mask.left), mark.mask.glyphs.shape, strict=True))
            step = np.abs(burned.given[frame, rows, columns] - burned.reference[frame, rows, columns])
            step = step[mark.mask.glyphs].astype(float).reshape(mark.mask.glyphs.sum(), -1).max(axis=1)
            seen.add((np.median(step) > 0.3 * spread, mark.mask.glyphs.shape[0] > mark.mask.glyphs.shape[1]))
            assert np.median(step) >= 0.1 * spread
    assert len(seen) == 4  # Faint and strong, level and turned.


def test_without_lines_given_is_the_reference():
    for modality in MODALITIES:
        burned = burn(phantom(np.random.default_rng(2), modality), (), np.random.default_rng(2))
        assert burned.identity == ()
        assert burned.distractors
        assert (burned.given == burned.reference).all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_equal_generators_burn_alike_and_the_base_stays_as_it_was(modality):
    base = phantom(np.random.default_rng(5), modality)
    before = base.pixels.copy()
    one, other = (burn(base, LINES, np.random.default_rng(6)) for _ in range(2))
    assert (one.given == other.given).all()
    assert [(mark.text, mark.mask.top, mark.mask.left) for mark in one.identity] == [
        (mark.text, mark.mask.top, mark.mask.left) for mark in other.identity]
    assert (base.pixels == before).all()
    assert (burn(base, LINES, np.random.default_rng(7)).given != one.given).any()


@pytest.mark.parametrize("modality", MODALITIES)
def test_twins_who_differ_in_their_names_are_laid_out_alike(modality):
    base = phantom(np.random.default_rng(8), modality)
    found = []
    for script in ("Latin", "Han"):
        rng = np.random.default_rng(9)
        lines = identity_lines(person(script, ("Lang", "Eva") if script == "Latin" else ("王", "小明")), "20210405",
                               "A1", "St. Mary", rng)
        found.append((lines, burn(base, lines, rng), rng.integers(1 << 40)))
    (lines, one, draws), (others, other, same) = found
    assert draws == same
    assert [kind for kind, _ in lines] == [kind for kind, _ in others]
    assert lines[1:] == others[1:]
    assert [mark.mask.frame for mark in one.identity] == [mark.mask.frame for mark in other.identity]
    assert [mark.text for mark in one.distractors] == [mark.text for mark in other.distractors]


def test_some_loops_have_text_on_one_frame_only():
    frames = set()
    base = phantom(np.random.default_rng(1), "XA")
    loop = replace(base, pixels=np.repeat(base.pixels[:1], 6, axis=0))
    for seed in range(30):
        frames |= {mark.mask.frame for mark in burn(loop, LINES, np.random.default_rng(seed)).identity}
    assert {-1, 0} < frames <= {-1, 0, 1, 2, 3, 4, 5}


def test_names_are_written_as_their_bearers_do_or_in_latin_letters():
    for script, native in NATIVE.items():
        names = {identity_lines(person(script), "20210405", "A1", "H", np.random.default_rng(seed))[0][1]
                 for seed in range(60)}
        own = {name for name in names if any(part.upper() in name.upper() for part in native)}
        latin = {name for name in names if "LATIN" in name.upper()}
        assert own | latin == names
        assert own
        assert latin


def test_a_name_that_no_font_has_is_romanised():
    names = {identity_lines(person("Tamil", ("குமார்", "ராஜா")), "20210405", "A1", "H", np.random.default_rng(seed))[0][1]
             for seed in range(30)}
    assert all("LATIN" in name.upper() for name in names)


def test_dates_are_printed_in_five_styles():
    assert [dated("20210405", style) for style in range(5)] == [
        "2021-04-05", "05.04.2021", "04/05/2021", "05-APR-2021", "20210405"]


def test_what_does_not_fit_is_cut_short_and_the_mark_says_so():
    narrow = Base("NM", np.random.default_rng(0).integers(0, 900, (1, 256, 96)).astype(np.int32), 12)
    burned = burn(narrow, [("name", "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine")], np.random.default_rng(3))
    (mark,) = burned.identity
    assert "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine".startswith(mark.text)
    assert 3 < len(mark.text) < 40
    assert (changed(burned.given, burned.reference) == covered(burned, burned.identity)).all()


def test_a_number_of_which_hardly_anything_would_fit_is_left_out():
    kept = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        narrow = Base("US", rng.integers(0, 200, (1, 200, 72)).astype(np.int32), 8)
        kept |= {(mark.kind, mark.text) for mark in burn(narrow, LINES, rng).identity}
    dates = {text for kind, text in kept if kind == "date"}
    assert "2021-04-05" in dates
    assert all(len(text) >= 6 for text in dates)
    assert any(len(text) < 6 for kind, text in kept if kind == "name")
