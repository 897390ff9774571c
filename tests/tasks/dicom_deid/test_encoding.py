"""What is written in each style is read back as it was."""

from io import BytesIO
from itertools import product

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from fourfold.tasks.dicom_deid.bases import Base
from fourfold.tasks.dicom_deid.burning import burn
from fourfold.tasks.dicom_deid.encoding import BLOCK, Style, encode, style_of
from fourfold.tasks.dicom_deid.phantoms import MODALITIES, phantom
from fourfold.tasks.dicom_deid.reading import File

DEPTHS = ((8, False), (10, False), (12, False), (12, True), (16, False), (16, True))
GREY = [
    Style(syntax, photometric, *depth)
    for syntax, photometric, depth in product(("native", "rle", "jpeg2000"), ("MONOCHROME1", "MONOCHROME2"), DEPTHS)
]
PALETTE = [Style(syntax, "PALETTE COLOR") for syntax in ("native", "rle", "jpeg2000")]
COLOUR = [Style("native", "RGB"), Style("native", "RGB", planar=1), Style("rle", "RGB"), Style("jpeg2000", "RGB")]
SHARED = [Style("native", "YBR_FULL"), Style("native", "YBR_FULL", planar=1), Style("native", "YBR_FULL_422")]
LOSSY = [Style("jpeg", "MONOCHROME2"), Style("jpeg", "YBR_FULL"), Style("jpeg", "YBR_FULL_422")]


def written(pixels, style) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "2.25.1"
    encode(dataset, pixels, style)
    assert dataset.SOPInstanceUID == "2.25.1"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def decoded(pixels, style) -> np.ndarray:
    found, why = File("x.dcm", written(pixels, style)).pixels
    assert found is not None, why
    return found.astype(np.int32)


def samples(style, frames=2, rows=34, columns=46):
    """Values over all of a style's range, both ends among them."""
    half = 1 << (style.bits - 1)
    low, high = (-half, half) if style.signed else (0, 2 * half)
    colours = (3,) if style.photometric in ("RGB", "YBR_FULL", "YBR_FULL_422") else ()
    found = np.random.default_rng(4).integers(low, high, (frames, rows, columns, *colours)).astype(np.int32)
    found[0, 0, 0], found[0, 0, 1] = low, high - 1
    return found


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("style", [*GREY, *PALETTE, *COLOUR], ids=str)
def test_exact_styles_give_back_what_was_written(style, frames):
    pixels = samples(style, frames)
    assert style.exact
    assert np.array_equal(decoded(pixels, style), pixels)


@pytest.mark.parametrize("style", [*GREY[:1], *PALETTE[:1], *COLOUR], ids=str)
def test_odd_sizes_survive(style):
    pixels = samples(style, 1, 33, 35)
    assert np.array_equal(decoded(pixels, style), pixels)


@pytest.mark.parametrize(("style", "most"), [*((style, 2) for style in SHARED[:2]), (SHARED[2], 6),
                                             *((style, 40) for style in LOSSY)], ids=str)
def test_other_styles_differ_slightly(style, most):
    rng = np.random.default_rng(3)
    base = next(base for base in (phantom(rng, "SC") for _ in range(99))
                if (base.photometric == "RGB") == style.photometric.startswith("YBR"))
    burned = burn(base, [("name", "Doe, Jane")], rng)
    found = decoded(burned.given, style)
    assert not style.exact
    error = np.abs(found - burned.given)
    assert error.mean() < 2.5
    assert np.quantile(error, 0.999) <= most


