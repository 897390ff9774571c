import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid.folding import alike, bare, fold


def test_folding_is_the_same_for_what_looks_the_same():
    assert fold("Ｈｏｐｅ\u200b Ｌｏｎｇ") == fold("hope long") == "hope long"
    assert fold("STRASSE") == fold("straße")
    assert bare("hope^long_1-2") == "hopelong12"


@pytest.mark.parametrize("between", ["\u200b", "\u00ad", "\u034f", "\ufe0f", "\u3164", "\u0301", "\u0332", "\u0336"])
def test_what_does_not_show_or_is_an_accent_does_not_count(between):
    assert fold(between.join("Hope Long") + between) == "hope long"


@pytest.mark.parametrize(("one", "other"), [
    ("ΨΑΛΤΗΣ", "Ψάλτης"), ("Алёна", "АЛЕНА"), ("Müller", "MULLER"), ("Nguyễn", "nguyen"), ("محـــمد", "محمد"),
    ("١٩٦١/٠١/٠٣", "1961/01/03"), ("๐๓", "03"), ("१२", "12"),
])  # fmt: skip
def test_accents_and_the_digits_of_a_script_make_no_difference(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize("text", ["राम", "रम", "สมชาย", "김지수", "が", "か", "أحمد"])
def test_letters_of_their_own_stay(text):
    assert fold(text) == text


@pytest.mark.parametrize("text", [
    "Норе Lоng", "ΗΟΡΕ LΟΝG", "ʜᴏᴘᴇ ʟᴏɴɢ", "\U0001f1ed\U0001f1f4\U0001f1f5\U0001f1ea LONG",
    "".join(chr(0xE0000 + ord(each)) for each in "Hope") + " Long",
])  # fmt: skip
def test_letters_of_another_alphabet_are_the_latin_ones_that_they_look_like(text):
    assert alike(fold(text)) == "hope long"


@given(st.text())
def test_letters_that_look_alike_are_as_many(text):
    assert len(alike(fold(text))) == len(fold(text))
