"""What a method did to the pixels that nobody asked it to touch, compared after decoding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.encoding import BLOCK
from fourfold.tasks.dicom_deid.key import Mask
from fourfold.tasks.dicom_deid.palettes import coloured
from fourfold.tasks.dicom_deid.reading import File, once
from fourfold.tasks.dicom_deid.values import Index, first, same

MARGIN = 3
"""Pixels around a glyph that a method may change with it."""
MOST_DB = 100.0
"""The PSNR of what is equal, in dB: more than any image of 16 bits has that is not."""
VISIBLE = 0.5
"""Share of its contrast, against what is around it, that a glyph must keep to count as kept."""
MEANS = (
    *("(0008,0060)", "(0018,1164)", "(0020,0020)", "(0020,0032)", "(0020,0037)", "(0020,0060)", "(0020,0062)"),
    *("(0028,0030)", "(0028,0034)", "(0028,1052)", "(0028,1053)", "(2050,0020)"),
)
"""The elements that say what samples mean and where in the patient they lie, of which PS3.15, table E.1-1 takes none
out: modality, spacing, orientation, position, side, rescaling and the sense of the greys (PS3.3, C.7.6, C.11.1)."""
_UNSAID = {"(0028,0034)": "1\\1", "(0028,1052)": "0", "(0028,1053)": "1", "(2050,0020)": "IDENTITY"}
"""What those mean that are not there."""
_GREYS = "(0028,0004)"
_WINDOW = 7

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """One instance outside the masks. equal: 1 if every sample is. changed: share of pixels that are not.

    psnr: dB of the given image's range, at most MOST_DB; ssim: in [-1, 1]. All nan where there was nothing to compare.
    """

    equal: float
    changed: float
    psnr: float
    ssim: float


NOTHING = Compared(np.nan, np.nan, np.nan, np.nan)
LOST = Compared(0.0, 1.0, 0.0, 0.0)
SAME = Compared(1.0, 0.0, MOST_DB, 1.0)


def compared(given: File, written: File | None, masks: Sequence[Mask]) -> Compared:
    """Compare the samples of an output with the given ones outside the glyphs of ``masks`` and a margin around them.

    Missing, undecodable or of another size, all is lost. What was given undecodable must have the same bytes.
    """
    before, _ = given.pixels
    if before is not None and written is not None and written.given is given and written.same_pixels:
        return SAME
    if before is None:
        return NOTHING if stored(given) is None else SAME if _same_bytes(given, written) else LOST
    after = decoded(given, written)
    if after is None:
        return LOST
    if np.array_equal(before, after):
        return SAME
    inside = _blocks(covered(before.shape[:3], masks)) if _lossy(given) else covered(before.shape[:3], masks)
    differs = before != after
    changed = (differs.any(axis=3) if before.ndim == 4 else differs) & ~inside
    if not changed.any():
        return SAME
    return Compared(0.0, float(changed.sum() / max((~inside).sum(), 1)), *_likeness(before, after, inside, changed))


def means_the_same(given: Index, written: Index) -> bool:
    """Whether samples that are equal show the same: all that a given file says in MEANS is still said, nothing else is,
    and greys are not turned into their negative or into colours."""
    now, was = first(written, _GREYS), first(given, _GREYS)
    if now != was and was.startswith("MONOCHROME"):
        return False
    pairs = [(place, first(given, place), first(written, place)) for place in MEANS]
    return all(same(said, other) if said else not other or same(other, _UNSAID.get(place, ""))
               for place, said, other in pairs)


def colours_kept(given: File, written: File | None) -> bool:
    """Whether a palette shows samples in the colours that it did; True where none was given."""
    before = _palette(given)
    after = _palette(written) if written is not None else None
    return before is None or (after is not None and np.array_equal(before, after))


@once
def _palette(file: File) -> npt.NDArray[Any] | None:
    """The colours (entries, 3) of a file of PALETTE COLOR, one for each value of its samples; else None."""
    found, _ = file.parsed
    if found is None or found.get("PhotometricInterpretation") != "PALETTE COLOR":
        return None
    try:
        entries, lowest, _ = found.RedPaletteColorLookupTableDescriptor
        return coloured(lowest + np.arange(entries or 1 << 16), found)
    except Exception:  # One that cannot be applied shows no colour.
        return None


def decoded(given: File, written: File | None) -> npt.NDArray[Any] | None:
    """The samples of an output, if they can be decoded and have the size of the given ones, which have been."""
    before, _ = given.pixels
    if written is not None and written.given is given and written.same_pixels:
        return before
    if written is None or before is None or _size(written) != before.shape[:3]:
        return None  # Told by the header alone, so that no bomb is decoded to learn that it is too large.
    after, _ = written.pixels
    return after if after is not None and after.shape == before.shape else None


def distractors_kept(given: File, written: File | None, masks: Sequence[Mask]) -> Floats:
    """Whether each mask's glyphs (masks,) are still seen, 1 or 0: equal, or with VISIBLE of their contrast.

    Contrast is between the mean of the glyphs and of what is within 2 pixels of them, in units of the frame's spread.
    """
    before, after = given.pixels[0], decoded(given, written)
    if before is None or after is None:
        return np.full(len(masks), float(before is None and _same_bytes(given, written)))
    if before is after:
        return np.ones(len(masks))
    return np.array([_seen(before, after, mask) for mask in masks], dtype=np.float64)


def covered(shape: tuple[int, ...], masks: Sequence[Mask], margin: int = MARGIN) -> npt.NDArray[np.bool_]:
    """Where (frames, rows, columns) glyphs lie or are within ``margin`` pixels, along rows, columns and diagonals."""
    from scipy.ndimage import maximum_filter

    inside = np.zeros(shape, dtype=bool)
    _, rows, columns = shape
    for mask in masks:
        wide = maximum_filter(np.pad(mask.glyphs, margin).astype(np.uint8), size=2 * margin + 1).astype(bool)
        top, left = mask.top - margin, mask.left - margin
        low, high = max(top, 0), min(top + wide.shape[0], rows)
        near, far = max(left, 0), min(left + wide.shape[1], columns)
        if low < high and near < far:
            frames = slice(None) if mask.frame < 0 else slice(mask.frame, mask.frame + 1)
            inside[frames, low:high, near:far] |= wide[low - top : high - top, near - left : far - left]
    return inside


def ring(glyphs: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What is within 2 pixels of glyphs and in their box (h, w), without them."""
    return covered((1, *glyphs.shape), [Mask(0, 0, glyphs)], 2)[0] & ~glyphs


