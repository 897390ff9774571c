"""Contact sheets show what is in the files: before on the left, after on the right, outlined by whether it is gone."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset

from fourfold.suite import exhibit
from fourfold.tasks.dicom_deid.key import Instance, Kept, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.sheets import (
    CHARACTERS,
    COLOURS,
    GAP,
    HIDDEN,
    PICTURES,
    READ,
    SIDE,
    STAYS,
    contact_sheet,
)

SIZE = 128
BOX = Mask(40, 20, np.ones((12, 50), bool))
PERSON = Person("A^B", ("A", "B"), ("A", "B"), "xx", "Hangul", "F", 50, "19700101", {})


def file(pixels: np.ndarray, photometric: str = "MONOCHROME2", **changes: Any) -> File:
    """pixels: (frames, rows, columns[, 3]) of 8 or 16 bits."""
    dataset, meta = Dataset(), FileMetaDataset()
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3 if pixels.ndim == 4 else 1, photometric
    dataset.PlanarConfiguration, dataset.NumberOfFrames = 0, len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[1:3]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.file_meta = meta
    into = io.BytesIO()
    dataset.save_as(into, enforce_file_format=True)
    return File("a.dcm", into.getvalue())


def image(text: bool, dtype: str = "u1", frames: int = 1) -> np.ndarray:
    """A ramp, with a text as a white box in it or without."""
    pixels = np.tile(np.linspace(10, 60, SIZE).astype(dtype), (frames, SIZE, 1))
    pixels[:, 100:, :] = 120
    if text:
        pixels[:, 44:48, 25:65] = 120
    return pixels


def key(count: int = 1, size: tuple[int, int, int] = (1, SIZE, SIZE), mask: Mask = BOX, modality: str = "CT") -> Key:
    paths = [f"{place}.dcm" for place in range(count)]
    instances = [Instance(path, 0, 0, modality, -1, size) for path in paths]
    planted = [Planted(path, 0, "name", "pixels", "pixels", "A B", ("A B",), mask) for path in paths]
    planted.append(Planted(paths[0], 0, "name", "text", "(0008,1030)", "A B", ("A B",)))
    kept = [Kept(paths[0], 0, "distractor", "pixels", ("L",), Mask(90, 90, np.ones((8, 6), bool)))]
    return Key([PERSON], instances, planted, kept, ())


def shown(sheet: dict[str, Any], place: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The two images of a picture, (rows, columns, 3)."""
    data = base64.b64decode(sheet["images"][place]["png"])
    drawn = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    half = (drawn.shape[1] - GAP) // 2
    return drawn[:, :half], drawn[:, half + GAP :]


def has(image: np.ndarray, colour: int) -> int:
    return int((image == COLOURS[colour]).all(axis=2).sum())


def flags(of: Key, stayed: bool) -> np.ndarray:
    return np.array([stayed and item.mask is not None for item in of.planted])


def test_what_is_hidden_is_blue_and_gone_and_what_stayed_is_red_and_there() -> None:
    of, before = key(), {"0.dcm": file(image(True))}
    hidden = contact_sheet(before, {"0.dcm": file(image(False))}, of, flags(of, False))
    left, right = shown(hidden)
    assert left[46, 30].min() > 200 > right[46, 30].max() + 50
    assert has(left, HIDDEN)
    assert has(right, HIDDEN)
    assert not has(right, READ)
    assert hidden["images"][0]["caption"] == "CT, Hangul: all identities hidden. 0.dcm"
    stayed = contact_sheet(before, before, of, flags(of, True))
    left, right = shown(stayed)
    assert right[46, 30].min() > 200
    assert has(right, READ) > 1.5 * has(left, HIDDEN), "framed twice"
    assert stayed["images"][0]["caption"] == "CT, Hangul: 1 of 1 identities still there. 0.dcm"


def test_a_mark_that_must_stay_is_yellow() -> None:
    of, before = key(), {"0.dcm": file(image(True))}
    left, right = shown(contact_sheet(before, before, of, flags(of, False)))
    assert has(left, STAYS) == has(right, STAYS) > 0


def test_the_outline_lies_around_the_glyphs_at_any_scale() -> None:
    large = np.kron(image(True), np.ones((1, 8, 8), "u1"))
    mask = Mask(BOX.top * 8, BOX.left * 8, np.ones((96, 400), bool))
    of, before = key(size=(1, 8 * SIZE, 8 * SIZE), mask=mask), {"0.dcm": file(large)}
    left, _ = shown(contact_sheet(before, before, of, flags(of, False)))
    assert left.shape[:2] == (SIDE, SIDE)
    rows, columns = np.nonzero((left == COLOURS[HIDDEN]).all(axis=2))
    scale = SIDE / (8 * SIZE)
    assert rows.min() == pytest.approx(mask.top * scale - 2, abs=1)
    assert columns.max() == pytest.approx((mask.left + 400) * scale + 2, abs=1)


