"""Filling the slots of a file: once with an identity, noting what was planted, and once as a perfect method would.

The same code writes both, so that key and files cannot say different things.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.tasks.dicom_deid.key import Dated, Kept, Mask, Person, Planted
from fourfold.tasks.dicom_deid.numbers import digits_of
from fourfold.tasks.dicom_deid.people import lone
from fourfold.tasks.dicom_deid.values import text as shown
from fourfold.tasks.dicom_deid.wording import MONTHS, WORDS, clinical, phrases

if TYPE_CHECKING:
    from pydicom import Dataset

Item = tuple[str, str, tuple[str, ...]]
"""The kind, text and forms of what fills a slot; without a kind it names nobody."""
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Private:
    """A private element: of a creator's block in a group, the last byte of its number, and its VR."""

    group: int
    creator: str
    element: int
    vr: str


PARTIAL = 8
"""Characters of a number, or letters of a name, of which no more are asked to know it by: no chance writes as many."""
OWN = slice(7, 10)
"""The components of a UID, as ``corpus.visits`` draws them, that are one study's alone."""
Target = str | int | Private
"""An element: by its keyword, by its tag where a keyword is for several, or a private one."""


@dataclass
class Notes:
    """What the key will say of the files written so far."""

    planted: list[Planted] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    dated: list[Dated] = field(default_factory=list)


@dataclass(frozen=True)
class Identity:
    """A patient as the files name them, and as a perfect method would.

    names: every spelling of theirs. numbers: by kind, the person's and those of their device, hospital and images.
    staff: a (family, given) name. shift: the days that a perfect method adds to dates. salt: of the UIDs it writes.
    """

    person: Person
    patient: int
    pseudonym: str
    names: tuple[str, ...]
    numbers: Mapping[str, str]
    staff: tuple[str, str]
    shift: int
    salt: bytes


