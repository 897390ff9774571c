import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from fourfold.tasks.dicom_deid import headers, nested, private_blocks, wording
from fourfold.tasks.dicom_deid.envelope import filename, meta, preamble
from fourfold.tasks.dicom_deid.headers import CLASSES, Visit, character_set
from fourfold.tasks.dicom_deid.key import Person
from fourfold.tasks.dicom_deid.slots import (
    Filler,
    Identity,
    Notes,
    days,
    orders,
    spelled_day,
    spellings,
    told_days,
    years,
)  # fmt: skip
from fourfold.tasks.dicom_deid.stretches import Stretch
from fourfold.tasks.dicom_deid.text_search import Texts, search

DAY = date(2024, 3, 5)
PERSON = Person(
    "Yamada^Taro=山田^太郎=ヤマダ^タロウ", ("山田", "太郎"), ("Yamada", "Taro"), "ja_JP", "Japanese", "M", 44,
    "19790812",
    {"mrn": "MRN123456789", "ssn": "12345678901", "phone": "+81 25 1677 3004", "email": "taro@mail.example",
     "address": "954-5091 仙台市緑町9828番地", "account": "AC-79828031"},
)  # fmt: skip
HOSPITAL = {
    "institution": "Lakeport Klinikum 417", "device": "SN44556677", "station": "ABROOM123456", "accession": "A55443322",
    "url": "https://pacs.example/wado/AB12345678",
}  # fmt: skip
WHO = Identity(
    PERSON, 3, "SUBJ00003", spellings(PERSON), {**PERSON.numbers, **HOSPITAL}, ("Lachmann", "Eva"), -1000, b"salt"
)
VISIT = Visit(0, DAY, "1.2.3.1", "1.2.3.2", "1.2.3.4", "1.2.3.5", ("1.2.3.3.0", "1.2.3.3.1"),
              (CLASSES["CT"], CLASSES["CT"]), "A55443322")  # fmt: skip


def filler(notes, seed=0, who=WHO):
    return Filler(Dataset(), who, "p03/s0/IM0000.dcm", DAY, notes, np.random.default_rng(seed))


def both(write, seed=0, who=WHO):
    """What a function writes with the identity, what without, and the notes."""
    notes = Notes()
    one, other = filler(notes, seed, who), filler(None, seed, who)
    write(one)
    write(other)
    return one.dataset, other.dataset, notes


def aged(age):
    born = date(DAY.year - age, DAY.month, DAY.day) - timedelta(days=30)
    return replace(WHO, person=replace(PERSON, day=f"{born:%Y%m%d}", age=age))


def test_direct_elements_are_planted_and_replaced():
    full, clean, notes = both(lambda to: headers.patient(to, VISIT))
    assert str(full.PatientName) == PERSON.name
    assert (full.PatientID, full.PatientBirthDate) == ("MRN123456789", "19790812")
    assert (str(clean.PatientName), clean.PatientID, clean.PatientBirthDate) == ("SUBJ00003^", "SUBJ00003", "")
    assert {(item.kind, item.where) for item in notes.planted} >= {
        ("name", "(0010,0010)"), ("mrn", "(0010,0020)"), ("date", "(0010,0030)"),
    }  # fmt: skip
    assert {kept.where for kept in notes.kept} == {"(0010,0040)", "(0010,1010)", "(0010,1020)", "(0010,1030)"}


@pytest.mark.parametrize(
    ("age", "planted", "kept", "written"),
    [(89, False, True, "089Y"), (90, False, False, "090Y"), (97, True, False, "090Y")],
)
def test_ages_above_89_become_one_category(age, planted, kept, written):
    full, clean, notes = both(lambda to: headers.patient(to, VISIT), who=aged(age))
    assert full.PatientAge == f"{age:03d}Y"
    assert clean.PatientAge == written
    assert any(item.kind == "age" for item in notes.planted) is planted
    assert any(item.where == "(0010,1010)" for item in notes.kept) is kept


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), template=st.sampled_from((*wording.COMMENTS, *wording.HISTORIES)))
def test_text_keeps_clinical_words_and_loses_the_identity(seed, template):
    full, clean, notes = both(lambda to: to.text("ImageComments", template), seed)
    (kept,) = notes.kept
    for word in kept.words:
        assert word in full.ImageComments
        assert word in clean.ImageComments
    assert notes.planted
    for item in notes.planted:
        assert item.text in full.ImageComments
        assert not any(form in clean.ImageComments for form in item.forms)
    assert not re.search(r"[{}\[\]]", full.ImageComments + clean.ImageComments)


