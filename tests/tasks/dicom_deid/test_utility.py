from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from fourfold.tasks.dicom_deid import hard_encodings
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.intervals import intervals_kept, ordinal
from fourfold.tasks.dicom_deid.key import Corpus, Dated, Mask
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.pixels_kept import MOST_DB, compared, covered, ssim
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.utility import PARTS, Utility, measure
from fourfold.tasks.dicom_deid.values import holds, index, same

Change = Callable[[str, Dataset], None]


def files(data: dict[str, bytes]) -> dict[str, File]:
    return {path: File(path, content) for path, content in data.items()}


def saved(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def changed(corpus: Corpus, change: Change, of: str = "reference") -> dict[str, bytes]:
    """What a method would have written that is perfect but for a change."""
    written = {}
    for path, data in getattr(corpus, of).items():
        dataset = dcmread(BytesIO(data))
        change(path, dataset)
        written[path] = saved(dataset)
    return written


def scored(corpus: Corpus, written: dict[str, bytes]) -> Utility:
    return measure(corpus.key, files(corpus.given), files(written))


def shares(corpus: Corpus, change: Change, of: str = "reference") -> dict[str, float | None]:
    return scored(corpus, changed(corpus, change, of)).shares


def lost(found: dict[str, float | None]) -> dict[str, float | None]:
    return {part: found[part] for part in PARTS if found[part] != 1.0}


def test_the_reference_keeps_everything(small):
    found = scored(small, small.reference).shares
    assert {part: found[part] for part in PARTS} == dict.fromkeys(PARTS, 1.0)
    assert (found["utility"], found["changed_outside"], found["psnr"]) == (1.0, 0.0, MOST_DB)


def test_a_method_that_does_nothing_keeps_everything(small):
    assert lost(scored(small, small.given).shares) == {}


@pytest.mark.parametrize("rubbish", [None, b"", b"\0" * 200, b"GIF89a", b"\0" * 128 + b"DICM", b"\xff" * 5000])
def test_files_that_are_missing_or_no_dicom_fail_every_check(small, rubbish):
    found = scored(small, {} if rubbish is None else dict.fromkeys(small.given, rubbish)).shares
    assert {part: found[part] for part in (*PARTS, "utility", "psnr")} == dict.fromkeys(
        (*PARTS, "utility", "psnr"), 0.0
    )
    assert found["changed_outside"] == 1.0


def test_blanking_every_value_keeps_no_part_but_is_not_missing(small):
    def blank(path: str, dataset: Dataset) -> None:
        for element in list(dataset):
            dataset[element.tag].value = None if element.VR != "SQ" else []

    found = shares(small, blank, "given")
    assert found["utility"] == 0.0


def test_blank_texts_and_pixels_cost_those_parts_alone(small):
    def blank(path: str, dataset: Dataset) -> None:
        dataset.StudyDescription = ""
        dataset.PixelData = bytes(len(dataset.PixelData))

    found = lost(shares(small, blank))
    assert found.keys() == {"text_kept", "pixels_equal", "ssim", "distractors_kept"}
    assert (found["text_kept"], found["pixels_equal"], found["distractors_kept"]) == (0.5, 0.0, 0.0)
    assert 0 < found["ssim"] < 0.1


def test_a_text_needs_all_its_words_and_a_private_element_its_whole_value(small):
    def change(path: str, dataset: Dataset) -> None:
        if path.startswith("0/"):
            dataset.StudyDescription = "MR heart, livery"
            dataset[0x00191010].value = "1.50"
        if path.startswith("1/"):
            dataset[0x00191010].value = "1.25"

    found = lost(shares(small, change))
    assert found == {"text_kept": pytest.approx(5 / 6), "private_kept": pytest.approx(2 / 3)}


def test_a_private_element_is_found_in_another_block_and_without_its_vr(small):
    def move(path: str, dataset: Dataset) -> None:
        del dataset[0x00190010], dataset[0x00191010]
        dataset.add_new(0x00190011, "LO", "GEMS_ACQU_01")
        dataset.add_new(0x00191110, "UN", b"1.5 ")

    assert lost(shares(small, move)) == {}


def test_text_in_an_item_is_found_though_the_items_before_it_went(small):
    def insert(path: str, dataset: Dataset) -> None:
        dataset.RequestAttributesSequence.insert(0, Dataset())

    assert lost(shares(small, insert)) == {}


def test_dates_that_are_shifted_alike_keep_their_intervals_and_constant_ones_do_not(small):
    def constant(path: str, dataset: Dataset) -> None:
        dataset.StudyDate = dataset.ContentDate = "00010101"

    def one_off(path: str, dataset: Dataset) -> None:
        if path == "0/0/0.dcm":
            dataset.StudyDate = ""

    assert lost(shares(small, constant)) == {"intervals_kept": 0.0}
    # Patient 0 has 4 dates on each of two days, 16 pairs; without one of the dates 12 of them are exact.
    assert lost(shares(small, one_off)) == {"intervals_kept": pytest.approx((12 / 16 + 2) / 3)}


@drawn(st.lists(st.integers(1, 3_000_000), min_size=2, max_size=12), st.integers(-20_000, 20_000), st.data())
@settings(max_examples=30, deadline=None)
def test_intervals_equal_a_count_of_all_pairs(days, shift, data):
    import datetime

    days = [min(max(day, 30_000), 3_600_000) for day in days]
    written = [day + shift + data.draw(st.sampled_from([0, 0, 0, 1])) for day in days]
    pairs = [(i, j) for i in range(len(days)) for j in range(i) if days[i] != days[j]]
    exact = [days[i] - days[j] == written[i] - written[j] for i, j in pairs]

    def spelled(day: int) -> str:
        return datetime.date.fromordinal(day).strftime("%Y%m%d").zfill(8)

    dataset = Dataset()
    for place, day in enumerate(written):
        dataset.add_new((0x0018, 0x2000 + place), "DA", spelled(day))
    dataset.SOPClassUID = "1.2"
    dated = [Dated("a", 0, f"(0018,{0x2000 + place:04X})", spelled(day)) for place, day in enumerate(days)]
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True)
    kept = intervals_kept(dated, {"a": index(File("a", buffer.getvalue()))}, 1)
    assert kept[0] == pytest.approx(np.mean(exact)) if pairs else np.isnan(kept[0])


