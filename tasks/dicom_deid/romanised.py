"""Names in Latin letters, as a clerk would spell them who has no table of romanisations."""

import re

_ARABIC = {"ا": "a", "ب": "b", "ت": "t", "ث": "th", "ج": "j", "ح": "h", "خ": "kh", "د": "d", "ذ": "dh", "ر": "r",
           "ز": "z", "س": "s", "ش": "sh", "ص": "s", "ض": "d", "ط": "t", "ظ": "z", "ع": "a", "غ": "gh", "ف": "f",
           "ق": "q", "ك": "k", "ل": "l", "م": "m", "ن": "n", "ه": "h", "و": "w", "ي": "y", "ى": "a", "ة": "a",
           "ء": "", "آ": "a", "أ": "a", "إ": "i", "ؤ": "u", "ئ": "i", "پ": "p", "چ": "ch", "ژ": "zh", "گ": "g",
           "ک": "k", "ی": "y", "ۀ": "a"}  # fmt: skip
_HEBREW = {"א": "a", "ב": "b", "ג": "g", "ד": "d", "ה": "h", "ו": "v", "ז": "z", "ח": "ch", "ט": "t", "י": "y",
           "ך": "k", "כ": "k", "ל": "l", "ם": "m", "מ": "m", "ן": "n", "נ": "n", "ס": "s", "ע": "a", "ף": "f",
           "פ": "p", "ץ": "ts", "צ": "ts", "ק": "k", "ר": "r", "ש": "sh", "ת": "t"}  # fmt: skip
_VOWELS = frozenset("aeiou")


def latin_letters(text: str, origin: str) -> str:
    """A name in Latin letters, capitalised. Raises ValueError where nothing is left of it."""
    from anyascii import anyascii

    if origin in ("ar_AA", "fa_IR"):
        words = [_voiced([_ARABIC.get(letter, "") for letter in word]) for word in text.split()]
    elif origin == "he_IL":
        words = [_voiced([_HEBREW.get(letter, "") for letter in word]) for word in text.split()]
    elif origin == "hi_IN":
        words = [anyascii(_inherent(word)) for word in text.split()]
    elif origin == "th_TH":
        words = [anyascii(_reordered(word)) for word in text.split()]
    else:
        words = anyascii(text).replace("oy", "ou").split() if origin == "el_GR" else anyascii(text).split()
    kept = ["".join(letter for letter in word if letter.isalpha() or letter == "-") for word in words]
    result = " ".join(word.lower().capitalize() for word in kept if word)
    if not result:
        raise ValueError(f"nothing is left of {text!r} in Latin letters: it holds no letter that {origin} writes")
    return result


def _voiced(letters: list[str]) -> str:
    """Consonants with an ``a`` between two of them; half vowels between consonants sound."""
    found = ""
    for place, letter in enumerate(letters):
        after = letters[place + 1] if place + 1 < len(letters) else "a"
        if letter in ("w", "v", "y") and found and found[-1] not in _VOWELS and after[:1] not in _VOWELS | {""}:
            letter = "i" if letter == "y" else "u"
        elif letter and found and found[-1] not in _VOWELS and letter[0] not in _VOWELS:
            found += "a"
        if not (letter and found and found[-1] == letter == "a"):
            found += letter
    return found


def _inherent(word: str) -> str:
    """Devanagari with the inherent vowel written where another consonant follows."""
    found = ""
    for letter, after in zip(word, word[1:] + " ", strict=True):
        found += letter + ("a" if "क" <= letter <= "ह" and ("क" <= after <= "ह" or "ऄ" <= after <= "औ") else "")
    return found


def _reordered(word: str) -> str:
    """Thai with the vowels that are written before a consonant behind it."""
    return re.sub("([เแโใไ])([ก-ฮ])", r"\2\1", word)
