from datetime import date, timedelta

import numpy as np
import pytest
from pydicom import Dataset

from fourfold.tasks.dicom_deid.headers import CLASSES, Visit
from fourfold.tasks.dicom_deid.key import Person
from fourfold.tasks.dicom_deid.reports import report
from fourfold.tasks.dicom_deid.slots import Filler, Identity, Notes, spellings

DAY = date(2024, 3, 5)
PERSON = Person("Long^Grant", ("Long", "Grant"), ("Long", "Grant"), "en_US", "Latin", "M", 44, "19790812",
                {"mrn": "MRN123456789", "phone": "(734) 551-9161", "email": "grant.long9161@mail.example"},
                "polysemous")  # fmt: skip
WHO = Identity(PERSON, 0, "SUBJ00000", spellings(PERSON), {**PERSON.numbers, "institution": "Lakeport Klinikum 417"},
               ("Lachmann", "Eva"), -700, b"salt")  # fmt: skip
VISIT = Visit(0, DAY, "1.2.3.1", "1.2.3.2", "1.2.3.4", "1.2.3.5", ("1.2.3.3.0", "1.2.3.3.1"),
              (CLASSES["CT"], CLASSES["SR"]), "A55443322")  # fmt: skip


@pytest.fixture(params=range(4))
def written(request):
    notes = Notes()
    fillers = [Filler(Dataset(), WHO, "x", DAY, each, np.random.default_rng(request.param)) for each in (notes, None)]
    for to in fillers:
        report(to, VISIT)
    return fillers[0].dataset, fillers[1].dataset, notes


def items(dataset):
    """All content items, of any depth."""
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from items(item)


def test_each_type_of_content_item_that_can_name_somebody_does(written):
    full, _, notes = written
    types = {item.ValueType for item in items(full)}
    assert {"PNAME", "TEXT", "UIDREF", "DATE", "NUM", "IMAGE", "CONTAINER"} <= types
    ends = {item.where.rsplit(".", 1)[-1] for item in notes.planted if item.locus == "report"}
    assert {"(0040,A123)", "(0040,A160)", "(0040,A124)", "(0040,A121)"} <= ends


def test_every_content_item_has_what_its_type_asks_for(written):
    element = {"PNAME": "PersonName", "TEXT": "TextValue", "UIDREF": "UID", "DATE": "Date",
               "CONTAINER": "ContentSequence", "NUM": "MeasuredValueSequence",
               "IMAGE": "ReferencedSOPSequence"}  # fmt: skip
    for dataset in written[:2]:
        for item in items(dataset):
            assert item[element[item.ValueType]].value
            assert item.RelationshipType
            assert item.ValueType == "IMAGE" or item.ConceptNameCodeSequence[0].CodeMeaning


def test_the_reference_names_nobody_and_keeps_the_tree(written):
    full, clean, _ = written
    assert [item.ValueType for item in items(full)] == [item.ValueType for item in items(clean)]
    said = str(clean)
    for each in ("Grant", "Lachmann", "Lakeport", "MRN123456789", "19790812", "20240305", "1.2.3."):
        assert each in str(full)
        assert each not in said


def test_the_images_of_the_study_are_referenced_and_reports_are_not(written):
    full, clean, _ = written
    series = full.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [image.ReferencedSOPInstanceUID for image in series.ReferencedSOPSequence] == ["1.2.3.3.0"]
    mapped = clean.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    length = next(item for item in items(clean) if item.ValueType == "IMAGE")
    assert length.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == mapped.ReferencedSOPInstanceUID


def test_dates_of_the_study_are_shifted_and_the_birthday_is_no_interval(written):
    _, clean, notes = written
    shifted = f"{DAY - timedelta(days=700):%Y%m%d}"
    assert clean.VerifyingObserverSequence[0].VerificationDateTime == f"{shifted}120000"
    assert {dated.day for dated in notes.dated} == {"20240305"}
    assert all(item.where.startswith(("(0040,A730)", "(0040,A073)", "(0040,A375)")) for item in notes.planted)