@dataclass
class Filler:
    """Fills one dataset, or one nested in it. notes: None when the reference is written. place: what it is nested in.

    day: of the study. rng: chooses how dates and names are spelled in free text. locus: of what is planted.
    """

    dataset: "Dataset"
    who: Identity
    path: str
    day: date
    notes: Notes | None
    rng: np.random.Generator
    style: int = 0
    place: str = ""
    locus: str = "direct"

    @property
    def given(self) -> bool:
        """Whether the identity is written, and noted."""
        return self.notes is not None

    def put(self, target: Target, value: Any) -> None:
        """Write a value as it is."""
        if isinstance(target, Private):
            block = self.dataset.private_block(target.group, target.creator, create=True)
            block.add_new(target.element, target.vr, value)
        else:
            self.dataset.add_new(*_defined(target), value)

    def plant(
        self, target: Target, kind: str, text: str, instead: Any = None, forms: tuple[str, ...] = (),
        locus: str | None = None,
    ) -> None:  # fmt: skip
        """Write an identifier; in the reference ``instead``, or nothing at all if that is None."""
        if self.given:
            self.put(target, text)
            self.note(kind, locus or self.locus, self.where(target), text, forms)
        elif instead is not None:
            self.put(target, instead)

    def note(
        self, kind: str, locus: str, where: str, text: str, forms: tuple[str, ...] = (), mask: Mask | None = None
    ) -> None:
        """Note an item that this file holds, with every form by which it would be recognized."""
        if self.notes is not None:
            known = tuple(dict.fromkeys((text, *(forms or self.forms(kind, text)))))
            self.notes.planted.append(Planted(self.path, self.who.patient, kind, locus, where, text, known, mask))

    def keep(self, target: Target, value: Any, kind: str = "characteristic", also: Any = None) -> None:
        """Write what must stay, or become what ``also`` is."""
        self.put(target, value)
        self.noted_kept(kind, self.where(target), tuple(shown(one) for one in (value, also) if one is not None))

    def noted_kept(self, kind: str, where: str, words: tuple[str, ...], mask: Mask | None = None) -> None:
        """Note what must stay in this file."""
        if self.notes is not None and words:
            self.notes.kept.append(Kept(self.path, self.who.patient, kind, where, words, mask))

    def dated(self, target: str, day: date, time: str = "", format: str = "%Y%m%d") -> None:
        """Write a day, ``time`` behind it where the element holds both; in the reference it is shifted."""
        where = self.where(target)
        self.put(target, f"{day if self.given else self.shifted(day):{format}}{time}")
        self.note("date", self.locus, where, f"{day:{format}}", told_days(day))
        if self.notes is not None:
            self.notes.dated.append(Dated(self.path, self.who.patient, where, f"{day:%Y%m%d}"))

    def uid(self, target: str, uid: str, locus: str = "uid") -> None:
        """Write a UID that names this patient's study, series or instance; in the reference it is mapped."""
        self.put(target, uid if self.given else self.mapped(uid))
        self.note("uid", locus, self.where(target), uid, (uid, own_part(uid)))

    def text(self, target: Target, template: str, locus: str | None = None, longest: int = 1024) -> None:
        """Write a template of ``wording``; in the reference without the phrases that hold an identity."""
        locus = locus or ("text" if not self.place else self.locus)
        self.style = int(self.rng.integers(12))
        parts = phrases(template)
        filled = "".join(self.spelled(part)[0] if phrase else part for part, phrase in parts)
        if len(filled) > longest:
            parts = [(part, phrase) for part, phrase in parts if not phrase]
        written = []
        for part, phrase in parts:
            full, slots = self.spelled(part)
            if not phrase or self.given:
                written.append(full)
            elif set(_SLOT.findall(part)) == {"date"}:
                written.append(self.spelled(part, shifted=True)[0])
            for kind, text, forms in slots:
                self.note(kind, locus, self.where(target), text, forms)
        self.put(target, "".join(written))
        self.noted_kept("text", self.where(target), clinical(template))

    def item(self, sequence: str, locus: str | None = None) -> "Filler":
        """A further item of a sequence, to be filled."""
        from pydicom import Dataset, Sequence

        nested = Dataset()
        if sequence not in self.dataset:
            setattr(self.dataset, sequence, Sequence())
        items = getattr(self.dataset, sequence)
        place = f"{self.where(sequence)}[{len(items)}]."
        items.append(nested)
        locus = locus or ("nested" if self.locus == "direct" else self.locus)
        return Filler(nested, self.who, self.path, self.day, self.notes, self.rng, 0, place, locus)

    def where(self, target: Target) -> str:
        """How the key spells the place of an element."""
        if isinstance(target, Private):
            return f'{self.place}({target.group:04X},"{target.creator}",{target.element:02X})'
        tag, _ = _defined(target)
        return f"{self.place}({tag >> 16:04X},{tag & 0xFFFF:04X})"

    def shifted(self, day: date) -> date:
        """The day that a perfect method writes for a day."""
        return day + timedelta(days=self.who.shift)

    def mapped(self, uid: str) -> str:
        """The UID that a perfect method writes for one."""
        digest = hashlib.blake2b(uid.encode(), digest_size=16, key=self.who.salt).digest()
        return f"2.25.{int.from_bytes(digest, 'big')}"

    def forms(self, kind: str, text: str) -> tuple[str, ...]:
        """How else an item of a kind may be spelled."""
        if kind == "name":
            return self.who.names
        if kind == "staff":
            return orders(*self.who.staff)
        return parts_of(kind, text)

    def day_forms(self, day: str) -> tuple[str, ...]:
        """How a day, ``YYYYMMDD``, may be recognized."""
        return (day, *told_days(_day(day)))

    def spelled(self, part: str, shifted: bool = False) -> tuple[str, list[Item]]:
        """A phrase with its slots filled, and each item in it. shifted: with dates as the reference has them."""
        found: list[Item] = []

        def fill(match: re.Match[str]) -> str:
            kind, text, forms = self.slot(match[1], shifted)
            if kind:
                found.append((kind, text, forms))
            return text

        return _SLOT.sub(fill, part), found

    def slot(self, name: str, shifted: bool = False) -> Item:
        """What a slot is filled with."""
        person = self.who.person
        if name in ("date", "birth"):
            day = self.day - timedelta(days=41) if name == "date" else _day(person.day)
            return "date", spelled_day(self.shifted(day) if shifted else day, self.style), told_days(day)
        if name == "title":
            return "", {"F": "Ms.", "M": "Mr."}[person.sex], ()
        if name == "age":
            age = years(_day(person.day), self.day)
            return ("age" if age > 90 else "", f"{age} years", (f"{age} years", f"{age:03d}Y"))
        if name == "staff":
            text = self.who.staff[0]
            return "staff", text, self.forms("staff", text)
        names = {
            "native": spelled_name(*person.native, self.style, joined=person.script in ("Han", "Japanese", "Hangul")),
            "latin": spelled_name(*person.latin, self.style),
            "family": person.latin[0] if lone(person.native[0]) else person.native[0],
            "given": person.latin[1] if lone(person.native[1]) else person.native[1],
        }
        names["name"] = names["native" if person.origin in ("en_US", "es_MX", "de_DE") or self.style % 2 else "latin"]
        if name in names:
            return "name", names[name], self.forms("name", names[name])
        return name, self.who.numbers[name], self.forms(name, self.who.numbers[name])


def spelled_name(family: str, given: str, style: int, joined: bool = False) -> str:
    """A name as it stands in free text."""
    if joined:
        return f"{family}{given}" if style % 3 else f"{family} {given}"
    return (f"{given} {family}", f"{family}, {given}", f"{given} {family}", f"{family.upper()} {given}")[style % 4]


def spelled_day(day: date, style: int) -> str:
    """A day in one of six ways, of which one is ISO 8601's and one DICOM's."""
    return days(day)[style % 6]


def days(day: date) -> tuple[str, ...]:
    """The ways in which a day is spelled here."""
    month = MONTHS[day.month - 1]
    return (
        f"{day:%d.%m.%Y}", f"{day:%Y-%m-%d}", f"{day:%m/%d/%Y}", f"{day.day} {month} {day.year}", f"{day:%Y%m%d}",
        f"{month} {day.day}, {day.year}",
    )  # fmt: skip


