"""What is looked for in outputs, and where it stood before: worked out once for all methods that are asked the same."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, cast

from fourfold.tasks.dicom_deid.containers import unpacked
from fourfold.tasks.dicom_deid.folding import bare, fold
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.pictures import Gallery
from fourfold.tasks.dicom_deid.reading import ITEM, SAMPLES, File, same_samples
from fourfold.tasks.dicom_deid.recoded import recoded
from fourfold.tasks.dicom_deid.stretches import TEXT, Stretch, inflate
from fourfold.tasks.dicom_deid.text_search import Hit, Texts, search

OWN = frozenset({"date", "age"})
"""Kinds that say nothing in the file of somebody else."""
_OTHER_DATES = frozenset(("AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"))
"""Value representations in which a shifted date may be another one's original by chance."""
_DATES = frozenset(("DA", "DT"))
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
ATTEMPTS = 64
"""Places in a stretch of bytes at which zlib is tried."""
Spot = tuple[int, str]
"""The number of a text, and a place without the numbers of items, which change as items go."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """The planted items of a key. given, reference: the corpus's files by path."""

    key: Key
    given: Mapping[str, File]
    reference: Mapping[str, File]

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
        times = Counter(form for _, form in {(patient, fold(form)) for patient, form in self.pairs})
        return [
            times[fold(form)] == 1 and _identifies(form)
            and any(self.key.planted[one].kind not in OWN for one in self.owners[patient, form])
            for patient, form in self.pairs
        ]

    @cached_property
    def patients(self) -> dict[str, int]:
        """Whose each given path is."""
        return {one.path: one.patient for one in self.key.instances}

    @cached_property
    def drawn(self) -> dict[str, list[int]]:
        """The items that are drawn in pixels or in an overlay's plane, by path."""
        found: dict[str, list[int]] = {}
        for number, item in enumerate(self.key.planted):
            if item.mask is not None:
                found.setdefault(item.path, []).append(number)
        return found

    @cached_property
    def gallery(self) -> Gallery:
        """The images that show those."""
        return Gallery(self.key, self.given)

    @cached_property
    def _found(self) -> dict[Any, Any]:
        """What was found in names, in given files and in their references, by these and by path; and whom it gives."""
        return {}

    def in_name(self, name: str) -> list[Hit]:
        """Every text in the name of a file; those of given ones are looked at once."""
        found = self._found.get(("name", name))
        if found is None:
            data = name.encode("utf-8", "surrogateescape")
            found = search(self.texts, _searched([Stretch(data, "filename", "UT", 0, len(data))]))
            if name in self.given or not name:
                self._found["name", name] = found
        return cast(list[Hit], found)

    def in_reference(self, path: str) -> Counter[Spot]:
        """How often each text stands where in the reference of a given path."""
        if ("reference", path) not in self._found:
            file = self.reference.get(path)
            found = self._search(path, file.codecs, _searched(file.stretches)) if file is not None else []
            self._found["reference", path] = Counter(map(spot, found))
        return cast(Counter[Spot], self._found["reference", path])

    def hits(self, file: File, path: str) -> list[Hit]:
        """Every text that stands in an output for a given path, or for none, and gives somebody away.

        What stands there as it was given was looked at once. Pixels that are those given, or the reference's, hold
        none.
        """
        given, reference = (side.get(path) for side in (self.given, self.reference))
        same: frozenset[str] = frozenset()
        if given is not None and file.given is given and file.codecs == given.codecs:
            same = file.alike
        before = self._in_given(path) if same else {}
        found = [hit for one in file.stretches if one.place in same for hit in before.get(one.place, ())]
        new = [one for one in file.stretches if one.place not in same]
        samples = [one for one in new if one.place.endswith(SAMPLES)]
        if samples and any(same_samples(file, side) for side in (reference, given) if side is not None):
            samples = []
        return found + self._search(path, file.codecs, _searched(new), samples)

    def items(self, hit: Hit, path: str) -> Sequence[int]:
        """The items that a hit in an output for a given path gives away: those planted where it is, else all that it
        spells, of that file first; in a date that was not there, those of that file alone."""
        case = ("items", hit.text, path, hit.stretch.place, hit.stretch.vr)
        if case not in self._found:
            self._found[case] = self._items(hit, path)
        return cast(Sequence[int], self._found[case])

    def _items(self, hit: Hit, path: str) -> Sequence[int]:
        patient, _ = self.pairs[hit.text]
        own, place = patient == self.patients.get(path, -1), hit.stretch.place
        items = [(number, self.key.planted[number]) for number in self.owners[self.pairs[hit.text]]]
        here = [(number, item) for number, item in items if item.path == path]
        for same in (lambda where: where == place, lambda where: spread(where) == spread(place)):
            planted = [number for number, item in here if same(item.where)]
            if planted:
                return planted
        if not own and not self.telling[hit.text]:
            return []
        if own and hit.stretch.vr in _DATES and self._is_new(place, path):
            return [number for number, item in here if item.kind == "date"]
        chance = hit.stretch.vr in _OTHER_DATES or not own
        return [number for number, item in here or items if not (item.kind in OWN and chance)]

    def _is_new(self, place: str, path: str) -> bool:
        """Whether a method added an element: a date of the same file stands there by no chance, as shifts go."""
        case = ("places", path)
        if case not in self._found:
            self._found[case] = {spread(one.place) for one in self.given[path].stretches}
        return spread(place) not in self._found[case]

    def _in_given(self, path: str) -> dict[str, list[Hit]]:
        """What stands in a given file, by the place of the stretch that holds it, packed or not."""
        if ("given", path) not in self._found:
            file = self.given[path]
            within = {each.place: one.place for one in file.stretches for each in _searched([one])}
            by_place: dict[str, list[Hit]] = {}
            for hit in self._search(path, file.codecs, _searched(file.stretches)):
                by_place.setdefault(within[hit.stretch.place], []).append(hit)
            self._found["given", path] = by_place
        return cast(dict[str, list[Hit]], self._found["given", path])

    def _search(
        self, path: str, codecs: Sequence[str], cut: Sequence[Stretch], samples: Sequence[Stretch] = ()
    ) -> list[Hit]:
        """What stands in these stretches of a file for ``path`` and gives its patient away, or anybody."""
        whose = self.patients.get(path, -1)
        hits = search(self.texts, cut, samples, codecs)
        return [hit for hit in hits if self.telling[hit.text] or self.pairs[hit.text][0] == whose]


