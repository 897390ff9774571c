"""What stands in the elements of a file, as text that can be compared whatever wrote it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fourfold.tasks.dicom_deid.reading import ITEM, File

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement

Index = Mapping[str, "list[DataElement]"]
"""The elements of a file by their place, and once more by their place without the numbers of items."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
LONG = 1 << 12
"""Characters from which on a text is not remembered: a method may have written it to fill memory."""
_PADDING = " \0\t\r\n"


def index(file: File | None) -> Index:
    """The elements of a file, see ``Index``; none where it is missing or unreadable."""
    return file.index if file is not None else {}


def at(index: Index, place: str) -> "list[DataElement]":
    """The element at a place; then those that a removal of other items from their sequence may have moved from it."""
    return [*index.get(place, ()), *(index.get(ITEM.sub("[]", place), ()) if "[" in place else ())]


def first(index: Index, place: str) -> str:
    """The text at a place itself, empty where nothing stands there."""
    return text(index[place][0].value) if place in index else ""


def text(value: Any) -> str:
    """The value of an element as it would be shown: several parted by a backslash, padding off, no text of items."""
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray):
        with suppress(UnicodeDecodeError):
            return value.decode("utf-8").strip(_PADDING)
        return value.decode("latin-1").strip(_PADDING)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join("" if hasattr(part, "elements") else text(part) for part in value)
    return str(value).strip(_PADDING)


def read_as(element: "DataElement", vr: str) -> Any:
    """The value of an element; of one without a known VR, as private ones of implicit files are, under ``vr``."""
    from pydicom.dataelem import RawDataElement
    from pydicom.values import convert_value

    if element.VR != "UN" or vr == "UN" or not isinstance(element.value, bytes):
        return element.value
    try:
        return convert_value(vr, RawDataElement(element.tag, vr, len(element.value), element.value, 0, True, True))
    except Exception:
        return element.value


def same(one: str, other: str) -> bool:
    """Whether two values are equal: as text but for case, padding and Unicode's compatible forms, or as numbers."""
    ours, theirs = folded(one).split("\\"), folded(other).split("\\")
    return len(ours) == len(theirs) and all(_equal(a.strip(), b.strip()) for a, b in zip(ours, theirs, strict=True))


def holds(value: str, word: str) -> bool:
    """Whether a word stands in a value, bounded as its script bounds words: there are no spaces to look for in Thai."""
    return _pattern(word).search(folded(value)) is not None


def in_order(value: str, words: Sequence[str]) -> bool:
    """Whether words stand in a value one after another, whatever is between them."""
    whole, place = folded(value), 0
    for word in words:
        found = _pattern(word).search(whole, place)
        if found is None:
            return False
        place = found.end()
    return True


def folded(value: str) -> str:
    """Text as it is compared: NFKC and case-folded."""
    return _folded(value) if len(value) < LONG else _folded.__wrapped__(value)


@lru_cache(1 << 14)
def _folded(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


@lru_cache(1 << 14)
def _pattern(word: str) -> re.Pattern[str]:
    plain = folded(word).strip()
    before = r"(?<!\w)" if plain[:1].isalnum() and not _UNSPACED.match(plain[:1]) else ""
    after = r"(?!\w)" if plain[-1:].isalnum() and not _UNSPACED.match(plain[-1:]) else ""
    return re.compile(before + re.escape(plain) + after)


def _equal(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        ours, theirs = float(one), float(other)
    except ValueError:
        return False
    return abs(ours - theirs) <= 1e-6 * max(abs(ours), abs(theirs))  # A float32 has seven digits.
