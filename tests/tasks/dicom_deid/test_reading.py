"""Files are read whatever they are, and cut at the same elements that pydicom finds."""

import struct
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid.containers import unpacked
from fourfold.tasks.dicom_deid.reading import File, same_samples
from fourfold.tasks.dicom_deid.stretches import LARGEST, Stretch, inflate, stretches

FILES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "image_dfl.dcm", "reportsi.dcm",
    "test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "waveform_ecg.dcm", "examples_overlay.dcm", "examples_palette.dcm",
    "liver_1frame.dcm", "JPEG2000.dcm", "nested_priv_SQ.dcm", "UN_sequence.dcm", "no_meta.dcm",
)  # fmt: skip


def read(name: str) -> File:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom does not ship {name}")
    with open(str(path), "rb") as opened:
        return File(name, opened.read())


@pytest.mark.parametrize("name", FILES)
def test_stretches_are_the_elements_that_pydicom_finds(name):
    file = read(name)
    empty = {place for place, element in file.elements if element.VR == "SQ" and not element.value}
    known = {place for place, element in file.elements if element.VR != "SQ"}
    found = {one.place for one in file.stretches if not one.place.endswith(("bytes", ",0000)"))} - {"preamble"}
    assert found - empty == {place for place in known if not place.endswith(",0000)")}


@pytest.mark.parametrize("name", FILES)
def test_texts_are_those_that_pydicom_decodes(name):
    file = read(name)
    for place, element in file.elements:
        if element.VR in ("LO", "SH", "CS", "UI", "DA") and place in file.texts and "\\" not in str(element.value):
            value = element.value if isinstance(element.value, str) else "\\".join(map(str, element.value or []))
            assert "\\".join(file.texts[place]).strip() == value.strip(), place


@pytest.mark.parametrize("name", FILES)
def test_no_byte_of_a_value_is_left_out_and_none_is_in_two_stretches(name):
    file = read(name)
    own = [one for one in file.stretches if one.data is file.data]
    assert all(one.start <= one.end <= len(file.data) for one in own)
    if name != "image_dfl.dcm":
        assert all(before.end <= after.start for before, after in pairwise(own))
        assert own[-1].end >= len(file.data) - 128  # Delimiters may follow.


def test_trailing_bytes_and_pixels_have_their_places():
    file = read("CT_small.dcm")
    more = File("x", file.data + b"Hope Long was here")
    assert more.stretches[-1].place == "bytes"
    assert more.data[more.stretches[-1].start :].endswith(b"Hope Long was here")
    assert same_samples(file, more)
    assert same_samples(more, file)
    other = bytearray(file.data)
    pixels = next(one for one in file.stretches if one.place == "(7FE0,0010)")
    other[pixels.start] ^= 1
    assert not same_samples(file, File("x", bytes(other)))


def test_encapsulated_pixels_are_one_stretch_even_if_they_hold_a_delimiter():
    fragment = b"\xfe\xff\xdd\xe0\0\0\0\0" + b"\x01" * 24
    pixels = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, len(fragment)) + fragment
    head = b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
    head += b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
    data = head + pixels + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0abcd"
    cut = {one.place: one for one in stretches(data)}
    assert data[cut["(7FE0,0010)"].start : cut["(7FE0,0010)"].end].startswith(pixels)
    assert data[cut["(FFFC,FFFC)"].start : cut["(FFFC,FFFC)"].end] == b"abcd"


def test_codecs_are_those_that_a_file_names():
    data = Dataset()
    data.SpecificCharacterSet = ["", "ISO 2022 IR 149", "ISO_IR 999"]
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=False)
    assert File("x", buffer.getvalue()).codecs == ["utf-8", "euc_kr"]


def test_what_follows_the_elements_does_not_slow_reading():
    file = read("CT_small.dcm")
    parsed, why = File("x", file.data + b"\0" * (1 << 22)).parsed
    assert parsed is not None, why
    assert len(parsed) == len(dcmread(BytesIO(file.data)))


def test_no_more_is_inflated_than_agreed():
    import zlib

    packed = zlib.compress(b"\0" * (LARGEST + (1 << 20)))
    assert len(inflate(packed, 15)) == LARGEST
    assert inflate(b"no zlib", 15) == b""
    assert inflate(zlib.compress(b"hello" * 100)[:-9], 15).startswith(b"hello")


def test_containers_in_containers_end():
    import gzip

    data = b"Hope"
    for _ in range(6):
        data = gzip.compress(data)
    found = unpacked([Stretch(data, "bytes", "", 0, len(data))])
    assert 3 <= len(found) < 30


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_can_be_read(data, preamble):
    file = File("x", (b"\0" * 128 + b"DICM" if preamble else b"") + data)
    assert isinstance(file.parsed[1], str)
    assert isinstance(file.texts, dict)
    assert isinstance(file.codecs, list)
    assert file.pixels[0] is None or file.pixels[0].size


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # A damaged value is quoted whole in each.
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_file_with_bytes_overwritten_can_be_read(seed):
    rng = np.random.default_rng(seed)
    data = bytearray(read("MR_small.dcm").data)
    for at in rng.integers(132, 1700, 12):
        data[at] = rng.integers(256)
    file = File("x", bytes(data))
    assert isinstance(file.parsed[1], str)
    assert isinstance(file.elements, list)
    assert file.stretches[-1].end >= len(data) - 64
