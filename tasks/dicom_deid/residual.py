"""Whether identifiers that were burned into pixels can still be read there, by where their glyphs lay.

The share of glyph pixels p whose contrast to their local background survives, |O(p) - bg| >= 0.25 |I(p) - bg|, with
the output's grey levels brought to the scale of what was given, so that no rescaling hides a leak and none makes one.
Those whose contrast turned around are taken off, which noise does both ways alike; an inverted text has them all. What
lies between the glyphs has its share too, where noise is more often dark than bright; that is taken off as well.

Text with less contrast is found by how it stands out from what is around it, in grey or in one colour: on a flat ground
an eye that is helped, or a program, reads what one level sets apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid import moved, ocr
from fourfold.tasks.dicom_deid.key import Mask, Planted
from fourfold.tasks.dicom_deid.palettes import coloured
from fourfold.tasks.dicom_deid.reading import File, same_samples

HIDDEN, LEGIBLE = 0.1, 0.5
"""Below the first share of glyph pixels an identifier is hidden, above the second legible; OCR decides between."""
ELSEWHERE = 0.7
"""Above this share an identifier is legible where it did not stand: there are many places to find it in by chance."""
AHEAD = 0.25
"""By how much this share must exceed that of what a perfect method would have written there: else it is anatomy."""
SURVIVES = 0.25
"""The part of its contrast that a pixel must keep to count."""
FAINT = 0.7
"""Text that stands out as much, against how it did, is legible however small its contrast is."""
APART = 0.5
"""Text that stands out less is hidden; OCR decides on what lies between."""
_SAMPLE = 4096
"""Pairs of pixels by which the scale of an output is told."""
_LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""

Grey = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pixels:
    """The images of a file: as given, as a perfect method would return them if that is known, and as written.

    masks: of identifiers.
    """

    given: File
    reference: File | None
    written: File
    masks: Sequence[Mask | None]

    @cached_property
    def pairs(self) -> list[tuple[Grey, Grey, float]]:
        """Images given and written, (frames, rows, columns) each, in as many ways as they can be seen, and the scale
        from one to the other. Empty where nothing is written that could be seen."""
        found = []
        for before, after in zip(seen(self.given), seen(self.written), strict=False):
            laid = fitted_to(after, before.shape)
            if laid is not None:
                found.append((before, laid, _scale(before, laid, self.outside(before.shape))))
        return found

    @cached_property
    def colours(self) -> list[Grey]:
        """Of an image that is written in colour, each of these by itself, (frames, rows, columns)."""
        written, shapes = self.written.pixels[0], [before.shape for before, _, _ in self.pairs[:1]]
        if written is None or written.ndim != 4 or not shapes:
            return []
        laid = [fitted_to(written[..., colour].astype(np.float64), shapes[0]) for colour in range(3)]
        return [each for each in laid if each is not None]

    @cached_property
    def looks(self) -> list[moved.Look]:
        """Those frames that were written otherwise than a perfect method would, in all ways that may show text."""
        before, perfect, after = (
            seen(file)[0] if file is not None and file.pixels[0] is not None else None
            for file in (self.given, self.reference or self.given, self.written)
        )
        if before is None or perfect is None or after is None:
            return []
        ink = min((int(mask.glyphs.sum()) for mask in self.masks if mask is not None), default=0)
        like = [min(frame, len(before) - 1) for frame in range(len(after))]
        pairs = zip(like, after, strict=True)
        return [look for at, image in pairs for look in moved.looks(before[at], perfect[at], image, ink)]

    @cached_property
    def stored_as_reference(self) -> bool:
        """Whether the bytes of the pixels are those of a perfect method's output."""
        return self.reference is not None and same_samples(self.written, self.reference)

    @cached_property
    def stored_as_given(self) -> bool:
        """Whether the bytes of the pixels are those that were given."""
        return self.written.same_pixels or same_samples(self.written, self.given)

    @property
    def other_shape(self) -> bool:
        """Whether there are pixels that cannot be laid over those given."""
        return not self.pairs and self.written.pixels[0] is not None

    def outside(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """(rows, columns) bool: what no mask covers, on any frame."""
        free = np.ones(shape[1:], bool)
        for mask in self.masks:
            if mask is not None:
                height, width = mask.glyphs.shape
                free[mask.top : mask.top + height, mask.left : mask.left + width] = False
        return free


def legible(pixels: Pixels, item: Planted) -> tuple[str, str]:
    """In what form a burned-in item can be read in the output, and a measure of it; two empty texts if it cannot."""
    if item.mask is None or pixels.stored_as_reference:
        return "", ""
    if pixels.stored_as_given:
        return "contrast", "its pixels are those that were given"
    shares = [] if _as_reference(pixels, item.mask) else _shares(pixels, item.mask)
    most = max((each for each, _ in shares), default=0.0)
    if most > LEGIBLE:
        return "contrast", f"{most:.0%} of its glyph pixels keep their contrast"
    elsewhere = _elsewhere(pixels, item.mask)
    if elsewhere:
        return "contrast, elsewhere", f"{elsewhere:.0%} of its glyph pixels keep their contrast, in another place"
    if pixels.other_shape:
        return _read_whole(pixels, item)
    for each, image in sorted(shares, key=lambda pair: -pair[0])[:4]:
        if each >= HIDDEN:
            said, text = ocr.reads(_crop(image, item.mask), item.forms)
            if said:
                return said, f"{each:.0%} of its glyph pixels keep their contrast; {text}"
    return _faintly(pixels, item) if shares else ("", "")


def _faintly(pixels: Pixels, item: Planted) -> tuple[str, str]:
    """In what form an item can be read in an image, or in one colour of it, where its contrast is small."""
    assert item.mask is not None
    for before, after, _ in [*pixels.pairs[:1], *((pixels.pairs[0][0], each, 1.0) for each in pixels.colours)]:
        frames = min(len(before), len(after))
        for frame in range(frames) if item.mask.frame < 0 else [item.mask.frame]:
            if frame < frames:
                form, text = stands(before[frame], after[frame], item)
                if form:
                    return form, text
    return "", ""


def stands(given: Grey, written: Grey, item: Planted) -> tuple[str, str]:
    """In what form an item stands out from what is around it, and how much; two empty texts if it does not.

    given, written: (rows, columns) of the same image, in whatever grey levels.
    """
    assert item.mask is not None
    now = apart(given, written, item.mask)
    if now < APART:
        return "", ""
    kept = now / (apart(given, given, item.mask) or 1.0)
    if kept >= FAINT:
        return "contrast, faint", f"it stands out {kept:.0%} as much as it did"
    form, text = ocr.reads(_levelled(written, item.mask), item.forms)
    return form, text and f"it stands out {kept:.0%} as much as it did; {text}"


def apart(given: Grey, written: Grey, mask: Mask) -> float:
    """How glyphs stand out in an image, in [0, 1]: the correlation, in the box of the mask, of what it differs there
    from its local background with how the glyphs did where they were given."""
    box = (slice(mask.top, mask.top + mask.glyphs.shape[0]), slice(mask.left, mask.left + mask.glyphs.shape[1]))
    glyphs = mask.glyphs[: given[box].shape[0], : given[box].shape[1]]
    if not glyphs.any() or np.ptp(written[box]) == 0:
        return 0.0
    ink = np.where(glyphs, given[box] - _background(given[box], glyphs), 0.0)
    there = written[box] - _background(written[box], glyphs)
    length = float(np.linalg.norm(ink) * np.linalg.norm(there))
    return abs(float((ink * there).sum())) / length if length else 0.0


def _levelled(image: Grey, mask: Mask) -> Grey:
    """The box of a mask without its local background, and a flat margin."""
    box = image[mask.top : mask.top + mask.glyphs.shape[0], mask.left : mask.left + mask.glyphs.shape[1]]
    return np.pad(box - _background(box, mask.glyphs[: box.shape[0], : box.shape[1]]), 6)


def _shares(pixels: Pixels, mask: Mask) -> list[tuple[float, Grey]]:
    """Of each frame, in each way it can be seen, what share of the glyph pixels keep their contrast, and the image."""
    return [
        (share(before[frame], after[frame], mask, scale), after[frame])
        for before, after, scale in pixels.pairs
        for frame in (range(min(len(before), len(after))) if mask.frame < 0 else [mask.frame])
        if frame < min(len(before), len(after))
    ]


def _elsewhere(pixels: Pixels, mask: Mask) -> float:
    """The share of a mask's glyph pixels that keep their contrast where they did not stand, on any frame; 0 where they
    are not found. Half of them at least must be within the image, and what a perfect method would have written there
    must not be nearly as like them: then it is anatomy."""
    if not pixels.looks:
        return 0.0
    perfect: Sequence[Grey] = []
    if pixels.reference is not None and pixels.reference.pixels[0] is not None:
        perfect = list(seen(pixels.reference)[0])
    before = seen(pixels.given)[0][max(0, mask.frame)]
    box = _crop(before, mask, 0)
    glyphs = mask.glyphs[: box.shape[0], : box.shape[1]]
    for look in pixels.looks:
        scale = float(np.ptp(look.image)) / (float(np.ptp(before)) or 1.0)
        moved_with = (mask.top + look.shift[0], mask.left + look.shift[1])
        for top, left in (*([moved_with] if any(look.shift) else ()), *moved.places(look, box, glyphs)):
            place = np.s_[max(0, top) : max(0, top + box.shape[0]), max(0, left) : max(0, left + box.shape[1])]
            there = look.image[place]
            first, second = max(0, -top), max(0, -left)  # Some of it may have been cut off.
            left_of = slice(first, first + there.shape[0]), slice(second, second + there.shape[1])
            if 2 * np.count_nonzero(glyphs[left_of]) >= np.count_nonzero(glyphs):
                found = Mask(0, 0, glyphs[left_of])
                kept = share(box[left_of], there, found, scale)
                anatomy = (frame[place] for frame in perfect if frame.shape == look.image.shape)
                like = max((share(box[left_of], each, found, scale) for each in anatomy), default=0.0)
                if kept > ELSEWHERE and kept - like >= AHEAD:
                    return kept
    return 0.0


def share(given: Grey, written: Grey, mask: Mask, scale: float = 1.0) -> float:
    """The net share of glyph pixels that keep their contrast, in [0, 1]. given, written: (rows, columns); scale: grey
    levels of ``written`` to one of ``given``."""
    box = (slice(mask.top, mask.top + mask.glyphs.shape[0]), slice(mask.left, mask.left + mask.glyphs.shape[1]))
    glyphs = mask.glyphs[: given[box].shape[0], : given[box].shape[1]]
    if not glyphs.any():
        return 0.0
    before, after = given[box], written[box]
    if np.ptp(after) == 0:
        return 0.0
    was = (before - _background(before, glyphs))[glyphs] * scale
    now = (after - _background(after, glyphs))[glyphs]
    visible = np.abs(was) > 0
    if not visible.any():
        return 0.0
    around = (after - _background(after, glyphs))[~glyphs]
    least = SURVIVES * float(np.median(np.abs(was[visible])))
    by_chance = _net(around, np.full(len(around), least)).mean() if len(around) else 0.0
    net = _net(now, SURVIVES * np.where(visible, np.abs(was), np.inf))
    shares = [(float(net[side].mean()), float(side.mean())) for side in (was > 0, was < 0) if side.any()]
    more = sum(max(0.0, abs(each) - max(0.0, by_chance * np.sign(each))) * part for each, part in shares)
    return float(more) * len(was) / float(visible.sum())


def _net(apart: npt.NDArray[np.float64], least: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """1 where something is brighter than what is around it by so much at least, -1 where darker, else 0."""
    return (apart >= least).astype(np.int64) - (apart <= -least)


def _background(image: Grey, glyphs: npt.NDArray[np.bool_]) -> Grey:
    """The mean of what surrounds each pixel and is no glyph, within the box of the text.

    Only there: what lies outside was left alone by whoever blanked the box.
    """
    from scipy.ndimage import uniform_filter

    size = 2 * max(4, round(min(glyphs.shape) / 3)) + 1
    free = (~glyphs).astype(float)
    if not free.any():
        return np.full(image.shape, np.median(image))
    weight = uniform_filter(free, size, mode="constant")
    total = uniform_filter(image * free, size, mode="constant")
    return np.where(weight > 1e-9, total / np.maximum(weight, 1e-9), (image * free).sum() / free.sum())


def seen(file: File) -> list[Grey]:
    """The images of a file as grey levels, (frames, rows, columns): as stored, and where a palette colours them, so."""
    stored, _ = file.pixels
    if stored is None:
        return []
    views = [grey(stored)]
    dataset, _ = file.parsed
    if dataset is not None and dataset.get("PhotometricInterpretation") == "PALETTE COLOR" and stored.ndim == 3:
        try:
            views.append(grey(coloured(stored, dataset)))
        except Exception:  # A palette that cannot be applied shows nothing; what is stored was looked at.
            return views
    return views if len(views) == 2 else views * 2


def grey(samples: npt.NDArray[Any]) -> Grey:
    """Samples, (frames, rows, columns) or (..., 3), as the luminance of each pixel."""
    image = samples.astype(np.float64)
    return image[..., :3] @ np.array(_LUMINANCE) if image.ndim == 4 else image


def fitted_to(image: Grey, shape: tuple[int, ...]) -> Grey | None:
    """An image, (frames, rows, columns), brought to the rows and columns of another by linear interpolation; None if
    its sides are not alike."""
    rows, columns = shape[1:]
    if image.shape[1:] == (rows, columns):
        return image
    ratio = (rows / image.shape[1], columns / image.shape[2])
    if not 0.98 < ratio[0] / ratio[1] < 1.02:
        return None
    from scipy.ndimage import zoom

    scaled = np.stack([zoom(frame, ratio, order=1, grid_mode=True, mode="nearest") for frame in image])
    return scaled if scaled.shape[1:] == (rows, columns) else None


def _scale(before: Grey, after: Grey, free: npt.NDArray[np.bool_]) -> float:
    """Grey levels of ``after`` to one of ``before``: the median slope between pixels outside of all masks (Theil 1950,
    Sen 1968), which a third of them blanked does not move; where these are flat, the ratio of the ranges."""
    rng = np.random.default_rng(0)
    frames = min(len(before), len(after))
    places = np.argwhere(free)
    if len(places):
        first, second = (places[rng.integers(0, len(places), _SAMPLE)] for _ in range(2))
        frame = rng.integers(0, frames, _SAMPLE)
        rise, run = (
            each[frame, first[:, 0], first[:, 1]] - each[frame, second[:, 0], second[:, 1]] for each in (after, before)
        )
        apart = np.abs(run) > 0.02 * np.ptp(before[:frames])
        if apart.sum() >= 64:
            slope = float(np.median(rise[apart] / run[apart]))
            if slope:
                return slope
    spread = float(np.ptp(before[:frames]))
    return float(np.ptp(after[:frames])) / spread if spread else 1.0


def _as_reference(pixels: Pixels, mask: Mask) -> bool:
    """Whether the box of the mask is that of a perfect method's output."""
    written, perfect = (file.pixels[0] if file is not None else None for file in (pixels.written, pixels.reference))
    if written is None or perfect is None or written.shape != perfect.shape:
        return written is None
    rows = slice(mask.top, mask.top + mask.glyphs.shape[0])
    columns = slice(mask.left, mask.left + mask.glyphs.shape[1])
    frames = slice(None) if mask.frame < 0 else slice(mask.frame, mask.frame + 1)
    return bool(np.array_equal(written[frames, rows, columns], perfect[frames, rows, columns]))


def _crop(image: Grey, mask: Mask, margin: int = 6) -> Grey:
    top, left = max(0, mask.top - margin), max(0, mask.left - margin)
    return image[top : mask.top + mask.glyphs.shape[0] + margin, left : mask.left + mask.glyphs.shape[1] + margin]


def _read_whole(pixels: Pixels, item: Planted) -> tuple[str, str]:
    """What OCR says of images that were cropped or turned, of which the place of a mask says nothing."""
    for image in seen(pixels.written)[0][:4]:
        said, text = ocr.reads(image, item.forms)
        if said:
            return said, f"in an image of {image.shape[0]} x {image.shape[1]} pixels; {text}"
    return "", ""
