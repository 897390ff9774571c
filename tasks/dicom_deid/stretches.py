"""A file's bytes, cut where its elements begin and end, so that what is found at an offset has a place.

Nothing is decoded and nothing refused: what cannot be read as an element is a stretch of ``bytes``. An output is
searched for what is not valid as well, which a reader of valid files does not return.
"""

import struct
import zlib
from functools import cache
from typing import NamedTuple

LARGEST = 1 << 25
"""Bytes that are read of what was compressed."""
DEEPEST = 64
"""How deeply sequences are followed; what is nested deeper is one stretch."""
MOST = 1 << 16
"""Elements that are told apart in one file."""
TEXT = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"))
"""Value representations of text."""
NUMBERS = frozenset(("AT", "FL", "FD", "SL", "SS", "UL", "US"))
"""Value representations of binary numbers of a fixed size."""
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_VR = {name.encode(): (name, name in _LONG) for name in _LONG | TEXT | NUMBERS}
_ITEM, _ITEM_END, _END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_DEFLATED, _BIG = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"


class Stretch(NamedTuple):
    """Bytes ``start`` to ``end`` of ``data``: the value of the element at ``place``, as ``key`` spells it, and its VR.

    place ``preamble``: the 128 bytes before a file; ``bytes``: what is no element, such as what follows the last one.
    """

    data: bytes
    place: str
    vr: str
    start: int
    end: int


class _Syntax(NamedTuple):
    implicit: bool
    tag: struct.Struct
    short: struct.Struct
    long: struct.Struct
    item: bytes


class _Element(NamedTuple):
    tag: int
    vr: str
    start: int
    length: int


def _syntax(implicit: bool, order: str) -> _Syntax:
    tag, short, long = (struct.Struct(order + code) for code in ("HH", "H", "I"))
    return _Syntax(implicit, tag, short, long, tag.pack(0xFFFE, 0xE000))


_LITTLE, _BIG_ENDIAN, _BARE = _syntax(False, "<"), _syntax(False, ">"), _syntax(True, "<")


def stretches(data: bytes) -> list[Stretch]:
    """All values in a file, those nested in sequences too, in order; of a deflated one, those that were deflated."""
    found: list[Stretch] = []
    if data[128:132] != b"DICM":
        _dataset(found, data, _guess(data, 0), 0, len(data), "", 0)
        return found
    found.append(Stretch(data, "preamble", "", 0, 128))
    at = _meta(found, data, 132)
    syntax = next((data[one.start : one.end] for one in found if one.place == "(0002,0010)"), b"").rstrip(b"\0 ")
    if syntax == _DEFLATED:
        inflated = inflate(data[at:], -15)
        _dataset(found, inflated, _LITTLE, 0, len(inflated), "", 0)
        found.append(Stretch(data, "bytes", "", at, len(data)))
    else:
        _dataset(found, data, _BIG_ENDIAN if syntax == _BIG else _guess(data, at), at, len(data), "", 0)
    return found


def inflate(data: bytes, window: int) -> bytes:
    """What was compressed with zlib, as far as it can be read and up to LARGEST bytes; window: as zlib's ``wbits``."""
    reader = zlib.decompressobj(window)
    found: list[bytes] = []
    left, rest = LARGEST, memoryview(data)
    try:
        while left > 0 and len(rest) and not reader.eof:
            piece = reader.decompress(reader.unconsumed_tail + bytes(rest[:65536]), left)
            found.append(piece)
            left, rest = left - len(piece), rest[65536:]
    except zlib.error:
        pass
    return b"".join(found)


def _guess(data: bytes, at: int) -> _Syntax:
    """How elements are written from ``at`` on, by what stands where a VR would."""
    if data[at + 4 : at + 6] not in _VR:
        return _BARE
    return _BIG_ENDIAN if data[at : at + 1] == b"\0" and data[at + 1 : at + 2] != b"\0" else _LITTLE


def _meta(found: list[Stretch], data: bytes, at: int) -> int:
    """Add the elements of group 2, which are always explicit and little endian; return where they end."""
    while data[at : at + 2] == b"\x02\x00":
        one = _element(data, _LITTLE, at, len(data))
        if one is None:
            break
        at = min(one.start + one.length, len(data))
        found.append(Stretch(data, f"(0002,{one.tag & 0xFFFF:04X})", one.vr, one.start, at))
    return at


