"""Free text without the identity in it: what is known of the patient, what has the shape of an identifier, and words
that are no vocabulary's and look like names."""

import datetime
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from fourfold.baselines.dicom_deid.identity import WORD, Identity, folded, has_case
from fourfold.baselines.dicom_deid.surrogates import moved_by
from fourfold.baselines.dicom_deid.vocabulary import is_clinical

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?P<m>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"
_DATES = (
    re.compile(r"(?<!\d)(?P<y>(?:18|19|20)\d\d)(?P<s>[-./]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)(?!\d)"),
    re.compile(r"(?<![\d.])(?P<d>\d{1,2})(?P<s>[-./])(?P<m>\d{1,2})(?P=s)(?P<y>(?:18|19|20)\d\d|\d\d)(?![\d]|\.\d)"),
    re.compile(
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s\-.]*{_MONTH}[\s\-,]*(?P<y>(?:18|19|20)\d\d|\d\d)(?!\d)", re.I),
    re.compile(rf"\b{_MONTH}\s*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s,]+(?P<y>(?:18|19|20)\d\d)(?!\d)", re.I),
    re.compile(r"(?P<y>\d{4})\s*[年년]\s*(?P<m>\d{1,2})\s*[月월]\s*(?P<d>\d{1,2})\s*[日일]?"),
)
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}(?![\d.])")
_SHAPES = tuple(map(re.compile, (
    r"[^\s@,;()<>]+@[\w\-]+(?:\.[\w\-]+)*",
    r"(?:https?|ftp)://\S*[\w/]|\bwww\.\S*[\w/]",
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])",
    r"(?<![\w.,])(?:\+|\(\+?)?\d(?:[\s()/\-.]{0,3}\d){6,}(?![\d])",
    r"(?<![^\W_])(?!\d+x\d+\b)(?=(?:[\-/]?[^\W_])*?(?:[\-/]?[^\W\d_])*(?:[\-/]?\d[^\W\d_]*){5})"
    r"[^\W_]+(?:[\-/][^\W_]+)*",
)))
_AGE = re.compile(
    r"(?<!\d)0?(?:9\d|1[0-4]\d)(?=\s*-?\s*(?:y(?:ears?|rs?|/?o)?\b|Y\b))|(?<=\baged )0?(?:9\d|1[0-4]\d)\b",
    re.I)
_CALLED = re.compile(
    r"(?i:\b(?:mr|mrs|ms|miss|mister|dr|prof|professor|doctor|herr|frau|sir|señora?|sra?|pan|pani|mme|m|dott)\b)\.?\s+"
    r"((?:(?:[^\W\d_]\.|[^\W\d_][^\s.,;:()]*)[ ,]*){1,4})")
_CAPITAL = re.compile(r"(?:(?:(?![a-zà-ÿ])[^\W\d_])(?:\.|[^\s.,;:()]*)[ ,]*)+")
_INTRODUCED = frozenset(["by", "patient", "pt", "named", "name", "mr", "mrs", "ms", "miss", "dr", "prof"])
_ACTING = frozenset([
    "was", "is", "has", "had", "lives", "says", "said", "states", "reports", "denies", "complains", "agreed",
    "attended", "presented", "returned", "called", "phoned",
])
"""Words before which a name that is a word as well is somebody's, even where a sentence begins with it."""
_PLACE = re.compile(
    r"(?:\b(?:St\.?|[A-Z][\w'’\-]+)\s+(?:(?:of|for|the|de|la|and|&)\s+)*)+"
    r"(?:Hospital|Clinic|Infirmary|Medical Cent(?:er|re)|Health Cent(?:er|re)|Institute|University)\b"
    r"|\b(?:Hospital|Clinic|University|Klinikum|Klinik)\s+(?:(?:of|de|la|del)\s+)*(?:[A-Z][\w'’\-]+\s*)+")
