"""Where text stands in an image, and what it says, by RapidOCR's models, which come with the package."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.baselines.dicom_deid.samples import Image

Quad = npt.NDArray[np.float32]
"""The corners of a text, (4, 2) as (column, row), clockwise from where it begins."""


class Reader:
    """One engine. threads: the cores it may use."""

    def __init__(self, threads: int) -> None:
        from rapidocr_onnxruntime import RapidOCR

        self._engine: Any = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)

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


def box(quad: Quad, shape: Sequence[int], margin: int) -> tuple[slice, slice]:
    """The rows and columns of an upright box around a text, so many pixels wider."""
    left, top = np.floor(quad.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(quad.max(axis=0)).astype(int) + margin + 1
    return slice(max(top, 0), min(bottom, shape[0])), slice(max(left, 0), min(right, shape[1]))
