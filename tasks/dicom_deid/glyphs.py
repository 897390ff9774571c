"""Text as pixels, in ten scripts and more, drawn with fonts from PyPI wheels alone, so that every machine draws alike.

Two wheels, both of fonts under the SIL Open Font License: ``pymupdf-fonts`` has FiraGO (Latin, Cyrillic, Greek,
Arabic, Hebrew, Devanagari, Thai, Georgian) and monospaced faces; ``noto-cjk-sans-jp-regular`` has Noto Sans CJK (Han,
Kana, Hangul). The bitmap face is the one within Pillow.
"""

import unicodedata
from functools import cache, lru_cache
from importlib import import_module
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FACES = ("sans", "mono", "bold", "bitmap")
"""How text may look: as on a workstation, as on a console, as on a label, as from an old scanner's character ROM."""
_FONTS = {
    "sans": ("FiraGO_Regular", "noto"), "mono": ("FiraMono_Regular", "FiraGO_Regular", "noto"),
    "bold": ("FiraGO_Bold", "noto"), "bitmap": ("FiraMono_Regular", "FiraGO_Regular", "noto"),
}
"""The fonts of each face; a text is drawn with the first that has all of its characters."""
_SHAPED = ("ARABIC", "HEBREW", "DEVANAGARI", "THAI")
"""Scripts that are unreadable unless a shaping engine orders and joins their characters."""
_ROM = 11
"""Rows of a character in Pillow's bitmap font."""


def drawable(text: str) -> bool:
    """Whether every character of a text is in one of the fonts, and the shaping that its script needs is there."""
    return _font_of(unicodedata.normalize("NFC", text), "sans") is not None


@lru_cache(maxsize=4096)
def glyphs(text: str, height: int, face: str = "sans") -> npt.NDArray[np.bool_]:
    """The ink of one line of text, (rows, columns) bool, trimmed to it, read only.

    height: of the type in pixels; the bitmap face, of which there are whole multiples alone, takes the one below.
    Raises ValueError for a text that is not ``drawable``, or that has no ink, or for a face that is not in FACES.
    """
    text = unicodedata.normalize("NFC", text)
    if face not in FACES:
        raise ValueError(f"no face {face!r}: there are {', '.join(FACES)}")
    name = _font_of(text, face)
    if name is None:
        raise ValueError(f"{text!r} cannot be drawn: no font has all of its characters, or Pillow has no raqm to shape "
                         "them. Burn it in Latin letters")
    if face == "bitmap" and height >= _ROM - 2 and _in_rom(text):
        ink = _from_rom(text, max(1, round(height / _ROM)))
    else:
        ink = _array(_font(name, height).getmask(text, mode="1"))
    if not ink.any():
        raise ValueError(f"{text!r} has no ink")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].copy()
    ink.flags.writeable = False
    return ink


def _array(mask: object) -> npt.NDArray[np.bool_]:
    width, rows = mask.size  # type: ignore[attr-defined]
    return np.frombuffer(bytes(mask), np.uint8).reshape(rows, width) > 0  # type: ignore[call-overload]


def _in_rom(text: str) -> bool:
    return all(" " <= character <= "~" or "\xa1" <= character <= "\xff" for character in text)


def _from_rom(text: str, times: int) -> npt.NDArray[np.bool_]:
    from PIL.ImageFont import load_default_imagefont

    return np.kron(_array(load_default_imagefont().getmask(text, mode="1")), np.ones((times, times), bool))


def _font_of(text: str, face: str) -> str | None:
    """The name of the first font of a face that can draw a text."""
    needed = {ord(character) for character in text if not character.isspace()}
    if any(unicodedata.name(chr(code), "").startswith(_SHAPED) for code in needed) and not _shapes():
        return None
    return next((name for name in _FONTS[face] if needed <= _characters(name)), None)


@cache
def _shapes() -> bool:
    from PIL import features

    return bool(features.check("raqm"))


@cache
def _data(name: str) -> bytes:
    if name == "noto":
        return (files("noto_cjk_sans_jp_regular") / "NotoSansCJKjp-Regular.otf").read_bytes()
    return bytes(import_module(f"pymupdf_fonts.{name}").fontbuffer)


@cache
def _characters(name: str) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    return frozenset(TTFont(BytesIO(_data(name)), lazy=True).getBestCmap())


@cache
def _font(name: str, height: int) -> "FreeTypeFont":
    from PIL.ImageFont import truetype

    return truetype(BytesIO(_data(name)), height)
