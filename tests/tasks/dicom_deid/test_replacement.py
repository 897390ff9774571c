"""Identities that leak by what replaced them."""

import base64
import hashlib
import zlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid.key import Dated, Instance, Key, Person
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.replacement import constant_offset, offsets, replaced_by_hash, replaced_by_identity


def person(family: str, given: str, mrn: str) -> Person:
    return Person(f"{family}^{given}", (family, given), (family, given), "x", "x", "F", 40, "19800517", {"mrn": mrn})


PATIENTS = [person("Long", "Hope", "MRN7700931"), person("王", "小明", "MRN7700932"), person("Li", "An", "MRN7700933")]
ROSTER = [*PATIENTS, person("Outside", "Person", "MRN9900001")]
KEY = Key(
    PATIENTS, [Instance(f"{number}.dcm", number, 0, "MR") for number in range(3)], [], [],
    [Dated(f"{number}.dcm", number, "(0008,0020)", f"2024030{number + 1}") for number in range(3)],
    ROSTER, np.array([True, True, True, False]), np.array([0, 1, 2, -1]),
)  # fmt: skip


def answers(**values: list[str]) -> dict[str, File]:
    files = {}
    for number in range(3):
        data = Dataset()
        data.SpecificCharacterSet, data.SOPClassUID = "ISO_IR 192", "1.2.840.10008.5.1.4.1.1.4"
        data.PatientName, data.PatientID = f"Subject^{number}", f"S{number}"
        for keyword, texts in values.items():
            if texts[number]:
                setattr(data, keyword, texts[number])
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        buffer = BytesIO()
        data.save_as(buffer, enforce_file_format=False)
        files[f"{number}.dcm"] = File(f"{number}.dcm", buffer.getvalue())
    return files


def test_another_persons_identity_is_told_from_ones_own_and_from_a_new_one():
    assert not replaced_by_identity(KEY, answers()).any()
    own = answers(PatientName=["Long^Hope", "王^小明", ""], PatientID=["MRN7700931", "", ""])
    assert not replaced_by_identity(KEY, own).any()
    swapped = answers(PatientName=["王^小明", "HOPE^LONG", "Long^Other"], PatientID=["", "", ""])
    assert replaced_by_identity(KEY, swapped).tolist() == [True, True, False]
    outside = answers(PatientName=["", "", "Person^Outside"], PatientID=["MRN-9900001", "", ""])
    assert replaced_by_identity(KEY, outside).tolist() == [True, False, True]


MRN = PATIENTS[0].numbers["mrn"].encode()
HASHED = {
    "md5": hashlib.md5(MRN).hexdigest(),
    "sha1": hashlib.sha1(MRN).hexdigest().upper(),
    "sha256, its beginning": hashlib.sha256(MRN).hexdigest()[:12],
    "eight characters": hashlib.sha512(MRN).hexdigest()[:10],
    "after a prefix": f"ANON-{hashlib.md5(MRN).hexdigest()[:16]}",
    "a decimal number": str(int(hashlib.md5(MRN).hexdigest(), 16)),
    "the end of one": str(int(hashlib.sha256(MRN).hexdigest(), 16))[-10:],
    "the first 8 digits as a number": str(int(hashlib.sha256(MRN).hexdigest()[:8], 16)),
    "the first 15 digits as a number": str(int(hashlib.sha256(MRN).hexdigest()[:15], 16)),
    "a UID of the first 16 bytes": f"2.25.{int.from_bytes(hashlib.sha256(MRN).digest()[:16], 'big')}",
    "a number that begins with zeros": str(int(hashlib.md5(b"long, hope").hexdigest()[:16], 16)),
    "base64": base64.b64encode(hashlib.sha256(MRN).digest()).decode(),
    "base64 for the web": base64.urlsafe_b64encode(hashlib.md5(b"Long^Hope").digest()).decode(),
    "the beginning of base64": f"ID-{base64.b64encode(hashlib.sha512(MRN).digest()).decode()[:12]}",
    "sha3": hashlib.sha3_256(MRN).hexdigest(),
    "crc32": f"{zlib.crc32(MRN):08x}",
    "of the name": hashlib.sha256(b"Long^Hope").hexdigest(),
    "of the name in capitals": hashlib.md5(b"HOPE LONG").hexdigest(),
}


@pytest.mark.parametrize("how", HASHED)
def test_a_plain_hash_is_found(how):
    assert replaced_by_hash(KEY, answers(PatientID=[HASHED[how], "S1", "S2"])).tolist() == [True, False, False]
    assert not replaced_by_hash(KEY, answers(PatientID=["S0", HASHED[how], "S2"])).any()


def test_a_keyed_hash_and_random_numbers_are_none():
    keyed = [hashlib.blake2b(MRN, key=b"secret", digest_size=16).hexdigest() for _ in range(3)]
    assert not replaced_by_hash(KEY, answers(PatientID=keyed)).any()
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = ["\\".join(f"2.25.{int.from_bytes(rng.bytes(16), 'big')}" for _ in range(5)) for _ in range(3)]
        assert not replaced_by_hash(KEY, answers(OtherPatientIDs=text)).any()


def test_offsets_of_dates_and_whether_they_are_one():
    shifted = answers(StudyDate=["20240201", "20240302", ""])
    np.testing.assert_array_equal(offsets(KEY, shifted), [-29, 0, np.nan])
    assert not constant_offset(offsets(KEY, shifted))
    same = answers(StudyDate=["20240311", "20240312", "20240313"])
    np.testing.assert_array_equal(offsets(KEY, same), [10, 10, 10])
    assert constant_offset(offsets(KEY, same))


@pytest.mark.parametrize(("shifts", "constant"), [
    ([0, 0, 0], False), ([5, 5, 5], True), ([5, 5, 6], False), ([5, np.nan, 5], True), ([5], False),
    ([np.nan] * 3, False),
])  # fmt: skip
def test_no_shift_and_one_patient_are_no_constant_offset(shifts, constant):
    assert constant_offset(np.array(shifts, float)) is constant


def test_a_date_that_is_none_has_no_offset():
    assert np.isnan(offsets(KEY, answers(StudyDate=["20241399", "", ""]))).all()
