"""Pixels that nobody asked to touch."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from fourfold.tasks.dicom_deid import hard_encodings
from fourfold.tasks.dicom_deid.key import Mask
from fourfold.tasks.dicom_deid.pixels_kept import compared, covered, ssim
from fourfold.tasks.dicom_deid.reading import File


def test_recompression_without_loss_keeps_pixels_equal(small, shares, lost):
    def recompress(path: str, dataset: Dataset) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)

    assert lost(shares(small, recompress)) == {}


def test_a_box_over_the_identity_is_free_and_one_beside_it_is_not(small, shares, lost):
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


def test_a_marker_survives_a_change_of_scale_but_not_its_removal(small, changed, scored):
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


def test_psnr_is_that_of_its_definition(small, saved):
    given = File("a", small.given["0/0/1.dcm"])
    dataset = dcmread(BytesIO(given.data))
    image = np.frombuffer(dataset.PixelData, np.int16)
    dataset.PixelData = (image + 2).astype(np.int16).tobytes()
    found = compared(given, File("a", saved(dataset)), [])
    assert found.psnr == pytest.approx(20 * np.log10((int(image.max()) - int(image.min())) / 2))
    assert (found.equal, found.changed) == (0.0, 1.0)


def as_jpeg(image: np.ndarray, like: bytes, saved: Callable[[Dataset], bytes]) -> File:
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


def test_a_lossy_jpeg_may_change_in_all_blocks_that_the_identity_touches_and_no_others(small, saved):
    image = np.random.default_rng(0).integers(60, 90, (64, 64)).astype(np.uint8)
    burned = image.copy()
    burned[20:26, 20:26] = 255
    given, reference = (as_jpeg(each, small.given["0/0/0.dcm"], saved) for each in (burned, image))
    mask = Mask(20, 20, np.ones((6, 6), dtype=bool))
    assert compared(given, reference, [mask]).equal == 1.0
    image[50:, 50:] = 0
    assert compared(given, as_jpeg(image, small.given["0/0/0.dcm"], saved), [mask]).equal == 0.0


def test_images_of_another_size_are_lost_and_bombs_are_not_decoded(small, shares):
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


@pytest.mark.parametrize(("keyword", "value"), [
    ("PixelSpacing", [2, 2]), ("ImageOrientationPatient", [-1, 0, 0, 0, 1, 0]), ("ImagePositionPatient", [0, 0, 9]),
    ("RescaleSlope", "7"), ("RescaleIntercept", "-1"), ("PhotometricInterpretation", "MONOCHROME1"), ("Modality", "CT"),
    ("Laterality", "R"), ("PhotometricInterpretation", "PALETTE COLOR"), ("PixelAspectRatio", [1, 2]),
    ("PatientOrientation", ["L", "F"]), ("PresentationLUTShape", "INVERSE"),
])  # fmt: skip
def test_equal_samples_that_mean_something_else_are_not_equal(small, changed, scored, keyword, value):
    def with_scale(path: str, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.Laterality = "1", "0", "L"

    def other(path: str, dataset: Dataset) -> None:
        with_scale(path, dataset)
        setattr(dataset, keyword, value)

    given = replace(small, given=changed(small, with_scale, "given"), reference=changed(small, with_scale))
    assert scored(given, given.reference).shares["pixels_equal"] == 1.0
    found = scored(given, changed(given, other)).shares
    assert found["pixels_equal"] == 0.0
    assert found["ssim"] == 1.0


def test_numbers_written_otherwise_and_elements_more_mean_the_same(small, shares, lost):
    def rewritten(path: str, dataset: Dataset) -> None:
        dataset.PixelSpacing, dataset.ImageComments, dataset.RescaleSlope = ["1.00", "1E0"], "", "1"
        dataset.RescaleIntercept, dataset.RescaleType = "0", "US"

    assert lost(shares(small, rewritten)) == {}


@pytest.mark.parametrize("encoded", [lambda data: data, hard_encodings.big_endian, hard_encodings.implicit])
def test_a_palette_must_show_the_same_colours(small, changed, scored, encoded):
    warm = (np.arange(256) * 257).clip(0, 60000).astype("<u2")

    def coloured(path: str, dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "PALETTE COLOR"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.PixelData = dataset.PixelData[: 64 * 64]
        for number, entries in enumerate((warm, warm // 2, warm // 3)):
            dataset.add_new((0x0028, 0x1101 + number), "US", [256, 0, 16])
            dataset.add_new((0x0028, 0x1201 + number), "OW", entries.tobytes())

    def without_red(path: str, dataset: Dataset) -> None:
        coloured(path, dataset)
        dataset.RedPaletteColorLookupTableData = bytes(512)

    def grey(path: str, dataset: Dataset) -> None:
        coloured(path, dataset)
        dataset.PhotometricInterpretation = "MONOCHROME2"

    given = replace(small, given=changed(small, coloured))
    for change, equal in ((coloured, 1.0), (without_red, 0.0), (grey, 0.0)):
        written = {path: encoded(data) for path, data in changed(small, change).items()}
        assert scored(given, written).shares["pixels_equal"] == equal
