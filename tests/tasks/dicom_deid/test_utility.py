"""What is kept of studies as a whole: nothing of nothing, all of what a perfect method writes."""

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from fourfold.tasks.dicom_deid import hard_encodings, wording
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus, Kept, Planted
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.pixels_kept import MOST_DB
from fourfold.tasks.dicom_deid.utility import PARTS, measure


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    """Studies of every modality, two of many."""
    return draw(np.random.default_rng(4), np.random.default_rng(5), phantom, patients=10, small=True)


def test_the_reference_keeps_everything(small, scored):
    found = scored(small, small.reference).shares
    assert {part: found[part] for part in PARTS} == dict.fromkeys(PARTS, 1.0)
    assert (found["utility"], found["changed_outside"], found["psnr"]) == (1.0, 0.0, MOST_DB)


def test_a_method_that_does_nothing_keeps_everything(small, scored, lost):
    assert lost(scored(small, small.given).shares) == {}


def test_a_text_that_says_the_opposite_was_not_kept(corpus, shares, lost):
    def without_no(path: str, dataset: Dataset) -> None:
        for element in dataset.iterall():
            if element.VR in ("LO", "LT", "ST", "UT") and isinstance(element.value, str):
                element.value = re.sub(r"\bno ", "", element.value, flags=re.IGNORECASE)

    found = lost(shares(corpus, without_no))
    assert found.keys() == {"text_kept"}
    assert found["text_kept"] > 0.8


@pytest.mark.parametrize("rubbish", [None, b"", b"\0" * 200, b"GIF89a", b"\0" * 128 + b"DICM", b"\xff" * 5000])
def test_files_that_are_missing_or_no_dicom_fail_every_check(small, rubbish, scored):
    found = scored(small, {} if rubbish is None else dict.fromkeys(small.given, rubbish)).shares
    assert {part: found[part] for part in (*PARTS, "utility", "psnr")} == dict.fromkeys(
        (*PARTS, "utility", "psnr"), 0.0
    )
    assert found["changed_outside"] == 1.0


def test_blanking_every_value_keeps_no_part_but_is_not_missing(small, shares):
    def blank(path: str, dataset: Dataset) -> None:
        for element in list(dataset):
            dataset[element.tag].value = None if element.VR != "SQ" else []

    found = shares(small, blank, "given")
    assert found["utility"] == 0.0


def test_blank_texts_and_pixels_cost_those_parts_alone(small, shares, lost):
    def blank(path: str, dataset: Dataset) -> None:
        dataset.StudyDescription = ""
        dataset.PixelData = bytes(len(dataset.PixelData))

    found = lost(shares(small, blank))
    assert found.keys() == {"text_kept", "pixels_equal", "ssim", "distractors_kept"}
    assert (found["text_kept"], found["pixels_equal"], found["distractors_kept"]) == (0.5, 0.0, 0.0)
    assert 0 < found["ssim"] < 0.1


ATTRIBUTES = [
    *("BodyPartExamined", "ImageType", "KVP", "SliceThickness", "PatientPosition", "WindowCenter", "WindowWidth"),
    *("RepetitionTime", "EchoTime", "MagneticFieldStrength", "FrameTime", "FrameIncrementPointer", "RescaleType"),
    *("ViewPosition", "PositionerPrimaryAngle", "CountsAccumulated", "ActualFrameDuration", "DetectorVector"),
    *("SeriesNumber", "InstanceNumber", "AcquisitionNumber", "Manufacturer", "CompletionFlag", "ConversionType"),
]


@pytest.mark.parametrize("keyword", ATTRIBUTES)
def test_an_attribute_that_names_nobody_must_stay(drawn, shares, lost, keyword):
    def emptied(path: str, dataset: Dataset) -> None:
        if keyword in dataset:
            dataset[keyword].value = None

    found = lost(shares(drawn, emptied))
    assert found["attributes_kept"] < 1
    assert found.keys() <= {"attributes_kept", "valid"}


@pytest.mark.parametrize("keyword", ["KVP", "SliceThickness", "FrameTime", "WindowCenter", "InstanceNumber"])
def test_no_one_value_is_right_for_all_files_nor_is_another_files(drawn, shares, lost, keyword):
    values = [dcmread(BytesIO(data)).get(keyword) for data in drawn.reference.values()]
    values = [value for value in values if value is not None]
    for value in dict.fromkeys(values):
        assert lost(shares(drawn, lambda _, dataset, value=value: changed_to(dataset, keyword, value))).keys() == {
            "attributes_kept"
        }
    others = iter([*values[1:], values[0]])

    def mixed_up(path: str, dataset: Dataset) -> None:
        if keyword in dataset:
            dataset[keyword].value = next(others)

    assert lost(shares(drawn, mixed_up)).keys() == {"attributes_kept"}


