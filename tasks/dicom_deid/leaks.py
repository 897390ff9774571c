"""Which of the planted items are still in what a method wrote, where, and in what form."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.containers import unpacked
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.reading import SAMPLES, File, same_samples, samples_of
from fourfold.tasks.dicom_deid.residual import Pixels, legible
from fourfold.tasks.dicom_deid.stretches import Stretch
from fourfold.tasks.dicom_deid.text_search import Hit, Texts, bare, fold, search

SHOWN = 4
"""Of how many places an item's leak is told."""
_OWN = frozenset({"date", "age"})
"""Kinds that say nothing in the file of somebody else."""
_OTHER_DATES = frozenset(("AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"))
"""Value representations in which a shifted date may be another one's original by chance."""


@dataclass(frozen=True)
class Found:
    """Where an item was found. path: of the output. place: as ``key`` spells it. form: as text, or in what encoding."""

    path: str
    place: str
    form: str
    snippet: str


@dataclass(frozen=True)
class Leaks:
    """What was found of n planted items.

    leaked: (n,) bool. What is found where items were planted gives those away; found elsewhere, in a file that was
    written for theirs, all of these that it spells; and elsewhere still, all of the patient's. found: (n,) for each the
    first SHOWN places. failed: by patient, each file that is missing or cannot be read, and why: such a patient counts
    as leaked.
    """

    leaked: npt.NDArray[np.bool_]
    found: Sequence[Sequence[Found]]
    failed: Mapping[int, Sequence[tuple[str, str]]]

    def breached(self, key: Key) -> npt.NDArray[np.bool_]:
        """(patients,) bool: of whom anything leaked, or any file failed."""
        breached = np.zeros(len(key.patients), bool)
        breached[[item.patient for item, leaked in zip(key.planted, self.leaked, strict=True) if leaked]] = True
        breached[list(self.failed)] = True
        return breached


def find(
    key: Key, given: Mapping[str, File], reference: Mapping[str, File], answers: Mapping[str, File],
    extra: Sequence[File] = (), odd: Sequence[str] = (),
) -> Leaks:
    """Look for every planted item in every byte, pixel and name of what was written.

    given, reference: the corpus's files by path. answers: by given path, what a method wrote for it, whose own ``path``
    may differ; extra: what answers to none; odd: names of links and the like, which were not followed. What the
    reference says in the same place as often is no leak.
    """
    looked = _Search(key, given, reference)
    for path, file in answers.items():
        looked.read(file, path)
    for file in extra:
        looked.read(file, "")
    for name in odd:
        looked.named(name, "")
    return looked.leaks(_failed(key, given, reference, answers, odd))


def _failed(
    key: Key, given: Mapping[str, File], reference: Mapping[str, File], answers: Mapping[str, File], odd: Sequence[str]
) -> dict[int, list[tuple[str, str]]]:
    """The files that did not come back readable, by patient."""
    failed: dict[int, list[tuple[str, str]]] = {}
    links = {path: kind for path, _, kind in (name.rpartition(": ") for name in odd)}
    for one in key.instances:
        file, why = answers.get(one.path), ""
        if file is None:
            why = f"it is no file that is read: {links[one.path]}" if one.path in links else "it did not come back"
        elif file.data not in (given[one.path].data, reference[one.path].data):
            why = _unreadable(file, given[one.path], reference[one.path])
        if why:
            failed.setdefault(one.patient, []).append((one.path, why))
    return failed


def _unreadable(file: File, given: File, reference: File) -> str:
    """Why this is no readable file with pixels, if it had some; empty if it is."""
    parsed, why = file.parsed
    if parsed is None:
        return why
    if "PixelData" not in parsed:
        return ""
    for known in (given, reference):
        if _layout(file) == _layout(known) and same_samples(file, known):
            return ""
    return file.pixels[1] if given.pixels[0] is not None else ""


def _layout(file: File) -> list[object]:
    """What tells how pixels are stored."""
    elements = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "PhotometricInterpretation")
    parsed, _ = file.parsed
    meta = getattr(parsed, "file_meta", {})
    return [meta.get("TransferSyntaxUID"), *(parsed.get(name) for name in elements)] if parsed is not None else []


