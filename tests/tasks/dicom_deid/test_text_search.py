import base64
import json
import struct
import unicodedata
from urllib.parse import quote_plus

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid import escapes
from fourfold.tasks.dicom_deid.folding import bounded
from fourfold.tasks.dicom_deid.stretches import Stretch
from fourfold.tasks.dicom_deid.text_search import LARGE, PLAIN, SEPARATED, Texts, search

NAMES = ("Hope Long", "Ψάλτης Μιχάλης", "Иванов Сергей", "محمد الأحمد", "לוי אברהם", "राम कुमार", "สมชาย ใจดี",
         "王小明", "山田太郎",
         "ヤマダタロウ", "김지수", "Nguyễn Văn An", "Müller-Lüdenscheidt")  # fmt: skip
NUMBERS = ("555-12-3456", "MRN7741093", "(030) 555 0199", "1.2.826.0.1.3680043.10.1234.20240301")
BYTES = ("UTF-16-LE", "UTF-16-BE", "UTF-32-LE", "UTF-32-BE", "base64", "hex", "backwards")


def texts(*wanted: str) -> Texts:
    return Texts(wanted, ["uid" if each.startswith("1.2.") else "" for each in wanted], [True] * len(wanted))


def stretch(data: bytes, vr: str = "") -> Stretch:
    return Stretch(data, "bytes", vr, 0, len(data))


def forms(wanted: str, data: bytes, vr: str = "LT", samples: bool = False) -> set[str]:
    cut = [stretch(data, vr)]
    return {hit.form for hit in search(texts(wanted), [] if samples else cut, cut if samples else [])}


@pytest.mark.parametrize("name", NAMES + NUMBERS)
def test_a_text_is_found_as_it_stands_and_in_any_case(name):
    for spelled in (name, name.upper(), name.lower(), unicodedata.normalize("NFD", name), f"({name})", f"x {name}, y"):
        assert PLAIN in forms(name, spelled.encode()), spelled


@pytest.mark.parametrize(("word", "text", "found"), [
    ("Li", "liver", False), ("Li", "Li Na", True), ("Li", "ALI", False), ("Long", "long axis", True),
    ("Long", "prolonged", False), ("Long", "Long2", True), ("An", "Ana", False), ("राम", "रामा", False),
    ("राम", "राम ने", True),
    ("王小明", "患者王小明先生", True), ("สมชาย", "นายสมชายใจดี", True), ("김지수", "환자김지수님", True),
    ("王", "王小明", False),
    ("王", "王 先生", True), ("12345", "912345", False), ("12345", "A12345B", True), ("O'Neil", "O'Neil's", True),
])  # fmt: skip
def test_words_are_bounded_where_a_script_bounds_them(word, text, found):
    assert bool(forms(word, text.encode())) is found


def test_a_uid_is_none_within_a_longer_one():
    uid = "1.2.3.4567"
    assert forms(uid, f"{uid}.1".encode()) == {PLAIN}
    assert not forms(uid, f"9.{uid}".encode())
    assert not forms(uid, f"{uid}8".encode())


@pytest.mark.parametrize(("written", "found"), [
    ("1.{}", {PLAIN}), ("2.25.{}", {PLAIN}), ("2.25.{}.1", {PLAIN}), ("9{}", set()), ("{}8", set()),
    ("2.25.{bare}", {SEPARATED}), ("{bare}", {SEPARATED}), ("2.25.{bare}7", set()), ("2.25.7{bare}", set()),
    ("{moved}", set()),
])  # fmt: skip
def test_a_long_uid_is_found_under_another_root_and_without_dots(written, found):
    uid = "1.2.826.0.1.3680043.10.1234.20240301.1.12"
    data = written.format(uid, bare=uid.replace(".", ""), moved=uid[:-4] + "11.2")
    assert forms(uid, data.encode(), "UI") == found


def test_a_date_is_found_with_a_time_behind_it_and_not_within_a_number():
    looked = Texts(["20240301"], ["date"], [False])
    assert search(looked, [stretch(b"20240301093000.000", "DT")])
    assert not search(looked, [stretch(b"2024030199", "LO")])
    assert not bounded("120240301", 1, 9, "date")


