"""An attack that matches what came out to a list of identified people, half of whom are in it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.folding import bare, fold
from fourfold.tasks.dicom_deid.key import Key, Person
from fourfold.tasks.dicom_deid.reading import File

SEX, AGE, BIRTH = "(0010,0040)", "(0010,1010)", "(0010,0030)"
WRONG = 0.01
"""The chance that what a file says of its patient's sex or age does not hold for the person it is of."""
NUMBER = 10.0
"""What a long number of a person's is worth, wherever it is found: more than sex, age and a name together."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Seen:
    """What an output says of one patient. words, numbers: all that stand in text; sexes, ages, births: in elements."""

    words: frozenset[str]
    numbers: frozenset[str]
    sexes: frozenset[str]
    ages: frozenset[int]
    births: frozenset[str]


def membership(key: Key, answers: Mapping[str, File]) -> Floats:
    """(m,) how likely each person of the roster is in the studies, by the output that fits them best.

    The score of a person and an output adds up, for what the output says, the logarithm of how much likelier that is
    if it is theirs than if it is anyone's of the roster (Fellegi and Sunter 1969): sex, age to a year, day of birth,
    names by how rare they are, and numbers.
    """
    seen = _outputs(key, answers)
    if not key.roster or not seen:
        return np.zeros(len(key.roster))
    words = [_words(person) for person in key.roster]
    numbers = [[bare(fold(number)) for number in person.numbers.values()] for person in key.roster]
    rarity = Counter(word for own in words for word in own)
    rarity.update(word for each in seen for word in each.words & rarity.keys())
    scores = np.zeros((len(key.roster), len(seen)))
    for at, (own, known) in enumerate(zip(words, numbers, strict=True)):
        for number, each in enumerate(seen):
            named = sum(log((len(key.roster) + len(seen)) / rarity[word]) for word in own & each.words)
            scores[at, number] = named + NUMBER * sum(one in each.numbers for one in known)
    return np.asarray((scores + _described(key.roster, seen)).max(axis=1), float)


def _described(people: Sequence[Person], seen: Sequence[_Seen]) -> Floats:
    """(m, outputs) the part of the score that sex, age and day of birth give."""
    sexes, ages = np.array([person.sex for person in people]), np.array([person.age for person in people])
    births = np.array([person.day for person in people])
    found = np.zeros((len(people), len(seen)))
    for at, each in enumerate(seen):
        if each.sexes:
            found[:, at] += _ratio(np.isin(sexes, list(each.sexes)))
        if each.ages:
            apart = np.min([np.abs(ages - age) for age in each.ages], axis=0)
            found[:, at] += np.where(apart == 0, _ratio(apart == 0), _ratio(apart <= 1) - log(4))
        elif each.births:
            years = np.array([int(day[:4]) for day in births])
            apart = np.min([np.abs(years - int(day[:4])) for day in each.births], axis=0)
            found[:, at] += _ratio(apart <= 1)
        found[:, at] += NUMBER * np.isin(births, list(each.births))
    return found


def _ratio(fits: npt.NDArray[np.bool_]) -> Floats:
    """(m,) log-likelihood ratio of an observation that fits these of the people."""
    share = np.clip(fits.mean(), 1 / len(fits), 1 - WRONG)
    return np.where(fits, np.log((1 - WRONG) / share), np.log(WRONG / (1 - share)))


def _words(person: Person) -> frozenset[str]:
    """The words of a name, in each script that it is written in."""
    text = " ".join((person.name, *person.native, *person.latin))
    return frozenset(word for word in re.findall(r"[^\W\d_]{2,}", fold(text)))


def _outputs(key: Key, answers: Mapping[str, File]) -> list[_Seen]:
    """What is said of each patient any of whose files came back."""
    values: dict[int, list[tuple[str, str]]] = {}
    for one in key.instances:
        if one.path in answers:
            values.setdefault(one.patient, []).extend(_texts(answers[one.path]))
    return [_seen(each) for each in values.values()]


def _texts(file: File) -> list[tuple[str, str]]:
    return [(place, text) for place, values in file.texts.items() for text in values]


def _seen(values: list[tuple[str, str]]) -> _Seen:
    text = fold("\n".join(each for _, each in values))
    ages = {int(each[:3]) for place, each in values if place == AGE and re.fullmatch(r"\d{3}Y", each)}
    births = {each for place, each in values if place == BIRTH and re.fullmatch(r"\d{8}", each)}
    return _Seen(
        words=frozenset(re.findall(r"[^\W\d_]{2,}", text)),
        numbers=frozenset(bare(each) for each in re.findall(r"[^\s\\,;]*\d[^\s\\,;]*", text) if len(each) >= 6),
        sexes=frozenset(each for place, each in values if place == SEX and each in ("F", "M", "O")),
        ages=frozenset(ages),
        births=frozenset(births),
    )
