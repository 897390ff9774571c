"""Text that was burned in is found in whatever other picture a method leaves it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import Dataset as Item


def image(data: bytes) -> np.ndarray:
    return dcmread(BytesIO(data)).pixel_array


def icon(dataset: Dataset, picture: np.ndarray) -> None:
    item = Item()
    item.Rows, item.Columns, item.SamplesPerPixel = *picture.shape, 1
    item.PhotometricInterpretation, item.PixelRepresentation = "MONOCHROME2", 0
    item.BitsAllocated = item.BitsStored = 16
    item.HighBit = 15
    item.add_new(0x7FE00010, "OW", picture.tobytes())
    dataset.IconImageSequence = [item]


def blob(dataset: Dataset, value: bytes) -> None:
    dataset.private_block(0x29, "THUMB", create=True).add_new(1, "OB", value + b"\0" * (len(value) % 2))


def png(picture: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray((picture / picture.max() * 255).astype(np.uint8)).save(out, "png")
    return out.getvalue()


def as_floats(dataset: Dataset, picture: np.ndarray) -> None:
    dataset.add_new(0x7FE00008, "OF", picture.astype("<f4").tobytes())


def a_frame_more(dataset: Dataset, picture: np.ndarray) -> None:
    dataset.NumberOfFrames, dataset.PixelData = 2, dataset.PixelData + picture.tobytes()


def unused_bits(dataset: Dataset, picture: np.ndarray) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 11
    clean = np.frombuffer(dataset.PixelData, "<u2").reshape(picture.shape)
    dataset.PixelData = (clean | (picture // 64).astype("<u2") << 12).tobytes()


def plane(dataset: Dataset, picture: np.ndarray) -> None:
    for element, vr, value in ((0x10, "US", 48), (0x11, "US", 64), (0x40, "CS", "G"), (0x50, "SS", [1, 1])):
        dataset.add_new(0x60020000 | element, vr, value)
    packed = np.packbits((picture > 600).ravel(), bitorder="little").tobytes()
    dataset.add_new(0x60023000, "OW", packed)


HIDING = {
    "as an icon": icon,
    "as floating-point pixels": as_floats,
    "as a further frame": a_frame_more,
    "behind the samples": lambda dataset, picture: setattr(
        dataset, "PixelData", dataset.PixelData + bytes(500) + picture.tobytes()
    ),
    "in unused bits": unused_bits,
    "as an overlay": plane,
    "in a private blob": lambda dataset, picture: blob(dataset, picture.tobytes()),
    "in a blob, behind a header": lambda dataset, picture: blob(dataset, b"header" * 9 + picture.tobytes()),
    "in a blob, in eight bits": lambda dataset, picture: blob(dataset, (picture // 4).astype(np.uint8).tobytes()),
    "in a blob, as PNG": lambda dataset, picture: blob(dataset, png(picture)),
}


@pytest.mark.parametrize("how", HIDING)
def test_text_is_found_in_another_picture_of_the_file(studies, changed, how):
    given, clean = studies.given(0), studies.reference(0)
    result = studies.found(studies.clean(0, changed(clean, lambda dataset: HIDING[how](dataset, image(given)))))
    assert {(item.patient, item.locus) for item in studies.leaked(result)} == {(0, "pixels")}
    result = studies.found(studies.clean(0, changed(clean, lambda dataset: HIDING[how](dataset, image(clean)))))
    assert not result.leaked.any()


def test_pixels_in_another_patients_file_or_in_one_more_are_found(studies, changed):
    def take(dataset: Dataset) -> None:
        dataset.PixelData = studies.corpus.given[studies.path(1)][-2 * 48 * 64 :]

    other = changed(studies.reference(0), take)
    assert dcmread(BytesIO(other)).PixelData == dcmread(BytesIO(studies.given(1))).PixelData
    for result in (
        studies.found(studies.clean(0, other)),
        studies.found(studies.clean(), extra=(("more.dcm", other),)),
        studies.found(studies.clean(), extra=(("more.png", png(image(studies.given(1)))),)),
    ):
        assert {(item.patient, item.locus) for item in studies.leaked(result)} == {(1, "pixels")}
    result = studies.found(studies.clean(), extra=(("more.png", png(image(studies.reference(1)))),))
    assert not result.leaked.any()
