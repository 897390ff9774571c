"""What is left of the studies for those who need them: the parts of utility, by instance or by patient."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import bootstrap
from fourfold.tasks.dicom_deid.identifiers import maps_injective, uids_intact
from fourfold.tasks.dicom_deid.intervals import intervals_kept
from fourfold.tasks.dicom_deid.key import Kept, Key, Mask
from fourfold.tasks.dicom_deid.pixels_kept import colours_kept, compared, distractors_kept, means_the_same
from fourfold.tasks.dicom_deid.planes import stands
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.validity import introduced
from fourfold.tasks.dicom_deid.values import (
    ITEM,
    Index,
    at,
    folded,
    holds,
    in_order,
    index,
    read_as,
    same,
    text,
)

PARTS = (
    *("text_kept", "private_kept", "characteristics_kept", "attributes_kept", "intervals_kept", "uids_intact"),
    *("maps_injective", "pixels_equal", "ssim", "distractors_kept", "valid"),
)
"""What enters utility, each with equal weight: one part for each thing that the policy tells a method to keep.

Pixels enter twice, as the share of images of which nothing changed outside the masks, which one needless black box
costs, and as SSIM, which tells one box from a blank image. ``changed_outside`` says no more than these two and
``psnr`` has no upper end: both are reported alone.
"""
FEW = 3
"""New words that a text may have for each item that was to go: ``[NAME OF PATIENT]``, or a shifted ``5 March 2024``."""
_WORD = re.compile(r"\w+")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Utility:
    """Each part's values in [0, 1] (``psnr``: in dB), nan where there was nothing to keep.

    values: by part, an array (n,); patient: by part (n,) int, whose each is, from 0; patients: how many there are.
    errors: (instances,) how many kinds of validator messages each output has that the given file had not.
    """

    values: Mapping[str, Floats]
    patient: Mapping[str, npt.NDArray[np.int64]]
    patients: int
    errors: npt.NDArray[np.int64]

    @property
    def shares(self) -> dict[str, float | None]:
        """The mean of each part, None where nothing was to be kept; and ``utility``, the mean of PARTS."""
        return {part: _defined(one[0]) for part, one in self.replicates(np.ones((1, self.patients))).items()}

    def replicates(self, weights: npt.NDArray[np.generic]) -> dict[str, Floats]:
        """``shares`` under each row (B,) of weights of patients, (B, patients): nan where none has a thing to keep."""
        shares = {part: self._mean(part, weights) for part in self.values}
        parts = [shares[part] for part in PARTS if np.isfinite(self.values[part]).any()]
        shares["utility"] = np.mean(parts, axis=0) if parts else np.full(len(weights), np.nan)
        return shares

    def _mean(self, part: str, weights: npt.NDArray[np.generic]) -> Floats:
        values, patient = self.values[part], self.patient[part]
        counts = np.isfinite(values) & (patient >= 0)
        columns = np.zeros((self.patients, 2))
        np.add.at(columns, patient[counts], np.stack([values[counts], np.ones(counts.sum())], axis=1))
        sums = bootstrap.weighted_sums(columns, weights)
        with np.errstate(invalid="ignore"):
            return sums[:, 0] / sums[:, 1]


def measure(key: Key, given: Mapping[str, File], written: Mapping[str, File]) -> Utility:
    """Measure what ``written``, the readable files or not of an output by path, keeps of ``given``.

    Files that are missing or cannot be read fail every check.
    """
    read = {path: file for path, file in written.items() if file.parsed[0] is not None}
    before = {path: index(file) for path, file in given.items()}
    after = {path: index(file) for path, file in read.items()}
    paths = [one.path for one in key.instances]
    errors = [introduced(given[path], read.get(path)) for path in paths]
    values = {
        **_kept(key, before, after, read),
        **_pixels(key, given, read, before, after),
        "uids_intact": uids_intact(key.instances, before, after),
        "valid": np.array([float(not new) for new in errors]),
        "intervals_kept": intervals_kept(key.dated, after, len(key.patients)),
        "maps_injective": maps_injective(key.instances, before, after, len(key.patients)),
    }
    of_instance = np.array([one.patient for one in key.instances], dtype=np.int64)
    of_patient = np.arange(len(key.patients))
    by_patient = ("intervals_kept", "maps_injective")
    patient = {part: of_patient if part in by_patient else of_instance for part in values}
    return Utility(values, patient, len(key.patients), np.array([len(new) for new in errors], dtype=np.int64))


def _kept(
    key: Key, given: Mapping[str, Index], written: Mapping[str, Index], files: Mapping[str, File]
) -> dict[str, Floats]:
    """The share of each instance's Kept texts, private elements, characteristics and other attributes, graphics among
    them, that are still there. files: those that ``written`` is of."""
    planted = Counter((item.path, item.where) for item in key.planted)
    parts = {"text": "text_kept", "private": "private_kept", "characteristic": "characteristics_kept",
             "attribute": "attributes_kept", "graphic": "attributes_kept"}  # fmt: skip
    number = {one.path: place for place, one in enumerate(key.instances)}
    counts = {part: np.zeros((len(number), 2)) for part in parts.values()}
    for kept in key.kept:
        if kept.kind in parts and kept.path in number:
            before, after = given.get(kept.path, {}), written.get(kept.path, {})
            if kept.mask is not None:
                stays = kept.path in files and stands(files[kept.path], kept.mask)
            elif kept.kind == "text":
                stays = _text_stays(kept, before, after, planted[kept.path, kept.where])
            else:
                stays = _value_stays(kept, before, after)
            counts[parts[kept.kind]][number[kept.path]] += (stays, 1)
    with np.errstate(invalid="ignore"):
        return {part: count[:, 0] / count[:, 1] for part, count in counts.items()}


def _text_stays(kept: Kept, given: Index, written: Index, items: int) -> bool:
    """Whether all words of a text are still in the element, in order, without more new ones than items explain.

    Where there are more items of sequences than were given, a text has to be in its own: else all that radiology
    writes, a text an item, would hold each.
    """
    everywhere = ITEM.sub("[]", kept.where)
    moved = len(written.get(everywhere, ())) <= len(given.get(everywhere, ()))
    elements = at(written, kept.where) if moved else written.get(kept.where, ())
    was = text(given[kept.where][0].value) if kept.where in given else ""
    values = (text(element.value) for element in elements)
    ordered = in_order(was, kept.words)
    return any(
        all(holds(value, word) for word in kept.words)
        and (not ordered or in_order(value, kept.words))
        and _terse(value, was, kept, items)
        for value in values
    )


def _terse(value: str, was: str, kept: Kept, items: int) -> bool:
    """Whether a text has no more new words than FEW for each item, or for one; or than went of what it was.

    Else one list of all words that radiology knows would keep every text. What goes may be replaced like by like, an
    address by another.
    """
    before = Counter(_words(was)) | Counter(part for word in kept.words for part in _words(word))
    most = FEW * max(items, 1)
    after = Counter(islice(_words(value), 2 * before.total() + most + 1))  # As many as tell, of maybe millions.
    new, gone = after - before, before - after
    return new.total() <= max(most, gone.total())


def _words(value: str) -> Iterator[str]:
    """The words of a text, repeated ones too, parted wherever ``holds`` sees one end; without spaces, a run is one."""
    return (found[0] for found in _WORD.finditer(folded(value)))


def _value_stays(kept: Kept, given: Index, written: Index) -> bool:
    """Whether the whole value of an element is still there."""
    elements = at(written, kept.where)
    before = given[kept.where][0] if kept.where in given else None
    return any(
        (before is not None and element.value == before.value)
        or any(same(text(read_as(element, before.VR if before is not None else "UN")), word) for word in kept.words)
        for element in elements
    )


def _pixels(
    key: Key, given: Mapping[str, File], written: Mapping[str, File],
    was: Mapping[str, Index], now: Mapping[str, Index],
) -> dict[str, Floats]:  # fmt: skip
    """How the pixels of each instance compare outside the masks, and the share of its distractors that are seen.

    was, now: the elements of both; equal samples that mean something else are not equal.
    """
    hide = _masks((one.path, one.burned) for one in key.planted if one.burned is not None)
    show = _masks((one.path, one.mask) for one in key.kept if one.kind == "distractor" and one.mask is not None)
    rows = []
    for one in key.instances:
        before, after = given[one.path], written.get(one.path)
        pixels = compared(before, after, hide.get(one.path, ()))
        shown = distractors_kept(before, after, show.get(one.path, ()))
        means = means_the_same(was[one.path], now.get(one.path, {})) and colours_kept(before, after)
        equal = pixels.equal * means
        likeness = max(pixels.ssim, 0.0) if np.isfinite(pixels.ssim) else np.nan
        rows.append((equal, pixels.changed, pixels.psnr, likeness, shown.mean() if len(shown) else np.nan))
    parts = ("pixels_equal", "changed_outside", "psnr", "ssim", "distractors_kept")
    return dict(zip(parts, np.array(rows, dtype=float).reshape(-1, len(parts)).T, strict=True))


def _masks(pairs: Iterable[tuple[str, Mask]]) -> dict[str, list[Mask]]:
    found: dict[str, list[Mask]] = {}
    for path, mask in pairs:
        found.setdefault(path, []).append(mask)
    return found


def _defined(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
