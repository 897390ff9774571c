"""Synthetic patients of fifteen origins and ten scripts, balanced over origin, sex and age, none of them real."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from fourfold.tasks.dicom_deid.key import Person
from fourfold.tasks.dicom_deid.numbers import PLACES, Numbers
from fourfold.tasks.dicom_deid.romanised import latin_letters
from fourfold.tasks.dicom_deid.wording import POLYSEMOUS, WORDS

ORIGINS = {
    "en_US": "Latin", "es_MX": "Latin", "de_DE": "Latin", "pl_PL": "Latin", "vi_VN": "Latin", "ru_RU": "Cyrillic",
    "el_GR": "Greek", "ar_AA": "Arabic", "fa_IR": "Arabic", "he_IL": "Hebrew", "hi_IN": "Devanagari", "th_TH": "Thai",
    "zh_CN": "Han", "ja_JP": "Japanese", "ko_KR": "Hangul",
}  # fmt: skip
"""The Faker locale of each origin, and the script its names are written in."""
UNICODE = {script: (script.upper(),) for script in set(ORIGINS.values())} | {
    "Han": ("CJK",),
    "Japanese": ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA"),
}
"""With what the Unicode names of a script's letters begin."""
BANDS = ((0, 17), (18, 39), (40, 64), (65, 88), (91, 103))
TRAITS = ("plain", "hyphenated", "short", "polysemous", "plain", "particle")
EPOCH = date(2024, 1, 1)
"""The day at which a person has their age."""
_PROVIDERS = ["faker.providers.person", "faker.providers.address"]
_HYPHENATED = {"en_US", "es_MX", "de_DE", "pl_PL", "vi_VN", "ru_RU", "el_GR", "he_IL", "hi_IN", "fa_IR"}
_PARTICLES = {
    "en_US": ("O'", "D'", "Mc"), "es_MX": ("de la ", "del ", "de los "), "de_DE": ("von ", "von der ", "zu "),
    "ru_RU": ("фон ", "де "), "ar_AA": ("بن ", "أبو "), "he_IL": ("בן ", "בר "), "vi_VN": ("Tôn ",),
}  # fmt: skip
_DOUBLE_MEANING = {
    "en_US": tuple((name, name) for name in POLYSEMOUS),
    "es_MX": (("Paris", "Paris"), ("Grant", "Grant")),
    "vi_VN": (("Long", "Long"),),
    "zh_CN": (("龙", "Long"), ("杨", "Young")),
    "ko_KR": (("영", "Young"),),
}


@dataclass(frozen=True)
class Name:
    """A (family, given) name as written, in Latin letters, and in kana where it has them."""

    native: tuple[str, str]
    latin: tuple[str, str]
    kana: tuple[str, str] | None = None


