import base64
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid.recoded import recoded
from fourfold.tasks.dicom_deid.stretches import Stretch
from fourfold.tasks.dicom_deid.text_search import Texts, search

NAMES = ("Hope Longfield", "Иванов Сергей", "山田太郎左衛門", "MRN7741093")


def read(data: bytes, vr: str = "LT") -> list[Stretch]:
    return recoded([Stretch(data, "(0020,4000)", vr, 0, len(data))])


def said(data: bytes, vr: str = "LT") -> list[bytes]:
    return [one.data for one in read(data, vr)]


def base58(data: bytes) -> bytes:
    signs = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, found = int.from_bytes(data, "big"), b""
    while number:
        number, digit = divmod(number, 58)
        found = signs[digit : digit + 1] + found
    return found


CODES = {
    "hex": lambda data: data.hex().encode(), "hex bytes": lambda data: data.hex(" ").encode(),
    "hex with colons": lambda data: data.hex(":").upper().encode(),
    "C's hex": lambda data: b", ".join(b"0x%02x" % each for each in data),
    "hex over lines": lambda data: data.hex("\n", 4).encode(), "hex in values": lambda data: data.hex("\\").encode(),
    "codes": lambda data: b" ".join(b"%d" % each for each in data),
    "codes in a row": lambda data: b"".join(b"%03d" % each for each in data),
    "codes in values": lambda data: b"\\".join(b"%d" % each for each in data),
    "bits": lambda data: b"".join(b"%08d" % int(f"{each:b}") for each in data),
    "a number": lambda data: b"2.25.%d" % int.from_bytes(data, "big"),
    "base 32": base64.b32encode, "base 32 in small letters": lambda data: base64.b32encode(data).lower(),
    "base 58": base58, "base 64": base64.urlsafe_b64encode,
    "base 64 over lines": lambda data: base64.encodebytes(data * 5), "base 85": base64.b85encode,
    "base 64 twice": lambda data: base64.b64encode(base64.b64encode(data)),
    "gzip in base 64": lambda data: base64.b64encode(gzip.compress(data)),
}  # fmt: skip


@pytest.mark.parametrize("how", CODES)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_code_says_is_read(name, how):
    data = b"\0 " + CODES[how](name.encode()) + b" \0"
    assert any(name.encode() in each for each in said(data)), how
    if how not in ("hex in values", "codes in values"):
        assert any(name.encode() in each for each in said(data, "OB"))


@pytest.mark.parametrize("vr", ["LT", "UI"])
@pytest.mark.parametrize("written", [
    "".join(f"{ord(each) - 96:02d}" for each in "hopelongfield"), "".join(f"{ord(each)}" for each in "HOPELONGFIELD"),
])  # fmt: skip
def test_letters_in_the_digits_of_a_uid_are_read(written, vr):
    assert any(b"hopelongfield" in each.lower() for each in said(f"2.25.1{written}".encode(), vr))


@pytest.mark.parametrize(("vr", "kind"), [("FL", "<f4"), ("FD", "<f8")])
def test_codes_in_real_numbers_are_read(vr, kind):
    codes = np.frombuffer(b"Hope Longfield", np.uint8).astype(kind)
    assert any(b"Hope Longfield" in each for each in said(codes.tobytes(), vr))
    assert not said((codes + 0.5).astype(kind).tobytes(), vr)
    assert not said(b"\xff" * 64, vr)


def test_letters_by_their_place_in_the_alphabet_are_read():
    assert any(b"hopelong" in each for each in said(b"8-15-16-5-12-15-14-7"))


def test_a_few_letters_that_some_code_makes_say_nothing():
    looked = Texts(["Li", "An", "Hope", "hopelong"], [""] * 4, [False] * 4)
    letters = [ord(each) - 96 if each != " " else 27 for each in "an li hope hopelong an"]
    hits = search(looked, read(" ".join(map(str, letters)).encode()))
    assert [hit.text for hit in hits] == [3]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["LT", "OB", "UI", "FD"]))
def test_no_bytes_end_it(data, vr):
    assert isinstance(read(data, vr), list)


def test_uids_of_random_digits_say_nothing_that_is_looked_for():
    rng = np.random.default_rng(0)
    looked = Texts(NAMES, [""] * len(NAMES), [True] * len(NAMES))
    uids = [f"2.25.{int.from_bytes(rng.bytes(16), 'big')}".encode() for _ in range(2000)]
    assert not search(looked, [each for uid in uids for each in read(uid, "UI")])