def changed_to(dataset: Dataset, keyword: str, value: object) -> None:
    if keyword in dataset:
        dataset[keyword].value = value


def test_an_image_whose_pixels_were_changed_may_be_called_derived(drawn, shares, lost):
    def derived(path: str, dataset: Dataset) -> None:
        if "ImageType" in dataset:
            dataset.ImageType = ["DERIVED", *dataset.ImageType[1:]]

    assert lost(shares(drawn, derived)) == {}


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient"])
def test_the_geometry_of_one_image_is_not_anothers(drawn, shares, lost, keyword):
    values = [dcmread(BytesIO(data)).get(keyword) for data in drawn.reference.values()]
    one = next(value for value in values if value is not None)
    found = lost(shares(drawn, lambda _, dataset: changed_to(dataset, keyword, one)))
    assert found.keys() == {"attributes_kept", "pixels_equal"}


def test_what_a_report_says_was_measured_must_stay(drawn, shares, lost):
    def in_centimetres(path: str, dataset: Dataset) -> None:
        for element in dataset.iterall():
            if element.keyword == "CodeValue" and element.value == "mm":
                element.value = "cm"

    def unnamed(path: str, dataset: Dataset) -> None:
        for item in dataset.get("ContentSequence", ()):
            del item.ConceptNameCodeSequence

    for change in (in_centimetres, unnamed):
        assert lost(shares(drawn, change)).keys() == {"attributes_kept"}


def test_an_outline_in_an_overlay_stays_and_the_name_beside_it_need_not(drawn, shares, lost):
    def blank(path: str, dataset: Dataset) -> None:
        if (0x6000, 0x3000) in dataset:
            dataset[0x6000, 0x3000].value = bytes(len(dataset[0x6000, 0x3000].value))

    def full(path: str, dataset: Dataset) -> None:
        if (0x6000, 0x3000) in dataset:
            dataset[0x6000, 0x3000].value = b"\xff" * len(dataset[0x6000, 0x3000].value)

    for change in (blank, full):
        assert lost(shares(drawn, change)).keys() == {"attributes_kept"}


def test_a_list_of_all_clinical_words_keeps_no_text(corpus, shares, lost):
    every = [*wording.FINDINGS, *wording.GRAPHICS, *wording.COMMENTS, *wording.HISTORIES, *wording.REQUESTS]
    every += [*wording.SERIES, *wording.PROTOCOLS, *(text for texts in wording.STUDIES.values() for text in texts)]
    words = list(dict.fromkeys(word for text in every for word in wording.clinical(text)))
    short = [" ".join(words[place : place + 4]) for place in range(0, len(words), 4)]
    texts = {(kept.path, kept.where) for kept in corpus.key.kept if kept.kind == "text"}

    def listed(path: str, dataset: Dataset, place: str = "") -> None:
        for element in dataset:
            where = f"{place}({element.tag.group:04X},{element.tag.element:04X})"
            if element.VR == "SQ":
                for number, item in enumerate(element.value):
                    listed(path, item, f"{where}[{number}].")
            elif (path, where) in texts:
                element.value = short if element.VR in ("LO", "SH", "CS") else " ".join(words)

    found = lost(shares(corpus, listed))
    assert found.keys() == {"text_kept", "valid"}
    assert found["text_kept"] == 0.0
    assert found["valid"] < 0.2


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ("MR heart, liver in view for [REDACTED]", 1.0),
        ("MR heart, liver in view for ANON^ANON", 1.0),
        ("MR heart, liver in view: NAME OF PATIENT", 1.0),
        ("MR heart, liver in view for Anna Maria Muster", 1.0),
        ("[PERSON_1]: mr HEART; liver", 1.0),
        ("MR heart, liver in view for MR heart, liver", 1.0),
        ("MR heart, liver in view, lung, spine, brain, knee", 0.5),
        ("MR/heart/liver/lung/spine/brain/knee/toe/hip", 0.5),
        ("MR heart, liver in view" + " for MR heart, liver in view" * 2, 0.5),
        ("MR heart, liver" + " lung" * 100_000, 0.5),
        ("MR heart", 0.5),
        ("MR liver, heart in view", 0.5),
    ],
)
def test_a_text_may_have_some_words_more_for_what_went(small, shares, said, stays):
    def change(path: str, dataset: Dataset) -> None:
        dataset.StudyDescription = said

    assert shares(small, change)["text_kept"] == stays