def _element(data: bytes, syntax: _Syntax, at: int, end: int) -> _Element | None:
    """What stands at ``at``: its tag, VR, where its value starts and how long it claims to be; None if no element."""
    if at + 8 > end:
        return None
    group, element = syntax.tag.unpack_from(data, at)
    tag = group << 16 | element
    if syntax.implicit or group == 0xFFFE:
        return _Element(tag, "", at + 8, syntax.long.unpack_from(data, at + 4)[0])
    vr, long = _VR.get(data[at + 4 : at + 6], ("", False))
    if not vr:
        return None
    if not long:
        return _Element(tag, vr, at + 8, syntax.short.unpack_from(data, at + 6)[0])
    return _Element(tag, vr, at + 12, syntax.long.unpack_from(data, at + 8)[0]) if at + 12 <= end else None


def _dataset(found: list[Stretch], data: bytes, syntax: _Syntax, at: int, end: int, before: str, depth: int) -> int:
    """Add the elements from ``at`` on, up to ``end`` or the delimiter of an item; return where that was.

    Whatever cannot be read as an element is ``bytes``, up to ``end``.
    """
    creators: dict[int, str] = {}
    while at < end:
        one = _element(data, syntax, at, end)
        if one is None or not (one.start + one.length <= end or _known(one)) or depth > DEEPEST or len(found) > MOST:
            found.append(Stretch(data, f"{before}bytes", "", at, end))
            return end
        if one.tag == _ITEM_END:
            return one.start
        vr = one.vr or _dictionary().get(one.tag, "UN")
        place, undefined = before + _spelled(one.tag, creators), one.length == _UNDEFINED
        after = end if undefined else min(one.start + one.length, end)
        if vr in ("SQ", "UN") and data[one.start : one.start + 4] in (_LITTLE.item, syntax.item):
            inner = syntax if vr == "SQ" else _guess(data, one.start + 8)
            at = _items(found, data, inner, one.start, after, place, depth)
            at = at if undefined else after
        elif undefined:
            at = _fragments(found, data, syntax, one.start, end, place, vr)
        else:
            found.append(Stretch(data, place, vr, one.start, after))
            at = after
            if one.tag >> 16 & 1 and 0x10 <= one.tag & 0xFFFF <= 0xFF:
                creators[(one.tag >> 16) << 8 | one.tag & 0xFF] = data[one.start : after].decode("latin-1").strip(" \0")
    return at


def _items(found: list[Stretch], data: bytes, syntax: _Syntax, at: int, end: int, place: str, depth: int) -> int:
    """Add what is nested in a sequence whose items start at ``at``; return where it ends, its delimiter included."""
    number = 0
    while at < end:
        one = _element(data, syntax, at, end)
        if one is None or one.tag not in (_ITEM, _ITEM_END, _END):
            found.append(Stretch(data, place, "UN", at, end))
            return end
        if one.tag == _END:
            return one.start
        at = one.start
        if one.tag == _ITEM:
            inner = end if one.length == _UNDEFINED else min(one.start + one.length, end)
            at = _dataset(found, data, syntax, one.start, inner, f"{place}[{number}].", depth + 1)
            number += 1
    return at


def _fragments(found: list[Stretch], data: bytes, syntax: _Syntax, at: int, end: int, place: str, vr: str) -> int:
    """Add a value of undefined length that is no sequence, such as compressed pixels; return where it ends."""
    start = at
    while at < end:
        one = _element(data, syntax, at, end)
        if one is None or one.tag not in (_ITEM, _END):
            at = end
            break
        at = one.start
        if one.tag == _END:
            break
        at = min(one.start + one.length, end)
    found.append(Stretch(data, place, vr, start, at))
    return at


def _known(one: _Element) -> bool:
    """Whether this is an element although its value is cut short by the file's end."""
    return bool(one.vr) or one.length == _UNDEFINED or one.tag in _dictionary()


def _spelled(tag: int, creators: dict[int, str]) -> str:
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1 and not 0x10 <= element <= 0xFF:
        return f'({group:04X},"{creators.get(group << 8 | element >> 8, "")}",{element & 0xFF:02X})'
    return f"({group:04X},{element:04X})"


@cache
def _dictionary() -> dict[int, str]:
    """The VR of each standard tag; the first where it may have several."""
    from pydicom.datadict import DicomDictionary

    return {tag: entry[0].split(" or ")[0] for tag, entry in DicomDictionary.items()}
