"""Burned-in text goes and markings stay: upright and turned, on one frame of a loop, faint, and in overlay planes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.baselines.dicom_deid.identity import Identity
from fourfold.baselines.dicom_deid.scrubber import Scrubber

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: pip install fourfold[dicom]")
pytest.importorskip("rapidocr_onnxruntime", reason="rapidocr is not installed: pip install fourfold[dicom]")
redaction = pytest.importorskip("fourfold.baselines.dicom_deid.redaction")
planes = pytest.importorskip("fourfold.baselines.dicom_deid.planes")
text_boxes = pytest.importorskip("fourfold.baselines.dicom_deid.text_boxes")

SHAPE = (200, 240)


@pytest.fixture(scope="module")
def reader():
    return text_boxes.Reader(1)


@pytest.fixture
def scrubber():
    known = Identity()
    known.add_name("Mendez^Ira")
    return Scrubber(known, -100, lambda uid: "2.25.7")


def ink(text: str, at: tuple[int, int], turned: bool = False, size: int = 14) -> np.ndarray:
    """Where a text's strokes are, read from left to right or upwards."""
    picture = Image.new("L", SHAPE if turned else SHAPE[::-1])
    canvas = ImageDraw.Draw(picture)
    canvas.fontmode = "1"
    canvas.text(at, text, fill=255, font=ImageFont.load_default(size))
    strokes = np.asarray(picture) > 0
    return np.rot90(strokes) if turned else strokes


def ground(frames: int = 1) -> np.ndarray:
    """Frames as bright as anatomy is at one side and dark at the other, with grain."""
    slope = np.linspace(30, 160, SHAPE[1])[None, None, :]
    return (slope + np.random.default_rng(0).normal(0, 3, (frames, *SHAPE))).clip(0, 255).astype(np.uint8)


