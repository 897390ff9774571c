"""Burned-in text that stands elsewhere than it did: moved with its image or alone, mirrored, turned, cropped.

An image that moved as a whole is laid over the one given by phase correlation (Kuglin and Hines 1975); a text that
moved alone is looked for by the shape of its glyphs, by normalized cross-correlation (Lewis 1995).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ALIKE = 0.6
"""The part of the correlation of glyphs with the image that was given, from which on a place is looked at."""
PLACES = 3
"""Places that are looked at."""
_SIDE = 16
"""Rows and columns of the thumbnails by which it is told how an image was turned."""
_EDGE = 2
"""Pixels around what was rewritten that are looked at with it."""

Grey = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Look(NamedTuple):
    """An output's image as it may be looked at. image: (rows, columns), turned or not; part: what of it is rewritten.

    shift: rows and columns by which it is moved against the one given.
    """

    image: Grey
    part: tuple[slice, slice]
    shift: tuple[int, int]


def looks(given: Grey, perfect: Grey, written: Grey, ink: int) -> list[Look]:
    """An image that is not as a perfect method would have written it: as it stands and, if that is more like the one
    given, turned and mirrored.

    Empty where what was rewritten cannot hold text of ``ink`` pixels: boxes of one colour have no strokes.
    """
    part = (slice(None), slice(None)) if written.shape != perfect.shape else _rewritten(written, perfect, ink)
    if part is None:
        return []
    ways = [np.rot90(mirrored, turns) for mirrored in (written, written[:, ::-1]) for turns in range(4)]
    before = thumbnail(given)
    best = int(np.argmax([abs(float((before * thumbnail(way)).sum())) for way in ways]))
    found = [Look(written, part, shift(given, written))]
    whole = (slice(None), slice(None))
    return [*found, Look(ways[best], whole, shift(given, ways[best]))] if best else found


def _rewritten(written: Grey, perfect: Grey, ink: int) -> tuple[slice, slice] | None:
    """The box of what differs and may be text, if anything may."""
    strokes = _strokes(written, written != perfect)
    if 4 * np.count_nonzero(strokes) < ink:
        return None
    rows, columns = (np.flatnonzero(strokes.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return slice(max(0, top - _EDGE), bottom + _EDGE), slice(max(0, left - _EDGE), right + _EDGE)


def shift(given: Grey, written: Grey) -> tuple[int, int]:
    """Rows and columns by which a written image is moved against the one given, by phase correlation."""
    rows, columns = (max(sizes) for sizes in zip(given.shape, written.shape, strict=True))
    one, other = (np.fft.rfft2(image - image.mean(), (rows, columns)) for image in (given, written))
    product = other * one.conj()
    peaks = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-12), (rows, columns))
    down, right = (int(at) for at in np.unravel_index(np.argmax(np.abs(peaks)), peaks.shape))
    return down - rows * (2 * down > rows), right - columns * (2 * right > columns)


def places(look: Look, box: Grey, glyphs: Bools) -> Iterator[tuple[int, int]]:
    """Where in the rewritten part of an image glyphs may stand that stood in ``box`` (h, w): top and left of the
    likeliest PLACES that are nearly as like them as the box is."""
    image, (height, width) = look.image[look.part], glyphs.shape
    if image.shape[0] < height or image.shape[1] < width or glyphs.all():
        return
    found = np.abs(correlation(image, glyphs))
    least = ALIKE * abs(float(correlation(box, glyphs)[0, 0]))
    for _ in range(PLACES):
        top, left = (int(at) for at in np.unravel_index(np.argmax(found), found.shape))
        if not found[top, left] > least:
            return
        yield top + (look.part[0].start or 0), left + (look.part[1].start or 0)
        found[max(0, top - height // 2) : top + height // 2 + 1, max(0, left - width // 2) : left + width // 2 + 1] = 0


def correlation(image: Grey, glyphs: Bools) -> Grey:
    """Of each place in an image where glyphs (h, w) fit, the correlation with what is there: 0 where that is flat."""
    from scipy.signal import fftconvolve

    shape = glyphs - glyphs.mean()
    centred = image - image.mean()
    product = fftconvolve(centred, shape[::-1, ::-1], mode="valid")
    sums, squares = (_box_sums(each, glyphs.shape) for each in (centred, centred**2))
    spread = squares - sums**2 / glyphs.size
    there = spread > 1e-9 * max(float(squares.max()), 1e-300)
    return np.where(there, product / np.sqrt(np.where(there, spread, 1) * (shape**2).sum()), 0.0)


def _strokes(image: Grey, differs: Bools) -> Bools:
    """What differs and is not within two pixels of a flat piece of it."""
    from scipy.ndimage import binary_dilation

    flat = np.zeros_like(differs)
    inner = image[1:-1, 1:-1]
    around = (image[:-2, 1:-1], image[2:, 1:-1], image[1:-1, :-2], image[1:-1, 2:])
    flat[1:-1, 1:-1] = np.logical_and.reduce([inner == each for each in around])
    return differs & ~binary_dilation(flat & differs, iterations=2)


def _box_sums(image: Grey, size: tuple[int, ...]) -> Grey:
    """Sums over each box of a size that lies within an image."""
    total = np.pad(image, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    height, width = size
    rows = total[height:] - total[:-height]
    return np.asarray(rows[:, width:] - rows[:, :-width])


def thumbnail(image: Grey) -> Grey:
    """Means of blocks, with mean 0 and length 1."""
    rows, columns = (np.arange(_SIDE) * size // _SIDE for size in image.shape)
    small = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    small = small - small.mean()
    return np.asarray(small / (np.linalg.norm(small) or 1.0))
