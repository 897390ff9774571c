"""Text as it is compared: what looks the same is the same, and words end where their script ends them."""

import re
import unicodedata

SEPARATORS = dict.fromkeys(
    (*range(0x30), *range(0x3A, 0x41), *range(0x5B, 0x61), *range(0x7B, 0xA1),
     *range(0x2000, 0x2070), *range(0x3000, 0x3005), *range(0x3008, 0x3021), 0x30FB, 0xFF65)
)  # fmt: skip
"""What may stand between the parts of a name or a number."""
_UNBROKEN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fff\u3005\u3040-\u31ff\u3400-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_UNSEEN = re.compile(
    "[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0600-\u0605\u0610-\u061a\u061c\u0640"
    "\u064b-\u0652\u0656-\u065f\u0670\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u2800\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e001f\U000e007f-\U000e0fff]"
)
"""What does not show, or shows as an accent; letters of their own, as the vowels of Thai and Hindi are, stay."""
_DIGIT = re.compile(r"(?![0-9])\d")
_ALIKE = str.maketrans(
    "авеѕіјкмнорстухԁһӏ" "αβεζηικμνορτυχ" "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ" "ıɑɡ",
    "abesijkmhopctyxdhl" "abezhikmnoptyx" "abcdefghijklmnoprstuvwyz" "iag",
) | {start + at: 97 + at for start in (0x1F1E6, 0xE0041, 0xE0061) for at in range(26)} | {
    0xE0030 + at: 0x30 + at for at in range(10)
}  # fmt: skip
"""Folded letters by the Latin ones that they look like, small or as capitals (UTS 39), or that they tag or flag."""
_TIME = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d){0,2}(?!\d)")
PADDED = frozenset(("mrn", "ssn", "phone", "account", "accession"))
"""Kinds whose numbers systems fill up with zeros, or are called with."""
LONG = 16
"""Characters of a UID from which on it is found under another root, or without its dots, by no chance."""


def fold(text: str) -> str:
    """NFKC, case-folded, with the digits of all scripts as 0 to 9, and without accents and what does not show.

    Capitals lose their accents in Greek, names in transit lose them everywhere, and to either anybody is indifferent.
    """
    if text.isascii():
        return text.lower()
    parted = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", parted))
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), folded)


def alike(folded: str) -> str:
    """A folded text of as many characters, with Latin letters for those of other alphabets that look like them."""
    return folded if folded.isascii() else folded.translate(_ALIKE)


def bare(folded: str) -> str:
    """A folded text without separators."""
    return folded.translate(SEPARATORS)


def bounded(text: str, start: int, end: int, kind: str = "") -> bool:
    """Whether ``text[start:end]`` stands as a word. kind: ``uid``, whose dots hold digits together, so that a short one
    may be another's end; ``date``, which a time of day may follow where its year has four digits; PADDED, before which
    zeros may stand."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if kind == "uid" and before == "." and end - start < LONG:
        return False
    if kind == "date" and after.isdigit() and _says_its_year(text[start:end]) and _TIME.match(text, end):
        after = ""
    if kind in PADDED and before == "0" and text[start].isdigit():
        before = text[max(0, start - 16) : start].rstrip("0")[-1:]
    alone = end - start == 1
    return not _runs_on(before, text[start], alone) and not _runs_on(text[end - 1], after, alone)


def _says_its_year(date: str) -> bool:
    """Whether a date's year has four digits: else two more after it are the rest of another's, as in 04.08.20|19."""
    return sum(map(str.isdigit, date)) >= (8 if date.translate(SEPARATORS).isdigit() else 5)


def _runs_on(left: str, right: str, alone: bool) -> bool:
    """Whether a word goes on from one character to the next. alone: a single character is no word within others."""
    if not left or not right:
        return False
    if not alone and (_UNBROKEN.match(left) or _UNBROKEN.match(right)):
        return False
    if left.isdigit() or right.isdigit():
        return left.isdigit() and right.isdigit()
    return all(each.isalpha() or unicodedata.category(each)[0] == "M" for each in (left, right))
