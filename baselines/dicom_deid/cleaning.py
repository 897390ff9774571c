"""One file's elements by the profile: the actions of ``profile`` carried out, nested ones alike."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary

from fourfold.baselines.dicom_deid.profile import CLEAN_GRAPHICS, SAFE_PRIVATE, action
from fourfold.baselines.dicom_deid.safe_private import safe
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.surrogates import Surrogates

_TIME = re.compile(r"\d{2}:?(?:\d{2}:?(?:\d{2}(?:\.\d{1,6})?)?)?")
_AGE = re.compile(r"(\d{3})([DWMY])")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
OLDEST = 89
"""Years: whoever is older is 90 (45 CFR 164.514(b)(2)(i)(C))."""
PEOPLE = "PERSON^REMOVED"


@dataclass(frozen=True)
class Cleaning:
    """For the files of one patient. patient: by what they are known; options: of CID 7050."""

    patient: str
    scrubber: Scrubber
    surrogates: Surrogates
    options: Collection[str]

    def clean(self, dataset: Dataset) -> None:
        """Carry out each element's action, in place."""
        for tag in list(dataset.keys()):
            if tag.is_private:
                continue
            try:
                self._act(dataset, tag)
            except Exception:  # A value that its VR does not allow, or none of the dictionary's.
                del dataset[tag]
        self._private(dataset)

    def _act(self, dataset: Dataset, tag: BaseTag) -> None:
        overlay = tag.group >> 8 == 0x60
        if tag.element == 0 or not (overlay or dictionary_has_tag(tag)) or tag.group >> 8 in (0x50, 0xFF):
            del dataset[tag]
            return
        element, keyword = dataset[tag], keyword_for_tag(tag)
        if element.VR == "UN":
            element = dataset[tag] = DataElement(tag, dictionary_VR(tag), element.value)
        if overlay:
            self._overlay(dataset, element)
            return
        done = action(keyword, element.VR, self.options)
        if done == "X":
            del dataset[tag]
        elif done == "Z":
            element.value = [] if element.VR == "SQ" else None
        elif done == "D":
            element.value = self._dummy(keyword, element)
        elif done == "items":
            for item in element.value or ():
                self.clean(item)
        elif done in _OF_VALUES and element.value not in (None, ""):
            element.value = _each(element, lambda value: _OF_VALUES[done](self, value))

    def _dummy(self, keyword: str, element: DataElement) -> str:
        code = self.surrogates.code
        if keyword == "PatientID":
            return code("patient", self.patient)
        if keyword == "PatientName":
            return f"{code('patient', self.patient)}^"
        return PEOPLE if element.VR == "PN" else code(keyword, str(element.value))

    def _overlay(self, dataset: Dataset, element: DataElement) -> None:
        if element.VR in ("LO", "LT"):
            kept = self.scrubber.clean(str(element.value or "")) if CLEAN_GRAPHICS in self.options else ""
            element.value = kept or None
        elif element.tag.element == 0x3000 and CLEAN_GRAPHICS not in self.options:
            del dataset[element.tag]

    def _private(self, dataset: Dataset) -> None:
        """Keep what is safe of private blocks, and the creators of these."""
        kept: set[tuple[int, int]] = set()
        tags = [tag for tag in list(dataset.keys()) if tag.is_private]
        for tag in tags:
            if tag.element < 0x1000:
                continue
            found = None
            if SAFE_PRIVATE in self.options:
                with suppress(Exception):
                    creator = str(dataset[tag.group, tag.element >> 8].value).strip()
                    found = safe(dataset[tag], creator)
            if found is None:
                del dataset[tag]
            else:
                dataset[tag] = found
                kept.add((tag.group, tag.element >> 8))
        for tag in tags:
            if tag.element < 0x1000 and (tag.group, tag.element) not in kept:
                del dataset[tag]

    def _uid(self, value: str) -> str:
        return value if value in UID_dictionary else self.scrubber.uid(value)

    def _time(self, value: str) -> str:
        return value if _TIME.fullmatch(value) else ""

    def _age(self, value: str) -> str:
        found = _AGE.fullmatch(value)
        old = found and found[2] == "Y" and int(found[1]) > OLDEST
        return "090Y" if old else value if found else ""

    def _code(self, value: str) -> str:
        return self.scrubber.clean(value, strict=False)

    def _number(self, value: str) -> str:
        return value if _NUMBER.fullmatch(value.strip()) else ""

    def _date(self, value: str) -> str:
        return self.surrogates.date(value, self.patient)


_OF_VALUES: Mapping[str, Callable[[Cleaning, str], str]] = {
    "U": Cleaning._uid, "time": Cleaning._time, "age": Cleaning._age, "code": Cleaning._code,
    "number": Cleaning._number, "date": Cleaning._date, "C": lambda self, value: self.scrubber.clean(value),
}


def _each(element: DataElement, change: Callable[[str], str]) -> Any:
    if element.VM > 1:
        return [change(_text(value)) for value in element.value]
    return change(_text(element.value)) or None


def _text(value: Any) -> str:
    return str(getattr(value, "original_string", value))
