"""What of burned-in text is spared, and what stands where it was erased."""

import numpy as np
import pytest

from fourfold.baselines.dicom_deid.identity import Identity
from fourfold.baselines.dicom_deid.redaction import erase, is_marking
from fourfold.baselines.dicom_deid.scrubber import Scrubber


def marking(text: str) -> bool:
    known = Identity()
    known.add_name("Long^Grant")
    return is_marking(text, Scrubber(known, -100, lambda uid: "2.25.7"))


@pytest.mark.parametrize("text", ["L", "R", "AP PORTABLE", "APPORTABLE", "kVp 120", "10 cm", "LAO 33", "BONEDENSITY"])
def test_markings_are_spared(text):
    assert marking(text)


@pytest.mark.parametrize("text", [
    "NAKAMURA YUKI", "KatelynvilleKlinikum423", "LONG GRANT", "LONGGRANT", "A1234567", "12.03.2020", "06-AUG-2024",
    "Fairview General Hospital", "中村", "", "?",
])
def test_all_else_goes(text):
    assert not marking(text)


def test_what_was_erased_has_no_part_in_what_stands_there():
    one, other = (np.full((40, 60), 100, np.uint8) for _ in range(2))
    boxes = [(slice(5, 15), slice(10, 40)), (slice(13, 25), slice(10, 40))]
    one[8:22:2, 12:38] = 255
    for frame in (one, other):
        erase(frame, boxes)
    assert np.array_equal(one, other)
