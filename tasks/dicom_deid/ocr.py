"""A reader of text in images, where the glyphs alone leave doubt: RapidOCR, one engine a process, if installed."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.folding import bare, fold

ALIKE = 0.7
"""The similarity (Ratcliff and Obershelp 1988) of what is read to an identifier from which it counts as read."""
SHORT = 6
"""Characters under which an identifier must be read without a fault: short names are alike."""
_HAN = re.compile("[\u3400-\u9fff]+")
DOUBT = "doubt"
"""How an identifier is said to be found where nothing installed can read it: doubt counts against the method."""


def reads(image: npt.NDArray[np.float64], forms: Sequence[str]) -> tuple[str, str]:
    """How one of these forms is read in an image (rows, columns), and what was read; two empty texts if none is.

    The image is read as it is and twice as large. The engine knows Latin letters, digits and Han: an identifier in
    none of these stays in doubt.
    """
    if find_spec("rapidocr_onnxruntime") is None:
        return DOUBT, "rapidocr-onnxruntime, which would tell, is not installed"
    wanted = [form for form in forms if bare(_plain(form)) and all(map(_readable, bare(_plain(form))))]
    if not wanted:
        return DOUBT, "no reader knows its script"
    for factor in (1, 2):
        lines = _lines(image, factor)
        for line in (*lines, " ".join(lines)):  # A name may be read in parts.
            if any(says(line, form) for form in wanted):
                return "OCR" if factor == 1 else "OCR at twice its size", f"read {line!r}"
    return "", ""


def says(line: str, identifier: str) -> bool:
    """Whether a line says this, as one of its words or, of what is long enough, within it, a few letters aside.

    Han has no words; there a name of two characters is long enough.
    """
    text, form = bare(_plain(line)), bare(_plain(identifier))
    if len(form) < SHORT and not (len(form) > 1 and _HAN.fullmatch(form)):
        return form == text or form in map(bare, re.findall(r"\w+", _plain(line)))
    if len(form) < SHORT or form in text:
        return form in text
    lengths = range(min(len(form) - 1, len(text)), min(len(form) + 1, len(text)) + 1)
    return any(_alike(text[at : at + length], form) for length in lengths for at in range(len(text) - length + 1))


def _plain(text: str) -> str:
    """A text, folded, without the marks above and beneath its letters, which the engine does not know."""
    parts = unicodedata.normalize("NFKD", fold(text))
    return unicodedata.normalize("NFC", "".join(each for each in parts if unicodedata.category(each) != "Mn"))


def _alike(part: str, form: str) -> bool:
    matcher = SequenceMatcher(None, part, form, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _readable(character: str) -> bool:
    return character.isascii() or "\u00c0" <= character <= "\u024f" or bool(_HAN.match(character))


def _lines(image: npt.NDArray[np.float64], factor: int) -> list[str]:
    """What is read in an image, stretched to 8 bits and enlarged."""
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return []
    grey = np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return _read(np.kron(grey, np.ones((factor, factor), np.uint8)).tobytes(), grey.shape[1] * factor)


@lru_cache(128)
def _read(grey: bytes, columns: int) -> list[str]:
    """What is read in an image of so many columns: once, however many identifiers it may hold."""
    image = np.frombuffer(grey, np.uint8).reshape(-1, columns)
    found, _ = _engine()(np.repeat(image[..., None], 3, axis=2))
    return [str(line[1]) for line in found or ()]


@cache
def _engine() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(text_score=0.3, intra_op_num_threads=1)
