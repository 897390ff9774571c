import shutil
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.validity import UNREADABLE, dciodvfy, introduced, messages

NUMBER = "a number of values that the dictionary does not allow"


def saved(dataset: Dataset) -> File:
    buffer = BytesIO()
    dataset.save_as(buffer)
    return File("a", buffer.getvalue())


@pytest.fixture(scope="module")
def valid(small) -> File:
    return File("a", small.given["0/0/0.dcm"])


def changed(file: File, **values: object) -> File:
    dataset = dcmread(BytesIO(file.data))
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return saved(dataset)


def test_a_valid_file_raises_no_message(valid):
    assert messages(valid) == frozenset()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"SOPClassUID": None}, "SOPClassUID: missing or empty, of type 1"),
        ({"Rows": None}, "Rows: missing or empty, of type 1"),
        ({"StudyInstanceUID": ""}, "StudyInstanceUID: missing or empty, of type 1"),
        ({"PatientID": None}, "PatientID: missing, of type 2"),
        ({"ImageType": None}, "ImageType: missing or empty, of type 1"),
        ({"FrameOfReferenceUID": None}, "FrameOfReferenceUID: missing or empty, of type 1"),
        ({"PixelData": None}, "PixelData: missing"),
        ({"PixelData": b"\0\0"}, "PixelData: cannot be decoded"),
        ({"StudyDate": "20201301"}, "(0008,0020): a value that DA does not allow"),
        ({"PatientSex": "female"}, "(0010,0040): a value that CS does not allow"),
        ({"StudyInstanceUID": "REMOVED"}, "(0020,000D): a value that UI does not allow"),
        ({"StudyInstanceUID": "1.2." + "3" * 64}, "(0020,000D): a value that UI does not allow"),
        ({"StudyID": "x" * 17}, "(0020,0010): a value that SH does not allow"),
        ({"StudyDescription": ["CT", "chest"]}, f"(0008,1030): {NUMBER}"),
        ({"PixelSpacing": 0}, f"(0028,0030): {NUMBER}"),
        ({"ImagePositionPatient": [0] * 4}, f"(0020,0032): {NUMBER}"),
        ({"ImageType": "ORIGINAL"}, f"(0008,0008): {NUMBER}"),
        ({"VerticesOfThePolygonalShutter": [1] * 5}, f"(0018,1620): {NUMBER}"),
        ({"SOPInstanceUID": "1.2.3"}, "MediaStorageSOPInstanceUID: not the SOPInstanceUID of the dataset"),
    ],
)  # fmt: skip
def test_each_fault_is_told_by_its_element(valid, values, message):
    assert message in introduced(valid, changed(valid, **values))


def test_an_empty_value_of_type_2_is_no_fault(valid):
    assert introduced(valid, changed(valid, PatientName="", PatientID="", StudyDate="", AccessionNumber="")) == set()


def test_as_many_values_as_the_dictionary_allows_are_no_fault(valid):
    values = {"ImageType": list("ABCDE"), "VerticesOfThePolygonalShutter": [1] * 6, "OperatorsName": ["A", "B", "C"]}
    assert introduced(valid, changed(valid, **values, WindowCenter=[40, 80, 120], PixelSpacing=None)) == {
        "PixelSpacing: missing or empty, of type 1"
    }


def test_values_in_a_number_that_was_given_wrong_may_stay_so(valid):
    given = changed(valid, StudyDescription=["CT", "chest"])
    assert introduced(given, changed(given, StudyDescription=["CT", "chest", "plain"])) == set()
    assert introduced(given, changed(given, SeriesDescription=["CT", "chest"])) == {f"(0008,103E): {NUMBER}"}


def test_a_fault_that_was_given_is_not_introduced_whatever_its_value(valid):
    given = changed(valid, StudyDate="1 May", PatientID=None)
    assert introduced(given, changed(valid, StudyDate="unknown", PatientID=None)) == set()
    assert introduced(given, valid) == set()
    assert introduced(given, changed(given, SeriesDate="unknown")) == {"(0008,0021): a value that DA does not allow"}


def test_faults_in_items_are_told_once_whatever_their_number(valid):
    dataset = dcmread(BytesIO(valid.data))
    item = Dataset()
    item.ScheduledProcedureStepStartDate = "soon"
    dataset.RequestAttributesSequence = [Dataset(), item, item]
    assert introduced(valid, saved(dataset)) == {"(0040,0275)[].(0040,0002): a value that DA does not allow"}


def test_a_vr_must_be_the_elements(valid):
    dataset = dcmread(BytesIO(valid.data))
    dataset.add_new("StudyDescription", "PN", "MR")
    assert introduced(valid, saved(dataset)) == {"(0008,1030): of VR PN"}


def test_meta_information_must_be_complete(valid):
    dataset = dcmread(BytesIO(valid.data))
    dataset.file_meta.ImplementationClassUID = ""
    broken = introduced(valid, saved(dataset))
    assert broken == {"ImplementationClassUID: missing from the meta information"}
    bare = File("a", valid.data[132:])
    assert "no preamble and prefix before the meta information" in introduced(valid, bare)


@pytest.mark.parametrize("data", [b"", b"DICM" * 99, None])
def test_what_cannot_be_read_says_that_alone(valid, data):
    assert introduced(valid, None if data is None else File("a", data)) == {UNREADABLE}


@pytest.mark.parametrize("name", ["CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "DICOMDIR"])
def test_real_files_introduce_nothing_when_they_are_copied(name):
    path = get_testdata_file(name)
    if not path:
        pytest.skip(f"pydicom ships no {name}")
    with open(str(path), "rb") as file:
        data = file.read()
    assert introduced(File("a", data), File("a", data)) == set()


def test_an_sr_needs_no_pixels_but_its_flags():
    with open(str(get_testdata_file("test-SR.dcm")), "rb") as file:
        given = File("a", file.read())
    assert introduced(given, changed(given, CompletionFlag=None)) == {"CompletionFlag: missing or empty, of type 1"}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy of dicom3tools on PATH")
def test_dciodvfy_tells_new_errors_without_their_values(valid):
    found = dciodvfy([valid, changed(valid, StudyDate="soon"), changed(valid, StudyDate="later"), File("a", b"no")])
    assert found is not None
    good, soon, later, rubbish = found
    assert soon - good
    assert soon == later
    assert not any("soon" in message for message in soon)
    assert rubbish - good


def test_without_dciodvfy_there_is_no_answer(valid, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert dciodvfy([valid]) is None