_STREET = re.compile(
    r"(?<![\w.])\d{1,5}[A-Za-z]?\s+(?:[A-Z][\w'’\-]+\s+){1,3}(?:St|Street|Rd|Road|Ave|Avenue|Blvd|Boulevard|Ln|Lane)\b\.?"
    r"|\b(?:[Cc]alle|[Rr]ue|Via|[Rr]ua|[Aa]venida|[Uu]l\.|[Уу]л\.|Οδός|Đường)\s+(?:(?![a-zà-ÿ])[^\W\d_][\w'’\-]*\s+){1,3}\d{1,5}\b"
    r"|\b\w+(?:straße|strasse|str\.|gasse|allee|platz|weg)\s+\d{1,5}\b"
    r"|(?<!\d)\d{1,5}\s+(?:ถนน[^\s,]+|Đường\s+[^\s,]+|[^\s,\d]+\s+मार्ग)"
    r"|(?:شارع|خیابان|רחוב)\s+[^\s,\d]+\s+\d{1,5}(?!\d)"
    r"|[^\s,\d]+(?:[路街町]\d{1,5}(?:号|番地)?|[로길] \d{1,5})(?!\d)")
"""A house in its street, be the street's name a word of the clinic's or not."""
_BEFORE_START = re.compile(r"(?:^|[.:;!?\n\[])\s*$")
_BETWEEN = re.compile(r"[\s,.^_\-]*")
_EPONYMS = ("plaster of paris",)
"""Phrases whose capital is no name's."""
_SPACES = (
    (re.compile(r"[(\[]\s*[,;:.\-]*\s*[)\]]"), ""), (re.compile(r"\s+([,;.)\]])"), r"\1"),
    (re.compile(r"([,;:])(?:\s*[,;:])+"), r"\1"), (re.compile(r"[ \t]{2,}"), " "),
    (re.compile(r"^[\s,;:.^]+|[\s,;:^]+$"), ""),
)

Span = tuple[int, int, str]


def dates_in(text: str) -> Iterator[datetime.date]:
    """The dates that a text tells, but for those whose century it does not."""
    for pattern in _DATES:
        for found in pattern.finditer(text):
            if (told := _date(found, 0)[0]) is not None:
                yield told


def _date(found: re.Match[str], days: int) -> tuple[datetime.date | None, bool]:
    """The date so many days on, None where it is none; and whether its month stands where days do."""
    day, year, month = int(found["d"]), found["y"], found["m"]
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
    swapped = number > 12 >= day
    month_and_day = (day, number) if swapped else (number, day)
    return (moved_by(int(year), *month_and_day, days) if len(year) == 4 else None), swapped


@dataclass(frozen=True)
class Word:
    """A word where it stands. plain: folded. capital: it begins with one, in a script that knows them."""

    start: int
    end: int
    plain: str
    capital: bool
    cased: bool


