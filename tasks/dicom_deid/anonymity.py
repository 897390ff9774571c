"""How many patients share what is kept of each, and how well their images are told apart."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics.accuracy import auc
from fourfold.tasks.dicom_deid.key import Instance, Key
from fourfold.tasks.dicom_deid.reading import File, of_pixels
from fourfold.tasks.dicom_deid.residual import grey

QUASI_IDENTIFIERS = {
    "sex": "(0010,0040)", "age": "(0010,1010)", "modality": "(0008,0060)", "body part": "(0018,0015)",
    "institution": "(0008,0080)",
}
BANDS = (17, 39, 64, 89)
"""Ages at which bands end, as in ``key``."""
SIDE = 32
"""Rows and columns of the thumbnails by which images are compared."""


def k_anonymity(key: Key, answers: Mapping[str, File]) -> npt.NDArray[np.int64]:
    """(patients,) k: how many patients, they themselves included, share their QUASI_IDENTIFIERS as far as they are kept
    (Sweeney 2002); 0 for who has no file that came back. What is taken out of all files tells nobody apart."""
    kept: dict[int, dict[str, set[str]]] = {}
    for one in key.instances:
        if one.path in answers:
            own = kept.setdefault(one.patient, {name: set() for name in QUASI_IDENTIFIERS})
            for name, text in _kept(answers[one.path]).items():
                own[name].add(text)
    classes = {patient: tuple(frozenset(own[name]) for name in QUASI_IDENTIFIERS) for patient, own in kept.items()}
    times = Counter(classes.values())
    return np.array([times[classes[who]] if who in classes else 0 for who in range(len(key.patients))], np.int64)


def _kept(file: File) -> dict[str, str]:
    found = {
        name: "\\".join(file.texts[place]).casefold()
        for name, place in QUASI_IDENTIFIERS.items() if place in file.texts
    }
    return {name: _band(text) if name == "age" else text for name, text in found.items() if text}


def _band(age: str) -> str:
    """The band that an age is in, as DICOM spells ages; as it stands where it is none."""
    if re.fullmatch("[0-9]{3}[ymwd]", age):
        years = int(age[:3]) if age[3:] == "y" else 0
        return str(sum(years > end for end in BANDS))
    return age


def image_reidentification(instances: list[Instance], files: Mapping[str, File]) -> float | None:
    """How well two studies of one patient are told from those of two patients by their images alone: area under the ROC
    curve of the correlation of thumbnails, over pairs of one modality; None where there are no such pairs.

    A plain attack: networks trained for it reach 0.99 on chest X-rays (Packhaeuser et al. 2022).
    """
    found = [(one, _thumbnail(files[one.path])) for one in instances if one.path in files and one.size[0]]
    same, alike = [], []
    shown = [(one, image) for one, image in found if image is not None]
    for (one, first), (other, second) in combinations(shown, 2):
        if one.modality == other.modality and (one.patient, one.study) != (other.patient, other.study):
            same.append(one.patient == other.patient)
            alike.append(float((first * second).mean()))
    return auc(same, alike) if any(same) and not all(same) else None


@of_pixels
def _thumbnail(file: File) -> npt.NDArray[np.float64] | None:
    """An image's first frame, SIDE x SIDE, with mean 0 and deviation 1; None where nothing is seen."""
    samples, _ = file.pixels
    if samples is None or not samples.size or min(samples.shape[1:3]) < SIDE:
        return None
    frame = grey(samples[:1])[0]
    rows, columns = (np.linspace(0, size, SIDE + 1).astype(int)[:-1] for size in frame.shape)
    blocks = np.add.reduceat(np.add.reduceat(frame, rows, axis=0), columns, axis=1)
    deviation = blocks.std()
    return np.asarray((blocks - blocks.mean()) / deviation) if deviation else None
