"""Text that stands written as numbers or in another base, by codes that anybody undoes who sees them."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np

from fourfold.tasks.dicom_deid.containers import unpacked
from fourfold.tasks.dicom_deid.stretches import Stretch
from fourfold.tasks.dicom_deid.text_search import FEWEST, RECODED

DEEPEST = 3
"""How many times something may be written so again."""
LARGE, SHORT = 1 << 14, 1 << 8
"""Bytes of a stretch up to which it is looked at, and up to which what it says is remembered."""
MOST = 1 << 20
"""Bytes of a file that are looked at."""
_REAL = {"FL": "<f4", "FD": "<f8"}
"""The VRs of real numbers in binary; whole ones are found in UTF-16 and UTF-32."""
_LISTED = re.compile(rb"(?:0x)?[0-9A-Fa-f]{1,3}(?:[\s,;:./\\_-]{1,2}(?:0x)?[0-9A-Fa-f]{1,3}){7,}")
_TOKEN = re.compile(rb"(?:0x)?([0-9A-Fa-f]+)")
_LINES = re.compile(rb"[\r\n\\]+")
_DIGITS = re.compile(rb"\d{16,}")
_IN_A_ROW = {
    2: re.compile(rb"(?:3[2-9]|4[4-9]|5[0-7]|6[5-9]|[78]\d|9[0-5]){8,}"),
    3: re.compile(rb"(?:03[2-9]|0[4-9]\d|1\d\d|2[0-4]\d|25[0-5]){8,}"),
}
_ALPHABET = re.compile(rb"(?:0[1-9]|1\d|2[0-6]){8,}")
_BITS = re.compile(rb"[01]{8}(?:[ ,.-]?[01]{8}){7,}")
_SAID = re.compile(rb"[\x20-\x7e]{8,}|(?:[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[ -]){4,}")
_PACKED = (b"\x1f\x8b\x08", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")
_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def recoded(cut: Sequence[Stretch]) -> list[Stretch]:
    """What is said in these stretches by lists of codes (of ASCII, or of letters from 1), by digits or bits in a row,
    by one large number, or in base 16, 32, 58, 64 or 85 (RFC 4648, ISO 32000-1 7.4.3), and what is packed in that.

    Their VR is RECODED, where no more than a few letters would say nothing: some code makes letters of anything.
    """
    found: list[Stretch] = []
    left = MOST
    for one in cut:
        size = one.end - one.start
        if FEWEST <= size <= min(LARGE, left):
            left -= size
            undone = _undone if size <= SHORT else _undone.__wrapped__
            data = one.data[one.start : one.end]
            data = _whole(data, _REAL[one.vr]) if one.vr in _REAL else data
            for name, said in undone(data, one.vr == "UI", DEEPEST):
                found.append(Stretch(said, f"{one.place} {name}", RECODED, 0, len(said)))
    return [*found, *unpacked(found)] if found else found


@lru_cache(1 << 14)
def _undone(data: bytes, uid: bool, depth: int) -> tuple[tuple[str, bytes], ...]:
    """By the name of each code that makes sense of it what some bytes say. uid: whether they are one: digits alone."""
    found = []
    for name, said in dict.fromkeys((*_numbers(data), *(() if uid else _based(data)))):
        if _SAID.search(said) or said.startswith(_PACKED):
            found.append((name, said))
            if depth > 1:
                found += [(f"{name} {again}", inner) for again, inner in _undone(said, False, depth - 1)]
    return tuple(found)


def _numbers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is written in numbers."""
    for listed in _LISTED.finditer(data):
        tokens = _TOKEN.findall(listed[0])
        if all(len(each) == 2 for each in tokens):
            yield "hex", bytes(int(each, 16) for each in tokens)
        if all(each.isdigit() and int(each) < 256 for each in tokens):
            yield "codes", bytes(map(int, tokens))
            yield "letters", _letters(map(int, tokens))
    for bits in _BITS.finditer(data):
        plain = re.sub(rb"[^01]", b"", bits[0])
        yield "bits", int(plain, 2).to_bytes(len(plain) // 8, "big")
    for run in _DIGITS.finditer(data):
        number = int(run[0][:256])
        yield "number", number.to_bytes((number.bit_length() + 7) // 8, "big")
        for width, pattern in _IN_A_ROW.items():
            for row in pattern.finditer(run[0]):
                yield "codes", bytes(int(row[0][at : at + width]) for at in range(0, len(row[0]), width))
        for row in _ALPHABET.finditer(run[0]):
            yield "letters", _letters(int(row[0][at : at + 2]) for at in range(0, len(row[0]), 2))


def _whole(data: bytes, kind: str) -> bytes:
    """Binary numbers as a list of codes, if all of them may be some; else as they are."""
    numbers = np.frombuffer(data[: len(data) // int(kind[2]) * int(kind[2])], kind)
    codes = len(numbers) and np.all((numbers >= 0) & (numbers < 256) & (numbers == np.floor(numbers)))
    return b" ".join(b"%d" % each for each in numbers.astype(int).tolist()) if codes else data


def _letters(numbers: Iterable[int]) -> bytes:
    """Letters by their place in the alphabet, and a space for what is none."""
    return bytes(96 + each if 1 <= each <= 26 else 32 for each in numbers)


def _based(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is written in another base, over lines too."""
    flat = _LINES.sub(b"", data) if b"\n" in data or b"\\" in data else data
    for pattern, codes in _BASES.items():
        for run in pattern.finditer(flat):
            for name, decode in codes.items():
                with suppress(ValueError):
                    yield name, decode(run[0])


def _hex(word: bytes) -> bytes:
    return bytes.fromhex(word.decode())


def _base32(word: bytes) -> bytes:
    return base64.b32decode(word.upper() + b"=" * (-len(word) % 8))


def _base64(word: bytes) -> bytes:
    return base64.b64decode(word.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(word) % 4), validate=True)


def _base58(word: bytes) -> bytes:
    number = 0
    for each in word[:256]:
        number = number * 58 + _BASE58.index(each)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


_BASES: dict[re.Pattern[bytes], dict[str, Callable[[bytes], bytes]]] = {
    re.compile(rb"[0-9A-Za-z]{12,}"): {"hex": _hex, "base32": _base32, "base58": _base58},
    re.compile(rb"[0-9A-Za-z+/_-]{12,}"): {"base64": _base64},
    re.compile(rb"[!-~]{12,}"): {"base85": base64.b85decode, "Ascii85": base64.a85decode},
}
"""What decodes words of which signs."""