def parts_of(kind: str, text: str) -> tuple[str, ...]:
    """What is left of a number or an address by which it is known all the same: PARTIAL characters of either end, its
    digits, a phone's without its country, a line of an address that has a number, an institution without its."""
    bare = digits_of(text)
    if kind in ("phone", "ssn", "mrn", "account", "accession", "device") and len(bare) >= 6:
        some = {bare[:PARTIAL], bare[-PARTIAL:], re.sub("[^0-9]", "", text), digits_of(re.sub(r"^\+\d+ ", "", text))}
        return (bare, *sorted(part for part in some if len(part) >= PARTIAL and part != bare))
    if kind == "address":
        lines = re.split(", *" if "," in text else " ", text)
        return tuple(line for line in lines if re.search(r"\d", line) and len(re.findall(r"[^\W\d_]", line)) > 1)
    if kind == "institution":
        return (re.sub(r" \d+$", "", text),)
    return ()


def own_part(uid: str) -> str:
    """The part of a UID between the root of who assigned it and the numbers of series and instances: it is the study's
    whatever root a method puts before it, or number behind."""
    return ".".join(uid.split(".")[OWN])


def told_days(day: date) -> tuple[str, ...]:
    """The ways in which a day may be recognized: a method may also write short names of months, with or without 0, days
    in a row (``3rd``), years of two digits, and the week or the day of the year, as ISO 8601 has them."""
    whole, year = MONTHS[day.month - 1], f"{day:%y}"
    month, plain, padded = whole[:3], (f"{day.day}", f"{day.month}"), (f"{day:%d}", f"{day:%m}")
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th") if day.day not in (11, 12, 13) else "th"
    found = [*days(day), f"{day:%Y-%j}", f"{day:%G-W%V-%u}", f"{day.year}-{plain[1]}-{plain[0]}",
             f"{day.year}年{plain[1]}月{plain[0]}日"]  # fmt: skip
    found += [f"{one}{sign}{two}{sign}{day.year}" for sign in "./" for one, two in (plain, plain[::-1])]
    found += [f"{one}/{two}/{year}" for parts in (plain, padded) for one, two in (parts, parts[::-1])]
    found += [f"{padded[0]}{sign}{padded[1]}{sign}{year}" for sign in ".-"]
    for each in dict.fromkeys((plain[0], padded[0])):
        found += [f"{each}-{month}-{day.year}", f"{month} {each}, {day.year}", f"{each}-{month}-{year}",
                  f"{each} {month} {year}", f"{each} {whole} {day.year}", f"{whole} {each}, {day.year}"]  # fmt: skip
    row = f"{plain[0]}{ending}"
    found += [f"{row} {whole} {day.year}", f"{row} of {whole} {day.year}", f"{whole} {row}, {day.year}"]
    return tuple(dict.fromkeys(found))


def orders(family: str, given: str) -> tuple[str, ...]:
    """A name in the orders that are in use, and each part by itself where that is more than a letter."""
    alone = [part for part in (family, given) if not lone(part)]
    halves = [half for part in alone if "-" in part for half in part.split("-") if len(half) > 2]
    halves += [half for part in alone if " " in part for half in part.split(" ") if len(half) > 3]  # "von" is nobody.
    whole = (f"{family}^{given}", f"{family}, {given}", f"{family} {given}", f"{given} {family}", f"{family}{given}")
    return (*whole, *alone, *halves, *shortened(family, given))


def shortened(family: str, given: str) -> list[str]:
    """A name as accounts and the names of files have it: with an initial, or cut to the PARTIAL letters of an ISO 9660
    component; of short names or clinical words neither, which others may happen to be."""
    found = [part[:PARTIAL] for part in (family, given) if len(part) > PARTIAL and part[:PARTIAL].isalpha()]
    if len(family) >= 6 and family.isalpha() and family.lower() != family.upper():
        found += [f"{given[0]}{family}", f"{family}{given[0]}"]
    return [each for each in found if each.casefold() not in WORDS]


def spellings(person: Person) -> tuple[str, ...]:
    """Every way in which a person's name may be recognized, in any of the scripts that it is written in."""
    from anyascii import anyascii

    found = [person.name, *(group for group in person.name.split("=") if group)]
    plain = tuple(anyascii(part) for part in person.latin)
    kana = [tuple(group.split("^")) for group in person.name.split("=")[2:]]
    for family, given in dict.fromkeys((person.native, person.latin, plain, *kana)):
        found += orders(family, given)
    return tuple(dict.fromkeys(found))


def years(born: date, day: date) -> int:
    """Whole years from one day to another."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@cache
def _defined(target: str | int) -> tuple[int, str]:
    """The tag and VR of a standard element."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = target if isinstance(target, int) else tag_for_keyword(target)
    if tag is None:
        raise ValueError(f"{target!r} is no keyword of DICOM's dictionary (PS3.6): take the one in its table 6-1")
    return tag, dictionary_VR(tag)


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))
