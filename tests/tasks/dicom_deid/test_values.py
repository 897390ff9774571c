"""Text, private values and characteristics that must stay."""

import pytest
from pydicom import Dataset

from fourfold.tasks.dicom_deid.values import holds, same


def test_a_text_needs_all_its_words_and_a_private_element_its_whole_value(small, shares, lost):
    def change(path: str, dataset: Dataset) -> None:
        if path.startswith("0/"):
            dataset.StudyDescription = "MR heart, livery"
            dataset[0x00191010].value = "1.50"
        if path.startswith("1/"):
            dataset[0x00191010].value = "1.25"

    found = lost(shares(small, change))
    assert found == {"text_kept": pytest.approx(5 / 6), "private_kept": pytest.approx(2 / 3)}


def test_a_private_element_is_found_in_another_block_and_without_its_vr(small, shares, lost):
    def move(path: str, dataset: Dataset) -> None:
        del dataset[0x00190010], dataset[0x00191010]
        dataset.add_new(0x00190011, "LO", "GEMS_ACQU_01")
        dataset.add_new(0x00191110, "UN", b"1.5 ")

    assert lost(shares(small, move)) == {}


def test_text_in_an_item_is_found_though_the_items_before_it_went(small, shares, lost):
    def insert(path: str, dataset: Dataset) -> None:
        dataset.RequestAttributesSequence.insert(0, Dataset())

    assert lost(shares(small, insert)) == {}


@pytest.mark.parametrize(
    ("value", "word", "found"),
    [
        ("CT abdomen, liver", "LIVER", True), ("delivery", "liver", False), ("胸部CT検査", "胸部", True),
        ("ตับโตเล็กน้อย", "โต", True), ("6 mm nodule", "6 mm", True), ("16 mm nodule", "6 mm", False),
        ("ﬁne cut", "fine", True), ("T2*", "T2*", True),
    ],
)  # fmt: skip
def test_words_are_bounded_as_their_script_bounds_them(value, word, found):
    assert holds(value, word) == found


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1.50", "1.5", True),
        ("1\\2.0", "1.0\\2", True),
        ("M", "m ", True),
        ("1", "1\\1", False),
        ("055Y", "55Y", False),
    ],
)
def test_values_are_equal_as_text_or_as_numbers(one, other, equal):
    assert same(one, other) == equal