@pytest.mark.parametrize(("text", "date", "found"), [
    ("after 04.08.2019.", "04.08.20", False), ("on 04082019", "040820", False), ("04AUG2019", "04AUG20", False),
    ("04.08.20.", "04.08.20", True), ("04.08.202019:30", "04.08.2020", True), ("202008041930", "20200804", True),
    ("4AUG20201930", "4AUG2020", True), ("2020-08-041930", "2020-08-04", True),
])  # fmt: skip
def test_a_time_may_follow_a_date_and_no_more_of_its_year(text, date, found):
    start = text.index(date)
    assert bounded(text, start, start + len(date), "date") == found


@pytest.mark.parametrize("between", [" ", "^", ", ", "_", "-", ".", "=", "\0", "", " / "])
def test_names_and_numbers_are_found_whatever_stands_between_their_parts(between):
    assert forms("Hope Long", f"for Hope{between}Long today".encode()) & {PLAIN, SEPARATED}
    assert forms("555-12-3456", f"SSN 555{between}12{between}3456".encode()) & {PLAIN, SEPARATED}


ESCAPES = {
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "XML": lambda text: text.encode("ascii", "xmlcharrefreplace"),
    "XML in hex": lambda text: "".join(f"&#x{ord(each):X};" for each in text).encode(),
    "an address": lambda text: f"/find?name={quote_plus(text)}&page=2".encode(),
    "JavaScript": lambda text: "".join(f"\\u{{{ord(each):x}}}" for each in text).encode(),
    "a script's escape": lambda text: "".join(f"%u{ord(each):04X}" for each in text).encode(),
    "Python's bytes": lambda text: repr(text.encode()).encode(),
    "mail": lambda text: "".join(f"={each:02X}" for each in text.encode()).encode(),
    "C's octal": lambda text: "".join(f"\\{each:03o}" for each in text.encode()).encode(),
    "Python's ASCII": lambda text: ascii(text).encode(),
}


@pytest.mark.parametrize("vr", ["LT", "OB"])
@pytest.mark.parametrize("how", ESCAPES)
@pytest.mark.parametrize("name", [*NAMES, "Nguyễn Văn An".upper(), unicodedata.normalize("NFD", "Müller-Lüdenscheidt")])
def test_a_name_in_escapes_is_found(name, how, vr):
    data = b"{name: " + ESCAPES[how](name) + b"}"
    assert forms(unicodedata.normalize("NFC", name.title()), data, vr) & {PLAIN, SEPARATED}


def test_a_letter_outside_the_first_plane_is_two_escapes_in_json():
    assert forms("𠮷田 太郎", json.dumps("𠮷田 太郎").encode()) == {PLAIN}
    assert escapes.resolved("a\\ud842!") == "a\ufffd!"


def test_escapes_beside_a_text_are_no_second_hit():
    looked = texts("Long", "王小明")
    assert [hit.text for hit in search(looked, [stretch(b"50%20 long &amp; \\u0031", "LT")])] == [0]
    hits = search(looked, [stretch(b"long axis %4Cong, long\\u738b\\u5c0f\\u660e", "LT")])
    assert sorted(hit.text for hit in hits) == [0, 0, 0, 1]
    assert len({(hit.text, hit.start) for hit in hits}) == 4


@given(st.text(alphabet=r"\\%&#ux{};0123456789abcdef", max_size=60))
def test_no_escapes_end_the_search(text):
    assert isinstance(escapes.resolved(text), str)


@pytest.mark.parametrize("between", ["\n", "\r\n", "\\"])
def test_a_long_number_goes_on_over_lines_and_values_and_a_short_one_does_not(between):
    assert not forms("5551234", f"555{between}1234".encode())
    assert forms("555-12-3456", f"x{between}555{between}12{between}3456{between}y".encode()) == {SEPARATED}
    assert not forms("555-12-3456", f"555{between}12{between}3457".encode())


@pytest.mark.parametrize(("kind", "found"), [("mrn", True), ("phone", True), ("uid", False), ("date", False)])
def test_zeros_may_stand_before_a_number_that_systems_fill_up(kind, found):
    looked = Texts(["77410931"], [kind], [False])
    assert bool(search(looked, [stretch(b"0000077410931", "LO")])) is found
    assert not search(looked, [stretch(b"10077410931", "LO")])


def test_a_date_of_few_digits_is_found_between_its_separators_alone():
    looked = Texts(["3/1/61"], ["date"], [False])
    assert search(looked, [stretch(b"born 3/1/61.", "LO")])
    assert not search(looked, [stretch(b"3161 3-161 13/1/61", "LO")])


