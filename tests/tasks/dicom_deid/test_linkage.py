"""The linkage attack, and how many share what is kept."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.suite.metrics.accuracy import auc
from fourfold.tasks.dicom_deid.anonymity import image_reidentification, k_anonymity
from fourfold.tasks.dicom_deid.key import Instance, Key, Person
from fourfold.tasks.dicom_deid.linkage import membership
from fourfold.tasks.dicom_deid.reading import File

COUNT = 80


def roster() -> list[Person]:
    rng = np.random.default_rng(5)
    people = []
    for number in range(COUNT):
        name = tuple("".join(chr(97 + each) for each in rng.integers(0, 26, 8)).title() for _ in range(2))
        age = int(rng.integers(1, 95))
        numbers = {"mrn": f"MRN{number:07d}"}
        people.append(Person("^".join(name), name, name, "x", "x", "FM"[number % 2], age, f"{2024 - age}0517", numbers))
    return people


ROSTER = roster()
COIN = np.random.default_rng(6).random(COUNT) < 0.5
PATIENTS = [person for person, chosen in zip(ROSTER, COIN, strict=True) if chosen]
INSTANCES = [Instance(f"{number}.dcm", number, 0, "MR", size=(1, 64, 64)) for number in range(len(PATIENTS))]
KEY = Key(PATIENTS, INSTANCES, [], [], [], ROSTER, COIN, np.where(COIN, np.cumsum(COIN) - 1, -1))


def file(**values: object) -> File:
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    for keyword, value in values.items():
        setattr(data, keyword, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=False)
    return File("", buffer.getvalue())


def released(**kept: object) -> dict[str, File]:
    return {f"{at}.dcm": file(**{name: of(each) for name, of in kept.items()}) for at, each in enumerate(PATIENTS)}


def guess(**kept: object) -> float:
    scores = membership(KEY, released(**kept))
    assert scores.shape == (COUNT,)
    assert np.isfinite(scores).all()
    value = auc(COIN, scores)
    assert value is not None
    return value


def test_what_is_kept_tells_who_is_in():
    assert guess(PatientName=lambda each: each.name) == 1
    assert guess(ImageComments=lambda each: f"seen with {each.latin[1].upper()}") == 1
    assert guess(PatientID=lambda each: each.numbers["mrn"]) == 1
    assert guess(PatientBirthDate=lambda each: each.day) > 0.7
    described = guess(PatientSex=lambda each: each.sex, PatientAge=lambda each: f"{each.age:03d}Y")
    assert 0.6 < described < 1
    assert guess(PatientSex=lambda each: each.sex) < 0.6
    assert guess(PatientName=lambda each: "Anonymous") == 0.5


def test_the_score_of_a_person_does_not_depend_on_the_coins():
    answers = released(PatientName=lambda each: each.name)
    other = Key(PATIENTS, INSTANCES, [], [], [], ROSTER, ~COIN, KEY.place)
    np.testing.assert_array_equal(membership(KEY, answers), membership(other, answers))


def test_nothing_released_says_nothing():
    np.testing.assert_array_equal(membership(KEY, {}), np.zeros(COUNT))
    assert len(membership(Key([], [], [], [], []), {})) == 0


def test_k_counts_who_shares_what_is_kept():
    everyone = k_anonymity(KEY, released(Modality=lambda each: "MR"))
    assert set(everyone) == {len(PATIENTS)}
    by_sex = k_anonymity(KEY, released(PatientSex=lambda each: each.sex))
    women = sum(each.sex == "F" for each in PATIENTS)
    assert by_sex.tolist() == [women if each.sex == "F" else len(PATIENTS) - women for each in PATIENTS]
    bands = k_anonymity(KEY, released(PatientAge=lambda each: f"{each.age:03d}Y"))
    shared = [sum(other.groups["age"] == each.groups["age"] for other in PATIENTS) for each in PATIENTS]
    assert bands.tolist() == shared
    alone = k_anonymity(KEY, released(InstitutionName=lambda each: each.latin[0]))
    assert set(alone) == {1}
    answers = released(Modality=lambda each: "MR")
    del answers["0.dcm"]
    assert k_anonymity(KEY, answers)[0] == 0


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
def test_an_age_in_other_digits_is_in_no_band():
    answers = released(SpecificCharacterSet=lambda each: "ISO_IR 100", PatientAge=lambda each: "²²²Y")
    assert {each for one in answers.values() for each in one.texts["(0010,1010)"]} == {"²²²Y"}
    assert set(k_anonymity(KEY, answers)) == {len(PATIENTS)}


def test_images_of_one_patient_are_told_from_others_if_they_are_alike():
    def picture(number: int, study: int, own: float) -> File:
        rng = np.random.default_rng(number)
        pattern = np.kron(rng.normal(0, own, (8, 8)), np.ones((8, 8)))
        noise = np.random.default_rng(1000 * number + study).normal(0, 100, (64, 64))
        return file(
            Rows=64, Columns=64, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16,
            BitsStored=16, HighBit=15, PixelRepresentation=0, SOPInstanceUID="1.2.3",
            PixelData=(2000 + pattern + noise).clip(0, 65535).astype("<u2").tobytes(),
        )  # fmt: skip

    instances = [Instance(f"{n}-{s}.dcm", n, s, "MR", size=(1, 64, 64)) for n in range(12) for s in range(2)]
    alike, unlike = (
        image_reidentification(instances, {one.path: picture(one.patient, one.study, own) for one in instances})
        for own in (300, 0)
    )
    assert alike == 1
    assert unlike is not None
    assert 0.2 < unlike < 0.8
    assert image_reidentification(instances[:1], {}) is None
