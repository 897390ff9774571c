"""Whether a classifier of original images still knows the same things about an output's: its AUC before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import accuracy
from fourfold.tasks.dicom_deid.pixels_kept import decoded
from fourfold.tasks.dicom_deid.reading import File, of_pixels

SIDE = 64
"""Rows and columns of the image that the classifier sees."""
COMPONENTS = 40
"""Principal components that its logistic regression weighs."""
FOLDS = 5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Downstream:
    """AUC, the mean over classes of each against the rest, of the originals and of the outputs; None without classes.

    label: (n,) int, which of the classes each image is of; before, after: (n, classes) probabilities, nan for outputs
    that are missing; rows: (n,) int, which of the instances the images are.
    """

    auc_before: float | None
    auc_after: float | None
    label: npt.NDArray[np.int64]
    before: Floats
    after: Floats
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classifier:
    """Models of original images, each of those of other patients than it is asked about, in FOLDS folds of patients.

    given: (m) files; label: (m) what is to be told, such as the modality or the view, empty where unknown; patient: (m)
    whose. Files without pixels are left out.
    """

    given: Sequence[File]
    label: Sequence[str]
    patient: Sequence[int]

    @cached_property
    def rows(self) -> list[int]:
        """The images, by their place among the files."""
        return [row for row, file in enumerate(self.given) if self.label[row] and file.pixels[0] is not None]

    @cached_property
    def code(self) -> npt.NDArray[np.int64]:
        """(images,) which of the labels each has."""
        return np.asarray(np.unique([self.label[row] for row in self.rows], return_inverse=True)[1], np.int64)

    @cached_property
    def models(self) -> list[tuple[npt.NDArray[np.bool_], Any]]:
        """Of each fold, which images it tests, (images,) bool, and the model of the others."""
        whose = np.array([self.patient[row] for row in self.rows], dtype=np.int64)
        images, found = self._images, []
        for fold in range(FOLDS):
            test = whose % FOLDS == fold
            if test.any() and len(set(self.code[~test])) > 1:
                found.append((test, _fitted(images[~test], self.code[~test])))
        return found

    @cached_property
    def before(self) -> Floats:
        """(images, classes) probabilities that the originals are of each class; nan where no model tests them."""
        return self._told(self._images, np.ones(len(self.rows), bool))

    @property
    def _images(self) -> Floats:
        return np.array([_seen(self.given[row]) for row in self.rows]).reshape(-1, SIDE * SIDE)

    def _told(self, images: Floats, there: npt.NDArray[np.bool_]) -> Floats:
        from threadpoolctl import threadpool_limits

        told = np.full((len(images), len(set(self.code.tolist()))), np.nan)
        with threadpool_limits(1):  # Threads would add the same numbers in another order, and wait for each other.
            for test, model in self.models:
                if (test & there).any():
                    told[np.ix_(test & there, model.classes_)] = model.predict_proba(images[test & there])
        return told

    def judged(self, written: Sequence[File | None]) -> Downstream:
        """Classify what became of the images. written: (m) files or None, in the order of those given.

        An output that is missing, or of another size, counts as the least likely of its class and the likeliest of each
        other.
        """
        after = [written[row] for row in self.rows]
        pixels = [decoded(self.given[row], file) for row, file in zip(self.rows, after, strict=True)]
        there = np.array([each is not None for each in pixels], dtype=bool)
        nothing = np.zeros(SIDE * SIDE)
        images = np.array([_seen(file) if file and kept else nothing for file, kept in zip(after, there, strict=True)])
        now, tested = self._told(images.reshape(-1, SIDE * SIDE), there), np.isfinite(self.before).all(axis=1)
        return Downstream(
            macro_auc(self.code[tested], self.before[tested]),
            macro_auc(self.code[tested], now[tested]),
            self.code[tested],
            self.before[tested],
            now[tested],
            np.array(self.rows, dtype=np.int64)[tested],
        )


@of_pixels
def _seen(file: File) -> Floats:
    return features(file.pixels[0])


def macro_auc(label: npt.NDArray[np.int64], p: Floats) -> float | None:
    """Mean over classes of the AUC of each against the rest, of probabilities p (n, classes), at their worst if nan."""
    areas = []
    for place in range(p.shape[1]):
        own = label == place
        worst = np.where(own, -1.0, 2.0)
        areas.append(accuracy.auc(own.astype(int), np.where(np.isnan(p[:, place]), worst, p[:, place])))
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else None


def features(pixels: npt.NDArray[Any] | None) -> Floats:
    """An image (frames, rows, columns[, 3]) as a classifier sees it, (SIDE * SIDE,): of its middle frame the means of
    blocks, grey, with mean 0 and standard deviation 1. Zeros for none."""
    if pixels is None:
        return np.zeros(SIDE * SIDE)
    frame = np.asarray(pixels[len(pixels) // 2], dtype=np.float64)
    grey = frame.mean(axis=2) if frame.ndim == 3 else frame
    small = _means(_means(grey, 0), 1).ravel()
    spread = small.std()
    return (small - small.mean()) / (spread if spread > 0 else 1.0)


def _means(image: Floats, axis: int) -> Floats:
    """Means of SIDE blocks along an axis; where it is shorter, samples stand for blocks."""
    edges = np.arange(SIDE) * image.shape[axis] // SIDE
    sizes = np.maximum(np.diff(np.append(edges, image.shape[axis])), 1)
    sums = np.add.reduceat(image, edges, axis=axis)
    return sums / (sizes[:, None] if axis == 0 else sizes)


def _fitted(images: Floats, label: npt.NDArray[np.int64]) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    components = min(COMPONENTS, *images.shape)
    reduced = PCA(components, whiten=True, svd_solver="randomized", random_state=0)
    return make_pipeline(reduced, LogisticRegression(C=0.1, max_iter=1000)).fit(images, label)
