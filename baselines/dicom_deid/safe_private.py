"""Private elements that are safe to keep: numbers that a vendor documented, of the acquisition and of nobody."""

import re
from typing import Any

from pydicom.datadict import private_dictionary_description, private_dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.values import convert_value

NUMBERS = frozenset(["DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "SV", "UV"])
"""The VRs of what may be kept (PS3.15, E.3.10: elements known to hold no identity)."""
_TELLING = re.compile(
    r"date|stamp|birth|\bage\b|patient|person|name|physician|operator|serial|station|phone|address|uid|\bids?\b|exam|study"
    r"|account|accession|hospital|institution|user|actual.*time|time.*(?:of day|actual)|unknown|\?", re.IGNORECASE)
TEXTS = frozenset([
    ("GEMS_PARM_01", 0x27), ("SIEMENS MR HEADER", 0x0D), ("ELSCINT1", 0x01), ("ELSCINT1", 0x26),
    ("Philips Imaging DD 001", 0x04), ("Philips Imaging DD 001", 0x06), ("Philips Imaging DD 001", 0x0B),
])
"""Of the texts that table E.3.10-1 of PS3.15 lists, by creator and the last byte of the number: short codes of the
acquisition."""
_CODE = re.compile(r"(?!.*\d{5})[A-Z0-9_.:+\- ]{1,16}")
LONGEST = 9999999
"""Beyond it a whole number may be one by which a person is known, or a moment."""


def safe(element: DataElement, creator: str) -> DataElement | None:
    """The element, under its documented VR, or None where it is not known to be safe."""
    try:
        vr = private_dictionary_VR(element.tag, creator)
        named = private_dictionary_description(element.tag, creator)
    except KeyError:
        return None
    if (creator, element.tag.element & 0xFF) in TEXTS:
        text = element.value.decode("ascii", "replace") if isinstance(element.value, bytes) else str(element.value)
        return DataElement(element.tag, vr, text.strip(" \0")) if _CODE.fullmatch(text.strip(" \0")) else None
    if vr not in NUMBERS or _TELLING.search(named) or element.VR not in (vr, "UN", *NUMBERS):
        return None
    value = element.value
    if element.VR == "UN":
        value = _read(element, vr)
        if value is None:
            return None
    numbers = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    if not all(_plain(number) for number in numbers if number is not None and number != ""):
        return None
    return DataElement(element.tag, vr if element.VR == "UN" else element.VR, value)


def _read(element: DataElement, vr: str) -> Any:
    raw = element.value
    try:
        return convert_value(vr, RawDataElement(element.tag, vr, len(raw), raw, 0, True, True))
    except Exception:
        return None


def _plain(number: Any) -> bool:
    """Whether it is a number, and too small to be anyone's, or no whole one."""
    try:
        value = float(number)
    except (TypeError, ValueError):
        return False
    return abs(value) <= LONGEST or value != int(value)
