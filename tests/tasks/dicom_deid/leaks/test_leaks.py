"""Each planted item is found where a method left it, and nothing where it is gone."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from fourfold.tasks.dicom_deid.key import GROUPS, LOCI

AS_GIVEN: dict[str, str] = {}
"""No file is renamed."""


@pytest.mark.parametrize("beside", [True, False])
def test_what_was_given_leaks_every_item_where_it_was_planted(studies, beside):
    result = studies.found(studies.corpus.given, names=AS_GIVEN, beside=beside)
    assert result.leaked.all()
    assert result.breached(studies.corpus.key).all()
    assert not result.failed
    for item, places in zip(studies.corpus.key.planted, result.found, strict=True):
        assert places[0].place == item.where
        assert all(each.path == item.path for each in places)
    assert {item.locus for item in studies.corpus.key.planted} == set(LOCI) - {"protocol", "report"}


def test_a_perfect_output_leaks_nothing(studies):
    result = studies.found(studies.corpus.reference)
    assert not result.leaked.any()
    assert not result.breached(studies.corpus.key).any()


@pytest.mark.parametrize("beside", [True, False])
def test_a_perfect_output_written_anew_leaks_nothing(studies, changed, beside):
    written = {path: changed(data, lambda each: None) + b"\0\0" for path, data in studies.corpus.reference.items()}
    assert not studies.found(written, beside=beside).leaked.any()


def test_a_file_name_that_was_kept_leaks(studies):
    result = studies.found(studies.corpus.reference, names=AS_GIVEN)
    assert {item.locus for item in studies.leaked(result)} == {"filename"}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_item_is_found_in_any_encoding_of_elements(studies, syntax):
    def encode(data: bytes) -> bytes:
        dataset, buffer = dcmread(BytesIO(data)), BytesIO()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
        return buffer.getvalue()

    written = {path: encode(data) for path, data in studies.corpus.given.items()}
    assert studies.found(written, names=AS_GIVEN).leaked.all()


def test_a_word_of_the_study_is_no_leak_and_the_same_name_beside_it_is(studies, changed):
    def twice(dataset):
        dataset.StudyDescription = "long axis for Mrs. Long"

    result = studies.found(studies.clean(0, changed(studies.reference(0), twice)))
    assert [item.where for item in studies.leaked(result)] == ["(0008,1030)"]


def test_a_date_is_a_leak_where_it_stood_or_in_text_and_not_in_another_date(studies, changed):
    def dates(patient: int = 1, **values: str) -> list[tuple[str, int]]:
        def change(dataset):
            for name, value in values.items():
                setattr(dataset, name, value)

        result = studies.found(studies.clean(patient, changed(studies.reference(patient), change)))
        return [(item.kind, item.patient) for item in studies.leaked(result)]

    assert dates(StudyDate="20240301") == [("date", 1)]
    assert dates(SeriesDescription="of 1 March 2024") == [("date", 1)]
    assert dates(ContentDate="20240301") == []  # It may be another date, shifted.
    assert dates(AcquisitionDate="20240301") == [("date", 1)]  # It was not there.
    assert dates(AcquisitionDateTime="20240301093000") == [("date", 1)]
    assert dates(AcquisitionDate="20240302") == []
    assert {patient for _, patient in dates(2, SeriesDescription="1 March 2024")} == {2}


def test_a_given_name_alone_says_nothing_in_somebody_elses_file(studies, changed):
    written = changed(studies.reference(1), lambda each: setattr(each, "PatientName", "Hope^Miller"))
    assert not studies.found(studies.clean(1, written)).leaked.any()


def test_what_is_left_is_found_though_all_else_in_its_element_changed(studies, changed):
    """An item that is given and kept is told from one beside it that is new."""

    def moved(dataset):
        dataset.SeriesDescription = dataset.StudyDescription
        dataset.StudyDescription = "MR"

    result = studies.found(studies.clean(1, changed(studies.given(1), moved)))
    places = {places[0].place for item, places in zip(studies.corpus.key.planted, result.found, strict=True)
              if item.where == "(0008,1030)" and item.patient == 1}
    assert places == {"(0008,103E)"}


@pytest.mark.parametrize("beside", [True, False])
def test_of_drawn_studies_copies_leak_every_item_of_every_group(drawn, beside):
    key = drawn.corpus.key
    result = drawn.found(drawn.corpus.given, names=AS_GIVEN, beside=beside)
    assert [item for item, leaked in zip(key.planted, result.leaked, strict=True) if not leaked] == []
    assert {item.locus for item in key.planted} == set(LOCI)
    assert all({person.groups[name] for person in key.patients} for name in GROUPS)


def test_of_drawn_studies_the_reference_leaks_nothing(drawn):
    again = {path: data + b"\0\0" for path, data in drawn.corpus.reference.items()}  # So that each is searched.
    result = drawn.found(again)
    assert drawn.leaked(result) == []
    assert not result.failed
