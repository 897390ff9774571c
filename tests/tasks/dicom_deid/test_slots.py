"""The forms by which an identity is recognized: what a careless tool may leave of it, and nothing that is chance."""

from datetime import date

import pytest

from fourfold.tasks.dicom_deid.folding import bare, fold
from fourfold.tasks.dicom_deid.slots import orders, own_part, parts_of, told_days


@pytest.mark.parametrize("spelled", [
    "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %b %Y", "%d-%b-%y", "%d %b %y", "%d %B %Y",
    "%B %d, %Y", "%b %d %Y", "%m/%d/%y", "%d.%m.%y", "%Y-%j", "%G-W%V-%u", "%GW%V%u",
])  # fmt: skip
def test_a_day_is_recognized_in_what_spelling_a_method_writes_it(spelled):
    day = date(1961, 1, 3)
    forms = [fold(form) for form in told_days(day)]
    written = fold(day.strftime(spelled))
    assert written in forms or (len(bare(written)) >= 8 and bare(written) in map(bare, forms))


def test_a_day_is_recognized_without_zeros_and_in_a_row():
    forms = told_days(date(1961, 1, 3))
    assert {"3.1.1961", "3/1/1961", "1/3/1961", "1/3/61", "1961-1-3", "3rd January 1961", "1961年1月3日"} <= {*forms}
    assert "12th of May 1999" in told_days(date(1999, 5, 12))
    assert "22nd May 1999" in told_days(date(1999, 5, 22))
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize(("kind", "text", "left"), [
    ("mrn", "AB77410931", {"77410931", "AB774109"}), ("accession", "A8812345", set()),
    ("accession", "A88123456", {"88123456", "A8812345"}), ("phone", "+82 10 1234 5678", {"1012345678"}),
    ("ssn", "912-34-5678", {"912345678", "91234567", "12345678"}), ("device", "SN12345678", {"12345678"}),
    ("address", "1234 Linden St, Ashford 12345", {"1234 Linden St", "Ashford 12345"}),
    ("address", "横浜市桜町1234番地", {"横浜市桜町1234番地"}),
    ("institution", "Ashford Medical Center 123", {"Ashford Medical Center"}), ("url", "https://a.example/1", set()),
])  # fmt: skip
def test_a_number_an_address_and_a_hospital_are_known_by_parts(kind, text, left):
    assert left <= {*parts_of(kind, text)}
    assert all(len(part) >= 8 or part == "A8812345" for part in parts_of(kind, text))


def test_a_name_is_known_by_its_words_an_initial_and_the_letters_of_a_short_file_name():
    forms = orders("de la Garza", "Maximiliane")
    assert {"Garza", "Maximili"} <= {*forms}
    assert {"JHernandez", "HernandezJ", "Hernande"} <= {*orders("Hernandez", "José")}
    assert {"Mckee", "Wagner"} <= {*orders("Mckee-Wagner", "Louis")}


def test_no_part_of_a_name_is_a_clinical_word_or_two_letters():
    assert "ALong" not in orders("Long", "Anna")
    assert not {"de", "la", "An"} & {*orders("de la Garza", "Văn An")}
    assert "фон" not in orders("фон Нестеров", "Алексей")


def test_the_part_of_a_uid_that_is_one_studys_is_known_under_another_root_and_number():
    assert own_part("1.2.826.0.1.3680043.10.1234.123456789.123456789012.3.99") == "1234.123456789.123456789012"