def contrast(image: Floats, glyphs: npt.NDArray[np.bool_], around: npt.NDArray[np.bool_]) -> float:
    """Mean of an image (h, w) on the glyphs less that around them, 0 where the one or other is empty."""
    if image.shape != glyphs.shape or not glyphs.any() or not around.any():
        return 0.0
    return float(image[glyphs].mean() - image[around].mean())


def stored(file: File) -> bytes | None:
    """The bytes of the pixels as they stand in the file; None where it has none."""
    found, _ = file.parsed
    try:
        return None if found is None or "PixelData" not in found else bytes(found.PixelData)
    except Exception:
        return b""


def boxes(pixels: npt.NDArray[Any], mask: Mask) -> Iterator[npt.NDArray[Any]]:
    """The box of a mask on each frame that it lies on, of pixels (frames, rows, columns[, 3])."""
    rows, columns = (slice(at, at + size) for at, size in zip((mask.top, mask.left), mask.glyphs.shape, strict=True))
    for frame in range(len(pixels)) if mask.frame < 0 else (mask.frame,):
        yield pixels[frame, rows, columns]


def grey(frame: npt.NDArray[Any]) -> Floats:
    """The samples of a frame (rows, columns[, 3]), the mean of their colours where it has any."""
    wide = np.asarray(frame, dtype=np.float64)
    return wide.mean(axis=2) if wide.ndim == 3 else wide


