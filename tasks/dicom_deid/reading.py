"""Reading what a method wrote, of which nothing is believed: every file whatever it is, its elements, its pixels."""

import re
from codecs import lookup
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.stretches import LARGEST as INFLATED
from fourfold.tasks.dicom_deid.stretches import NUMBERS, TEXT, Stretch, stretches

if TYPE_CHECKING:
    from pydicom import FileDataset
    from pydicom.dataelem import DataElement

Result = TypeVar("Result")

LARGEST = 1 << 28
"""Bytes that a file's pixels may take when they are decoded."""
DEEPEST = 16
"""How deeply sequences may be nested."""
TRAILING = 1 << 16
"""Bytes behind the last element of a file of which more are not read as elements."""
TELLING = ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "PatientID")
"""What makes an object of a file whose SOP class a method has taken out."""
ITEM = re.compile(r"\[\d+\]")
"""The number of an item in the spelling of a place."""
SAMPLES = ("(7FE0,0008)", "(7FE0,0009)", "(7FE0,0010)")
"""How the places of pixels end."""
SYNTAX = "(0002,0010)"
LAYOUT = (
    *("(0028,0002)", "(0028,0004)", "(0028,0006)", "(0028,0008)", "(0028,0010)", "(0028,0011)", "(0028,0100)"),
    *("(0028,0101)", "(0028,0102)", "(0028,0103)", "(7FE0,0001)", "(7FE0,0002)"),
)
"""The elements that tell how samples are decoded, beside the transfer syntax: PS3.3 C.7.6.3.1."""
_PLAIN = TEXT | NUMBERS | {"SQ"}
SHORT = 1024
"""Bytes up to which a value is converted once for all files that have it."""


@dataclass(frozen=True)
class File:
    """One file of an output, or of what was given. given: of an output, the file that it was made of; what is the same
    in both is read once."""

    path: str
    data: bytes
    given: "File | None" = field(default=None, compare=False, repr=False)

    @cached_property
    def parsed(self) -> "tuple[FileDataset | None, str]":
        """Its elements; or None and why it cannot be read as DICOM."""
        from pydicom import dcmread

        if not self.data:
            return None, "it is empty"
        try:
            elements, why = _elements(self.data, self.stretches)
            if why:
                return None, why
            found = dcmread(BytesIO(elements), force=True)
            named = "SOPClassUID" in found or "MediaStorageSOPClassUID" in getattr(found, "file_meta", {})
            if not named and not any(name in found for name in TELLING):
                return None, "it is no DICOM object: it names no SOP class, no study and no modality"
            return found, ""
        except Exception as error:
            return None, f"it is no DICOM file: {type(error).__name__}: {error}"[:300]

    @cached_property
    def elements(self) -> "list[tuple[str, DataElement]]":
        """Every element with its place, as in ``key``, nested ones and those of the meta information too."""
        found, _ = self.parsed
        return [] if found is None else [*_walk(getattr(found, "file_meta", ()) or (), "", 0), *_walk(found, "", 0)]

    @cached_property
    def index(self) -> "dict[str, list[DataElement]]":
        """Its elements by place, and once more by their place without the numbers of items."""
        found = {place: [element] for place, element in self.elements}
        for place, (element,) in list(found.items()):
            if "[" in place:
                found.setdefault(ITEM.sub("[]", place), []).append(element)
        return found

    @cached_property
    def stretches(self) -> list[Stretch]:
        """Its bytes, cut at its elements, readable or not."""
        return stretches(self.data)

    @cached_property
    def worked_out(self) -> dict[Any, Any]:
        """What was worked out of it, by function."""
        return {}

    @cached_property
    def by_place(self) -> dict[str, Stretch]:
        """Those stretches whose place is no other's."""
        found: dict[str, Stretch] = {}
        twice = {one.place for one in self.stretches if found.setdefault(one.place, one) is not one}
        return {place: one for place, one in found.items() if place not in twice} if twice else found

    @cached_property
    def alike(self) -> frozenset[str]:
        """The places of ``by_place`` where the same bytes of the same VR stand as in ``given``."""
        theirs = self.given.by_place if self.given is not None else {}
        own = self.by_place.items()
        return frozenset(place for place, one in own if place in theirs and _same(one, theirs[place]))

    @cached_property
    def same_pixels(self) -> bool:
        """Whether its pixels are those of ``given``, stored in the same bytes, which are described alike."""
        given = self.given
        if given is None or SYNTAX not in self.alike or self.parsed[0] is None or given.parsed[0] is None:
            return False
        places, theirs = ({one.place for one in file.stretches} for file in (self, given))
        samples = {place for place in places | theirs if place.endswith(SAMPLES)}
        described = {place for place in LAYOUT if place in places or place in theirs}
        return "(7FE0,0010)" in samples and samples | described <= self.alike

    @cached_property
    def codecs(self) -> list[str]:
        """By which Python codecs its text may be read: UTF-8, and those of the character sets that it names."""
        from pydicom.charset import python_encoding

        named = [one for one in self.stretches if one.place.endswith("(0008,0005)") and one.end - one.start < 1024]
        terms = {term for one in named for term in one.data[one.start : one.end].decode("latin-1").split("\\")}
        known = {lookup(python_encoding[term]).name for term in (each.strip(" \0") for each in terms)
                 if term and term in python_encoding}
        return ["utf-8", *sorted(known - {"utf-8"})]

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """The values of each element of text, by place, padding off, decoded by the last of ``codecs``."""
        known = self.given.texts if self.given is not None and self.given.codecs == self.codecs else {}
        return {
            one.place: known[one.place] if one.place in known and one.place in self.alike else _decoded(one, codec)
            for codec in self.codecs[-1:] for one in self.stretches if one.vr in TEXT
        }

    @cached_property
    def pixels(self) -> "tuple[npt.NDArray[Any] | None, str]":
        """Decoded samples, (frames, rows, columns) or (frames, rows, columns, 3), as stored, palettes not applied;
        or None and why not. Colours come as RGB."""
        from pydicom.pixels import pixel_array

        if self.given is not None and self.same_pixels:
            return self.given.pixels
        found, why = self.parsed
        if found is None:
            return None, why
        if "PixelData" not in found:
            return None, "it has no pixels"
        try:
            frames = int(found.get("NumberOfFrames") or 1)
            samples, rows, columns = (int(found.get(name) or 1) for name in ("SamplesPerPixel", "Rows", "Columns"))
            size = frames * samples * rows * columns * 2
            if not 0 < size <= LARGEST:
                return None, f"its pixels would take {size:,} bytes, where {LARGEST:,} are read"
            array = np.asarray(pixel_array(found, allow_excess_frames=False))
            return array.reshape((frames, rows, columns) + (samples,) * (samples > 1)), ""
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # A decoder that is written in Rust panics by what is no Exception.
            return None, f"its pixels cannot be decoded: {type(error).__name__}: {error}"[:300]


