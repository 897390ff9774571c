"""What a board lists of leaks: each once, with the identity marked, and the most varied where they are too many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.suite import exhibit
from fourfold.tasks.dicom_deid.key import Key, Planted
from fourfold.tasks.dicom_deid.leak_list import leak_list, parted
from fourfold.tasks.dicom_deid.leaks import Found, Leaks

NAME = ("Roe^Jane", "Jane Roe", "Roe")


def item(locus: str = "text", kind: str = "name", forms: tuple[str, ...] = NAME) -> Planted:
    return Planted("p00/1.dcm", 0, kind, locus, "(0008,1030)", forms[0], forms)


def listed(*pairs: tuple[Planted, list[Found]], failed: dict[int, list[tuple[str, str]]] | None = None) -> dict:
    key = Key((), (), [planted for planted, _ in pairs], (), ())
    flags = np.array([bool(found) for _, found in pairs])
    return leak_list(Leaks(flags, [found for _, found in pairs], failed or {}), key)


@pytest.mark.parametrize(
    ("snippet", "marked"),
    [
        ("CT for JANE ROE, chest", ("CT for ", "JANE ROE", ", chest")),
        ("roe_jane.dcm", ("", "roe_jane", ".dcm")),
        ("seen by Roe", ("seen by ", "Roe", "")),
        ("Um9lXkphbmU=", ("Um9lXkphbmU=: ", "Roe^Jane", "")),
        ("", (": ", "Roe^Jane", "")),
    ],
)
def test_the_identity_in_a_snippet_is_set_apart(snippet: str, marked: tuple[str, str, str]) -> None:
    assert parted(snippet, item()) == marked


def test_an_identity_in_any_script_and_with_signs_of_patterns_in_it_is_found() -> None:
    assert parted("흉부 김민준 환자", item(forms=("김^민준", "김민준")))[1] == "김민준"
    assert parted("tel. +1 (555) 12-34", item(forms=("+1 (555) 12-34",))) == ("tel. +", "1 (555) 12-34", "")


def test_each_leak_is_listed_with_its_first_place() -> None:
    first, second = Found("p00/1.dcm", "(0008,1030)", "as text", "CT Jane Roe"), Found("x", "filename", "hex", "")
    told = listed((item(), [first, second]), (item("private"), []))
    assert told["total"] == 1
    assert told["leaks"] == [
        {
            "file": "p00/1.dcm",
            "where": "(0008,1030)",
            "kind": "name",
            "form": "as text",
            "locus": "text",
            "snippet": ["CT ", "Jane Roe", ""],
        }
    ]
    assert exhibit.decode(exhibit.encode(told)) == told


def test_of_too_many_those_stay_that_differ() -> None:
    place = [Found("a", "b", "as text", "Roe")]
    pairs = [(item(), place)] * 500 + [(item("private"), place)] * 3 + [(item("text", "phone"), place)] * 2
    told = listed(*pairs)
    assert told["total"] == 505
    assert len(told["leaks"]) == exhibit.LEAKS
    sorts = [(leak["locus"], leak["kind"]) for leak in told["leaks"]]
    assert sorts == sorted(sorts)
    assert (sorts.count(("private", "name")), sorts.count(("text", "phone"))) == (3, 2)


def test_files_that_did_not_come_back_are_counted() -> None:
    told = listed((item(), []), failed={0: [("p00/1.dcm", "it did not come back")], 3: [("a", ""), ("b", "")]})
    assert "did not come back, or cannot be read: 3;" in told["note"]
    assert [(line["kind"], line["file"], line["snippet"][0]) for line in told["leaks"]] == [
        ("file", "p00/1.dcm", "it did not come back"), ("file", "a", ""), ("file", "b", ""),
    ]
    assert told["total"] == 3


@given(st.text(max_size=400), st.text(min_size=1, max_size=400))
def test_whatever_a_method_wrote_can_be_shown(snippet: str, form: str) -> None:
    told = listed((item(forms=(form,)), [Found(snippet * 2, "\udc80", form, snippet)]))
    assert exhibit.decode(exhibit.encode(told)) == told
