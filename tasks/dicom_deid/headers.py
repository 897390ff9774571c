"""The elements of an image's header, with an identity in each place where one is found in practice."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from fourfold.tasks.dicom_deid import wording
from fourfold.tasks.dicom_deid.slots import Filler, years

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1", "DX": "1.2.840.10008.5.1.4.1.1.1.1", "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20", "SC": "1.2.840.10008.5.1.4.1.1.7", "SR": "1.2.840.10008.5.1.4.1.1.88.22",
}  # fmt: skip
"""SOP classes by modality (PS3.4, B.5)."""
CHARACTER_SETS = {
    "Latin": (), "Cyrillic": (["ISO_IR 144"],), "Greek": (["ISO_IR 126"],), "Arabic": (["ISO_IR 127"],),
    "Hebrew": (["ISO_IR 138"],), "Devanagari": (), "Thai": (["ISO_IR 166"],),
    "Han": (["GB18030"], ["", "ISO 2022 IR 58"]),
    "Japanese": (["", "ISO 2022 IR 87"],), "Hangul": (["", "ISO 2022 IR 149"],),
}  # fmt: skip
"""Specific character sets by script (PS3.3, C.12.1.1.2), beside ISO_IR 192, which is UTF-8."""
MAKERS = {"GE": ("GE MEDICAL SYSTEMS", "Revolution"), "Siemens": ("SIEMENS", "Avanto"), "Acme": ("ACME Imaging", "A3")}


@dataclass(frozen=True)
class Visit:
    """One study of a patient, as far as it is theirs alone. day: of it. study, frame: UIDs of it and of its space.

    series, reports: the UIDs of its images' series and of its reports'. instances, classes: the SOP instance and class
    UIDs of its files, in their order. weight, height: kg and m.
    """

    number: int
    day: date
    study: str
    series: str
    frame: str
    reports: str
    instances: Sequence[str]
    classes: Sequence[str]
    accession: str
    weight: float = 70.0
    height: float = 1.7

    @property
    def images(self) -> list[tuple[str, str]]:
        """The instance and class UIDs of those of its files that are images."""
        pairs = zip(self.instances, self.classes, strict=True)
        return [(uid, sop_class) for uid, sop_class in pairs if sop_class != CLASSES["SR"]]


@dataclass(frozen=True)
class Document:
    """What a file is apart from whom it is of. loci: where it holds an identity besides direct elements and UIDs.

    number: as ``Instance.document``; second: whether it is the other of the two files of one number. series: the seed
    of what it has in common with the others of its study.
    """

    modality: str
    seed: int
    loci: frozenset[str]
    maker: str
    number: int = -1
    second: bool = False
    series: int = 0


def character_set(texts: Sequence[str], script: str, style: int) -> str | list[str]:
    """The character set of a file: by style an older one of the script, where that has every letter of ``texts``."""
    from pydicom.charset import convert_encodings, decode_bytes, encode_string

    older = CHARACTER_SETS[script]
    if not older or style % 2:
        return "ISO_IR 192"
    chosen = list(older[style // 2 % len(older)])
    encodings, text = convert_encodings(chosen), " ".join(texts)
    if not chosen[0] and re.search("[\x80-\xff]", text):  # pydicom reads the default repertoire, ASCII, as Latin-1.
        return "ISO_IR 192"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of each letter that the set has not.
        if decode_bytes(encode_string(text, encodings), encodings, set()) != text:
            return "ISO_IR 192"
    return chosen[0] if len(chosen) == 1 else chosen


def patient(to: Filler, visit: Visit) -> None:
    """Who it is, and what may stay of that."""
    person, numbers = to.who.person, to.who.numbers
    to.plant("PatientName", "name", person.name, f"{to.who.pseudonym}^")
    to.plant("PatientID", "mrn", numbers["mrn"], to.who.pseudonym)
    to.plant("PatientBirthDate", "date", person.day, "", to.day_forms(person.day))
    to.keep("PatientSex", person.sex)
    age = years(date.fromisoformat(person.day), visit.day)
    if age > 90:
        to.plant("PatientAge", "age", f"{age:03d}Y", "090Y", (f"{age:03d}Y",))
    elif age == 90:  # As the category of all ages above 89 is written too (45 CFR 164.514(b)(2)(i)(C)).
        to.put("PatientAge", "090Y")
    else:
        to.keep("PatientAge", f"{age:03d}Y")
    to.keep("PatientWeight", f"{visit.weight:.1f}")
    to.keep("PatientSize", f"{visit.height:.2f}")
    chance = to.rng.random(5)
    if chance[0] < 0.5:
        to.plant("OtherPatientIDs", "ssn", numbers["ssn"])
    if chance[1] < 0.5:
        to.plant("OtherPatientNames", "name", "^".join(person.latin))
    if chance[2] < 0.5:
        to.plant("PatientAddress", "address", numbers["address"])
    if chance[3] < 0.5:
        to.plant("PatientTelephoneNumbers", "phone", numbers["phone"])
    if chance[4] < 0.5:
        to.plant("PatientTelecomInformation", "email", numbers["email"])


def study(to: Filler, visit: Visit, template: str, number: int) -> None:
    """The study and who had it done."""
    to.uid("StudyInstanceUID", visit.study)
    to.dated("StudyDate", visit.day)
    to.put("StudyTime", f"{8 + visit.number:02d}1530")
    to.plant("AccessionNumber", "accession", visit.accession, "")
    to.plant("ReferringPhysicianName", "staff", "^".join(to.who.staff), "")
    to.put("StudyID", str(number))
    to.text("StudyDescription", template, longest=64)


def series(to: Filler, visit: Visit, modality: str) -> None:
    """The series, its protocol and its device."""
    to.keep("Modality", modality, "attribute")
    to.uid("SeriesInstanceUID", visit.reports if modality == "SR" else visit.series)
    to.keep("SeriesNumber", visit.number + (91 if modality == "SR" else 1), "attribute")
    to.dated("SeriesDate", visit.day)
    to.text("SeriesDescription", pick(to.rng, wording.SERIES), longest=64)
    if modality != "SR":
        to.text("ProtocolName", pick(to.rng, wording.PROTOCOLS), "protocol", 64)
    if to.rng.random() < 0.5:
        to.plant("OperatorsName", "staff", "^".join(to.who.staff[::-1]))


def equipment(to: Filler, maker: str) -> None:
    """Where it was made, and by which device."""
    numbers = to.who.numbers
    to.keep("Manufacturer", MAKERS[maker][0], "attribute")
    to.keep("ManufacturerModelName", MAKERS[maker][1], "attribute")
    to.plant("InstitutionName", "institution", numbers["institution"])
    to.plant("DeviceSerialNumber", "device", numbers["device"])
    chance = to.rng.random(3)
    if chance[0] < 0.5:
        to.plant("StationName", "device", numbers["station"])
    if chance[1] < 0.3:
        to.plant("AdmissionID", "account", numbers["account"])
    if chance[2] < 0.3:
        to.plant("RetrieveURL", "url", numbers["url"])


def instance(to: Filler, visit: Visit, modality: str, number: int) -> None:
    """The instance itself, and when it came to be."""
    to.put("SOPClassUID", CLASSES[modality])
    to.uid("SOPInstanceUID", visit.instances[number])
    to.keep("InstanceNumber", number + 1, "attribute")
    to.dated("ContentDate", visit.day)
    to.put("ContentTime", "101530")
    if modality == "SR":
        return
    to.dated("AcquisitionDate", visit.day)
    if to.rng.random() < 0.5:
        to.dated("AcquisitionDateTime", visit.day, "101500.000000")
    if to.rng.random() < 0.3:
        to.dated("InstanceCreationDate", visit.day + timedelta(days=1))
    if modality in ("CT", "MR"):
        to.uid("FrameOfReferenceUID", visit.frame)
        to.put("PositionReferenceIndicator", "")


def descriptions(to: Filler) -> None:
    """Comments and histories, in which an identity stands among clinical words."""
    to.text("ImageComments", pick(to.rng, wording.COMMENTS), longest=10240)
    chance = to.rng.random(5)
    if chance[0] < 0.5:
        to.text("AdditionalPatientHistory", pick(to.rng, wording.HISTORIES), longest=10240)
    if chance[1] < 0.3:
        to.text("PatientComments", pick(to.rng, wording.COMMENTS), longest=10240)
    if chance[2] < 0.4:
        to.text("RequestedProcedureDescription", pick(to.rng, wording.REQUESTS), longest=64)
    if chance[3] < 0.3:
        to.text("AdmittingDiagnosesDescription", pick(to.rng, wording.REQUESTS), longest=64)
    if chance[4] < 0.3:
        to.text("AcquisitionDeviceProcessingDescription", pick(to.rng, wording.PROTOCOLS), "protocol", 64)


def pick(rng: np.random.Generator, texts: Sequence[str]) -> str:
    """One of these texts."""
    return texts[int(rng.integers(len(texts)))]
