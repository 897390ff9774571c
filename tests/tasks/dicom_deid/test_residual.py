"""Burned-in text is legible, hidden or in doubt by what is left of its contrast, however the image was rescaled."""

from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from scipy.ndimage import gaussian_filter, zoom

from fourfold.tasks.dicom_deid import ocr
from fourfold.tasks.dicom_deid.key import Mask, Planted
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.residual import APART, HIDDEN, LEGIBLE, Pixels, apart, legible, seen, share

LETTERS = np.kron(np.random.default_rng(3).random((5, 20)) < 0.4, np.ones((2, 2), bool))
MASK = Mask(10, 12, LETTERS)
BOX = (slice(None), slice(10, 20), slice(12, 52))


def anatomy() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(0, 1, (64, 80)), 6)
    return (400 + 2000 * smooth + rng.normal(0, 4, (64, 80))).astype(np.int32)[None] % 4096


def burned(value: int = 1200) -> np.ndarray:
    image = anatomy()
    image[BOX][:, LETTERS] = value
    return image


def file(samples: np.ndarray, photometric: str = "MONOCHROME2", palette: np.ndarray | None = None) -> File:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns = samples.shape[:3]
    data.SamplesPerPixel = samples.shape[3] if samples.ndim == 4 else 1
    data.PhotometricInterpretation, data.PixelRepresentation = photometric, 0
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * samples.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    if palette is not None:
        for name in ("Red", "Green", "Blue"):
            setattr(data, f"{name}PaletteColorLookupTableDescriptor", [len(palette), 0, 16])
            setattr(data, f"{name}PaletteColorLookupTableData", palette.astype("<u2").tobytes())
    data.add_new(0x7FE00010, "OW" if samples.dtype.itemsize > 1 else "OB", samples.tobytes())
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return File("x.dcm", buffer.getvalue())


ITEM = Planted("x.dcm", 0, "name", "pixels", "pixels", "Hope Long", ("Hope Long",), MASK)


def verdict(written: File, given: File | None = None, reference: File | None = None, item: Planted = ITEM) -> str:
    given = given or file(burned().astype(np.uint16))
    reference = reference or file(anatomy().astype(np.uint16))
    return legible(Pixels(given, reference, written, [item.mask]), item)[0]


def edited(value: object) -> np.ndarray:
    image = burned()
    image[BOX] = value
    return image.astype(np.uint16)


STILL_THERE = {
    "as given": burned(),
    "one pixel changed elsewhere": np.where(np.arange(80) == 79, 0, burned()),
    "inverted": 4095 - burned(),
    "shifted": burned() + 1000,
    "halved": burned() // 2,
    "squared": (burned() / 4095) ** 2 * 65535,
    "a little darker text": np.where((burned() == 1200), 1000, burned()),
}


@pytest.mark.parametrize("how", STILL_THERE)
def test_text_that_is_still_there_is_legible_whatever_the_scale(how):
    assert verdict(file(STILL_THERE[how].astype(np.uint16))) == "contrast"


def test_text_is_legible_in_eight_bits_and_in_colour():
    eight = (burned() / 4095 * 255).astype(np.uint8)
    assert verdict(file(eight)) == "contrast"
    assert verdict(file(np.repeat(eight[..., None], 3, axis=3), "RGB")) == "contrast"


GONE = {
    "a perfect output": anatomy(), "black": edited(0), "white": edited(4095), "its mean": edited(500),
    "all black": burned() * 0,
    "all one grey": burned() * 0 + 700,
    "blurred beyond reading": np.where(np.ones_like(burned(), bool), burned(), 0),
}  # fmt: skip
GONE["blurred beyond reading"][BOX] = gaussian_filter(burned()[BOX].astype(float), (0, 9, 9)).astype(int)


@pytest.mark.parametrize("how", GONE)
def test_text_that_is_gone_is_hidden(how):
    assert verdict(file(GONE[how].astype(np.uint16))) == ""


def alone(rows: int, columns: int) -> np.ndarray:
    """Without the text where it stood, and with it elsewhere."""
    image = anatomy()
    image[:, 10 + rows : 20 + rows, 12 + columns : 52 + columns][:, LETTERS] = 1200
    return image


def beside_a_box() -> np.ndarray:
    image = alone(30, 12)
    image[BOX] = 0
    return image


MOVED = {
    "by some pixels": np.roll(burned(), (3, 5), (1, 2)), "by many": np.roll(burned(), (20, 15), (1, 2)),
    "beyond the edge": np.roll(burned(), -20, 2), "mirrored": burned()[:, :, ::-1], "on its head": burned()[:, ::-1],
    "turned": np.rot90(burned(), 1, (1, 2)), "turned around": burned()[:, ::-1, ::-1], "cropped": burned()[:, 4:, 6:-9],
    "padded": np.pad(burned(), ((0, 0), (9, 3), (4, 8))), "alone": alone(25, 20), "alone, and boxed": beside_a_box(),
    "moved and inverted": 4095 - np.roll(burned(), (3, 5), (1, 2)), "moved and halved": np.roll(burned(), 4, 1) // 2,
}  # fmt: skip


