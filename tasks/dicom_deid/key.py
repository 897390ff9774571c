"""What the suite knows of the studies it drew and a method does not: what was planted where, and what must stay.

A corpus is written twice from one description: *given*, with an identity in each slot, and as a *reference*, what a
perfect method would have made of it, with a pseudonym there or nothing. The key is noted while the slots are filled,
so that it cannot say anything else than the files do.

Places are spelled ``(0010,0010)``; nested ``(0040,0275)[0].(0032,1060)``; private, by creator and not by block,
``(0019,"GEMS_ACQU_01",10)``; in a file's meta information ``(0002,0016)``; and ``preamble``, ``filename``, ``pixels``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LOCI = (
    *("direct", "text", "protocol", "nested", "report", "private", "binary", "overlay", "meta", "preamble", "uid"),
    *("filename", "pixels"),
)
"""Where an item may be planted."""
KINDS = {
    "name": "A", "address": "B", "date": "C", "age": "C", "phone": "D", "email": "F", "ssn": "G", "mrn": "H",
    "accession": "R", "account": "J", "device": "M", "url": "N", "uid": "R", "institution": "B", "staff": "A",
}
"""What an item may be, and its category: the letters (A) to (R) of 45 CFR 164.514(b)(2)(i)."""
GROUPS = ("script", "origin", "sex", "age", "name_length", "name_trait")
"""The attributes of a person by which leaks are told apart."""


@dataclass(frozen=True)
class Person:
    """A synthetic patient. name: a PN value, of up to three component groups parted by ``=``.

    native, latin: (family, given) as the person writes it and in Latin letters; equal where that is one. day: of birth,
    as ``YYYYMMDD``. numbers: by kind (``mrn``, ``ssn``, ``phone``, ``email``, ``address``, ``account``).
    """

    name: str
    native: tuple[str, str]
    latin: tuple[str, str]
    origin: str
    script: str
    sex: str
    age: int
    day: str
    numbers: Mapping[str, str]
    trait: str = "plain"

    @property
    def groups(self) -> dict[str, str]:
        """Of each of GROUPS the person's; the bands of age end at 17, 39, 64 and 89, and before 0 it is unknown."""
        bands = ((-1, "unknown"), (17, "0-17"), (39, "18-39"), (64, "40-64"), (89, "65-89"), (999, "90+"))
        length = len("".join(self.latin))
        return {
            "script": self.script, "origin": self.origin, "sex": self.sex,
            "age": next(band for end, band in bands if self.age <= end),
            "name_length": "short" if length <= 8 else "medium" if length <= 14 else "long",
            "name_trait": self.trait,
        }


@dataclass(frozen=True, eq=False)
class Mask:
    """Where glyphs lie: glyphs, (h, w) bool, with its top left corner at (top, left); frame: -1 = on every frame."""

    top: int
    left: int
    glyphs: npt.NDArray[np.bool_]
    frame: int = -1


@dataclass(frozen=True)
class Instance:
    """One file. patient, study: whose, and which of the patient's studies, from 0. document: files of equal number
    differ in the identity alone, -1 = it has no twin. size: (frames, rows, columns), zeros where it has no pixels."""

    path: str
    patient: int
    study: int
    modality: str
    document: int = -1
    size: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Planted:
    """One item that must not be found in any output. text: as it stands there. forms: how else it would be recognized,
    such as another order or script of a name; ``text`` is one of them. where: its place in the file, see above. mask:
    of its glyphs, where it is drawn in the pixels or in the plane of an overlay."""

    path: str
    patient: int
    kind: str
    locus: str
    where: str
    text: str
    forms: tuple[str, ...]
    mask: Mask | None = None

    @property
    def burned(self) -> Mask | None:
        """Where its glyphs lie in the pixels; None where it stands elsewhere, as in an overlay's plane."""
        return self.mask if self.where == "pixels" else None

    @property
    def category(self) -> str:
        """The letter of the identifier in 45 CFR 164.514(b)(2)(i)."""
        return KINDS[self.kind]


@dataclass(frozen=True)
class Kept:
    """One thing that must stay. kind: ``text``, of which each of ``words`` must still be in the element; ``private``,
    ``characteristic`` and ``attribute``, whose whole value is one of ``words``; ``graphic``, whose ``mask`` must stand
    as it is in an overlay's plane; ``distractor``, glyphs that must stay visible in pixels."""

    path: str
    patient: int
    kind: str
    where: str
    words: tuple[str, ...]
    mask: Mask | None = None


@dataclass(frozen=True)
class Dated:
    """An element with a date, of which the days between two of one patient must stay. day: ``YYYYMMDD``."""

    path: str
    patient: int
    where: str
    day: str


@dataclass(frozen=True)
class Key:
    """All of it. patients: the people in the corpus, by index. roster: (m) identified people, and coin (m,) bool: which
    of them are in it; place: (m,) int, as whom, -1 where not."""

    patients: Sequence[Person]
    instances: Sequence[Instance]
    planted: Sequence[Planted]
    kept: Sequence[Kept]
    dated: Sequence[Dated]
    roster: Sequence[Person] = ()
    coin: npt.NDArray[np.bool_] | None = None
    place: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Corpus:
    """given: what methods get, and reference: what a perfect one would have written, by path; and the key."""

    given: Mapping[str, bytes]
    reference: Mapping[str, bytes]
    key: Key
