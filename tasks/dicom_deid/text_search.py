"""Looking for many texts at once in the bytes of a file, whatever the script, and however a file may spell them.

Three automata (Aho and Corasick 1975) read each file once: over its text, decoded and folded; over the same without
separators, so that ``555-12-34`` is found as ``5551234``; and over all of its bytes, for texts in encodings other than
its own, in base64 or hex, or backwards. More find letters and bytes that were all moved by one number, see ``shifted``.
Text with escapes, as JSON, XML and web addresses have them, is read without these too. A hit counts only where the text
stands as a word: bounded by another category of character, but for scripts that write no spaces between words, where it
may stand within others.
"""

import base64
import binascii
import re
import struct
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from fourfold.tasks.dicom_deid import escapes
from fourfold.tasks.dicom_deid.folding import LONG, SEPARATORS, alike, bare, bounded, fold
from fourfold.tasks.dicom_deid.shifted import BYTES, Shifted
from fourfold.tasks.dicom_deid.stretches import TEXT, Stretch

if TYPE_CHECKING:
    from ahocorasick_rs import AhoCorasick, BytesAhoCorasick

PLAIN, SEPARATED = "as text", "as text, other separators"
"""How a text was found; any other way is the name of an encoding."""
CHANCE = 2.0**-26
"""The chance that a hit counts which random bytes could hold: with some 64 texts of a patient, 2 ** -20 a stretch."""
_BREAKS = re.compile(r"[\n\\]")
_BROKEN = 9
"""Characters from which on a text may go on from one line or value to the next: shorter ones these keep apart."""
_PRINTED = re.compile(rb"[\t\n\r\x20-\x7e]{6,}")
_NOT_ASCII = re.compile(rb"[\x1b\x80-\xff]")
_LEGACY = (
    *("latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8"),
    *("iso8859-9", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r", "tis-620"),
    *("shift_jis", "euc_jp", "euc_kr", "gb18030", "big5"),
)
RECODED, FEWEST = "recoded", 8
"""Instead of a VR, of what codes make sense of; and the characters that count there, as a full name or number has."""
LARGE = 4096
"""Bytes of which a stretch may have more only if it is text, to be decoded whole."""
_WIDTHS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_BARE = {"uid": LONG, "date": 8}
"""Characters from which on a text is found without separators; 4 of other kinds."""
_CODED = ("", "hex", "base64", "number")
"""Spellings whose neighbours say nothing."""
_EIGHT = ("FD", "SV", "UV")
"""Value representations whose numbers have 8 bytes."""
_SHORTEST = 6
"""Bytes that a text must have to be looked for in bytes that are not decoded."""


class Hit(NamedTuple):
    """text: which of those looked for, by index. form: how it was spelled. start: its offset, by which equal hits are
    told. snippet: what stands around it."""

    text: int
    stretch: Stretch
    form: str
    start: int
    snippet: str


class _Bytes(NamedTuple):
    """One way to spell text number ``text``. exact: its bytes; codec: by which what stands around them is read."""

    text: int
    form: str
    exact: bytes
    codec: str


@dataclass(frozen=True)
class Texts:
    """What is looked for. texts: (n,); kinds: (n,), of each what ``bounded`` knows, or anything else; coded: (n,)
    whether to look for it in hex, in base64, in UTF-32, backwards and as a binary number as well."""

    texts: Sequence[str]
    kinds: Sequence[str]
    coded: Sequence[bool]

    @cached_property
    def folded(self) -> Mapping[str, list[int]]:
        """The numbers of the texts by how they are folded."""
        return _grouped((alike(fold(text)), number) for number, text in enumerate(self.texts))

    @cached_property
    def bare(self) -> Mapping[str, list[int]]:
        """The same without separators, of those that have some or may be given some: numbers, and several words."""
        pairs = ((bare(text), text, number) for text, numbers in self.folded.items() for number in numbers)
        wanted = (
            (short, number) for short, text, number in pairs
            if len(short) >= _BARE.get(self.kinds[number], 4)
            and (short != text.strip() or any(each.isdigit() for each in short))
        )
        return _grouped(wanted)

    @cached_property
    def spelled(self) -> Mapping[bytes, list[_Bytes]]:
        """The texts as bytes in lower case."""
        found: dict[bytes, list[_Bytes]] = {}
        for number, text in enumerate(self.texts):
            for one in _spellings(number, text, self.coded[number]):
                if len(one.exact) >= _SHORTEST:
                    found.setdefault(one.exact.lower(), []).append(one)
        return found

    @cached_property
    def automata(self) -> "tuple[AhoCorasick, AhoCorasick, BytesAhoCorasick]":
        """Of folded, bare and spelled texts, each in the order of its mapping."""
        from ahocorasick_rs import AhoCorasick, BytesAhoCorasick

        return AhoCorasick(list(self.folded)), AhoCorasick(list(self.bare)), BytesAhoCorasick(list(self.spelled))

    @cached_property
    def shifted(self) -> Shifted:
        """What finds those to be coded where their letters or bytes were moved."""
        return Shifted((at, text) for at, text in enumerate(self.texts) if self.coded[at])

    @cached_property
    def lists(self) -> tuple[list[list[int]], list[list[int]], list[list[_Bytes]]]:
        """What stands for each number that an automaton returns."""
        return list(self.folded.values()), list(self.bare.values()), list(self.spelled.values())


def _grouped(pairs: Iterator[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for text, number in pairs:
        if text.strip():
            found.setdefault(text, []).append(number)
    return found


def _spellings(number: int, text: str, coded: bool) -> Iterator[_Bytes]:
    """Ways to write a text as bytes. ASCII needs no cases: the bytes are looked for in lower case."""
    composed = {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC")}
    cases = {case for one in composed for case in (one, one.upper(), one.lower(), one.title())}
    for one in sorted({each.lower() if each.isascii() else each for each in cases}):
        yield _Bytes(number, "UTF-8", one.encode(), "utf-8")
        for codec in ("utf-16-le", "utf-16-be"):
            yield _Bytes(number, codec.upper(), one.encode(codec), codec)
        for codec in () if one.isascii() else _LEGACY:
            try:
                yield _Bytes(number, codec.upper(), one.encode(codec), codec)
            except UnicodeEncodeError:
                continue
        for escaped in _iso_2022(one):
            yield _Bytes(number, "ISO 2022", escaped, "")
        if coded:
            yield _Bytes(number, "backwards", one[::-1].encode(), "utf-8")
            for codec in ("utf-32-le", "utf-32-be"):
                yield _Bytes(number, codec.upper(), one.encode(codec), codec)
    for one, codec in product(sorted(cases) if coded else (), ("utf-8", "utf-16-le")):
        yield _Bytes(number, "hex", binascii.hexlify(one.encode(codec)), "hex")
        for encoded in _base64(one.encode(codec)):
            yield _Bytes(number, "base64", encoded, "base64")
    digits = re.sub("[^0-9]", "", text)
    if coded and 8 <= len(digits) < 16 and len(digits) >= len(text) // 2:
        for order, code in product("<>", "dQ"):
            yield _Bytes(number, "number", struct.pack(order + code, int(digits)), "number")


def _iso_2022(text: str) -> Iterator[bytes]:
    """Japanese as ISO 2022 escapes to it, without the escapes."""
    try:
        encoded = text.encode("iso2022_jp_2")
    except UnicodeEncodeError:
        return
    if b"\x1b$" in encoded:
        yield re.sub(rb"\A\x1b\$.|\x1b\(B\Z", b"", encoded)


def _base64(data: bytes) -> Iterator[bytes]:
    """The characters that a text makes wherever it stands in what is encoded, by its offset of 0, 1 or 2 bytes."""
    for offset, lead in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(data)) * 8 // 6
        yield base64.b64encode(b"\0" * offset + data)[lead:whole]


def search(
    texts: Texts, cut: Sequence[Stretch], samples: Sequence[Stretch] = (), codecs: Sequence[str] = ("utf-8",)
) -> list[Hit]:
    """Where any of the texts stands in these stretches, each text once at each place that it starts.

    samples: stretches, such as pixels, that are searched as bytes alone. codecs: by which text is decoded; that of the
    file. A hit in a stretch of bytes must be longer than what random bytes of its length would hold.
    """
    large = [one for one in cut if one.vr not in TEXT and one.end - one.start > LARGE]
    rest = [one for one in cut if one.vr in TEXT or one.end - one.start <= LARGE]
    rest += [run for one in large for run in _printed(one)]
    found: dict[tuple[int, str, int], Hit] = {}
    for codec in codecs:
        legacy = [one for one in rest if _NOT_ASCII.search(one.data, one.start, one.end)] if codec != "utf-8" else rest
        for hit in _in_text(texts, legacy, codec):
            found.setdefault((hit.text, hit.stretch.place, hit.start), hit)
    undecoded = {(id(one.data), one.start) for one in (*large, *samples)}
    return [*found.values(), *_in_bytes(texts, [*cut, *samples], undecoded), *_moved(texts, cut)]


def _printed(one: Stretch) -> Iterator[Stretch]:
    """Those parts of a large stretch of bytes that could be text."""
    for run in _PRINTED.finditer(one.data, one.start, one.end):
        yield Stretch(one.data, one.place, one.vr, run.start(), run.end())


def _in_text(texts: Texts, cut: Sequence[Stretch], codec: str) -> Iterator[Hit]:
    """Hits in what is decoded, and those more that it has without its escapes, as if that stood behind it."""
    pieces = [_folded(one, codec) for one in cut]
    found = [*_in_pieces(texts, cut, pieces)]
    yield from found
    escaped = [at for at, piece in enumerate(pieces) if escapes.within(piece)]
    if not escaped:
        return
    behind = {id(cut[at]): len(pieces[at]) for at in escaped}
    times = Counter((hit.text, id(hit.stretch)) for hit in found)
    for hit in _in_pieces(texts, [cut[at] for at in escaped], [fold(escapes.resolved(pieces[at])) for at in escaped]):
        spot = hit.text, id(hit.stretch)
        times[spot] -= 1
        if times[spot] < 0:
            yield hit._replace(start=behind[spot[1]] + hit.start)


def _in_pieces(texts: Texts, cut: Sequence[Stretch], pieces: Sequence[str]) -> Iterator[Hit]:
    """Hits in folded texts, each of a stretch, with and without separators."""
    told, starts = "\n".join(pieces), list(accumulate((len(piece) + 1 for piece in pieces), initial=0))
    text = "\n".join(map(alike, pieces))
    plain, separated, _ = texts.automata
    of_plain, of_separated, _ = texts.lists
    seen = set()
    for number, start, end in plain.find_matches_as_indexes(text, overlapping=True):
        for one in of_plain[number]:
            if bounded(text, start, end, texts.kinds[one]):
                seen.add((one, start))
                yield from _hit(told, start, end, one, PLAIN, cut, starts)
    for moved in texts.shifted.in_letters(text):
        yield from _hit(told, moved.start, moved.end, moved.text, moved.form, cut, starts)
    kept: list[int] = []
    for number, start, end in separated.find_matches_as_indexes(bare(text), overlapping=True):
        kept = kept or [at for at, character in enumerate(text) if ord(character) not in SEPARATORS]
        first, last = kept[start], kept[end - 1]
        for one in of_separated[number]:
            if (one, first) in seen or last - first > 3 * (end - start):
                continue
            if end - start < _BROKEN and _BREAKS.search(text, first, last):
                continue
            if texts.kinds[one] == "uid" and "." in text[first : last + 1]:
                continue  # Digits with dots elsewhere are another UID.
            if bounded(text, first, last + 1, texts.kinds[one]):
                yield from _hit(told, first, last + 1, one, SEPARATED, cut, starts)


def _folded(one: Stretch, codec: str) -> str:
    """A stretch as folded text; of numbers in binary too short for a name, nothing."""
    if one.end - one.start < 3:
        return ""
    return fold(one.data[one.start : one.end].decode(codec, "replace"))


def _hit(
    text: str, start: int, end: int, number: int, form: str, cut: Sequence[Stretch], starts: Sequence[int]
) -> Iterator[Hit]:
    """The hit at ``start``, unless chance would explain it."""
    at = bisect_right(starts, start) - 1
    low, high = starts[at], starts[at + 1] - 1
    if end > high or (cut[at].vr == RECODED and len(bare(text[start:end])) < FEWEST):
        return
    if cut[at].vr in TEXT or not _by_chance(text, start, end, low, high):
        yield Hit(number, cut[at], form, start - low, shown(text[max(low, start - 24) : min(high, end + 24)]))


def _by_chance(text: str, start: int, end: int, low: int, high: int) -> bool:
    """Whether random bytes would hold such a hit too: its own characters tell, and so do printed ones around it."""
    if not text[low:start].strip("\0 ") and not text[end:high].strip("\0 "):
        return False
    own = bare(text[start:end])
    bits: float = sum(7 if each.isascii() and each.isalpha() else 8 * len(each.encode()) for each in own)
    for step, edge in ((-1, start - 1), (1, end)):
        at = edge
        while low <= at < high and abs(at - edge) < 64 and text[at].isprintable() and text[at] != "\ufffd":
            bits, at = bits + 1.4, at + step
    return bits < log2(high - low + 1) - log2(CHANCE)


def _in_bytes(texts: Texts, cut: Sequence[Stretch], undecoded: Collection[tuple[int, int]]) -> Iterator[Hit]:
    """Hits in what is not decoded, in one reading of each range of bytes that no stretch is left out of."""
    _, _, automaton = texts.automata
    _, _, spelled = texts.lists
    for data, low, high, within in _ranges(cut):
        starts = [one.start for one in within]
        for number, start, end in automaton.find_matches_as_indexes(data[low:high].lower(), overlapping=True):
            stretch = within[max(0, bisect_right(starts, low + start) - 1)]
            if low + start < stretch.start or low + end > stretch.end:
                continue
            for one in spelled[number]:
                if one.form == "UTF-8" and (id(data), stretch.start) not in undecoded:
                    continue  # It was found as text.
                if _stands(one, stretch, low + start, low + end, texts.kinds[one.text]):
                    yield Hit(one.text, stretch, one.form, low + start, _around(one, stretch, low + start, low + end))


def _moved(texts: Texts, cut: Sequence[Stretch]) -> Iterator[Hit]:
    """Hits in bytes that are no text and were XORed or added to."""
    for one in cut:
        if one.vr not in TEXT and one.end - one.start >= BYTES:
            for found in texts.shifted.in_bytes(one.data[one.start : one.end]):
                around = one.data[one.start + found.start : one.start + found.end]
                yield Hit(found.text, one, found.form, one.start + found.start, shown(around.decode("latin-1")))


def _ranges(cut: Sequence[Stretch]) -> Iterator[tuple[bytes, int, int, list[Stretch]]]:
    """Of each buffer the ranges that stretches lie in, headers between them included, and these stretches."""
    buffers: dict[int, list[Stretch]] = {}
    for one in cut:
        buffers.setdefault(id(one.data), []).append(one)
    for members in buffers.values():
        members.sort(key=lambda one: one.start)
        first = 0
        for at in range(1, len(members) + 1):
            if at == len(members) or members[at].start - members[at - 1].end > 64:
                yield members[0].data, members[first].start, members[at - 1].end, members[first:at]
                first = at


def _stands(one: _Bytes, stretch: Stretch, start: int, end: int, kind: str) -> bool:
    """Whether these bytes are the text: of the right case, a word, and more than chance."""
    found = stretch.data[start:end]
    if one.codec in ("base64", "number") and found != one.exact:
        return False
    if one.codec == "number":
        alone = end - start == stretch.end - stretch.start
        return alone or (stretch.vr in _EIGHT and (start - stretch.start) % 8 == 0)
    width = _WIDTHS.get(one.codec, 1)
    if stretch.vr == RECODED and len(found) < FEWEST * width:
        return False
    if one.codec not in _CODED:
        first = start - min(4, (start - stretch.start) // width) * width
        before = stretch.data[first:start].decode(one.codec, "replace")[-1:]
        after = stretch.data[end : min(stretch.end, end + 4 * width)].decode(one.codec, "replace")[:1]
        middle = found.decode(one.codec, "replace")
        if not middle or not bounded(before + middle + after, len(before), len(before) + len(middle), kind):
            return False
    if stretch.vr in TEXT:
        return True
    bits, varied = 7 * len(found) / width, len(set(found) - {0})
    return varied >= 5 and bits >= log2(stretch.end - stretch.start + 1) - log2(CHANCE)


def _around(one: _Bytes, stretch: Stretch, start: int, end: int) -> str:
    """What stands around a hit, decoded as it was."""
    width = _WIDTHS.get(one.codec, 1)
    low, high = max(stretch.start, start - 24 * width), min(stretch.end, end + 24 * width)
    low += (start - low) % width
    return shown(stretch.data[low:high].decode("latin-1" if one.codec in _CODED else one.codec, "replace"))


def shown(text: str) -> str:
    """A snippet on one line, with a dot for what cannot be shown."""
    return "".join(each if each.isprintable() and each != "\ufffd" else "·" for each in text).strip("· ")