@pytest.mark.parametrize("how", MOVED)
def test_text_that_was_moved_is_found_where_it_is(how):
    assert verdict(file(MOVED[how].astype(np.uint16))) in ("contrast", "contrast, elsewhere")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("change", ["noise", "moved", "mirrored", "smooth"])
def test_a_clean_image_that_was_changed_holds_no_text_elsewhere(change, seed):
    clean = anatomy().astype(float)
    noise = np.random.default_rng(seed).normal(0, 20, clean.shape)
    image = {
        "noise": clean + noise, "moved": np.roll(clean, (seed + 1, 3), (1, 2)), "mirrored": clean[:, :, ::-1] + noise,
        "smooth": gaussian_filter(clean, (0, seed + 1, seed + 1)),
    }[change]  # fmt: skip
    assert verdict(file(np.clip(image, 0, 4095).astype(np.uint16))) == ""


def test_anatomy_that_is_like_the_text_is_none():
    like, place = anatomy(), (slice(None), slice(40, 50), slice(30, 70))
    like[place][:, LETTERS] = 1200
    given = like.copy()
    given[BOX][:, LETTERS] = 1200
    written = like + np.random.default_rng(1).integers(-3, 4, like.shape)
    both = [file(each.astype(np.uint16)) for each in (given, like)]
    assert verdict(file(written.astype(np.uint16)), *both) == ""
    assert verdict(file(np.roll(written, 7, 2).astype(np.uint16)), *both) == "contrast, elsewhere"


@pytest.mark.parametrize(("share", "more", "found"), [(0.6, 0.15, ""), (0.6, 0.4, "contrast, elsewhere")])
def test_anatomy_that_is_rather_like_the_text_is_none_either_but_where_the_text_is_put_on_it(share, more, found):
    place = (slice(None), slice(40, 50), slice(30, 70))
    order = np.random.default_rng(2).permutation(np.argwhere(LETTERS))
    like, written = anatomy(), anatomy()
    for image, part in ((like, share), (written, share + more)):
        rows, columns = order[: round(part * len(order))].T
        image[place][:, rows, columns] = 1200
    given = like.copy()
    given[BOX][:, LETTERS] = 1200
    written = written + np.random.default_rng(1).integers(-3, 4, written.shape)
    assert verdict(*(file(each.astype(np.uint16)) for each in (written, given, like))) == found


def test_a_text_on_another_frame_than_its_own_is_found():
    frames = np.concatenate([anatomy(), burned(), anatomy()])
    reference = file(np.concatenate([anatomy()] * 3).astype(np.uint16))
    item = replace(ITEM, mask=replace(MASK, frame=1))
    written = file(np.roll(frames, 1, 0).astype(np.uint16))
    assert verdict(written, file(frames.astype(np.uint16)), reference, item) == "contrast, elsewhere"


def test_a_file_without_pixels_shows_nothing():
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=False)
    assert verdict(File("x.dcm", buffer.getvalue())) == ""


def test_glyphs_painted_over_one_by_one_stay_legible():
    image = burned()
    image[BOX][:, LETTERS] = 0
    assert verdict(file(image.astype(np.uint16)), file(burned().astype(np.uint16))) == "contrast"


def test_one_frame_that_was_left_shows_it():
    frames = np.concatenate([burned(), burned(), burned()])
    written = frames.copy()
    written[:2, 10:20, 12:52] = 0
    reference = file(np.concatenate([anatomy()] * 3).astype(np.uint16))
    assert verdict(file(written.astype(np.uint16)), file(frames.astype(np.uint16)), reference) == "contrast"
    written[2, 10:20, 12:52] = 0
    assert verdict(file(written.astype(np.uint16)), file(frames.astype(np.uint16)), reference) == ""


def test_a_frame_is_looked_at_where_the_mask_says():
    frames = np.concatenate([anatomy(), burned()])
    item = Planted(*[getattr(ITEM, name) for name in ("path", "patient", "kind", "locus", "where", "text", "forms")],
                   Mask(10, 12, LETTERS, frame=1))  # fmt: skip
    reference = file(np.concatenate([anatomy()] * 2).astype(np.uint16))
    shifted = file((frames + 3).astype(np.uint16))
    assert verdict(shifted, file(frames.astype(np.uint16)), reference, item) == "contrast"
    frames[1, 10:20, 12:52] = 5
    assert verdict(file(frames.astype(np.uint16)), item=item, reference=reference) == ""


def test_an_image_of_another_size_is_laid_over():
    twice = zoom(burned()[0].astype(float), 2, order=1)[None]
    assert verdict(file(twice.astype(np.uint16))) == "contrast"
    blank = zoom(edited(0)[0].astype(float), 2, order=1)[None]
    assert verdict(file(blank.astype(np.uint16))) == ""