@pytest.mark.parametrize(("name", "codec"), [
    ("Müller-Lüdenscheidt", "latin-1"), ("Ψάλτης Μιχάλης", "iso8859-7"), ("Иванов Сергей", "iso8859-5"),
    ("Иванов Сергей", "koi8-r"), ("سمير الأحمد", "iso8859-6"), ("לוי אברהם", "iso8859-8"), ("สมชาย ใจดี", "tis-620"),
    ("王小明", "gb18030"), ("王小明", "big5"), ("山田太郎", "shift_jis"), ("山田太郎", "euc_jp"),
    ("山田太郎", "iso2022_jp"), ("김지수", "euc_kr"),
])  # fmt: skip
def test_a_name_in_an_encoding_that_the_file_does_not_name_is_found(name, codec):
    assert forms(name, b"patient: " + name.encode(codec) + b" \0")


def test_mixed_case_in_a_named_character_set_is_found():
    data = "пациент иВАНОВ сЕРГЕЙ".encode("iso8859-5")
    assert search(texts("Иванов Сергей"), [stretch(data, "LO")], codecs=("utf-8", "iso8859-5"))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("form", BYTES)
@pytest.mark.parametrize("name", [*NAMES[:3], *NUMBERS])
def test_coded_texts_are_found_in_small_and_large_blobs(name, form, large):
    coded = {"hex": name.encode().hex().encode(), "base64": base64.b64encode(b"a:" + name.encode() + b";bc"),
             "backwards": name[::-1].encode()}  # fmt: skip
    data = coded[form] if form in coded else name.encode(form)
    noise = np.random.default_rng(0).bytes(2 * LARGE if large else 64)
    assert form in forms(name, noise + b"\0\0" + data + b"\0\0" + noise, "OB")


@pytest.mark.parametrize("name", [*NAMES, "MRN7741093"])
def test_utf_16_in_base64_and_in_hex_is_found(name):
    data = name.encode("utf-16-le")
    assert "hex" in forms(name, data.hex().upper().encode())
    assert "base64" in forms(name, base64.b64encode(b"\xff\xfe" + data))


@pytest.mark.parametrize(("code", "vr"), [
    ("<d", "FD"), (">d", "FD"), ("<Q", "UV"), ("<q", "SV"), ("<d", "UN"), ("<Q", ""),
])  # fmt: skip
def test_a_number_in_binary_is_found(code, vr):
    for number in ("MRN77410931", "8812-3456", "+48 312 555 019"):
        value = int("".join(filter(str.isdigit, number)))
        assert forms(number, struct.pack(code, value), vr) == {"number"}
        assert not forms(number, struct.pack(code, value + 1), vr)
        many = struct.pack(f"{code[0]}3{code[1]}", 1, value, 2)
        assert bool(forms(number, many, vr)) is (vr in ("FD", "SV", "UV"))
        assert not forms(number, b"\0\0\0\0" + many, vr)


def test_text_in_a_large_blob_and_in_pixels_is_found():
    noise = np.random.default_rng(0).bytes(3 * LARGE)
    for name in NAMES:
        if len(name.encode()) >= 9:
            data = noise + b"\0" + name.encode() + b"\0" + noise
            assert forms(name, data, "OB"), name
            assert "UTF-8" in forms(name, data, "OW", samples=True), name


def test_numbers_in_smooth_pixels_are_no_text():
    ramp = np.repeat(np.arange(97, 123, dtype=np.uint8), 1)
    assert not forms("mnop", np.concatenate([ramp, ramp[::-1]]).tobytes(), "OW", samples=True)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NAMES + NUMBERS),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.sampled_from(("plain", *BYTES)),
)
def test_a_text_is_found_anywhere_among_any_bytes(name, before, after, form):
    coded = {"plain": name.encode(), "hex": name.encode().hex().encode(), "base64": base64.b64encode(name.encode()),
             "backwards": name[::-1].encode()}  # fmt: skip
    data = coded[form] if form in coded else name.encode(form)
    edge = b"\0\0\0\0"
    wanted = texts(name)
    assert search(wanted, [stretch(before + edge + data + edge + after, "LT")])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 20_000), st.booleans())
def test_random_bytes_hold_no_text(seed, size, samples):
    data = np.random.default_rng(seed).bytes(size)
    cut = [stretch(data, "OB")]
    wanted = texts(*NAMES, *NUMBERS, "Li", "An", "Hope", "Long", "王", "93", "Na")
    assert not search(wanted, [] if samples else cut, cut if samples else [])
