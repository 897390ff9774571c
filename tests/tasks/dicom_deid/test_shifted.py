import codecs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid.folding import fold
from fourfold.tasks.dicom_deid.shifted import Shifted

NAMES = ("Hope Longfield", "Müller-Lüdenscheidt, José", "Иванов Сергей", "AB-7741093-2-X", "Li Na")
LOOKED = Shifted(enumerate(NAMES))


def caesar(text: str, by: int) -> str:
    return "".join(chr(97 + (ord(each) - 97 + by) % 26) if "a" <= each <= "z" else each for each in text)


@pytest.mark.parametrize("by", range(1, 26))
def test_letters_moved_along_the_alphabet_are_found_where_they_stand(by):
    text = f"ct of {caesar('hope longfield', by)}, axial"
    (found,) = LOOKED.in_letters(text)
    assert (found.text, text[found.start : found.end]) == (0, caesar("hope longfield", by))
    assert not [*LOOKED.in_letters(f"of {caesar('hope longfields', by)}")]


def test_rot13_of_a_name_with_accents_is_found_without_them():
    assert [each.text for each in LOOKED.in_letters(codecs.encode(fold(NAMES[1]), "rot13"))] == [1]


@pytest.mark.parametrize("by", [1, 0x55, 0x80, 0xFF])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_bytes_xored_or_added_to_are_found(number, by):
    data = np.frombuffer(NAMES[number].encode(), np.uint8)
    for moved, form in ((data ^ np.uint8(by), "XOR"), (data + np.uint8(by), "bytes moved")):
        found = [each for each in LOOKED.in_bytes(b"\1\2\3" + moved.tobytes() + b"\7") if each.form == form]
        assert [(each.text, each.start, each.end) for each in found] == [(number, 3, 3 + len(data))]


def test_what_was_not_moved_is_left_to_others():
    assert not [*LOOKED.in_letters("for hope longfield")]
    assert not [*LOOKED.in_bytes(NAMES[0].encode())]


def test_short_texts_and_none_are_not_looked_for():
    assert not [*LOOKED.in_letters(caesar("li na", 3))]
    assert not [*Shifted(()).in_letters("kdsh orqjilhog")]
    assert not [*Shifted(()).in_bytes(b"\0\1\2")]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_hold_none(data):
    assert not [*LOOKED.in_bytes(data)]
    assert not [*LOOKED.in_letters(data.decode("latin-1"))]