@pytest.mark.parametrize(
    ("value", "day"),
    [("00010101", 1), ("20200229101500.00+0100", 737484), ("2020.02.29", 737484), ("20200230", None), ("soon", None)],
)
def test_a_day_is_read_from_what_begins_with_one(value, day):
    assert ordinal(value) == day


def test_one_id_for_all_patients_and_one_for_each_file_are_no_maps(small):
    def constant(path: str, dataset: Dataset) -> None:
        dataset.PatientID = "ANON"

    def each(path: str, dataset: Dataset) -> None:
        dataset.PatientID = path

    def two_alike(path: str, dataset: Dataset) -> None:
        if path[0] in "01":
            dataset.PatientID = "ANON"

    assert lost(shares(small, constant)) == {"maps_injective": 0.0}
    assert lost(shares(small, each)) == {"maps_injective": 0.0}
    assert lost(shares(small, two_alike)) == {"maps_injective": pytest.approx(1 / 3)}


def test_studies_that_become_one_are_no_map(small):
    def merge(path: str, dataset: Dataset) -> None:
        if path.startswith("2/"):
            dataset.StudyInstanceUID = "2.25.5"

    assert lost(shares(small, merge)) == {"maps_injective": pytest.approx(2 / 3)}


def test_references_must_resolve_uids_be_unique_and_meta_information_agree(small):
    def dangling(path: str, dataset: Dataset) -> None:
        if "ReferencedImageSequence" in dataset:
            dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "2.25.9"

    def removed(path: str, dataset: Dataset) -> None:
        dataset.pop("ReferencedImageSequence", None)

    def doubled(path: str, dataset: Dataset) -> None:
        if path in ("0/0/1.dcm", "0/1/1.dcm"):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.8"

    def stale(path: str, dataset: Dataset) -> None:
        dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.840.99"

    assert lost(shares(small, dangling)) == {"uids_intact": 0.5}
    assert lost(shares(small, removed)) == {"uids_intact": 0.5}
    assert lost(shares(small, doubled)) == {"uids_intact": pytest.approx(10 / 12)}
    assert lost(shares(small, stale)) == {"uids_intact": 0.0, "valid": 0.0}


