"""Where text stands in an image, and what it says, by RapidOCR's models, which come with the package."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.baselines.dicom_deid.samples import Image
from fourfold.baselines.dicom_deid.strokes import Box

Quad = npt.NDArray[np.float32]
"""The corners of a text, (4, 2) as (column, row), clockwise from where it begins."""
Probability = npt.NDArray[np.float32]
REMEMBERED = 2000
"""Lines whose reading is kept: those of a series say the same."""
AROUND, WIDER = 21, 61
"""Pixels of the windows whose median is taken off an image that is levelled, and by whose noise it is divided."""
LEVELS, LEAST, MOST = 25, 2, 60
"""Grey levels that a levelled image has for its noise, and what this is at least and at most taken for."""
LARGE, LARGER, LARGEST, STEP = 300_000, 500_000, 1_500_000, 32
"""Pixels to which an image is brought for the detector, for it to see what is small and faint, and to which a part of
one is where it looks closer; by what the sides must be divisible."""
COLOURED, NEAR = 30, 31
"""Levels, of 255, by which the brightest and the darkest part of a colour differ; and pixels of the window whose mean
grey stands in for it."""
GRAINY, DARK = 7.5, 16
"""Grey levels, of 255: by which half of the pixels differ from the median of their neighbours where there is speckle or
grain; and up to which they are taken for black."""


class Reader:
    """One engine. threads: the cores it may use."""

    def __init__(self, threads: int) -> None:
        from rapidocr_onnxruntime import RapidOCR

        self._engine: Any = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
        self._said: dict[Any, tuple[str, float]] = {}

    def looks(self, image: Image, most: float = 6) -> list[Probability]:
        """How probable it is that text stands at each pixel of an image (rows, columns, 3), enlarged by ``most`` at
        most, by three looks at it, or up to six.

        As it is; turned, as what runs upwards is not seen as text otherwise; levelled, as what is faint on bright
        anatomy is not; one of colours also without them, as flow has them and hides what is white, and is levelled so,
        and with grey in their place, as it hides what is grey too; and last one of speckle or grain without this, which
        is also looked at as it is at a larger size.
        """
        pale = np.repeat(image.min(axis=2, keepdims=True), 3, axis=2)
        looks = [self.upright(image, most, LARGE), self._turned(image, most), self.upright(levelled(pale), most)]
        if np.ptp(image, axis=2).any():
            looks.append(np.maximum(self.upright(pale, most, LARGE), self.upright(pale, most)))
            grey = uncoloured(image)
            looks.append(np.maximum(self.upright(grey, most), self.upright(levelled(grey), most)))
        if grain(image) > GRAINY:
            looks[0] = np.maximum(looks[0], self.upright(image, most, LARGEST))
            smooth = levelled(smoothed(image))
            upright = np.maximum(self.upright(smooth, most, LARGE), self.upright(smooth, most))
            looks.append(np.maximum(upright, self._turned(smooth, most)))
        return looks

    def closer(self, image: Image, places: Sequence[tuple[Box, bool]], most: float = 6) -> Probability:
        """``looks``, at places of an image alone, upright or turned, which the detector then sees larger; 0 elsewhere.

        What is faint it sees at four to six times its size, to which no whole image can be brought in time.
        """
        seen = np.zeros(image.shape[:2], np.float32)
        for (top, left, bottom, right), turned in places:
            here = np.s_[top:bottom, left:right]
            look = self._turned if turned else self.upright
            seen[here] = np.maximum(seen[here], look(np.ascontiguousarray(image[here]), most, LARGEST))
        return seen

    def _turned(self, image: Image, most: float, pixels: int = LARGER) -> Probability:
        return np.rot90(self.upright(np.ascontiguousarray(np.rot90(image, -1)), most, pixels))

    def upright(self, image: Image, most: float = 6, pixels: int = LARGER) -> Probability:
        """One look of the detector, at an image as it is, brought to so many ``pixels``, as ``looks`` has several."""
        import cv2

        rows, columns = image.shape[:2]
        larger = min(most, (pixels / (rows * columns)) ** 0.5)
        down, across = (max(STEP, round(side * larger / STEP) * STEP) for side in (rows, columns))
        scaled = cv2.resize(image, (across, down), interpolation=cv2.INTER_LINEAR)
        fed = (scaled.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        return cv2.resize(self._engine.text_det.infer(fed)[0][0, 0], (columns, rows), interpolation=cv2.INTER_LINEAR)

    def line(self, image: Image) -> tuple[str, float]:
        """What an image (rows, columns, 3) of one line says, and with which confidence."""
        seen = image.shape, image.tobytes()
        if seen in self._said:
            return self._said[seen]
        recognizer = self._engine.text_rec
        usual, recognizer.rec_image_shape = recognizer.rec_image_shape, [3, 48, 48]  # No wider than the line is.
        try:
            ((text, sure),), _ = recognizer([image])
        finally:
            recognizer.rec_image_shape = usual
        if len(self._said) >= REMEMBERED:
            self._said.clear()
        self._said[seen] = str(text), float(sure)
        return self._said[seen]

    def detect(self, image: Image) -> list[Quad]:
        """Where text stands in an image (rows, columns, 3), read or not."""
        found, _ = self._engine(image, use_det=True, use_cls=False, use_rec=False)
        return [np.array(quad, np.float32) for quad in found or ()]

    def read(self, image: Image) -> list[tuple[Quad, str, float]]:
        """Each text that can be read with a confidence of at least a half: where, what, and the confidence."""
        found, _ = self._engine(image)
        return [(np.array(quad, np.float32), str(text), float(score)) for quad, text, score in found or ()]

    def said(self, image: Image, quads: Sequence[Quad]) -> list[tuple[str, float]]:
        """What each of these texts says, and with which confidence."""
        if not quads:
            return []
        crops = self._engine.get_crop_img_list(image, list(quads))
        found, _ = self._engine.text_rec(crops)
        return [(str(each[0]), float(each[1])) for each in found]


def uncoloured(image: Image) -> Image:
    """An image (rows, columns, 3) in which the mean grey of what is near stands in for what is of a colour, as flow
    is, so that grey text on both is on one ground."""
    import cv2

    lowest = image.min(axis=2).astype(np.float32)
    plain = (image.max(axis=2) - lowest < COLOURED).astype(np.float32)
    near = cv2.blur(lowest * plain, (NEAR, NEAR)) / np.maximum(cv2.blur(plain, (NEAR, NEAR)), 1e-3)
    grey = np.where(plain > 0, lowest, np.clip(near, 0, 255)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def levelled(image: Image) -> Image:
    """An image (rows, columns, 3) without what is wide, and with the same noise everywhere."""
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    apart = grey.astype(np.float32) - cv2.medianBlur(grey, AROUND)
    noise = cv2.blur(np.minimum(np.abs(apart), MOST), (WIDER, WIDER)) + LEAST
    level = np.clip(128 + LEVELS * apart / noise, 0, 255).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)


def smoothed(image: Image) -> Image:
    """An image (rows, columns, 3) of which each pixel is the median of its neighbours."""
    import cv2

    return np.asarray(cv2.medianBlur(image, 3), np.uint8)


def grain(image: Image) -> float:
    """By how many grey levels, of 255, half of the pixels of an image (rows, columns, 3) that are not black differ from
    the median of their neighbours; 0 for one that is black."""
    lit = image > DARK
    return float(np.median(np.abs(image.astype(np.int16) - smoothed(image))[lit])) if lit.any() else 0.0


def box(quad: Quad, shape: Sequence[int], margin: int) -> tuple[slice, slice]:
    """The rows and columns of an upright box around a text, so many pixels wider."""
    left, top = np.floor(quad.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(quad.max(axis=0)).astype(int) + margin + 1
    return slice(max(top, 0), min(bottom, shape[0])), slice(max(left, 0), min(right, shape[1]))