def scan(frames: np.ndarray) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta)
    dataset.set_original_encoding(False, True)
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = *SHAPE, len(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = frames.tobytes()
    return dataset


def after(dataset: FileDataset) -> np.ndarray:
    return np.frombuffer(dataset.PixelData, np.uint8).reshape(-1, *SHAPE)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("faint", [False, True])
def test_an_identity_goes_and_a_marking_stays(turned, faint, reader, scrubber):
    frames = ground()
    who, side = ink("MENDEZ IRA 5230599288", (20, 40), turned), ink("kVp 120", (160, 170))
    frames[0][who] = np.where(faint, frames[0][who] + 45, 255)
    frames[0][side] = 255
    dataset = scan(frames)
    assert redaction.redact(dataset, reader, scrubber)
    seen = after(dataset)[0]
    assert (seen[side] == 255).all()
    apart = np.abs(seen[who].astype(int) - ground()[0][who])
    assert np.median(apart) < 15


def test_what_one_frame_says_goes_from_all(reader, scrubber):
    frames = ground(3)
    who = ink("MENDEZ IRA", (20, 40))
    frames[1][who] = 255
    frames[2][who] = np.minimum(frames[2][who] + 12, 255)  # Too faint to be seen.
    dataset = scan(frames)
    assert redaction.redact(dataset, reader, scrubber)
    apart = np.abs(after(dataset)[2][who].astype(int) - ground(3)[2][who])
    assert not np.array_equal(after(dataset)[2][who], frames[2][who])
    assert np.median(apart) < 12


def speckled(frames: int, by: float = 60) -> np.ndarray:
    """Frames of ultrasound: its speckle is multiplicative, longer across the beam, and another on each frame."""
    noise = np.random.default_rng(0).rayleigh(by, (frames, *SHAPE))
    return ((noise + np.roll(noise, 1, axis=2)) / 2).clip(0, 200).astype(np.uint8)


def test_what_grain_hides_on_each_frame_of_a_loop_is_seen_where_it_stands_still(reader, scrubber):
    frames = speckled(8)
    who = ink("MENDEZ IRA", (60, 80))
    frames[:, who] += 30
    assert not redaction.redact(scan(frames[:1]), reader, scrubber)  # One frame alone shows nothing.
    dataset = scan(frames)
    assert redaction.redact(dataset, reader, scrubber)
    clean = speckled(8)[:, who].mean()
    assert after(dataset)[:, who].mean() - clean < 0.3 * (frames[:, who].mean() - clean)


def test_what_grain_hides_on_one_frame_is_seen_closer(reader, scrubber):
    frames = speckled(1, 40)
    who = ink("MENDEZ IRA 5230599288", (30, 80), size=12)
    frames[:, who] += 40
    dataset = scan(frames)
    assert redaction.redact(dataset, reader, scrubber)
    clean = speckled(1, 40)[:, who].mean()
    assert after(dataset)[:, who].mean() - clean < 0.3 * (frames[:, who].mean() - clean)


def test_grain_is_told_from_an_image_that_is_smooth_or_black():
    smooth, black = (np.repeat(each[..., None], 3, 3) for each in (ground(1), np.zeros((1, *SHAPE), np.uint8)))
    assert text_boxes.grain(black[0]) == 0
    assert 0 < text_boxes.grain(smooth[0]) < text_boxes.GRAINY
    assert text_boxes.grain(np.repeat(speckled(1)[0][..., None], 3, 2)) > text_boxes.GRAINY


def test_an_image_with_grain_gets_one_look_more(reader):
    smooth, grainy = (np.repeat(each[0][..., None], 3, 2) for each in (ground(1), speckled(1)))
    assert len(reader.looks(smooth)) == 3
    looks = reader.looks(grainy)
    assert len(looks) == 4
    assert all(each.shape == SHAPE and each.min() >= 0 and each.max() <= 1 for each in looks)


def test_what_is_white_on_coloured_flow_is_seen_without_the_colours(reader):
    rng = np.random.default_rng(0)
    flow = cv2.GaussianBlur(rng.random(SHAPE), (0, 0), 4)
    image = np.repeat(ground()[0][..., None], 3, 2) // 2
    image[flow > 0.5] = (230, 120, 0)
    who = ink("MENDEZ IRA", (60, 80))
    plain = [look[who].mean() for look in reader.looks(image)]
    image[who] = np.minimum(image[who].astype(int) + 70, 255)
    as_it_is, _, levelled, pale, _ = (look[who].mean() for look in reader.looks(image))
    assert min(levelled, pale) > redaction.SEEN > max(as_it_is, *plain[2:])


def test_grey_on_grey_and_on_flow_is_seen_where_flow_is_as_grey_as_what_is_around(reader):
    rng = np.random.default_rng(1)
    flow = cv2.GaussianBlur(rng.random(SHAPE), (0, 0), 3) > 0.5
    image = np.repeat(np.clip(60 + rng.normal(0, 6, SHAPE), 0, 255).astype(np.uint8)[..., None], 3, 2)
    image[flow] = (250, 200, 0)
    who = ink("MENDEZ IRA", (60, 80))
    image[who] = 80
    *before, grey = (look[who].mean() for look in reader.looks(image))
    assert grey > redaction.SEEN > max(before)
    bare = text_boxes.uncoloured(image)
    assert np.ptp(bare, axis=2).max() == 0
    assert (bare[~flow | who] == image[~flow | who]).all()
    assert abs(bare[flow & ~who].astype(int) - 60).max() < 40


def test_the_signs_beside_an_identity_go_with_it(reader, scrubber):
    frames = ground()
    who, sign = ink("MENDEZ IRA 5230599288", (20, 40)), np.zeros(SHAPE, bool)
    sign[41:52, 8:17] = sign[57:62, 30:38] = True
    sign[43:50, 10:15] = False
    frames[0][who | sign] = 255
    dataset = scan(frames)
    redaction.redact(dataset, reader, scrubber)
    assert not (after(dataset)[0][sign] == 255).any()


def test_a_plane_loses_its_text_and_keeps_its_outline(reader, scrubber):
    plane = np.zeros(SHAPE, np.uint8)
    plane[100, 60:120] = plane[140, 60:120] = plane[100:141, 60] = plane[100:141, 120] = 1
    outline = plane.copy()
    plane[ink("MENDEZ IRA", (20, 10))] = 1
    dataset = scan(ground())
    dataset.add_new(0x60000010, "US", SHAPE[0])
    dataset.add_new(0x60000011, "US", SHAPE[1])
    dataset.add_new(0x60003000, "OW", np.packbits(plane.reshape(-1), bitorder="little").tobytes())
    planes.redact_planes(dataset, reader, scrubber)
    left = np.unpackbits(np.frombuffer(dataset[0x60003000].value, np.uint8), bitorder="little")
    assert np.array_equal(left.reshape(SHAPE), outline)


def test_a_plane_that_is_shorter_than_it_says_goes_whole(reader, scrubber):
    dataset = scan(ground())
    dataset.add_new(0x60000010, "US", 65535)
    dataset.add_new(0x60000011, "US", 65535)
    dataset.add_new(0x60003000, "OW", bytes(100))
    planes.redact_planes(dataset, reader, scrubber)
    assert 0x60003000 not in dataset


def test_a_scale_is_one_and_a_word_that_hangs_from_a_line_is_none():
    strokes = pytest.importorskip("fourfold.baselines.dicom_deid.strokes")
    scale, word = np.zeros((60, 7), bool), np.zeros((10, 40), bool)
    scale[:, -1] = scale[::10] = True
    word[2] = True
    for at, deep in ((3, 6), (11, 3), (19, 7), (27, 5), (35, 4)):
        word[2 : 2 + deep, at : at + 2] = True
    assert strokes.is_ruler(strokes.Line((0, 0, 60, 7), scale, turned=False, glyphs=0))
    assert not strokes.is_ruler(strokes.Line((0, 0, 10, 40), word, turned=False, glyphs=5))


def test_text_on_one_frame_is_read_in_what_this_differs_by_from_the_others(reader):
    still = np.random.default_rng(1).integers(20, 180, SHAPE)
    still[np.random.default_rng(2).permutation(SHAPE[0])[:60]] = 200  # What stands still on all frames hides it.
    frames, who = np.repeat(still[None].astype(np.uint8), 5, axis=0), ink("MENDEZ IRA", (20, 40))
    frames[3][who] += 40
    shown = np.repeat(frames[..., None], 3, axis=3)
    assert redaction.on_some(shown, reader)[who].mean() > 0.95
    assert not redaction.on_some(shown[:3], reader).any()


def test_a_closer_look_sees_what_is_too_small_for_a_look_at_the_whole(reader):
    image = np.full((1600, 1600, 3), 60, np.uint8)
    image[800:815, 800:900][ink("MENDEZ IRA", (0, 0))[:15, :100]] = 110
    image = cv2.resize(image, (900, 900), interpolation=cv2.INTER_AREA)
    here = np.s_[450:459, 450:506]
    seen = reader.closer(image, [((380, 320, 530, 640), False)])
    assert max(look[here].max() for look in reader.looks(image)) < 0.3 < seen[here].max()
    assert not seen[:380].any()