def test_a_reference_to_a_file_that_is_gone_does_not_resolve(small):
    found = scored(small, {path: data for path, data in small.reference.items() if path != "0/0/0.dcm"})
    assert found.values["uids_intact"].tolist()[:4] == [0.0, 0.0, 1.0, 1.0]
    assert found.values["maps_injective"].tolist() == [0.0, 1.0, 1.0]


def test_recompression_without_loss_keeps_pixels_equal(small):
    def recompress(path: str, dataset: Dataset) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)

    assert lost(shares(small, recompress)) == {}


def test_a_box_over_the_identity_is_free_and_one_beside_it_is_not(small):
    def box(path: str, dataset: Dataset, top: int, bottom: int, left: int, right: int) -> None:
        image = np.frombuffer(dataset.PixelData, np.int16).reshape(64, 64).copy()
        image[top:bottom, left:right] = 0
        dataset.PixelData = image.tobytes()

    def tight(path: str, dataset: Dataset) -> None:
        if path.endswith("0.dcm"):
            box(path, dataset, 5 - 3, 12 + 3, 5 - 3, 21 + 3)

    def wide(path: str, dataset: Dataset) -> None:
        if path.endswith("0.dcm"):
            box(path, dataset, 0, 20, 0, 64)

    def over_the_marker(path: str, dataset: Dataset) -> None:
        box(path, dataset, 50, 59, 50, 57)

    assert lost(shares(small, tight)) == {}
    found = shares(small, wide)
    assert lost(found).keys() == {"pixels_equal", "ssim"}
    outside = 64 * 64 - 13 * 22
    assert found["changed_outside"] == pytest.approx(0.5 * (20 * 64 - 13 * 22) / outside, rel=0.1)
    assert found["pixels_equal"] == 0.5
    assert 0.7 < found["ssim"] < 1
    assert lost(shares(small, over_the_marker)).keys() == {"pixels_equal", "ssim", "distractors_kept"}


