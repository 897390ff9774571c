"""Identities in nested sequences, up to four deep: requests, former values, and references to other objects."""

from fourfold.tasks.dicom_deid import wording
from fourfold.tasks.dicom_deid.headers import Visit, pick
from fourfold.tasks.dicom_deid.slots import Filler, days

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, as which studies are referenced."""


def references(to: Filler, visit: Visit, number: int) -> None:
    """The study, and another instance of it where there is one: UIDs that must still resolve."""
    study = to.item("ReferencedStudySequence")
    study.put("ReferencedSOPClassUID", STUDY_CLASS)
    study.uid("ReferencedSOPInstanceUID", visit.study)
    for uid, sop_class in [pair for pair in visit.images if pair[0] != visit.instances[number]][:1]:
        image = to.item("ReferencedImageSequence")
        image.put("ReferencedSOPClassUID", sop_class)
        image.uid("ReferencedSOPInstanceUID", uid)


def request(to: Filler) -> None:
    """What was asked for, with a note to the protocol three sequences deep."""
    item = to.item("RequestAttributesSequence")
    item.put("ScheduledProcedureStepID", "SPS1")
    item.put("RequestedProcedureID", "RP1")
    item.text("ScheduledProcedureStepDescription", pick(to.rng, wording.PROTOCOLS), longest=64)
    item.text("ReasonForTheRequestedProcedure", pick(to.rng, wording.REQUESTS), longest=64)
    code = item.item("ScheduledProtocolCodeSequence")
    coded(code, "P1", "99FOURFOLD", "Routine protocol")
    context = code.item("ProtocolContextSequence")
    context.put("ValueType", "TEXT")
    coded(context.item("ConceptNameCodeSequence"), "121106", "DCM", "Comment")
    context.text("TextValue", pick(to.rng, wording.FINDINGS))


def former(to: Filler) -> None:
    """Values before a correction, in a record of it."""
    numbers, person = to.who.numbers, to.who.person
    item = to.item("OriginalAttributesSequence")
    item.plant("SourceOfPreviousValues", "institution", numbers["institution"], "")
    item.put("AttributeModificationDateTime", f"{to.day if to.given else to.shifted(to.day):%Y%m%d}")
    item.note("date", item.locus, item.where("AttributeModificationDateTime"), f"{to.day:%Y%m%d}", days(to.day))
    item.plant("ModifyingSystem", "device", numbers["station"], "PACS")
    item.put("ReasonForTheAttributeModification", "CORRECT")
    values = item.item("ModifiedAttributesSequence")
    values.plant("PatientName", "name", "^".join(person.latin), to.who.pseudonym)
    values.plant("PatientBirthDate", "date", person.day, "", to.day_forms(person.day))
    other = values.item("OtherPatientIDsSequence")
    other.plant("PatientID", "mrn", numbers["mrn"], to.who.pseudonym)
    other.put("TypeOfPatientID", "TEXT")


def referrer(to: Filler) -> None:
    """Who referred the patient, and where they are reached."""
    item = to.item("ReferringPhysicianIdentificationSequence")
    code = item.item("PersonIdentificationCodeSequence")
    coded(code, "DR1", "99FOURFOLD")
    code.plant("CodeMeaning", "staff", " ".join(to.who.staff[::-1]), "Physician")
    item.plant("InstitutionName", "institution", to.who.numbers["institution"], "Hospital")


def nested(to: Filler) -> None:
    """One or several of these sequences."""
    chance = to.rng.random(3)
    if chance[0] < 0.7:
        request(to)
    if chance[1] < 0.5 or chance[0] >= 0.7:
        former(to)
    if chance[2] < 0.4:
        referrer(to)


def coded(to: Filler, value: str, scheme: str, meaning: str = "", *, stays: bool = False) -> None:
    """Write a code (PS3.3, 8.8). stays: note that it must."""
    for keyword, each in (("CodeValue", value), ("CodingSchemeDesignator", scheme), ("CodeMeaning", meaning)):
        if each and stays:
            to.keep(keyword, each, "attribute")
        elif each:
            to.put(keyword, each)