@dataclass(frozen=True)
class Scrubber:
    """For the texts of one patient. known: who that is. days: by how many theirs move. uid: what stands in for a UID.

    common: words that stand in the texts of several patients, and so tell none of them apart.
    """

    known: Identity
    days: int
    uid: Callable[[str], str]
    common: Collection[str] = ()

    def clean(self, text: str, *, strict: bool = True) -> str:
        """The text with dates moved, UIDs replaced and all else of an identity gone.

        strict: words that look like a name and are in no vocabulary go too, as free text wants it; else what is known
        of the patient alone, as codes want it.
        """
        spans = self._seeded(text)
        if strict:
            spans = [*self._shaped(text), *spans]
        text = _without(text, spans)
        gone = [*self._names(text, strict=strict)]
        text = _without(text, gone)
        if spans or gone:
            for pattern, by in _SPACES:
                text = pattern.sub(by, text)
        return text

    def _shaped(self, text: str) -> Iterator[Span]:
        """What looks like an identifier, whoever's it is."""
        for found in _UID.finditer(text):
            yield *found.span(), self.uid(found[0])
        for pattern in _DATES:
            for found in pattern.finditer(text):
                yield *found.span(), self._moved(found)
        for pattern in (*_SHAPES, _PLACE, _STREET):
            for found in pattern.finditer(text):
                yield *found.span(), ""
        for found in _AGE.finditer(text):
            yield *found.span(), "90"
        for found in _CALLED.finditer(text):
            name = _CAPITAL.match(found[1])
            if name:
                yield found.start(1), found.start(1) + name.end(), ""

    def _seeded(self, text: str) -> list[Span]:
        pattern = self.known.pattern
        return [(*found.span(), "") for found in pattern.finditer(text)] if pattern else []

    def _moved(self, found: re.Match[str]) -> str:
        """The date in the same spelling, so many days on; '' where it is none or its century is not told."""
        day, month = found["d"], found["m"]
        moved, swapped = _date(found, self.days)
        if not moved:
            return ""
        in_full = len(month) > 3 or (month.lower() == "may" and " " in found[0])
        named = moved.strftime("%B" if in_full else "%b")
        named = named.upper() if month.isupper() else named
        new = {"y": f"{moved.year:04}", "m": f"{moved.month:0{len(month)}}" if month.isdigit() else named,
               "d": f"{moved.day:0{len(day)}}"}
        if swapped:
            new["d"], new["m"] = new["m"], new["d"]
        text, start = found[0], found.start()
        for name in sorted(new, key=found.start, reverse=True):
            text = text[: found.start(name) - start] + new[name] + text[found.end(name) - start :]
        return text

    def _names(self, text: str, *, strict: bool) -> Iterator[Span]:
        """The words that are somebody's name, and the initials beside them."""
        words = [
            Word(found.start(), found.end(), folded(found[0]), found[0][:1].isupper(), has_case(found[0]))
            for found in WORD.finditer(text)
        ]
        mixed = any(sign.islower() for sign in text)
        sure = [self._is_name(word, strict=strict) and not _eponym(text, word) for word in words]
        for place, (one, two) in enumerate(pairwise(words)):  # Each may be a word: side by side they are whom we know.
            if one.plain != two.plain and {one.plain, two.plain} <= self.known.names and _beside(text, one, two):
                sure[place] = sure[place + 1] = True
        gone = list(sure)
        for place, word in enumerate(words):
            if sure[place]:
                continue
            near = [other for other in (place - 1, place + 1)
                    if 0 <= other < len(words) and gone[other] and _beside(text, words[place], words[other])]
            if word.plain in self.known.names:
                acts = place + 1 < len(words) and words[place + 1].plain in _ACTING
                gone[place] = word.capital and (bool(near) or acts or not _starts(text, word)) and (
                    not _eponym(text, word))
            elif len(word.plain) == 1 and word.capital and not text[word.end : word.end + 1].isdigit():
                gone[place] = bool(near)
            elif strict and mixed and place and word.capital and not text[word.start : word.end].isupper():
                gone[place] = words[place - 1].plain in _INTRODUCED and _beside(text, words[place - 1], word)
        for word, is_gone in zip(words, gone, strict=True):
            if is_gone:
                yield word.start, word.end, ""

    def _is_name(self, word: Word, *, strict: bool) -> bool:
        """Whether a word is a name whatever stands beside it."""
        if len(word.plain) == 1 and word.cased:
            return False
        if word.plain in self.known.names:
            return not is_clinical(word.plain)
        if not strict or word.plain in self.common:
            return False
        return not is_clinical(word.plain) if word.capital else not word.cased


def _beside(text: str, one: Word, other: Word) -> bool:
    first, second = sorted((one, other), key=lambda word: word.start)
    return bool(_BETWEEN.fullmatch(text, first.end, second.start))


def _starts(text: str, word: Word) -> bool:
    return bool(_BEFORE_START.search(text[: word.start]))


def _eponym(text: str, word: Word) -> bool:
    return any(text[: word.end].lower().endswith(phrase) for phrase in _EPONYMS)


def _without(text: str, spans: list[Span]) -> str:
    """The text with spans replaced; of those that overlap, the one that begins first, and of these the longest."""
    parts, end = [], 0
    for start, stop, by in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += [text[end:start], by]
            end = stop
        elif stop > end:
            end = stop
    return "".join([*parts, text[end:]])