def test_a_marker_survives_a_change_of_scale_but_not_its_removal(small):
    def scaled(path: str, dataset: Dataset) -> None:
        image = np.frombuffer(dataset.PixelData, np.int16)
        dataset.PixelData = (image // 4).astype(np.int16).tobytes()

    assert scored(small, changed(small, scaled)).shares["distractors_kept"] == 1.0


def test_ssim_is_that_of_its_paper():
    flat, brighter = np.full((16, 16), 100.0), np.full((16, 16), 110.0)
    c1 = (0.01 * 255) ** 2
    np.testing.assert_allclose(ssim(flat, brighter, 255), (2 * 100 * 110 + c1) / (100**2 + 110**2 + c1))
    noise = np.random.default_rng(1).normal(100, 20, (16, 16))
    np.testing.assert_allclose(ssim(noise, noise, 255), 1.0)
    window, other = noise[4:11, 4:11], noise[::-1][4:11, 4:11]
    covariance = np.cov(window.ravel(), other.ravel())
    c2 = (0.03 * 255) ** 2
    x, y = window.mean(), other.mean()
    by_hand = ((2 * x * y + c1) * (2 * covariance[0, 1] + c2)) / (
        (x**2 + y**2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    )
    assert ssim(noise, noise[::-1], 255)[7, 7] == pytest.approx(by_hand)


def test_psnr_is_that_of_its_definition(small):
    given = File("a", small.given["0/0/1.dcm"])
    dataset = dcmread(BytesIO(given.data))
    image = np.frombuffer(dataset.PixelData, np.int16)
    dataset.PixelData = (image + 2).astype(np.int16).tobytes()
    found = compared(given, File("a", saved(dataset)), [])
    assert found.psnr == pytest.approx(20 * np.log10((int(image.max()) - int(image.min())) / 2))
    assert (found.equal, found.changed) == (0.0, 1.0)


def as_jpeg(image: np.ndarray, like: bytes) -> File:
    from PIL import Image
    from pydicom.encaps import encapsulate

    encoded, dataset = BytesIO(), dcmread(BytesIO(like))
    Image.fromarray(image).save(encoded, "JPEG", quality=92)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = encapsulate([encoded.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    return File("a", saved(dataset))


def test_a_lossy_jpeg_may_change_in_all_blocks_that_the_identity_touches_and_no_others(small):
    image = np.random.default_rng(0).integers(60, 90, (64, 64)).astype(np.uint8)
    burned = image.copy()
    burned[20:26, 20:26] = 255
    given, reference = (as_jpeg(each, small.given["0/0/0.dcm"]) for each in (burned, image))
    mask = Mask(20, 20, np.ones((6, 6), dtype=bool))
    assert compared(given, reference, [mask]).equal == 1.0
    image[50:, 50:] = 0
    assert compared(given, as_jpeg(image, small.given["0/0/0.dcm"]), [mask]).equal == 0.0


def test_images_of_another_size_are_lost_and_bombs_are_not_decoded(small):
    def halved(path: str, dataset: Dataset) -> None:
        dataset.Rows, dataset.PixelData = 32, dataset.PixelData[: 32 * 64 * 2]

    def bomb(path: str, dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65535

    for change in (halved, bomb):
        found = shares(small, change)
        assert (found["pixels_equal"], found["ssim"], found["changed_outside"]) == (0.0, 0.0, 1.0)


def test_a_mask_covers_what_is_near_it_on_its_frame_even_at_the_edge():
    inside = covered((2, 8, 8), [Mask(0, 7, np.ones((1, 1), bool), frame=1)], 2)
    assert inside[0].sum() == 0
    assert np.argwhere(inside[1]).tolist() == [[row, column] for row in range(3) for column in (5, 6, 7)]


@pytest.mark.parametrize(
    ("value", "word", "found"),
    [
        ("CT abdomen, liver", "LIVER", True), ("delivery", "liver", False), ("胸部CT検査", "胸部", True),
        ("ตับโตเล็กน้อย", "โต", True), ("6 mm nodule", "6 mm", True), ("16 mm nodule", "6 mm", False),
        ("ﬁne cut", "fine", True), ("T2*", "T2*", True),
    ],
)  # fmt: skip
def test_words_are_bounded_as_their_script_bounds_them(value, word, found):
    assert holds(value, word) == found


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1.50", "1.5", True),
        ("1\\2.0", "1.0\\2", True),
        ("M", "m ", True),
        ("1", "1\\1", False),
        ("055Y", "55Y", False),
    ],
)
def test_values_are_equal_as_text_or_as_numbers(one, other, equal):
    assert same(one, other) == equal


def test_replicates_are_means_over_the_patients_that_were_drawn(small):
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
def test_nothing_that_is_written_stops_the_measuring(small, seed):
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
def test_how_a_file_is_encoded_before_and_after_makes_no_difference(small, name):
    encode = getattr(hard_encodings, name)
    plain = files(small.given), files(small.reference)
    hard = [files({path: encode(file.data) or file.data for path, file in side.items()}) for side in plain]
    for given, written in ((plain[0], hard[1]), (hard[0], plain[1])):
        assert lost(measure(small.key, given, written).shares) == {}


def test_files_whose_preamble_went_are_read_but_not_valid(small):
    bare = {path: data[132:] for path, data in small.reference.items()}
    assert lost(scored(small, bare).shares) == {"valid": 0.0}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return draw(np.random.default_rng(4), np.random.default_rng(5), phantom, patients=6, small=True)


def test_the_floors_and_the_ceiling_on_studies_as_they_are_drawn(corpus):
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


def test_one_output_for_all_files_keeps_next_to_nothing(corpus):
    one = next(iter(corpus.reference.values()))
    found = scored(corpus, dict.fromkeys(corpus.given, one)).shares
    assert found["maps_injective"] == found["intervals_kept"] == found["uids_intact"] == 0.0
    assert found["pixels_equal"] < 0.1
