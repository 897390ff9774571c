"""Our own method in a real guest: what an identity is, is gone, and what the policy lets stay, is there."""

from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from fourfold.tasks.dicom_deid.hard_encodings import big_endian

SECRETS = (
    b"Nakamura", b"Yuki", "中村".encode(), "由紀".encode(), b"Kowalczyk", b"KOWALCZYK", b"Zofia", b"MRN0001",
    b"MRN0002", b"Okafor", b"A7654321", b"Fairview", b"19310210", b"20240115", b"20240224", b"2024-01-15", b"555 123",
    b"1.2.826.0.1.3680043.10.1492.77",
)


@pytest.fixture
def ours(run):
    return lambda files: run("keyed_profile:KeyedProfile", files, {"pixels": False})


def test_nothing_of_an_identity_is_left(ours, small):
    found = ours(small)
    assert found.keys() == small.keys()
    for data in found.values():
        assert not [secret for secret in SECRETS if secret in data]


def test_what_the_policy_retains_is_there(ours, small, parsed):
    of = parsed(ours(small))
    for path, dataset in of.items():
        assert dataset.StudyDescription == "Chest AP portable for"
        assert dataset.ImageComments.startswith("Long axis view normal since ")
        assert dataset.RequestAttributesSequence[0].ScheduledProcedureStepDescription == "Lung nodule"
        assert dataset[0x0019, 0x100C].value == 800
        assert (0x0019, 0x1008) not in dataset
        assert dataset.PatientSex == "F"
        assert dataset.PatientAge == "090Y"
        assert dataset.PatientIdentityRemoved == "YES"
        assert np.array_equal(dataset.pixel_array, parsed(small)[path].pixel_array)


def test_patients_stay_apart_and_their_dates_keep_intervals(ours, small, parsed):
    first, second, other = parsed(ours(small)).values()
    assert first.PatientID == second.PatientID != other.PatientID
    days = [datetime.strptime(dataset.StudyDate, "%Y%m%d") for dataset in (first, second)]
    assert (days[1] - days[0]).days == 40
    assert first.RequestAttributesSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID


def test_a_name_in_a_path_is_replaced_and_mapped(ours, one):
    found = ours({"p1/Kowalczyk_Zofia_MRN0002.dcm": one(), "p1/IM0001.dcm": one(SOPInstanceUID="1.2.3.4")})
    assert "p1/IM0001.dcm" in found
    header, row = found["mapping.csv"].decode().split()
    old, new = row.split(",")
    assert header == "old,new"
    assert old == "p1/Kowalczyk_Zofia_MRN0002.dcm"
    assert new in found
    assert "owalczyk" not in new


def test_a_burned_in_name_goes_and_a_marker_stays(run, one, parsed, needs_ocr):
    for text, stays in (("KOWALCZYK ZOFIA", False), ("AP PORTABLE", True)):
        given = {"a.dcm": one(text)}
        found = run("keyed_profile:KeyedProfile", given)
        before, after = (parsed(files)["a.dcm"].pixel_array for files in (given, found))
        assert np.array_equal(before, after) == stays
        if not stays:
            assert after[before == 255].max() < 90
            assert np.array_equal(before[100:], after[100:])


def test_a_palette_in_big_endian_words_keeps_its_colours(ours, one, parsed):
    dataset, plain = dcmread(BytesIO(one())), BytesIO()
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    entries = (np.arange(256) * 200).astype("<u2")
    for number in range(3):
        dataset.add_new((0x0028, 0x1101 + number), "US", [256, 0, 16])
        dataset.add_new((0x0028, 0x1201 + number), "OW", (entries // (number + 1)).tobytes())
    dataset.save_as(plain)
    found = parsed(ours({"a.dcm": big_endian(plain.getvalue())}))["a.dcm"]
    assert found.file_meta.TransferSyntaxUID.is_little_endian
    for number in range(3):
        assert np.array_equal(np.frombuffer(found[0x0028, 0x1201 + number].value, "<u2"), entries // (number + 1))


def test_what_is_no_dicom_file_is_left_out(ours, small):
    assert ours(small | {"notes.txt": b"Kowalczyk was here"}).keys() == small.keys()
