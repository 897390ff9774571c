"""What the headers of a patient's files tell of who that is: names, numbers, places, by which text is searched."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u200c\u200d"
)
"""Signs that belong to a letter and that Python counts as none."""
WORD = re.compile(rf"(?:[^\W\d_]['’]?[{MARKS}]*)+")
_GREATER = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
_TITLES = frozenset([
    "mr", "mrs", "ms", "miss", "dr", "prof", "med", "phd", "md", "jr", "sr", "herr", "frau", "sra", "dra",
    "don", "sir", "ii", "iii", "iv",
])
_SEPARATED = r"[\s\-./()_,·]*"
LEAST = 4
"""Letters and digits that a number must have to be looked for in text."""


def folded(word: str) -> str:
    """A word as it is compared: without case, accents and apostrophes."""
    lower = "".join(_GREATER.get(sign, sign) for sign in unicodedata.normalize("NFKC", word).casefold())
    plain = "".join(sign for sign in unicodedata.normalize("NFD", lower) if not "\u0300" <= sign <= "\u036f")
    return unicodedata.normalize("NFC", plain).replace("'", "").replace("’", "").replace("\u200c", "")


def has_case(word: str) -> bool:
    """Whether its script knows capitals."""
    return word.lower() != word.upper()


@dataclass
class Identity:
    """names: folded words of the names of a patient and of those who treat them, of scripts that part words by spaces
    and know capitals; natives: names and their parts in other scripts; literals: all else that is theirs, as it stands.
    """

    names: set[str] = field(default_factory=set)
    natives: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)

    def add_name(self, value: str) -> None:
        """Learn a PN value: each of its component groups."""
        for group in re.split(r"[=\\]", value):
            words = [word for word in WORD.findall(group) if folded(word) not in _TITLES]
            cased = [folded(word) for word in words if has_case(word)]
            self.names.update(word for word in cased if len(word) > 1)
            if 1 < len(cased) <= 4:
                self.names.update((cased[0] + cased[1], cased[1] + cased[0], "".join(cased)))
            native = [word for word in words if not has_case(word)]
            self.natives.update(word for word in native if len(word) > 1)
            if len(native) > 1:
                joined = ("".join(native[:2]), "".join(native[1::-1]), "".join(native))
                self.natives.update(joined)

    def add_literal(self, value: str) -> None:
        """Learn a number, an address or a place."""
        plain = value.strip()
        if sum(sign.isalnum() for sign in plain) >= LEAST:
            self.literals.add(plain)

    def update(self, other: "Identity") -> None:
        """Learn what another knows."""
        self.names |= other.names
        self.natives |= other.natives
        self.literals |= other.literals

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Finds literals, with other separators too, and natives; None where there are none."""
        longest = sorted(self.literals | self.natives, key=len, reverse=True)
        return re.compile("|".join(map(_spelled, longest)), re.IGNORECASE) if longest else None


def _spelled(text: str) -> str:
    signs = [re.escape(sign) for sign in unicodedata.normalize("NFC", text) if sign.isalnum() or sign in "@+"]
    if sum(sign.isdigit() for sign in text) >= LEAST:
        body = _SEPARATED.join(signs)
    else:
        body = _SEPARATED.join(re.escape(part) for part in re.findall(r"[^\s\-./()_,·]+", text))
    return rf"(?<![^\W_]){body}(?![^\W_])" if text.isascii() else body
