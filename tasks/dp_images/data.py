"""What a dataset of dp-images is once it is loaded: plain arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ImageData:
    """Labelled images.

    images: (n, h, w) uint8, grey, or (n, h, w, 3), red, green and blue. labels: (n,) int64, indices into ``classes``.
    train, test: rows of the official split, int64, disjoint; where there is none, ``test`` is empty and seeds split.

    Raises ValueError where these promises are broken.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        shape, n = self.images.shape, len(self.labels)
        _require(self.images.dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)),
                 f"{self.name}: images are uint8 of (n, h, w) or (n, h, w, 3), not {self.images.dtype} of {shape}")
        _require(self.labels.shape == (shape[0],), f"{self.name}: {shape[0]} images and {n} labels")
        _require(bool(((self.labels >= 0) & (self.labels < len(self.classes))).all()),
                 f"{self.name}: labels from {self.labels.min()} to {self.labels.max()} for {len(self.classes)} classes")
        rows = np.concatenate([self.train, self.test])
        _require(len(np.unique(rows)) == len(rows) and bool(((rows >= 0) & (rows < n)).all()),
                 f"{self.name}: training and test rows overlap, or are not among the {n}")


def _require(kept: bool, broken: str) -> None:
    if not kept:
        raise ValueError(broken)
