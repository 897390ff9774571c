"""Which of the planted items are still in what a method wrote, where, and in what form."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid import planes
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.pictures import OWN, others, own
from fourfold.tasks.dicom_deid.reading import File, same_samples
from fourfold.tasks.dicom_deid.residual import Grey, Pixels, fitted_to, legible, stands
from fourfold.tasks.dicom_deid.text_search import Hit
from fourfold.tasks.dicom_deid.wanted import Wanted, spot

SHOWN = 4
"""Of how many places an item's leak is told."""
PICTURES = 512
"""How many pictures of a file are looked at; one that has more is refused."""


class Found(NamedTuple):
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


def find(wanted: Wanted, answers: Mapping[str, File], extra: Sequence[File] = (), odd: Sequence[str] = ()) -> Leaks:
    """Look for every planted item in every byte, pixel and name of what was written.

    answers: by given path, what a method wrote for it, whose own ``path`` may differ; extra: what answers to none; odd:
    names of links and the like, which were not followed. What the reference says in the same place as often is no leak.
    """
    looked = _Search(wanted)
    for path, file in answers.items():
        looked.read(file, path)
    for file in extra:
        looked.read(file, "")
    for name in odd:
        looked.named(name, "")
    failed = _failed(wanted, answers, odd)
    for path in looked.crowded:
        if path in wanted.patients:
            failed.setdefault(wanted.patients[path], []).append((path, f"it holds more than {PICTURES} pictures"))
    return looked.leaks(failed)


def _failed(
    wanted: Wanted, answers: Mapping[str, File], odd: Sequence[str]
) -> dict[int, list[tuple[str, str]]]:
    """The files that did not come back readable, by patient."""
    failed: dict[int, list[tuple[str, str]]] = {}
    links = {path: kind for path, _, kind in (name.rpartition(": ") for name in odd)}
    for one in wanted.key.instances:
        file, why = answers.get(one.path), ""
        given, reference = wanted.given[one.path], wanted.reference.get(one.path)
        if file is None:
            why = f"it is no file that is read: {links[one.path]}" if one.path in links else "it did not come back"
        elif file.data not in (given.data, reference.data if reference is not None else b""):
            why = _unreadable(file, given)
        if why:
            failed.setdefault(one.patient, []).append((one.path, why))
    return failed


def _unreadable(file: File, given: File) -> str:
    """Why this is no readable file with pixels, if it had some; empty if it is."""
    parsed, why = file.parsed
    if parsed is None:
        return why
    return file.pixels[1] if "PixelData" in parsed and given.pixels[0] is not None else ""


@dataclass
class _Search:
    """What was found so far of what is looked for. crowded: given paths whose outputs hold too many pictures."""

    wanted: Wanted
    found: dict[int, dict[tuple[str, str, str], Found]] = field(default_factory=dict)
    crowded: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What was planted."""
        return self.wanted.key

    def named(self, name: str, path: str) -> None:
        """Look at the name of an output, that of given ``path``, or of none."""
        wanted = self.wanted
        known = {hit.text for hit in wanted.in_name(path)}
        for hit in wanted.in_name(name):
            items = wanted.owners[wanted.pairs[hit.text]]
            if hit.text not in known or any(self.key.planted[one].where == "filename" for one in items):
                self._tell(hit, name, path)

    def read(self, file: File, path: str) -> None:
        """Look at an output: what was written for the given ``path``, or for none."""
        self.named(file.path, path)
        reference = self.wanted.reference.get(path)
        if reference is not None and file.data == reference.data:
            return
        hits = self.wanted.hits(file, path)
        times = Counter(map(spot, hits))
        known = self.wanted.in_reference(path) if hits else times
        for hit in hits:
            if times[spot(hit)] > known[spot(hit)]:
                self._tell(hit, file.path, path)
        self._see(file, path)
        self._see_others(file, path)

    def _tell(self, hit: Hit, name: str, path: str) -> None:
        """Note whom a hit gives away, in the output ``name`` that was written for the given ``path``."""
        found = Found(name, hit.stretch.place, hit.form, hit.snippet)
        for number in self.wanted.items(hit, path):
            self._add(number, found)

    def _add(self, number: int, found: Found) -> None:
        told = self.found.setdefault(number, {})
        if len(told) < SHOWN or found.place == self.key.planted[number].where:
            told.setdefault((found.path, found.place, found.form), found)

    def _see(self, file: File, path: str) -> None:
        """Look where identifiers were drawn, in the pixels and in the planes of overlays."""
        wanted = self.wanted
        numbers = wanted.drawn.get(path, ())
        if not numbers:
            return
        masks = [self.key.planted[one].burned for one in numbers]
        pixels = Pixels(wanted.given[path], wanted.reference.get(path), file, masks)
        for number, mask in zip(numbers, masks, strict=True):
            item = self.key.planted[number]
            form, snippet = planes.legible(file, item) if mask is None else legible(pixels, item)
            if form:
                self._add(number, Found(file.path, item.where, form, snippet))

    def _see_others(self, file: File, path: str) -> None:
        """Look at every picture in an output but those that it was given, or that a perfect method would write."""
        own_items = self.wanted.drawn.get(path, ())
        overlaid = [number for number in own_items if self.key.planted[number].burned is None]
        for count, (place, image) in enumerate(self._pictures(file, path)):
            if count >= PICTURES:
                self.crowded.append(path)
                return
            shown = [number for number in self.wanted.gallery.shown(image) if place != OWN or number not in own_items]
            for number in dict.fromkeys([*(overlaid if place == OWN else own_items), *shown]):
                given = self.wanted.gallery.ink(number)
                laid = fitted_to(image[None], (1, *given.shape))
                form, snippet = stands(given, laid[0], self.key.planted[number]) if laid is not None else ("", "")
                if form:
                    self._add(number, Found(file.path, place, form, snippet))

    def _pictures(self, file: File, path: str) -> Iterator[tuple[str, Grey]]:
        known = [side[path] for side in (self.wanted.given, self.wanted.reference) if path in side]
        if not any(same_samples(file, one) for one in known):
            yield from own(file)
        given = known[0].pixels[0] if known else None
        yield from others(file, [given.shape[:3]] if given is not None else self.wanted.gallery.sizes)

    def leaks(self, failed: Mapping[int, Sequence[tuple[str, str]]]) -> Leaks:
        """What was found."""
        leaked = np.zeros(len(self.key.planted), bool)
        leaked[list(self.found)] = True
        places: list[list[Found]] = []
        for number, item in enumerate(self.key.planted):
            told = self.found.get(number, {}).values()
            places.append(sorted(told, key=lambda found, where=item.where: found.place != where)[:SHOWN])  # type: ignore[misc]
        return Leaks(leaked, places, failed)