def test_a_palette_hides_nothing():
    indices = (burned() // 16 % 256).astype(np.uint8)
    grey = np.arange(256) * 257
    given = file(indices, "PALETTE COLOR", grey)
    reference = file((anatomy() // 16 % 256).astype(np.uint8), "PALETTE COLOR", grey)
    assert len(seen(given)) == 2
    changed = np.where(np.arange(80) == 79, 0, indices).astype(np.uint8)
    assert verdict(file(changed, "PALETTE COLOR", grey), given, reference) == "contrast"
    assert verdict(file(changed, "PALETTE COLOR", grey * 0), given, reference) == "contrast"  # It is still stored.
    colours = np.repeat(indices[..., None], 3, axis=3)
    assert verdict(file(colours, "RGB"), given, reference) == "contrast"


def test_doubt_counts_where_nothing_reads_the_script():
    image = burned().astype(float)
    image[BOX] = gaussian_filter(image[BOX], (0, 1.6, 1.6))
    left = share(burned()[0].astype(float), image[0], MASK)
    assert HIDDEN < left < LEGIBLE
    thai = Planted("x.dcm", 0, "name", "pixels", "pixels", "สมชาย", ("สมชาย",), MASK)
    assert verdict(file(image.astype(np.uint16)), item=thai) == ocr.DOUBT


@pytest.mark.skipif(find_spec("rapidocr_onnxruntime") is None, reason="rapidocr-onnxruntime is not installed")
def test_ocr_reads_a_name_and_reads_none_in_noise():
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (220, 40))
    ImageDraw.Draw(picture).text((10, 6), "LONG, HOPE", 255, ImageFont.load_default(24))
    image = np.asarray(picture).astype(float)
    assert ocr.reads(image, ["Long, Hope"])[0] == "OCR"
    assert ocr.reads(image, ["Davidson"]) == ("", "")
    assert ocr.reads(np.random.default_rng(0).normal(0, 9, (40, 220)), ["Long, Hope"]) == ("", "")


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 30), st.floats(-3000, 3000), st.booleans(), st.integers(0, 1000))
def test_no_affine_map_hides_or_makes_a_leak(slope, offset, flipped, seed):
    before = burned()[0].astype(float)
    scale = -slope if flipped else slope
    assert share(before, scale * before + offset, MASK, scale) == pytest.approx(1)
    blank = scale * before + offset
    blank[BOX[1:]] = np.random.default_rng(seed).normal()
    assert share(before, blank, MASK, scale) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 40))
def test_noise_alone_makes_no_legible_text(seed, deviation):
    before = burned()[0].astype(float)
    noise = before.copy()
    noise[BOX[1:]] = np.random.default_rng(seed).normal(400, deviation * 10, (10, 40))
    assert share(before, noise, MASK) < LEGIBLE


@pytest.mark.parametrize("seed", range(5))
def test_dark_noise_with_bright_specks_makes_no_legible_text(seed):
    rng = np.random.default_rng(seed)
    image = np.where(rng.random(anatomy().shape) < 0.1, 30, 0)
    assert share(burned()[0].astype(float), image[0].astype(float), MASK, 0.001) < HIDDEN + 0.2


@pytest.mark.parametrize("seed", range(5))
def test_text_among_specks_stays_legible(seed):
    rng = np.random.default_rng(seed)
    image = np.where(rng.random(anatomy().shape) < 0.1, 1000, 0)
    image[BOX][:, LETTERS] += 1200
    assert share(burned()[0].astype(float), image[0].astype(float), MASK) > LEGIBLE


def faint(part: float, ground: float = 0.0) -> np.ndarray:
    """The text with a part of its contrast, on a flat ground or on this much noise."""
    image = anatomy().astype(float)
    image[BOX] = 500 + np.random.default_rng(4).normal(0, 1, image[BOX].shape) * ground
    image[BOX][:, LETTERS] += part * 700
    return np.round(image).astype(np.uint16)


@pytest.mark.parametrize(("part", "ground", "found"), [
    (0.2, 0, "contrast, faint"), (0.01, 0, "contrast, faint"), (-0.05, 2, "contrast, faint"), (0.2, 400, ""),
])  # fmt: skip
def test_faint_text_is_legible_where_it_stands_out(part, ground, found):
    assert verdict(file(faint(part, ground))) == found


@pytest.mark.parametrize("colour", range(3))
def test_text_that_is_left_in_one_colour_is_legible(colour):
    clean, text = ((image / 4095 * 255).astype(np.uint8) for image in (anatomy(), burned()))
    written = np.repeat(clean[..., None], 3, axis=3)
    written[..., colour] = text
    assert verdict(file(written, "RGB")).startswith("contrast")


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 100), st.floats(-3000, 3000), st.integers(0, 1000))
def test_how_text_stands_out_is_the_same_at_any_contrast(slope, offset, seed):
    before = burned()[0].astype(float)
    assert apart(before, slope * before + offset, MASK) == pytest.approx(apart(before, before, MASK))
    noise = before.copy()
    noise[BOX[1:]] = np.random.default_rng(seed).normal(0, slope, (10, 40))
    assert apart(before, noise, MASK) < APART