@pytest.mark.parametrize("case", ["inverted", "signed", "colour", "frames", "palette"])
def test_every_kind_of_pixels_is_shown_as_it_would_be_seen(case: str) -> None:
    mask, changes, photometric = BOX, {}, "MONOCHROME2"
    pixels = image(True)
    if case == "inverted":
        pixels, photometric = 255 - pixels, "MONOCHROME1"
    elif case == "signed":
        pixels = image(True, "i2") * 10 - 800
    elif case == "colour":
        pixels, photometric = np.repeat(2 * image(True)[..., None], 3, axis=3), "RGB"
    elif case == "frames":
        pixels, mask = np.concatenate([image(False), image(False), image(True)]), Mask(40, 20, BOX.glyphs, 2)
    else:
        photometric, ramp = "PALETTE COLOR", (np.arange(256) * 514).clip(0, 65535).astype("<u2").tobytes()
        for name in ("Red", "Green", "Blue"):
            changes[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            changes[f"{name}PaletteColorLookupTableData"] = ramp
    of = key(size=(len(pixels), SIZE, SIZE), mask=mask)
    before = {"0.dcm": file(pixels, photometric, **changes)}
    left, _ = shown(contact_sheet(before, before, of, flags(of, True)))
    assert left[46, 40].min() > 200
    assert left[60, 5].max() < 60


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "it was not written."),
        ({"0.dcm": File("a", b"no DICOM")}, "it is no DICOM"),
        ({"0.dcm": File("a", b"")}, "it is empty."),
        ({"0.dcm": file(image(False), NumberOfFrames=90_000)}, "its pixels would take"),
    ],
)
def test_what_cannot_be_seen_is_crossed_out_and_said(written: dict[str, File], told: str) -> None:
    of = key()
    sheet = contact_sheet({"0.dcm": file(image(True))}, written, of, flags(of, True))
    assert told in sheet["images"][0]["caption"]
    _, right = shown(sheet)
    assert has(right, READ) >= SIZE
    assert exhibit.decode(exhibit.encode(sheet)) == sheet


def test_an_image_that_came_back_in_another_size_is_shown_all_the_same() -> None:
    of = key()
    sheet = contact_sheet(
        {"0.dcm": file(image(True))}, {"0.dcm": file(image(False)[:, :64, :50])}, of, flags(of, False)
    )
    left, right = shown(sheet)
    assert left.shape == right.shape


def test_an_image_that_came_back_with_other_bits_is_shown_by_its_own_grey_levels() -> None:
    of, wide = key(), (image(True).astype("u2") * 100)
    left, right = shown(contact_sheet({"0.dcm": file(wide)}, {"0.dcm": file(image(True))}, of, flags(of, True)))
    assert np.abs(left[60:90, :80].astype(int) - right[60:90, :80]).max() <= 12


def test_a_sheet_is_bounded_whatever_the_pictures_are() -> None:
    noise = file(np.random.default_rng(0).integers(0, 255, (1, SIZE, SIZE, 3), dtype=np.uint8), "RGB")
    of = key(40)
    before = {f"{place}.dcm": noise for place in range(40)}
    sheet = contact_sheet(before, before, of, flags(of, True))
    assert 0 < len(sheet["images"]) <= PICTURES
    assert sum(len(each["png"]) for each in sheet["images"]) <= CHARACTERS
    assert exhibit.decode(exhibit.encode(sheet)) == sheet


def test_modalities_take_turns_and_what_stayed_comes_first() -> None:
    of = key(6)
    turned = [
        Instance(each.path, 0, 0, "CT" if place < 4 else "US", -1, each.size) for place, each in enumerate(of.instances)
    ]
    of = Key(of.patients, turned, of.planted, of.kept, ())
    before = {f"{place}.dcm": file(image(True)) for place in range(6)}
    stayed = np.array([item.path in ("2.dcm", "5.dcm") for item in of.planted])
    captions = [each["caption"] for each in contact_sheet(before, before, of, stayed)["images"]]
    assert [caption.split(". ")[1] for caption in captions] == ["2.dcm", "5.dcm", "0.dcm", "4.dcm", "1.dcm", "3.dcm"]


def test_a_corpus_without_burned_in_text_has_an_empty_sheet() -> None:
    of = key()
    bare = Key(of.patients, of.instances, [of.planted[-1]], of.kept, ())
    assert contact_sheet({}, {}, bare, np.zeros(1, bool))["images"] == []
