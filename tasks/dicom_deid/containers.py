"""What is compressed inside a file, inflated, so that it can be searched too."""

import bz2
import lzma
from collections.abc import Iterator, Sequence

from fourfold.tasks.dicom_deid.stretches import LARGEST, TEXT, Stretch, inflate, stretches

DEEPEST = 3
"""How many times something may be compressed again."""
MOST = 16
"""Compressed parts that are opened of one file."""
_GZIP, _ZIP, _BZIP2, _XZ = b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def unpacked(cut: Sequence[Stretch], depth: int = DEEPEST) -> list[Stretch]:
    """The stretches of whatever is compressed in these, by gzip, zip, bzip2, xz or, from where one starts, zlib."""
    found: list[Stretch] = []
    for one in cut:
        if one.vr in TEXT or one.end - one.start < 16:
            continue
        for name, data in _opened(one):
            inner = [_within(one.place, name, each) for each in _cut(data)]
            found += [*inner, *(unpacked(inner, depth - 1) if depth > 1 else ())]
            if len(found) > MOST * 1000:
                return found
    return found


def _cut(data: bytes) -> list[Stretch]:
    return stretches(data) if data[128:132] == b"DICM" else [Stretch(data, "bytes", "", 0, len(data))]


def _within(place: str, name: str, inner: Stretch) -> Stretch:
    return inner._replace(place=f"{place} {name}" if inner.place == "bytes" else f"{place} {name} {inner.place}")


def _opened(one: Stretch) -> Iterator[tuple[str, bytes]]:
    """Each compressed part of a stretch that can be read, with the name of its format."""
    head = one.data[one.start : one.start + 2]
    if head in _ZLIB:
        yield from _some("zlib", inflate(one.data[one.start : one.end], 15))
    for magic, name in ((_GZIP, "gzip"), (_ZIP, "zip"), (_BZIP2, "bzip2"), (_XZ, "xz")):
        at = one.data.find(magic, one.start, one.end)
        for _ in range(MOST):
            if at < 0:
                break
            yield from _some(name, _inflated(name, one.data[at : one.end]))
            at = one.data.find(magic, at + 1, one.end)


def _some(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data:
        yield name, data


def _inflated(name: str, data: bytes) -> bytes:
    """As much as can be read, up to LARGEST bytes."""
    if name == "gzip":
        return inflate(data, 31)
    if name == "zip":
        start = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
        return inflate(data[start:], -15)
    try:
        if name == "bzip2":
            return bz2.BZ2Decompressor().decompress(data, LARGEST)
        return lzma.LZMADecompressor(memlimit=LARGEST).decompress(data, LARGEST)
    except (OSError, ValueError, EOFError, lzma.LZMAError):
        return b""
