"""Text whose letters or bytes were all moved by one number, which 25 or 255 tries undo: Caesar's cipher, XOR, a sum.

What stands between two neighbours, their difference, no such number changes: so one automaton finds all of them.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.folding import alike, fold

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

LETTERS, BYTES = 10, 12
"""Letters and bytes that a text must have: fewer differences are chance, as some letters are far more frequent."""
Bytes = npt.NDArray[np.uint8]


class Found(NamedTuple):
    """text: the number of a text; it stands from ``start`` to ``end`` of what was searched, moved as ``form`` says."""

    text: int
    start: int
    end: int
    form: str


class Known:
    """Texts by the differences of their letters or bytes."""

    def __init__(self) -> None:
        self.places: dict[bytes, list[tuple[int, int]]] = {}

    def note(self, number: int, codes: Bytes, differences: Bytes) -> None:
        """Add a text with its codes, to be told where it was not moved at all."""
        known = self.places.setdefault(differences.tobytes(), [])
        if (number, int(codes[0])) not in known:
            known.append((number, int(codes[0])))

    @cached_property
    def automaton(self) -> "tuple[BytesAhoCorasick, list[list[tuple[int, int]]]]":
        """Of the differences, and the texts in its order."""
        from ahocorasick_rs import BytesAhoCorasick

        return BytesAhoCorasick(list(self.places)), list(self.places.values())

    def matches(self, codes: Bytes, differences: Bytes) -> Iterator[tuple[int, int, int]]:
        """The number of each text that stands moved in these codes, with its first and last place."""
        if not self.places or not len(differences):
            return
        automaton, texts = self.automaton
        for which, start, end in automaton.find_matches_as_indexes(differences.tobytes(), overlapping=True):
            for number, first in texts[which]:
                if codes[start] != first:
                    yield number, start, end


class Shifted:
    """Looks for texts, (number, text), in what was moved."""

    def __init__(self, texts: Iterable[tuple[int, str]]) -> None:
        self.letters, self.xored, self.added = Known(), Known(), Known()
        for number, text in texts:
            letters, _ = _letters(alike(fold(text)))
            if len(letters) >= LETTERS:
                self.letters.note(number, letters, _further(letters))
            for case in dict.fromkeys((text, text.upper(), text.lower())):
                data = np.frombuffer(case.encode(), np.uint8)
                if len(data) >= BYTES:
                    self.xored.note(number, data, data[1:] ^ data[:-1])
                    self.added.note(number, data, data[1:] - data[:-1])

    def in_letters(self, folded: str) -> Iterator[Found]:
        """Each text in a folded one whose letters were moved along the alphabet, where it begins and ends a word."""
        letters, at = _letters(folded)
        for number, start, end in self.letters.matches(letters, _further(letters)):
            first, last = int(at[start]), int(at[end])
            if not folded[max(0, first - 1) : first].isalpha() and not folded[last + 1 : last + 2].isalpha():
                yield Found(number, first, last + 1, "letters moved")

    def in_bytes(self, data: bytes) -> Iterator[Found]:
        """Each text in bytes that were XORed with one, or to which one was added."""
        codes = np.frombuffer(data, np.uint8)
        for number, start, end in self.xored.matches(codes, codes[1:] ^ codes[:-1]):
            yield Found(number, start, end + 1, "XOR")
        for number, start, end in self.added.matches(codes, codes[1:] - codes[:-1]):
            yield Found(number, start, end + 1, "bytes moved")


def _letters(text: str) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The ASCII letters of a text in small letters, as numbers from 0, and where each stands."""
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8)
    at = np.flatnonzero((codes >= 97) & (codes <= 122))
    return codes[at] - 97, at


def _further(letters: Bytes) -> Bytes:
    """By how many letters each next one lies further on in the alphabet, from its end on to its beginning."""
    return (letters[1:] + np.uint8(26) - letters[:-1]) % np.uint8(26)
