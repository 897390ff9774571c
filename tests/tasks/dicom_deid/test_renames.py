import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid.renames import LARGEST, MAPPING, answered

GIVEN = ("a/1.dcm", "a/2.dcm", "b/3.dcm")


def rows(*pairs: tuple[str, str]) -> bytes:
    return "\n".join(["old,new", *(f"{old},{new}" for old, new in pairs)]).encode()


def test_without_a_list_the_same_paths_are_expected_and_others_are_extra():
    found = answered(GIVEN, {"a/1.dcm": b"1", "b/3.dcm": b"3", "notes.txt": b"?", "A/2.dcm": b"2"})
    assert found.files == {"a/1.dcm": b"1", "b/3.dcm": b"3"}
    assert found.extra == ("A/2.dcm", "notes.txt")
    assert (found.renamed, found.why) == (False, "")


def test_a_list_of_new_names_is_followed_and_is_no_extra_file():
    listed = rows(("a/1.dcm", "x.dcm"), ("a/2.dcm", "a/1.dcm"), ("b/3.dcm", "b/3.dcm"))
    found = answered(GIVEN, {"x.dcm": b"1", "a/1.dcm": b"2", "b/3.dcm": b"3", "y": b"", MAPPING: listed})
    assert found.files == {"a/1.dcm": b"1", "a/2.dcm": b"2", "b/3.dcm": b"3"}
    assert (found.extra, found.renamed, found.why) == (("y",), True, "")


def test_a_path_that_a_list_does_not_name_keeps_its_name_unless_another_took_it():
    found = answered(GIVEN, {"a/2.dcm": b"1", "b/3.dcm": b"3", MAPPING: rows(("a/1.dcm", "a/2.dcm"))})
    assert found.files == {"a/1.dcm": b"1", "b/3.dcm": b"3"}


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (rows(("a/1.dcm", "x"), ("a/2.dcm", "x")), "new path 'x' stands in 2 rows"),
        (rows(("a/1.dcm", "x"), ("a/1.dcm", "y")), "old path 'a/1.dcm' stands in 2 rows"),
        (rows(("c/9.dcm", "x")), "old path 'c/9.dcm' was not given"),
        (rows(("a/1.dcm", "gone.dcm")), "new path 'gone.dcm' is no file that was written"),
        (rows(("a/1.dcm", "../a/1.dcm")), "new path '../a/1.dcm' is no file that was written"),
        (b"new,old\nx,a/1.dcm", "its first line is not 'old,new'"),
        (b"", "its first line is not 'old,new'"),
        (b"old,new\na/1.dcm,x,y", "row 2 has 3 values, not 2"),
        (b"old,new\n\xff\xfe,x", "it is no CSV in UTF-8"),
        (b'old,new\n"a/1.dcm', "it is no CSV in UTF-8"),
        (b"old,new\n" + b"a" * 200_000 + b",x", "it is no CSV in UTF-8"),
        (b" " * (LARGEST + 1), "bytes, where"),
    ],
)
def test_a_list_that_is_no_bijection_is_not_followed_and_the_reason_is_said(listed, why):
    written = {"a/1.dcm": b"1", "x": b"2", "y": b"3", MAPPING: listed}
    found = answered(GIVEN, written)
    assert found.files == {"a/1.dcm": b"1"}
    assert found.extra == (MAPPING, "x", "y")  # To be searched, as any file that answers to none.
    assert not found.renamed
    assert found.why.startswith("mapping.csv is not followed: ")
    assert why in found.why


@drawn(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: b"old,new\n" + text.encode("utf-8", "replace")))
def test_no_list_makes_one_file_answer_twice(listed):
    written = {"a/1.dcm": b"1", "x": b"2", MAPPING: listed}
    found = answered(GIVEN, written)
    assert len(set(found.files.values())) == len(found.files)
    assert set(found.files) <= set(GIVEN)
