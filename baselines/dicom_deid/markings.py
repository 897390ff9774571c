"""Which of the texts that are read in an image are markings of no one: side, view, settings of the machine."""

import re

from fourfold.baselines.dicom_deid.identity import WORD, folded
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.vocabulary import is_clinical, words

_SHORT = frozenset(["ap", "pa", "no", "in", "of", "mm", "cm", "kv", "ma", "im", "se", "l", "r", "lat", "low"])
_NAMING = frozenset([
    "mrn", "id", "pid", "dob", "acc", "ssn", "name", "patient", "pat", "pt", "born", "birth", "tel", "phone", "mr",
    "mrs", "ms", "dr", "prof", "account", "accession", "nhs", "hospital", "clinic", "center", "centre", "medical",
    "institute", "university", "partners", "associates", "klinikum", "praxis", "street", "road", "avenue",
    "radiology", "radiologists", "imaging", "health", "healthcare", "care", "diagnostic", "diagnostics", "physicians",
    "surgery", "oncology", "pediatrics", "department", "dept", "group", "community", "regional", "memorial",
    "foundation",
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
])
"""Words beside which an identity stands."""
_DIGIT = {"D": 0, "O": 0, "o": 0, "Q": 0, "l": 1, "I": 1, "B": 8}
_ALIKE = re.compile(r"(?<=[\d.])[DOoQlIB](?=$|[^A-Za-z]|[DOoQlIB]|cm|mm|kV|mA|Hz|ms)|(?<![A-Za-z])[DOoQlIB](?=[\d.])"
                    r"|(?<=kVp|[kV][Vp] |mA |TE |TR |FA |Im |Se |Gn |DR )[DOQlIB]{1,3}\b")
_LABELS = {"5E": "Se", "IE": "TE", "IR": "TR", "LE": "TE", "LR": "TR", "LM": "Im", "1M": "Im", "KP": "kVp",
           "RUM": "Run", "RM": "Run"}
_LABEL = re.compile(r"^(?:(?:5e|IE|IR|lE|lR|lm|1m|kp)(?=\s?\d)|Ru?m(?=\s?\d|$))")
_SETTING = re.compile(r"(?:Im|Se|kVp|TR|TE|FA|Gn|DR|MI|TIS|LAO|RAO|CRAN|CAUD|Run) ?\d{1,4}(?:\.\d)?|\d{1,3} ?mA")
_MEASURED = re.compile(r"[A-Za-z]{0,5}[:=]?[+\-]?\d{1,4}(?:\.\d{1,2})?[A-Za-z%]{0,5}[.,;:]?|\d{2,4}x\d{2,4}")
"""A number that is measured, with what and its unit: no date, and of too few digits to be anyone's."""
_FEW = re.compile(r"\d{1,2}")
_RANGE = re.compile(r"DR ?\d{2,3}")
"""The dynamic range of ultrasound, in dB: no doctor."""
FEWEST = 6
"""Digits of a date or of a number that someone is known by, even where it was misread."""
_CODE = re.compile(r"(?<![A-Za-z])[A-Za-z]\d{3}|\d{2}[A-Za-z]\d")
"""Letters and digits run together, as in what identifies someone."""


def of_no_one(text: str, scrubber: Scrubber) -> bool:
    """Whether a text, as it was read or as it was meant, is a marking; what says a name of the patient is none."""
    return not _names_in(text, scrubber) and any(is_marking(each, scrubber) for each in (text, digits_read(text)))


def is_marking(text: str, scrubber: Scrubber) -> bool:
    """Whether a text is of no one: words of the vocabulary, and with them small numbers; and nothing known of the
    patient."""
    if not text.isascii() or _CODE.search(text):
        return False
    if _FEW.fullmatch(text) or _RANGE.fullmatch(text):
        return True
    said = [folded(word) for word in WORD.findall(text)]
    if not said or _names_in(text, scrubber) or _NAMING.intersection(said):
        return False
    numbers = [word for word in text.split() if any(sign.isdigit() for sign in word)]
    if len(numbers) > 3 or not all(_MEASURED.fullmatch(number) for number in numbers):
        return False
    spaced = " ".join(part.strip() for word in re.split(r"([A-Za-z]+)", text) for part in parted(word) if part.strip())
    made_of = [parted(word) for word in said]
    labels = [word for word in said if len(word) > 1]
    if numbers and not labels and not any(word in "dtxw" for word in said):
        return False
    if len(labels) < 2 and sum(sign.isdigit() for sign in text) >= FEWEST:
        return False
    return all(made_of) and all(is_clinical(part) for parts in made_of for part in parts) and (
        scrubber.clean(spaced) == spaced)


def _names_in(text: str, scrubber: Scrubber) -> bool:
    said = [folded(word) for word in WORD.findall(text)]
    return any(name == word or (len(name) > 2 and name in word) for word in said for name in scrubber.known.names)


def is_setting(text: str) -> bool:
    """Whether a text, as it was meant, is a label of the machine and its number and nothing else."""
    return bool(_SETTING.fullmatch(digits_read(text)))


def digits_read(text: str) -> str:
    """A text as it was meant: 15.Dcm is 15.0 cm, and 5e 4 is Se 4."""
    text = re.sub(r"(?<=\d)H2\b", "Hz", text)
    text = _LABEL.sub(lambda found: _LABELS[found[0].upper()], text)
    return _ALIKE.sub(lambda found: "".join(str(_DIGIT[sign]) for sign in found[0]), text)


def parted(word: str) -> list[str]:
    """A word, or the words that it is made of where the reader has seen no spaces; none where it is not."""
    if not word.isalpha() or word.lower() in words():
        return [word]
    best: list[list[str]] = [[]]
    for end in range(1, len(word) + 1):
        starts = [start for start in range(end) if (start == 0 or best[start]) and _part(word[start:end].lower())]
        found = [[*best[start], word[start:end]] for start in starts]
        best.append(min(found, key=len, default=[]))
    return best[-1]


def _part(word: str) -> bool:
    return word in _SHORT or (len(word) >= 4 and word in words())


def fits(text: str, shape: tuple[int, ...]) -> bool:
    """Whether a text that is so long would be so wide: what was misread seldom is. shape: of its image."""
    tall, wide = shape[:2]
    return 0.2 * tall * len(text) <= wide <= 1.1 * tall * (len(text) + 1)