def ssim(before: Floats, after: Floats, span: float) -> Floats:
    """Structural similarity of two images at each pixel, in [-1, 1]; span: the largest difference of two samples.

    Wang, Bovik, Sheikh, Simoncelli (2004), equation 13, with means over 7 x 7 pixels in place of Gaussian ones and
    sample covariances, as scikit-image has it.
    """
    from scipy.ndimage import uniform_filter

    def mean(image: Floats) -> Floats:
        return uniform_filter(image, _WINDOW, output=np.float64)

    unbiased = _WINDOW**2 / (_WINDOW**2 - 1)
    x, y = mean(before), mean(after)
    xx, yy = (unbiased * (mean(image * image) - m * m) for image, m in ((before, x), (after, y)))
    xy = unbiased * (mean(before * after) - x * y)
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    return ((2 * x * y + c1) * (2 * xy + c2)) / ((x * x + y * y + c1) * (xx + yy + c2))


def _lossy(file: File) -> bool:
    """Whether a file's pixels are JPEG with loss, where a glyph has left its traces in all of its blocks."""
    found, _ = file.parsed
    syntax = getattr(getattr(found, "file_meta", None), "TransferSyntaxUID", "")
    return str(syntax) in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")


def _blocks(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask (frames, rows, columns) widened to whole blocks of BLOCK pixels, and one more for interpolated colour."""
    from scipy.ndimage import maximum_filter

    frames, rows, columns = inside.shape
    down, across = -(-rows // BLOCK), -(-columns // BLOCK)
    wide = np.zeros((frames, down * BLOCK, across * BLOCK), dtype=bool)
    wide[:, :rows, :columns] = inside
    touched = wide.reshape(frames, down, BLOCK, across, BLOCK).any(axis=(2, 4))
    whole = touched.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)[:, :rows, :columns]
    return maximum_filter(whole.astype(np.uint8), size=(1, 3, 3)).astype(bool)


def _likeness(
    before: npt.NDArray[Any], after: npt.NDArray[Any], inside: npt.NDArray[np.bool_], changed: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """PSNR and mean SSIM over the pixels outside, from the frames that changed: the others are as they were."""
    span = float(before.max()) - float(before.min()) or 1.0
    square, likeness = 0.0, 0.0
    for frame in range(len(before)):
        outside = ~inside[frame]
        if not changed[frame].any():
            likeness += float(outside.sum())
            continue
        one, other = (grey(image[frame]) for image in (before, after))
        other = np.where(outside, other, one)
        apart = np.asarray(before[frame], float) - after[frame]
        apart = (apart**2).mean(axis=2) if apart.ndim == 3 else apart**2
        square += float(apart[outside].sum())
        likeness += float(ssim(one, other, span)[outside].sum())
    n = max(int((~inside).sum()), 1)
    psnr = 10 * np.log10(span**2 * n / square) if square else MOST_DB
    return float(np.clip(psnr, 0, MOST_DB)), likeness / n


def _seen(before: npt.NDArray[Any], after: npt.NDArray[Any], mask: Mask) -> bool:
    """Whether the glyphs of a mask are seen on each frame that they lie on, see ``distractors_kept``."""
    around: npt.NDArray[np.bool_] | None = None
    frames = range(len(before)) if mask.frame < 0 else (mask.frame,)
    for frame, one, other in zip(frames, boxes(before, mask), boxes(after, mask), strict=True):
        if np.array_equal(one, other):
            continue
        around = ring(mask.glyphs) if around is None else around
        was, now = (abs(contrast(grey(patch), mask.glyphs, around)) for patch in (one, other))
        spread, spread_now = float(np.std(before[frame])), float(np.std(after[frame]))
        if not was or not spread_now or now * spread < VISIBLE * was * spread_now:
            return False
    return True


def _size(file: File) -> tuple[int, ...]:
    found, _ = file.parsed
    try:
        return tuple(int(found.get(name) or 1) for name in ("NumberOfFrames", "Rows", "Columns")) if found else ()
    except Exception:
        return ()


def _same_bytes(given: File, written: File | None) -> bool:
    return written is not None and stored(written) == stored(given)
