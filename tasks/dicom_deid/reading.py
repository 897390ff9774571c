"""Reading what a method wrote, of which nothing is believed: every file whatever it is, its elements, its pixels."""

import re
from codecs import lookup
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.stretches import LARGEST as INFLATED
from fourfold.tasks.dicom_deid.stretches import TEXT, Stretch, stretches

if TYPE_CHECKING:
    from pydicom import FileDataset
    from pydicom.dataelem import DataElement

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


@dataclass(frozen=True)
class File:
    """One file of an output, or of what was given."""

    path: str
    data: bytes

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
        return {
            one.place: [each.strip(" \0") for each in text.split("\\")]
            for one in self.stretches if one.vr in TEXT
            for text in (one.data[one.start : one.end].decode(self.codecs[-1], "replace"),)
        }

    @cached_property
    def pixels(self) -> "tuple[npt.NDArray[Any] | None, str]":
        """Decoded samples, (frames, rows, columns) or (frames, rows, columns, 3), as stored, palettes not applied;
        or None and why not. Colours come as RGB."""
        from pydicom.pixels import pixel_array

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
            return np.asarray(pixel_array(found)).reshape((frames, rows, columns) + (samples,) * (samples > 1)), ""
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
    """Whether two files store the same bytes of pixels; that is seen by what they end with, if they end with pixels."""
    own = samples_of(file)
    if len(own) == 1 and own[0].data is file.data:
        stored, after = file.data[own[0].start : own[0].end], len(file.data) - own[0].end
        if other.data[: len(other.data) - after].endswith(stored):
            return True
    return [_stored(one) for one in own] == [_stored(one) for one in samples_of(other)]


def _stored(one: Stretch) -> bytes:
    return one.data[one.start : one.end]


def _walk(dataset: Any, before: str, depth: int) -> "Iterator[tuple[str, DataElement]]":
    """The elements of a dataset in order, each sequence before what is nested in it."""
    for tag in sorted(dataset.keys()) if dataset else ():
        try:
            element = dataset[tag]
        except Exception:  # A value that its VR does not allow: the search of the file's bytes sees it all the same.
            continue
        place = before + spelled(element)
        yield place, element
        if element.VR == "SQ" and depth < DEEPEST:
            for number, item in enumerate(element.value or ()):
                yield from _walk(item, f"{place}[{number}].", depth + 1)


def spelled(element: "DataElement") -> str:
    """The place of an element among its siblings, as in ``key``."""
    tag = element.tag
    if tag.is_private and not tag.is_private_creator:
        return f'({tag.group:04X},"{element.private_creator or ""}",{tag.element & 0xFF:02X})'
    return f"({tag.group:04X},{tag.element:04X})"
