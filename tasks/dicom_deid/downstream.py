"""Whether a classifier of original images still knows the same things about an output's: its AUC before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import accuracy
from fourfold.tasks.dicom_deid.pixels_kept import decoded
from fourfold.tasks.dicom_deid.reading import File

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


def downstream(
    given: Sequence[File], written: Sequence[File | None], label: Sequence[str], patient: Sequence[int]
) -> Downstream:
    """Classify images by a model of the originals of other patients, in FOLDS folds of whole patients.

    given, written: (m) files, in the same order; label: (m) what is to be told, such as the modality or the view, empty
    where unknown; patient: (m) whose. Files without pixels are left out. An output that is missing, or of another size,
    counts as the least likely of its class and the likeliest of each other.
    """
    from threadpoolctl import threadpool_limits

    rows = [row for row, file in enumerate(given) if label[row] and file.pixels[0] is not None]
    classes, code = np.unique([label[row] for row in rows], return_inverse=True)
    whose = np.array([patient[row] for row in rows], dtype=np.int64)
    old = np.array([features(given[row].pixels[0]) for row in rows]).reshape(-1, SIDE * SIDE)
    new = [decoded(given[row], written[row]) for row in rows]
    there = np.array([pixels is not None for pixels in new], dtype=bool)
    seen = np.array([features(pixels) for pixels in new]).reshape(-1, SIDE * SIDE)
    before, after = (np.full((len(rows), len(classes)), np.nan) for _ in range(2))
    with threadpool_limits(1):  # Threads would add the same numbers in another order, and wait for each other.
        for fold in range(FOLDS):
            test = whose % FOLDS == fold
            if not test.any() or len(set(code[~test])) < 2:
                continue
            model = _fitted(old[~test], code[~test])
            before[np.ix_(test, model.classes_)] = model.predict_proba(old[test])
            if (test & there).any():
                after[np.ix_(test & there, model.classes_)] = model.predict_proba(seen[test & there])
    tested = np.isfinite(before).all(axis=1)
    return Downstream(
        macro_auc(code[tested], before[tested]),
        macro_auc(code[tested], after[tested]),
        code[tested],
        before[tested],
        after[tested],
        np.array(rows, dtype=np.int64)[tested],
    )


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
