"""An identity is found wherever a method hides it: in whatever bytes, in another's file, in a name."""

import base64
import bz2
import codecs
import gzip
import json
import lzma
import zlib

import numpy as np
import pytest
from pydicom import Dataset


def blob(value: bytes, vr: str = "OB"):
    """A change that puts bytes into a private element."""

    def change(dataset: Dataset) -> None:
        dataset.private_block(0x21, "X", create=True).add_new(1, vr, value + b"\0" * (len(value) % 2))

    return change


def codes(text: str):
    def change(dataset: Dataset) -> None:
        dataset.private_block(0x21, "X", create=True).add_new(1, "UL", [ord(each) for each in text])

    return change


def comment(text: str):
    def change(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.ImageComments = text

    return change


def among_pixels(text: str):
    def change(dataset: Dataset) -> None:
        dataset.PixelData = (b"\0" + text.encode() + b"\0" + dataset.PixelData)[: 2 * 48 * 64]

    return change


HIDING = {
    "appended after the pixels": lambda clean, given, text, changed: clean + given,
    "in a private blob": lambda clean, given, text, changed: changed(clean, blob(given)),
    "in an unknown element": lambda clean, given, text, changed: changed(clean, blob((text + "  ").encode(), "UN")),
    "as UTF-16 in a blob": lambda clean, given, text, changed: changed(clean, blob(text.encode("utf-16-le"))),
    "in the preamble": lambda clean, given, text, changed: text.encode().ljust(128, b"\0") + clean[128:],
    "gzipped": lambda clean, given, text, changed: clean + gzip.compress(given),
    "bzipped": lambda clean, given, text, changed: clean + bz2.compress(given),
    "xz": lambda clean, given, text, changed: clean + lzma.compress(given),
    "gzipped twice": lambda clean, given, text, changed: clean + gzip.compress(gzip.compress(given)),
    "zlib in a blob": lambda clean, given, text, changed: changed(clean, blob(zlib.compress(given) + b"\0")),
    "zlib within a blob": lambda clean, given, text, changed: changed(
        clean, blob(b"x\x9c%PDF stream\n" + zlib.compress(f"BT ({text}) Tj ET".encode()) + b"\nendstream")
    ),
    "gzip in zlib": lambda clean, given, text, changed: clean + b"\0\1" + zlib.compress(gzip.compress(given), 9),
    "as UTF-32 in a blob": lambda clean, given, text, changed: changed(clean, blob(text.encode("utf-32-le"))),
    "as codes": lambda clean, given, text, changed: changed(clean, codes(text)),
    "escaped as in JSON": lambda clean, given, text, changed: changed(clean, comment(json.dumps({"name": text}))),
    "in base64": lambda clean, given, text, changed: changed(
        clean, comment(base64.b64encode(b"xy" + text.encode()).decode())
    ),
    "in hex": lambda clean, given, text, changed: changed(clean, comment(text.encode().hex().upper())),
    "backwards": lambda clean, given, text, changed: clean + text[::-1].encode(),
    "read as Latin-1": lambda clean, given, text, changed: changed(clean, comment(text.encode().decode("latin-1"))),
    "read as Windows's": lambda clean, given, text, changed: changed(
        clean, comment(text.encode("cp1251" if "И" in text or text[0] == "С" else "utf-8").decode("cp1252", "replace"))
    ),
    "a number over lines": lambda clean, given, text, changed: changed(
        clean, comment("\n".join((text[-10:-7], text[-7:-4], text[-4:])))
    ),
    "in letters that look alike": lambda clean, given, text, changed: changed(
        clean, comment(text.translate(str.maketrans("aeopM", "аеорМ")))
    ),
    "in base 64 of gzip": lambda clean, given, text, changed: changed(
        clean, comment(base64.b64encode(gzip.compress(text.encode())).decode())
    ),
    "in base 32 in a blob": lambda clean, given, text, changed: changed(clean, blob(base64.b32encode(text.encode()))),
    "in the digits of a UID": lambda clean, given, text, changed: changed(
        clean, lambda each: setattr(each, "FrameOfReferenceUID", f"2.25.{int.from_bytes(text[-15:].encode(), 'big')}")
    ),
    "in the pixels' bytes": lambda clean, given, text, changed: changed(clean, among_pixels(text)),
}


@pytest.mark.parametrize("how", HIDING)
@pytest.mark.parametrize("patient", range(3))
def test_an_identity_that_was_hidden_is_found(studies, changed, how, patient):
    text = studies.identity(patient)
    written = HIDING[how](studies.reference(patient), studies.given(patient), text, changed)
    result = studies.found(studies.clean(patient, written))
    assert result.leaked[studies.of(patient)].any(), how
    assert not result.leaked[~studies.of(patient)].any()
    assert result.breached(studies.corpus.key).tolist() == [number == patient for number in range(4)]


@pytest.mark.parametrize("how", HIDING)
def test_what_is_hidden_in_a_file_as_it_was_given_is_found_as_in_one_read_alone(studies, changed, how):
    """What an output has in common with what was given is not read again, and what is beside it is."""
    written = HIDING[how](studies.given(0), studies.given(1), studies.identity(1), changed)
    one, other = (studies.found(studies.clean(0, written), beside=beside) for beside in (True, False))
    assert one.leaked[studies.of(1)].any()
    np.testing.assert_array_equal(one.leaked, other.leaked)
    assert [set(each) for each in one.found] == [set(each) for each in other.found]


@pytest.mark.parametrize("patient", [0, 1])
def test_an_identity_in_another_patients_file_a_name_or_a_file_too_many_is_found(studies, changed, patient):
    text, other = studies.identity(patient), studies.reference(3)
    within = changed(other, comment(text)) if patient == 0 else other + text.encode()
    for result in (
        studies.found(studies.clean(3, within)),
        studies.found(studies.clean(), names={path: f"x/{text}/{path[:2]}" for path in studies.corpus.given}),
        studies.found(studies.clean(), names={
            path: f"x/{base64.b32encode(text.encode()).decode().strip('=')}-{path[:2]}" for path in studies.corpus.given
        }),
        studies.found(studies.clean(), extra=(("more.txt", text.encode()),)),
        studies.found(studies.clean(), odd=(f"{text}: symbolic link",)),
    ):
        assert result.leaked[studies.of(patient)].any()
        assert not result.leaked[~studies.of(patient)].any()


def test_a_full_name_in_another_patients_file_is_found_in_each_spelling(drawn, changed):
    key = drawn.corpus.key
    shown = next(one for one in key.instances if one.modality != "SR")
    for patient, person in enumerate(key.patients):
        if patient != shown.patient:
            text = comment(f"{person.latin[0].upper()} {person.latin[1]}")
            written = {**drawn.corpus.reference, shown.path: changed(drawn.corpus.reference[shown.path], text)}
            assert drawn.found(written).breached(key)[patient], person.latin


@pytest.mark.parametrize("moved", [
    lambda text: comment(codecs.encode(text, "rot13")), lambda text: blob(bytes(each ^ 0x5A for each in text.encode())),
])  # fmt: skip
def test_a_name_whose_letters_or_bytes_are_moved_is_found(drawn, changed, moved):
    key = drawn.corpus.key
    shown = {one.patient: one.path for one in key.instances if one.modality != "SR"}
    for patient, path in shown.items():
        name = " ".join(key.patients[patient].latin)
        if name.isascii() and len(name) > 12:
            written = {**drawn.corpus.reference, path: changed(drawn.corpus.reference[path], moved(name))}
            assert np.flatnonzero(drawn.found(written).breached(key)).tolist() == [patient]


def test_one_output_for_all_leaks_whom_it_shows(studies):
    one = dict.fromkeys(studies.corpus.given, studies.given(0))
    result = studies.found(one)
    named = np.array([item.locus == "filename" for item in studies.corpus.key.planted])
    assert result.leaked[studies.of(0) & ~named].all()
    others = {(item.kind, item.locus) for item in studies.leaked(result) if item.patient}
    assert others == {("date", "direct")}  # That is the same for all.
