"""Structured reports: a tree of content items, with an identity in each kind of them that can hold one."""

from datetime import date

from fourfold.tasks.dicom_deid import wording
from fourfold.tasks.dicom_deid.headers import Visit, pick
from fourfold.tasks.dicom_deid.nested import coded
from fourfold.tasks.dicom_deid.slots import Filler


def report(to: Filler, visit: Visit) -> None:
    """The document's root (PS3.3, C.17), who verified it, what it is about, and its content."""
    to.keep("CompletionFlag", "COMPLETE", "attribute")
    to.keep("VerificationFlag", "VERIFIED", "attribute")
    observer = to.item("VerifyingObserverSequence", "report")
    observer.plant("VerifyingOrganization", "institution", to.who.numbers["institution"], "Hospital")
    observer.dated("VerificationDateTime", visit.day, "120000")
    observer.plant("VerifyingObserverName", "staff", "^".join(to.who.staff), "Observer")
    coded(observer.item("VerifyingObserverIdentificationCodeSequence"), "OBS", "99FOURFOLD", "Observer")
    evidence(to, visit)
    to.keep("ValueType", "CONTAINER", "attribute")
    coded(to.item("ConceptNameCodeSequence", "report"), "126000", "DCM", "Imaging Measurement Report", stays=True)
    to.put("ContinuityOfContent", "SEPARATE")
    context(to, visit)
    findings(to, visit)


def evidence(to: Filler, visit: Visit) -> None:
    """The images that the report is about, three sequences deep."""
    study = to.item("CurrentRequestedProcedureEvidenceSequence", "report")
    study.uid("StudyInstanceUID", visit.study)
    series = study.item("ReferencedSeriesSequence")
    series.uid("SeriesInstanceUID", visit.series)
    for uid, sop_class in visit.images:
        image = series.item("ReferencedSOPSequence")
        image.put("ReferencedSOPClassUID", sop_class)
        image.uid("ReferencedSOPInstanceUID", uid)


def context(to: Filler, visit: Visit) -> None:
    """Who observed, and whom."""
    person = to.who.person
    observer = content(to, "HAS OBS CONTEXT", "PNAME", "121008", "Person Observer Name")
    observer.plant("PersonName", "staff", "^".join(to.who.staff), "Observer")
    subject = content(to, "HAS OBS CONTEXT", "PNAME", "121029", "Subject Name")
    subject.plant("PersonName", "name", person.name, to.who.pseudonym)
    uid = content(to, "HAS OBS CONTEXT", "UIDREF", "121028", "Subject UID")
    uid.uid("UID", visit.frame, "report")
    born = content(to, "HAS OBS CONTEXT", "DATE", "121031", "Subject Birth Date")
    shifted = to.shifted(date.fromisoformat(person.day))
    born.plant("Date", "date", person.day, f"{shifted:%Y%m%d}", to.day_forms(person.day))
    number = content(to, "HAS OBS CONTEXT", "TEXT", "121030", "Subject ID")
    number.plant("TextValue", "mrn", to.who.numbers["mrn"], to.who.pseudonym)
    day = content(to, "HAS OBS CONTEXT", "DATE", "111060", "Study Date")
    day.dated("Date", visit.day)


def findings(to: Filler, visit: Visit) -> None:
    """Sections, each with sentences; a measurement, and the image that it was made on."""
    for number in range(2):
        section = content(to, "CONTAINS", "CONTAINER", "121070", "Findings")
        section.put("ContinuityOfContent", "SEPARATE")
        for _ in range(1 + number):
            sentence = content(section, "CONTAINS", "TEXT", "121071", "Finding")
            sentence.text("TextValue", pick(to.rng, wording.FINDINGS))
    length = content(to, "CONTAINS", "NUM", "410668003", "Length", "SCT")
    value = length.item("MeasuredValueSequence")
    value.keep("NumericValue", f"{to.rng.uniform(4, 60):.1f}", "attribute")
    coded(value.item("MeasurementUnitsCodeSequence"), "mm", "UCUM", "mm", stays=True)
    for uid, sop_class in visit.images[:1]:
        image = length.item("ContentSequence")
        image.put("RelationshipType", "INFERRED FROM")
        image.put("ValueType", "IMAGE")
        reference = image.item("ReferencedSOPSequence")
        reference.put("ReferencedSOPClassUID", sop_class)
        reference.uid("ReferencedSOPInstanceUID", uid)


def content(to: Filler, relation: str, kind: str, code: str, meaning: str, scheme: str = "DCM") -> Filler:
    """A further content item beneath one, to be given its value. Who observed whom may go, what was found must stay."""
    item, stays = to.item("ContentSequence", "report"), relation == "CONTAINS"
    for keyword, value in (("RelationshipType", relation), ("ValueType", kind)):
        if stays:
            item.keep(keyword, value, "attribute")
        else:
            item.put(keyword, value)
    coded(item.item("ConceptNameCodeSequence"), code, scheme, meaning, stays=stays)
    return item