def _searched(cut: Sequence[Stretch]) -> list[Stretch]:
    """These stretches without pixels, what is packed in them, written as numbers or read wrongly."""
    plain = [one for one in cut if not one.place.endswith(SAMPLES)]
    deflated = [inner for one in plain for inner in _deflated(one)]
    misread = [each for one in plain for each in _misread(one)]
    return [*plain, *unpacked(plain), *deflated, *unpacked(deflated), *misread, *recoded(plain)]


def _misread(one: Stretch) -> Iterator[Stretch]:
    """The bytes of a text before they were taken for Latin-1 and written in UTF-8, as by a tool that knows no other
    character set."""
    data = one.data[one.start : one.end]
    if one.vr not in TEXT or data.isascii():
        return
    for codec in ("latin-1", "cp1252"):
        with suppress(UnicodeError):
            before = data.decode().encode(codec)
            yield Stretch(before, one.place, one.vr, 0, len(before))


def _deflated(one: Stretch) -> Iterator[Stretch]:
    """What zlib compressed within a stretch of bytes, such as the pages of a PDF. Many places look as if such began;
    what begins the stretch itself is left to ``unpacked``."""
    starts = () if one.vr in TEXT else _ZLIB.finditer(one.data, one.start + 1, one.end)
    for start in islice(starts, ATTEMPTS):
        data = inflate(one.data[start.start() : one.end], 15)
        if data:
            yield Stretch(data, f"{one.place} zlib", "", 0, len(data))


def spot(hit: Hit) -> Spot:
    """Which text stands where."""
    return hit.text, spread(hit.stretch.place)


@lru_cache(1 << 14)
def spread(place: str) -> str:
    """A place without the numbers of items, which change as items go."""
    return ITEM.sub("[]", place)


def _identifies(form: str) -> bool:
    """Whether a text is enough to know somebody by, in a file that is not theirs: a full name, or a long number, of
    more digits than a date has."""
    short = bare(fold(form))
    if short.isdigit() and len(short) <= 8:
        return False
    words = len(re.findall(r"[^\W\d_]+", form))
    unspaced = any("\u2e80" <= each <= "\ud7ff" for each in short) and len(short) >= 3
    return unspaced or (len(short) >= 6 and (words >= 2 or any(each.isdigit() for each in short)))