def _elements(data: bytes, cut: list[Stretch]) -> tuple[bytes, str]:
    """That part of a file that holds elements, without much else that may follow; or why not to read it.

    Zeros read as elements, millions of them.
    """
    ends = [one for one in cut if one.place == "bytes" and one.end - one.start > TRAILING]
    inflated = next((one.data for one in cut if one.data is not data), b"")
    if len(inflated) >= INFLATED or any(one.data is not data for one in ends):
        return b"", f"what was deflated in it is {len(inflated):,} bytes or more, and no more elements"
    return (data[: ends[0].start] if ends and not inflated else data), ""


def samples_of(file: File) -> list[Stretch]:
    """The stretches of a file's pixels as they are stored, those of icons too."""
    return [one for one in file.stretches if one.place.endswith(SAMPLES)]


def same_samples(file: File, other: File) -> bool:
    """Whether two files store the same bytes of pixels."""
    own, theirs = samples_of(file), samples_of(other)
    return len(own) == len(theirs) and all(map(_same_bytes, own, theirs))


def _same(one: Stretch, other: Stretch) -> bool:
    return one.vr == other.vr and _same_bytes(one, other)


def _same_bytes(one: Stretch, other: Stretch) -> bool:
    length = one.end - one.start
    return other.end - other.start == length and one.data.startswith(other.data[other.start : other.end], one.start)


def _decoded(one: Stretch, codec: str) -> list[str]:
    """The values of an element of text."""
    return [each.strip(" \0") for each in one.data[one.start : one.end].decode(codec, "replace").split("\\")]


def once(function: Callable[[File], Result]) -> Callable[[File], Result]:
    """Work out what rests on a file alone no more than once."""

    @wraps(function)
    def found(file: File) -> Result:
        if function not in file.worked_out:
            file.worked_out[function] = function(file)
        return cast(Result, file.worked_out[function])

    return found


def of_pixels(function: Callable[[File], Result]) -> Callable[[File], Result]:
    """Work out what rests on a file's decoded pixels alone once for a given file and all outputs that have its."""
    cached = once(function)
    return lambda file: cached(file.given if file.given is not None and file.same_pixels else file)


def _walk(dataset: Any, before: str, depth: int) -> "Iterator[tuple[str, DataElement]]":
    """The elements of a dataset in order, each sequence before what is nested in it."""
    creators: dict[int, str] = {}
    charset = _charset(dataset) if dataset else ()
    for tag, raw in sorted((int(tag), raw) for tag, raw in dataset.items()) if dataset else ():
        try:
            element = _element(dataset, tag, raw, charset)
        except Exception:  # A value that its VR does not allow: the search of the file's bytes sees it all the same.
            continue
        if _creates(tag):
            creators[tag >> 16 << 8 | tag & 0xFF] = "" if element.VR == "SQ" else str(element.value or "")
        place = before + spelled(tag, creators)
        yield place, element
        if element.VR == "SQ" and depth < DEEPEST:
            for number, item in enumerate(element.value or ()):
                yield from _walk(item, f"{place}[{number}].", depth + 1)


def _charset(dataset: Any) -> tuple[str, ...]:
    """By which codecs a dataset's text is read; empty where that is not known without looking into it."""
    named = dataset.original_character_set or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _element(dataset: Any, tag: int, raw: Any, charset: tuple[str, ...]) -> "DataElement":
    """An element of a dataset; where its bytes speak for themselves, one object for all that are equal."""
    value, read = raw.value or b"", not isinstance(raw, tuple)
    if not read and raw.VR in _PLAIN and charset and not raw.is_implicit_VR and len(value) <= SHORT:
        return _converted(tag, raw.VR, value, raw.is_little_endian, charset)
    return cast("DataElement", dataset[tag])


@lru_cache(1 << 15)
def _converted(tag: int, vr: str, value: bytes, little: bool, charset: tuple[str, ...]) -> "DataElement":
    from pydicom.dataelem import RawDataElement, convert_raw_data_element
    from pydicom.tag import BaseTag

    raw = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, little)
    return convert_raw_data_element(raw, encoding=list(charset))


def _creates(tag: int) -> bool:
    """Whether an element names who owns a block of private ones."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def spelled(tag: int, creators: Mapping[int, str]) -> str:
    """The place of an element among its siblings, as in ``key``. creators: by group and block."""
    if tag >> 16 & 1 and not _creates(tag):
        return f'({tag >> 16:04X},"{creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF, "")}",{tag & 0xFF:02X})'
    return _spelled(tag)


@cache
def _spelled(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