@pytest.mark.parametrize(
    ("was", "items", "new"),
    [("A B", 2, 6), ("A, 9 B Road, C D 8", 1, 7), ("A", 1, 3), ("", 0, 3)],
    ids=["three words an item", "as many as went", "three of one", "three of none"],
)
def test_new_words_are_counted_by_what_was_to_go(small, changed, scored, was, items, new):
    path, place = "0/0/0.dcm", "(0020,4000)"
    text = Kept(path, 0, "text", place, ("Callus", "visible"))
    planted = [Planted(path, 0, "name", "text", place, "A", ("A",))] * items

    def kept(count: int) -> float:
        numbers = " ".join(map(str, range(100, 100 + count)))
        said = {"given": f"Callus visible {was}", "reference": f"Callus visible {numbers}"}
        given, written = (
            changed(small, lambda _, dataset, of=of: setattr(dataset, "ImageComments", said[of]), of) for of in said
        )
        key = replace(small.key, planted=planted, kept=[text])
        return scored(replace(small, given=given, key=key), written).shares["text_kept"]

    assert [kept(new), kept(new + 1)] == [1.0, 0.0]


def test_a_text_that_was_moved_stays_but_not_in_more_items_than_were_given(small, shares):
    def turned(path: str, dataset: Dataset) -> None:
        dataset.RequestAttributesSequence = [Dataset(), *dataset.RequestAttributesSequence]

    def listed(path: str, dataset: Dataset) -> None:
        turned(path, dataset)
        dataset.RequestAttributesSequence[0].RequestedProcedureDescription = "US big toe, tophus"

    assert shares(small, turned)["text_kept"] == 1.0
    assert shares(small, listed)["text_kept"] == 0.5


def test_replicates_are_means_over_the_patients_that_were_drawn(small, changed, scored):
    def change(path: str, dataset: Dataset) -> None:
        if path.startswith("0/"):
            dataset.StudyDescription = ""
            dataset.PatientID = ""

    found = scored(small, changed(small, change))
    again = found.replicates(np.array([[1, 1, 1], [3, 0, 0], [0, 2, 1]]))
    np.testing.assert_allclose(again["text_kept"], [5 / 6, 0.5, 1.0])
    np.testing.assert_allclose(again["maps_injective"], [2 / 3, 0.0, 1.0])
    np.testing.assert_allclose(again["utility"], np.mean([again[part] for part in PARTS], axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_is_written_stops_the_measuring(small, seed, scored):
    rng = np.random.default_rng(seed)
    written = {}
    for path, data in small.given.items():
        damaged = bytearray(data)
        for place in rng.integers(132, len(damaged), 60):
            damaged[place] = rng.integers(256)
        written[path] = bytes(damaged[: rng.integers(140, len(damaged))])
    found = scored(small, written).shares
    assert all(0 <= found[part] <= 1 for part in PARTS)


ENCODINGS = ("implicit", "big_endian", "deflated", "undefined_lengths", "bad_delimiters", "other_character_set")



@pytest.mark.parametrize("name", ENCODINGS)
def test_how_a_file_is_encoded_before_and_after_makes_no_difference(small, name, files, lost):
    encode = getattr(hard_encodings, name)
    plain = files(small.given), files(small.reference)
    hard = [files({path: encode(file.data) or file.data for path, file in side.items()}) for side in plain]
    for given, written in ((plain[0], hard[1]), (hard[0], plain[1])):
        assert lost(measure(small.key, given, written).shares) == {}


def test_files_whose_preamble_went_are_read_but_not_valid(small, scored, lost):
    bare = {path: data[132:] for path, data in small.reference.items()}
    assert lost(scored(small, bare).shares) == {"valid": 0.0}


def test_the_floors_and_the_ceiling_on_studies_as_they_are_drawn(corpus, scored, shares, lost):
    assert lost(scored(corpus, corpus.reference).shares) == {}
    assert lost(scored(corpus, corpus.given).shares) == {}
    assert set(lost(scored(corpus, {}).shares).values()) == {0.0}

    def blank(path: str, dataset: Dataset) -> None:
        for element in list(dataset):
            if element.keyword == "PixelData":
                del dataset.PixelData
            elif element.keyword not in ("SOPClassUID", "SOPInstanceUID"):
                dataset[element.tag].value = None if element.VR != "SQ" else []

    found = shares(corpus, blank, "given")
    assert found["utility"] == pytest.approx(found["uids_intact"] / len(PARTS))


def test_one_output_for_all_files_keeps_next_to_nothing(corpus, scored):
    one = next(iter(corpus.reference.values()))
    found = scored(corpus, dict.fromkeys(corpus.given, one)).shares
    assert found["maps_injective"] == found["intervals_kept"] == found["uids_intact"] == 0.0
    assert found["pixels_equal"] < 0.1
