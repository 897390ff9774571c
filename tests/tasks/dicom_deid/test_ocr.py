"""What is read in an image is an identifier or not."""

import pytest

from fourfold.tasks.dicom_deid import ocr

READ = {
    "as it is": ("LONG, HOPE", "Long, Hope", True),
    "within a line": ("Name: LONG HOPE F 40Y", "Long, Hope", True),
    "a letter read wrongly": ("JOHANNS0N ERIK", "Johansson", True),
    "a longer line that has its letters far apart": ("Codyfurt Radiology Partners 769", "Johansson", False),
    "a short name, with a letter more": ("Thorax", "Tran", False),
    "a short name, in a word": ("PORTABLE", "Abe", False),
    "a short name, as a word": ("ABE, K.", "Abe", True),
    "marks that the engine does not know": ("RAUL", "Raúl", True),
    "less than the name": ("gner", "McKee Wagner", False),
    "two characters of Han among others": ("姓名王明男", "王明", True),
    "one of two": ("王大明", "王明", False),
    "part of a number": ("2024", "20240726", False),
    "another number": ("MRN 4711 0815", "99234512", False),
    "a number in groups": ("MRN 9923 4512", "99234512", True),
}


@pytest.mark.parametrize("how", READ)
def test_what_a_line_says(how: str) -> None:
    line, identifier, said = READ[how]
    assert ocr.says(line, identifier) is said