@pytest.mark.parametrize("style", [*SHARED, *LOSSY], ids=str)
def test_away_from_the_glyphs_given_and_reference_decode_alike(style):
    rng = np.random.default_rng(12)
    coloured = style.photometric.startswith("YBR")
    base = next(base for base in (phantom(rng, "US") for _ in range(99)) if (base.photometric == "RGB") == coloured)
    burned = burn(base, [("name", "Doe, Jane"), ("mrn", "0047112233")], rng)
    one, other = decoded(burned.given, style), decoded(burned.reference, style)
    side = BLOCK if style.syntax == "jpeg" else 2
    touched = np.zeros(one.shape[:3], dtype=bool)
    for mark in burned.identity:
        frames = slice(None) if mark.mask.frame < 0 else slice(mark.mask.frame, mark.mask.frame + 1)
        for row, column in np.argwhere(mark.mask.glyphs):
            top, left = ((at + shift) // side * side for at, shift in ((row, mark.mask.top), (column, mark.mask.left)))
            touched[frames, top:top + side, left:left + side] = True
    differs = one != other
    assert not (differs.any(axis=-1) if differs.ndim == 4 else differs)[~touched].any()
    assert differs.any()


def test_elements_say_how_the_pixels_are_stored():
    parsed = dcmread(BytesIO(written(samples(Style(bits=12, signed=True)), Style(bits=12, signed=True))))
    assert (parsed.Rows, parsed.Columns, parsed.NumberOfFrames) == (34, 46, 2)
    assert (parsed.BitsAllocated, parsed.BitsStored, parsed.HighBit, parsed.PixelRepresentation) == (16, 12, 11, 1)
    assert parsed.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
    coloured = dcmread(BytesIO(written(samples(COLOUR[3]), COLOUR[3])))
    assert (coloured.PhotometricInterpretation, coloured.SamplesPerPixel) == ("YBR_RCT", 3)
    assert coloured.file_meta.TransferSyntaxUID.name == "JPEG 2000 Image Compression (Lossless Only)"
    lossy = dcmread(BytesIO(written(samples(LOSSY[0]), LOSSY[0])))
    assert (lossy.LossyImageCompression, lossy.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(lossy.LossyImageCompressionRatio) == pytest.approx(2 * 34 * 46 / len(lossy.PixelData), rel=0.05)


def test_a_palette_is_whole_and_rises():
    from pydicom.pixels import apply_color_lut

    parsed = dcmread(BytesIO(written(samples(PALETTE[0], 1), PALETTE[0])))
    shown = apply_color_lut(np.arange(256, dtype=np.uint8).reshape(1, 256), parsed)[0].astype(int)
    assert shown.shape == (256, 3)
    assert (np.diff(shown.sum(axis=1)) > 0).all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_style_that_is_chosen_fits_its_image(modality):
    chosen = set()
    for seed in range(12):
        rng = np.random.default_rng([seed, 6])
        base = phantom(rng, modality)
        style = style_of(base, rng)
        chosen.add(style)
        found = decoded(base.pixels, style)
        assert np.array_equal(found, base.pixels) if style.exact else np.abs(found - base.pixels).mean() < 5
    assert len(chosen) > 2


def test_styles_are_drawn_alike_for_equal_generators_and_are_many():
    base = Base("US", np.zeros((1, 32, 32, 3), np.int32), 8, photometric="RGB")
    styles = [style_of(base, np.random.default_rng(seed)) for seed in range(80)]
    assert styles == [style_of(base, np.random.default_rng(seed)) for seed in range(80)]
    assert {style.syntax for style in styles} == {"native", "rle", "jpeg2000", "jpeg"}
    assert {style.photometric for style in styles} == {"RGB", "YBR_FULL", "YBR_FULL_422"}


@pytest.mark.parametrize(("pixels", "style", "why"), [
    (np.full((1, 4, 4), 256), Style(), "do not fit"),
    (np.full((1, 4, 4), -1), Style(bits=12), "do not fit"),
    (np.zeros((1, 4, 4)), Style(photometric="RGB"), "are none of RGB"),
    (np.zeros((1, 4, 4, 3)), Style(), "are none of MONOCHROME2"),
    (np.zeros((1, 4, 4)), Style("jpeg", bits=12), "take jpeg2000"),
    (np.zeros((1, 4, 5, 3)), Style(photometric="YBR_FULL_422"), "even number of columns"),
])
def test_what_a_style_cannot_hold_is_refused(pixels, style, why):
    with pytest.raises(ValueError, match=why):
        encode(Dataset(), pixels.astype(np.int32), style)