def people(rng: np.random.Generator, n: int) -> list[Person]:
    """Draw n people, no two of whom share a number.

    Of every fifteen one is of each origin, and each origin goes through sexes and age bands in turn. Names differ in
    both parts as long as an origin has enough of them. Raises RuntimeError where a locale gives another script.
    """
    draw, numbers = Names(rng), Numbers(rng)
    offsets = {origin: int(rng.integers(10)) for origin in ORIGINS}
    found = []
    for place in range(n):
        turn, origin = place // len(ORIGINS), list(ORIGINS)[place % len(ORIGINS)]
        combination = (turn * 3 + offsets[origin]) % 10
        sex, (low, high) = "FM"[combination % 2], BANDS[combination // 2]
        trait = TRAITS[(turn + offsets[origin]) % len(TRAITS)]
        name, trait = draw(origin, sex, trait)
        age = int(rng.integers(low, high + 1))
        born = EPOCH.replace(year=EPOCH.year - age) - timedelta(days=int(rng.integers(1, 300)))
        found.append(
            Person(
                name=value(name, native=bool(rng.integers(2))),
                native=name.native,
                latin=name.latin,
                origin=origin,
                script=ORIGINS[origin],
                sex=sex,
                age=age,
                day=f"{born:%Y%m%d}",
                numbers=numbers(origin, name.latin),
                trait=trait,
            )
        )
    order = rng.permutation(n)
    return [found[place] for place in order]


def value(name: Name, native: bool = True) -> str:
    """The PN value (PS3.5, 6.2.1): alphabetic=ideographic=phonetic for Han and kana, the last two for Hangul.

    Other scripts are written in the alphabetic group if ``native``, which is transliterated if not.
    """
    written, latin = "^".join(name.native), "^".join(name.latin)
    if name.kana:
        return f"{latin}={written}={'^'.join(name.kana)}"
    if written_in(name.native[0], "Han"):
        return f"{latin}={written}"
    if written_in(name.native[0], "Hangul"):
        return f"{latin}=={written}"
    return written if native else latin


def written_in(text: str, script: str) -> bool:
    """Whether every letter of a text is of a script."""
    letters = [letter for letter in text if letter.isalpha()]
    return bool(letters) and all(unicodedata.name(letter, "").startswith(UNICODE[script]) for letter in letters)


class Names:
    """Draws names by Faker, none of whose parts was drawn before or is a clinical word, if others are left."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.taken = {*WORDS, *PLACES}
        self.fakers: dict[str, Any] = {}

    def __call__(self, origin: str, sex: str, trait: str = "plain") -> tuple[Name, str]:
        """A name of an origin for a sex, and the trait it has: ``plain`` where the origin has no such names."""
        draw = self.candidates(origin, sex)
        tries = [next(draw) for _ in range(40 if trait == "short" else 8)]
        if trait == "short":
            tries.sort(key=lambda name: len("".join(name.latin)))
        name = next((one for one in tries if self.free(one)), None) or self.otherwise(draw)
        name, trait = self.marked(name, origin, trait)
        self.taken |= parts(name)
        return name, trait

    def free(self, name: Name) -> bool:
        """Whether no part of it is taken."""
        return not parts(name) & self.taken

    def otherwise(self, draw: Iterator[Name]) -> Name:
        """A free name, or after many tries one whose whole is new."""
        name = next(draw)
        for _ in range(60):
            if self.free(name):
                return name
            name = next(draw)
        second = next(draw)
        return _family(name, lambda text, other: f"{text} {other}", second)

    def marked(self, name: Name, origin: str, trait: str) -> tuple[Name, str]:
        """The name with its trait, if the origin has that."""
        if trait == "hyphenated" and origin in _HYPHENATED:
            second = next(one for one in self.candidates(origin, "F") if one.native[0] != name.native[0])
            return _family(name, lambda text, other: f"{text}-{other}", second), trait
        if trait == "particle" and origin in _PARTICLES:
            particle = str(self.rng.choice(_PARTICLES[origin]))
            latin = particle if ORIGINS[origin] == "Latin" else f"{latin_letters(particle, origin).strip().lower()} "
            native = (particle + name.native[0], name.native[1])
            return Name(native, (latin + name.latin[0], name.latin[1])), trait
        if trait == "polysemous" and origin in _DOUBLE_MEANING:
            choices = _DOUBLE_MEANING[origin]
            native_family, latin_family = choices[int(self.rng.integers(len(choices)))]
            return Name((native_family, name.native[1]), (latin_family, name.latin[1])), trait
        return name, trait if trait == "short" else "plain"

    def candidates(self, origin: str, sex: str) -> Iterator[Name]:
        """Names of an origin without end. Raises RuntimeError where they are not in its script."""
        fake = self.faker(origin)
        while True:
            name = _japanese(fake, sex) if origin == "ja_JP" else _drawn(fake, origin, sex)
            if all(len(part) > 1 for part in name.latin):
                yield name

    def faker(self, origin: str) -> Any:
        """Faker's generator for an origin, seeded from ``rng``."""
        from faker import Faker

        if origin not in self.fakers:
            self.fakers[origin] = Faker(origin, use_weighting=False, providers=_PROVIDERS)
            self.fakers[origin].seed_instance(int(self.rng.integers(2**32)))
        return self.fakers[origin]


def parts(name: Name) -> set[str]:
    """The parts of a name by which it would be known, in lower case: family and given names, and halves of those."""
    whole = {*name.native, *name.latin, *(name.kana or ())}
    halves = {half for part in whole for half in part.replace("-", " ").split() if len(half) > 3}
    return {part.casefold() for part in whole | halves if not lone(part)}


def lone(text: str) -> bool:
    """Whether a text is one letter or ideograph, which no reader would take for a name."""
    return len(text) < 2


def _drawn(fake: Any, origin: str, sex: str) -> Name:
    gender = "female" if sex == "F" else "male"
    family = _plain(getattr(fake, f"last_name_{gender}", fake.last_name)())
    given = _plain(getattr(fake, f"first_name_{gender}")())
    if origin == "vi_VN":
        given = f"{fake.middle_name()} {given}"
    _check((family, given), origin)
    if ORIGINS[origin] == "Latin":
        return Name((family, given), (family, given))
    return Name((family, given), (latin_letters(family, origin), latin_letters(given, origin)))


def _japanese(fake: Any, sex: str) -> Name:
    family = fake.last_name_pair()
    given = fake.first_name_female_pair() if sex == "F" else fake.first_name_male_pair()
    _check((family[0], given[0]), "ja_JP")
    return Name((family[0], given[0]), (family[2], given[2]), (family[1], given[1]))


def _check(native: tuple[str, str], origin: str) -> None:
    if not all(written_in(part, ORIGINS[origin]) for part in native):
        raise RuntimeError(
            f"Faker's {origin} gives {native}, which is not in {ORIGINS[origin]} letters; "
            "install a Faker whose locale does, such as 40.54"
        )


def _plain(text: str) -> str:
    """Composed, without vowel marks, joiners and quotes, which the older character sets do not have."""
    kept = (letter for letter in unicodedata.normalize("NFC", text) if letter not in "\u200c\u200d\u200f'׳״\"")
    return "".join(letter for letter in kept if not "\u064b" <= letter <= "\u0652").strip()


def _family(name: Name, join: Callable[[str, str], str], other: Name) -> Name:
    native, latin = join(name.native[0], other.native[0]), join(name.latin[0], other.latin[0])
    return Name((native, name.native[1]), (latin, name.latin[1]), None)