@dataclass
class _Search:
    """What is looked for, and what was found so far."""

    key: Key
    given: Mapping[str, File]
    reference: Mapping[str, File]
    found: dict[int, dict[tuple[str, str, str], Found]] = field(default_factory=dict)

    @cached_property
    def owners(self) -> dict[tuple[int, str], list[int]]:
        """Of each patient and text the items that it gives away."""
        owners: dict[tuple[int, str], list[int]] = {}
        for number, item in enumerate(self.key.planted):
            for form in dict.fromkeys((item.text, *item.forms)):
                if form.strip():
                    owners.setdefault((item.patient, form), []).append(number)
        return owners

    @cached_property
    def pairs(self) -> list[tuple[int, str]]:
        """Patient and text, by the number of the text."""
        return list(self.owners)

    @cached_property
    def texts(self) -> Texts:
        """All of them, to be looked for at once."""
        return Texts(
            [form for _, form in self.pairs],
            [self.key.planted[items[0]].kind for items in self.owners.values()],
            self.telling,
        )

    @cached_property
    def telling(self) -> list[bool]:
        """Of each text whether it gives its patient away in somebody else's file: long enough, and nobody else's."""
        times = Counter(fold(form) for _, form in self.pairs)
        return [
            times[fold(form)] == 1 and _identifies(form)
            and any(self.key.planted[one].kind not in _OWN for one in self.owners[patient, form])
            for patient, form in self.pairs
        ]

    @cached_property
    def patients(self) -> dict[str, int]:
        """Whose each given path is."""
        return {one.path: one.patient for one in self.key.instances}

    @cached_property
    def pixels(self) -> dict[str, list[int]]:
        """The items with a mask, by path."""
        found: dict[str, list[int]] = {}
        for number, item in enumerate(self.key.planted):
            if item.mask is not None:
                found.setdefault(item.path, []).append(number)
        return found

    def named(self, name: str, path: str) -> None:
        """Look at the name of an output, that of given ``path``, or of none."""
        given, written = (
            search(self.texts, [Stretch(each, "filename", "UT", 0, len(each))])
            for each in (text.encode("utf-8", "surrogateescape") for text in (path, name))
        )
        known = {hit.text for hit in given}
        for hit in written:
            planted = any(self.key.planted[one].where == "filename" for one in self.owners[self.pairs[hit.text]])
            if planted or hit.text not in known:
                self._tell(hit, name, path)

    def read(self, file: File, path: str) -> None:
        """Look at an output: what was written for the given ``path``, or for none."""
        self.named(file.path, path)
        reference = self.reference.get(path)
        if reference is not None and file.data == reference.data:
            return
        hits = self._hits(file, path, [each for each in (reference, self.given.get(path)) if each is not None])
        times, known = Counter(map(_spot, hits)), Counter[tuple[int, str]]()
        if hits and reference is not None:
            known.update(map(_spot, self._hits(reference, path, [reference])))
        for hit in hits:
            if times[_spot(hit)] > known[_spot(hit)]:
                self._tell(hit, file.path, path)
        self._see(file, path)

    def _hits(self, file: File, path: str, known: Sequence[File]) -> list[Hit]:
        """Every text that stands in a file and gives somebody away; pixels that are those of a known one hold none."""
        cut = [one for one in file.stretches if not one.place.endswith(SAMPLES)]
        samples = [] if any(same_samples(file, each) for each in known) else samples_of(file)
        whose = self.patients.get(path, -1)
        hits = search(self.texts, [*cut, *unpacked(cut)], samples, file.codecs)
        return [hit for hit in hits if self.telling[hit.text] or self.pairs[hit.text][0] == whose]

    def _tell(self, hit: Hit, name: str, path: str) -> None:
        """Note whom a hit gives away, in the output ``name`` that was written for the given ``path``."""
        for number in self._items(hit, path):
            self._add(number, Found(name, hit.stretch.place, hit.form, hit.snippet))

    def _items(self, hit: Hit, path: str) -> list[int]:
        """The items that a hit gives away: those planted where it is, else all that it spells, of that file first."""
        patient, _ = self.pairs[hit.text]
        own, place = patient == self.patients.get(path, -1), hit.stretch.place
        items = [(number, self.key.planted[number]) for number in self.owners[self.pairs[hit.text]]]
        here = [(number, item) for number, item in items if item.path == path]
        for same in (lambda where: where == place, lambda where: _spread(where) == _spread(place)):
            planted = [number for number, item in here if same(item.where)]
            if planted:
                return planted
        if not own and not self.telling[hit.text]:
            return []
        chance = hit.stretch.vr in _OTHER_DATES or not own
        return [number for number, item in here or items if not (item.kind in _OWN and chance)]

    def _add(self, number: int, found: Found) -> None:
        told = self.found.setdefault(number, {})
        if len(told) < SHOWN:
            told.setdefault((found.path, found.place, found.form), found)

    def _see(self, file: File, path: str) -> None:
        """Look at the pixels where identifiers were burned in."""
        numbers = self.pixels.get(path, [])
        if not numbers:
            return
        pixels = Pixels(self.given[path], self.reference[path], file, [self.key.planted[one].mask for one in numbers])
        for number in numbers:
            form, snippet = legible(pixels, self.key.planted[number])
            if form:
                self._add(number, Found(file.path, "pixels", form, snippet))

    def leaks(self, failed: Mapping[int, Sequence[tuple[str, str]]]) -> Leaks:
        """What was found."""
        n = len(self.key.planted)
        leaked = np.zeros(n, bool)
        leaked[list(self.found)] = True
        return Leaks(leaked, [list(self.found.get(number, {}).values()) for number in range(n)], failed)


def _spot(hit: Hit) -> tuple[int, str]:
    return hit.text, _spread(hit.stretch.place)


def _spread(place: str) -> str:
    """A place without the numbers of items, which change as items go."""
    return re.sub(r"\[\d+\]", "[]", place)


def _identifies(form: str) -> bool:
    """Whether a text is enough to know somebody by, in a file that is not theirs: a full name, or a long number."""
    short = bare(fold(form))
    words = len(re.findall(r"[^\W\d_]+", form))
    unspaced = any("\u2e80" <= each <= "\ud7ff" for each in short) and len(short) >= 3
    return unspaced or (len(short) >= 6 and (words >= 2 or any(each.isdigit() for each in short)))
