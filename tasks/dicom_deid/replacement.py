"""Identities that leak by what was put in their place: another's name, a plain hash, the same shift of all dates."""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.folding import bare, fold
from fourfold.tasks.dicom_deid.key import Key, Person
from fourfold.tasks.dicom_deid.reading import File

NAME, NUMBERS = "(0010,0010)", ("(0010,0020)", "(0010,1000)", "(0010,1002)[0].(0010,0020)")
SHORTEST = 8
"""Characters of a hash from which on a part of it is no chance: 32 bits in hex; of digits alone, ten."""
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b")
_HEX, _DIGITS = re.compile(r"[0-9a-f]{8,128}"), re.compile(r"[0-9]{10,156}")
_BASE64 = re.compile(r"[0-9A-Za-z+/]{10,88}"), re.compile(r"[0-9A-Za-z_-]{10,88}")
_WEB_SAFE = str.maketrans("-_", "+/")


def replaced_by_identity(key: Key, answers: Mapping[str, File]) -> npt.NDArray[np.bool_]:
    """(patients,) bool: whose new name or number is that of another person of the corpus or of the roster.

    A name is another's if it has the same words, two or more, in any order, in one of that person's scripts.
    """
    found = np.zeros(len(key.patients), bool)
    roster = [] if key.place is None else zip(key.place.tolist(), key.roster, strict=True)
    people = [*enumerate(key.patients), *roster]
    names: dict[frozenset[str], set[int]] = {}
    numbers: dict[str, set[int]] = {}
    for whose, person in people:
        for words in _names(person):
            names.setdefault(words, set()).add(whose)
        for number in person.numbers.values():
            numbers.setdefault(bare(fold(number)), set()).add(whose)
    for patient, file in _written(key, answers):
        values = file.texts
        new = [names.get(_words(group), set()) for text in values.get(NAME, ()) for group in text.split("=")]
        new += [numbers.get(bare(fold(text)), set()) for place in NUMBERS for text in values.get(place, ()) if text]
        found[patient] |= any(whose and patient not in whose for whose in new)
    return found


def replaced_by_hash(key: Key, answers: Mapping[str, File]) -> npt.NDArray[np.bool_]:
    """(patients,) bool: in whose files an unsalted hash of their number or name stands, in whole or its beginning, in
    hex, in base64, or as a decimal number, its end. Who has a list of patients turns it around."""
    found = np.zeros(len(key.patients), bool)
    digests = [_digests(person) for person in key.patients]
    for patient, file in _written(key, answers):
        if found[patient]:
            continue
        text = "\n".join(each for values in file.texts.values() for each in values)
        hexadecimal, decimal = digests[patient]
        words = [word for word in _HEX.findall(text.lower()) if not word.isdigit() or len(word) >= 10]
        numbers = set(_DIGITS.findall(text))
        words += [word for number in numbers for word in _beginnings(int(number))]
        coded = {word for pattern in _BASE64 for word in pattern.findall(text) if not word.isdigit()}
        words += map(_decoded, coded)
        found[patient] = any(hexadecimal.get(word[:SHORTEST], "").startswith(word) for word in words) or any(
            decimal.get(word[-SHORTEST:], "").endswith(word) or decimal.get(word[:SHORTEST], "").startswith(word)
            for word in numbers
        )
    return found


def _beginnings(number: int) -> list[str]:
    """The hex digits that a number was made of, if these were the beginning of a hash: it may have begun with zeros."""
    return [f"{'0' * zeros}{number:x}" for zeros in range(3)]


def _decoded(word: str) -> str:
    """In hex what a word says if it is base64, as far as it has whole groups of four characters."""
    return base64.b64decode(word.translate(_WEB_SAFE)[: len(word) // 4 * 4]).hex()


def offsets(key: Key, answers: Mapping[str, File]) -> npt.NDArray[np.float64]:
    """(patients,) by how many days a patient's dates were shifted, most of them; nan where none can be compared."""
    shifts: list[list[int]] = [[] for _ in key.patients]
    values = {path: file.texts for path, file in answers.items()}
    for item in key.dated:
        for text in values.get(item.path, {}).get(item.where, ())[:1]:
            days = (_day(item.day), _day(text))
            if days[0] and days[1]:
                shifts[item.patient].append((days[1] - days[0]).days)
    return np.array([max(set(each), key=each.count) if each else np.nan for each in shifts], float)


def constant_offset(shifted: npt.NDArray[np.float64]) -> bool:
    """Whether the dates of all patients, two or more, were shifted by one number of days other than none."""
    known = shifted[np.isfinite(shifted)]
    return len(known) > 1 and bool(known[0]) and bool(np.all(known == known[0]))


def _names(person: Person) -> Iterator[frozenset[str]]:
    for text in (*person.name.split("="), " ".join(person.native), " ".join(person.latin)):
        words = _words(text)
        if len(words) > 1:
            yield words


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W\d_]+", fold(name)))


def _digests(person: Person) -> tuple[dict[str, str], dict[str, str]]:
    """Hashes in hex by how they begin, and as decimal numbers by how they begin and end."""
    hexadecimal, decimal = {}, {}
    for text in _hashed(person):
        data = text.encode()
        found = [hashlib.new(name, data).hexdigest() for name in _HASHES] + [f"{zlib.crc32(data):08x}"]
        for digest in found:
            hexadecimal[digest[:SHORTEST]] = digest
            number = str(int(digest, 16))
            decimal[number[-SHORTEST:]] = decimal[number[:SHORTEST]] = number
    return hexadecimal, decimal


def _hashed(person: Person) -> set[str]:
    """What a method may have hashed: the number, and the name in the orders and cases that are in use."""
    names = [person.name, *person.name.split("=")]
    for family, given in (person.native, person.latin):
        names += [f"{family}{between}{given}" for between in ("^", " ", ", ", "")] + [f"{given} {family}"]
    texts = {each for text in (*names, person.numbers.get("mrn", "")) for each in (text, bare(text.lower())) if each}
    return texts | {each.upper() for each in texts} | {each.lower() for each in texts}


def _written(key: Key, answers: Mapping[str, File]) -> Iterator[tuple[int, File]]:
    """Each file that came back, and whose it is."""
    for one in key.instances:
        if one.path in answers:
            yield one.patient, answers[one.path]


def _day(text: str) -> date | None:
    digits = re.match(r"(\d{4})\D?(\d\d)\D?(\d\d)", text)
    try:
        return date(*map(int, digits.groups())) if digits else None
    except ValueError:
        return None