def test_a_text_that_would_be_too_long_is_written_without_the_identity():
    full, _, notes = both(lambda to: to.text("StudyDescription", wording.STUDIES["CT"][1], longest=30))
    assert full.StudyDescription == "CT abdomen, liver protocol"
    assert not notes.planted


def test_dates_in_text_are_shifted_where_they_stand_alone():
    full, clean, _ = both(lambda to: to.text("SeriesDescription", "Late phase[ seen {date}]"), seed=4)
    before, after = (each.SeriesDescription.removeprefix("Late phase seen ") for each in (full, clean))
    assert before in days(DAY - timedelta(days=41))
    assert after in days(DAY - timedelta(days=1041))


def test_a_birthday_is_no_date_to_be_shifted():
    _, clean, _ = both(lambda to: to.text("ProtocolName", "Spine T2[ {birth}]"))
    assert clean.ProtocolName == "Spine T2"


def test_a_shifted_date_keeps_its_time_and_is_noted_once():
    full, clean, notes = both(lambda to: to.dated("AcquisitionDateTime", DAY, "101500.000000"))
    assert str(full.AcquisitionDateTime) == "20240305101500.000000"
    assert str(clean.AcquisitionDateTime) == f"{DAY - timedelta(days=1000):%Y%m%d}101500.000000"
    assert [(dated.where, dated.day) for dated in notes.dated] == [("(0008,002A)", "20240305")]


@settings(deadline=None)
@given(uids=st.lists(st.integers(1, 10**30), min_size=2, max_size=9, unique=True))
def test_uids_are_mapped_one_to_one_and_alike(uids):
    to = filler(None)
    mapped = [to.mapped(f"1.2.3.{uid}") for uid in uids]
    assert len(set(mapped)) == len(uids)
    assert mapped == [to.mapped(f"1.2.3.{uid}") for uid in uids]
    assert all(len(uid) <= 64 and re.fullmatch(r"2\.25\.\d+", uid) for uid in mapped)
    assert to.mapped("1.2.3") != replace(to, who=replace(WHO, salt=b"other")).mapped("1.2.3")


def test_nested_places_are_spelled_as_they_lie():
    full, clean, notes = both(lambda to: nested.former(to))
    deep = "(0400,0561)[0].(0400,0550)[0].(0010,1002)[0].(0010,0020)"
    assert ("mrn", deep) in {(item.kind, item.where) for item in notes.planted}
    values = full.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert values.OtherPatientIDsSequence[0].PatientID == "MRN123456789"
    assert "Yamada" not in str(clean)
    assert not notes.dated  # A profile may remove what was corrected.


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_some_sequence_is_three_deep_or_more(seed):
    _, _, notes = both(nested.nested, seed)
    assert max(item.where.count("[") for item in notes.planted) >= 2
    assert {item.locus for item in notes.planted} == {"nested"}


@pytest.mark.parametrize("maker", headers.MAKERS)
def test_private_blocks_keep_safe_numbers_and_lose_the_rest(maker):
    full, clean, notes = both(lambda to: (private_blocks.safe(to, maker, 0), private_blocks.identified(to, maker),
                                          private_blocks.binary(to, maker)))  # fmt: skip
    assert {item.locus for item in notes.planted} == {"private", "binary"}
    assert all(re.fullmatch(r'\([0-9A-F]{4},"[^"]+",[0-9A-F]{2}\)', item.where) for item in notes.planted)
    assert len([element for element in clean if not element.tag.is_private_creator]) == len(notes.kept)
    assert len(full) > len(clean)
    assert (len(notes.kept) == 0) is (maker == "Acme")


