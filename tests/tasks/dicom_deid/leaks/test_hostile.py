"""Nothing that a method writes ends the search, and what cannot be read fails with the reason."""

import struct
import zlib

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian


@pytest.mark.parametrize(("data", "why"), [
    (b"", "it is empty"), (b"PK hello", "no DICOM"), (b"\0" * 4096, "no DICOM"),
    (b"\0" * 128 + b"DICM", "no DICOM"), (b"\0" * 128 + b"DICM" + b"\xff" * 600, "DICOM"),
    (np.random.default_rng(0).bytes(5000), "DICOM"),
])  # fmt: skip
def test_what_cannot_be_read_fails_with_the_reason_and_is_a_breach(studies, data, why):
    result = studies.found(studies.clean(2, data))
    assert not result.leaked.any()
    assert list(result.failed) == [2]
    ((path, reason),) = result.failed[2]
    assert path == studies.path(2)
    assert why in reason
    assert result.breached(studies.corpus.key).tolist() == [False, False, True, False]


def test_a_missing_file_and_a_link_are_told_apart(studies):
    written = {path: data for path, data in studies.clean().items() if path not in (studies.path(1), studies.path(2))}
    result = studies.found(written, odd=(f"{studies.path(1)}: symbolic link",))
    assert result.failed[1] == [(studies.path(1), "it is no file that is read: symbolic link")]
    assert result.failed[2] == [(studies.path(2), "it did not come back")]


def test_nothing_returned_is_a_breach_of_everybody(studies):
    result = studies.found({})
    assert not result.leaked.any()
    assert result.breached(studies.corpus.key).all()


def bomb(data: bytes, changed) -> bytes:
    def enlarge(dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65535
        dataset.NumberOfFrames = 100000

    return changed(data, enlarge)


def deflated(data: bytes, changed) -> bytes:
    """64 MiB of zeros, as a deflated file."""
    whole = changed(data, lambda each: setattr(each.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian))
    meta = whole[: 144 + int.from_bytes(whole[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return meta + b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(64)) + packer.flush()


def nested(data: bytes, changed, depth: int = 3000) -> bytes:
    opened = (b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * depth
    return data + opened


def cyclic_lengths(data: bytes, changed) -> bytes:
    return data + b"\x10\x00\x10\x00PN\xff\xff" + b"\x10\x00\x20\x00UT\0\0\xfe\xff\xff\xff" + b"x" * 40


def icon_of_many_frames(data: bytes, changed) -> bytes:
    def enlarge(dataset: Dataset) -> None:
        item = Dataset()
        item.Rows, item.Columns, item.NumberOfFrames, item.SamplesPerPixel = 4000, 4000, 2**31 - 1, 1
        item.BitsAllocated = item.BitsStored = 8
        item.PhotometricInterpretation, item.PixelRepresentation = "MONOCHROME2", 0
        item.add_new(0x7FE00010, "OB", b"12")
        dataset.IconImageSequence = [item, item]

    return changed(data, enlarge)


def bomb_of_png(data: bytes, changed) -> bytes:
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    body = zlib.compress(bytes(1 << 20), 9)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", len(body)) + b"IDAT" + body
    return changed(data, lambda dataset: dataset.private_block(0x21, "X", create=True).add_new(1, "OB", png + bytes(1)))


HOSTILE = {
    "an icon of many frames": icon_of_many_frames, "a bomb in a picture": bomb_of_png,
    "a decompression bomb": bomb, "a deflated bomb": deflated, "deep nesting": nested, "huge lengths": cyclic_lengths,
    "cut in the middle": lambda data, changed: data[: len(data) // 2],
    "cut in the meta information": lambda data, changed: data[:150],
    "wrong VRs": lambda data, changed: data.replace(b"PN", b"FD").replace(b"LO", b"US").replace(b"CS", b"AT"),
    "no VRs": lambda data, changed: data.replace(b"PN", b"??").replace(b"UI", b"\0\0"),
    "an unknown character set": lambda data, changed: data.replace(b"ISO_IR 100", b"ISO_IR 999"),
    "gzip of nothing": lambda data, changed: data + b"\x1f\x8b\x08" * 2000,
    "zeros": lambda data, changed: data + b"\0" * (1 << 24),
    "many elements": lambda data, changed: data + b"\x09\x00\x01\x10LO\0\0" * (1 << 17),
    "zip": lambda data, changed: data + b"PK\x03\x04" * 500,
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_nothing_that_is_written_ends_the_search(studies, changed, how):
    result = studies.found(studies.clean(0, HOSTILE[how](studies.reference(0), changed)))
    assert not result.leaked[~studies.of(0)].any()
    given = studies.found(studies.clean(0, HOSTILE[how](studies.given(0), changed)))
    if not how.startswith("cut") and how != "a deflated bomb":
        assert given.leaked[studies.of(0)].any()


def test_pixels_that_cannot_be_decoded_fail_with_the_reason(studies, changed):
    result = studies.found(studies.clean(0, bomb(studies.reference(0), changed)))
    assert "where 268,435,456 are read" in result.failed[0][0][1]
    cut = changed(studies.reference(0), lambda each: setattr(each, "PixelData", each.PixelData[:100]))
    result = studies.found(studies.clean(0, cut))
    assert "cannot be decoded" in result.failed[0][0][1]


def test_pixels_cut_off_in_front_are_not_those_that_were_given(studies, changed):
    cut = changed(studies.given(0), lambda each: setattr(each, "PixelData", each.PixelData[-100:]))
    assert "cannot be decoded" in studies.found(studies.clean(0, cut)).failed[0][0][1]


def test_more_pictures_than_are_looked_at_are_refused(studies, changed):
    def crowd(dataset: Dataset) -> None:
        block = dataset.private_block(0x21, "X", create=True)
        for number in range(200):
            block.add_new(number, "OB", np.random.default_rng(number).bytes(2 * 48 * 64))

    result = studies.found(studies.clean(1, changed(studies.reference(1), crowd)))
    assert result.failed == {1: [(studies.path(1), "it holds more than 512 pictures")]}
    assert not result.leaked.any()