def test_preamble_meta_and_file_name_tell_who_it_is_only_where_they_should():
    notes = Notes()
    to, clean = filler(notes), filler(None)
    assert preamble(to, True).startswith(b"ARCHIVE MRN123456789 Yamada Taro\0")
    assert preamble(to, False) == preamble(clean, True) == b"\0" * 128
    assert meta(to, CLASSES["CT"], "1.2.3", True).SourceApplicationEntityTitle == "ABROOM123456"
    assert "PrivateInformation" not in meta(clean, CLASSES["CT"], "1.2.3", True)
    assert filename(WHO, 4, True) == "Yamada_Taro_MRN123456789_IM0004.dcm"
    assert filename(WHO, 4, False) == "IM0004.dcm"
    assert {item.locus for item in notes.planted} == {"preamble", "meta"}


@pytest.mark.parametrize(
    ("text", "script", "expected"),
    [("Иванов", "Cyrillic", "ISO_IR 144"), ("山田", "Japanese", ["", "ISO 2022 IR 87"]), ("王", "Han", "GB18030"),
     ("김", "Hangul", ["", "ISO 2022 IR 149"]), ("محمد", "Arabic", "ISO_IR 127"), ("گل", "Arabic", "ISO_IR 192"),
     ("खत्री", "Devanagari", "ISO_IR 192"), ("Lübs", "Japanese", "ISO_IR 192"), ("Lübs", "Cyrillic", "ISO_IR 192")],
)  # fmt: skip
def test_older_character_sets_are_taken_where_they_have_the_letters(text, script, expected):
    assert character_set([text, "Lakeport 417"], script, 0) == expected
    assert character_set([text], script, 1) == "ISO_IR 192"


def test_a_name_is_known_in_every_order_and_script():
    known = set(spellings(PERSON))
    assert {"Yamada^Taro", "Taro Yamada", "Yamada, Taro", "山田太郎", "山田", "ヤマダ^タロウ", "Taro"} <= known
    assert PERSON.name in known
    assert "王" not in orders("王", "小东")
    assert {"Müller", "Lüdenscheidt"} <= set(orders("Müller-Lüdenscheidt", "Eva"))


@settings(deadline=None)
@given(day=st.dates(date(1900, 1, 1), date(2100, 1, 1)), style=st.integers(0, 40))
def test_days_are_spelled_in_five_ways_and_more(day, style):
    assert len(set(days(day))) == 6
    assert spelled_day(day, style) in days(day)
    told = told_days(day)
    assert set(days(day)) <= set(told)
    assert {f"{day:%d-%b-%Y}", f"{day:%b} {day.day}, {day.year}"} <= set(told)


@pytest.mark.parametrize("written", [
    "07-MAR-1980", "7-Mar-1980", "Mar 7, 1980", "MAR 07, 1980", "07 Mar 1980", "07.03.1980", "March 7, 1980",
])  # fmt: skip
def test_a_day_is_recognized_with_short_names_of_months(written):
    told = told_days(date(1980, 3, 7))
    texts = Texts(told, ["date"] * len(told), [False] * len(told))
    assert search(texts, [Stretch(written.encode(), "(0020,4000)", "LT", 0, len(written))])


@settings(deadline=None)
@given(born=st.dates(date(1900, 1, 1), date(2020, 1, 1)), days=st.integers(0, 30_000))
def test_years_are_whole(born, days):
    day = born + timedelta(days=days)
    assert years(born, day) == pytest.approx(days / 365.2425, abs=1.01)
    assert years(born, day) <= days / 365.2425 + 0.01


def test_an_unknown_keyword_is_refused():
    with pytest.raises(ValueError, match="'PatientsName' is no keyword"):
        filler(None).put("PatientsName", "x")
