"""The scores of what a method made of the studies: what leaks, what stays, for whom."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite import exhibit
from fourfold.suite.folder import Folder
from fourfold.suite.metrics.bootstrap import percentile_interval, poisson_weights, wilson_interval
from fourfold.suite.task import Draw, Score, Scored
from fourfold.tasks.dicom_deid import (
    anonymity,
    fairness,
    leaks,
    linkage,
    midi,
    replacement,
    robustness,
    utility,
)
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.leak_list import leak_list
from fourfold.tasks.dicom_deid.leaks import Leaks
from fourfold.tasks.dicom_deid.problem import Known, gathered
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.sheets import contact_sheet

REPLICATES = 1000
"""Resamples of patients, for intervals and ranks."""
TOLERATED = 0.05
"""The share of patients who leak from which on a method is not ranked by utility."""

Files = Mapping[str, File]

FEW = 5
"""Patients alike from which on they count as hidden among each other."""


def score(hidden: Mapping[str, Any], answers: Sequence[Folder | None], secret: Draw) -> Scored:
    """Score one folder a group of patients; None is a group that the method failed on: its files did not come back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What pydicom thinks of a file, to whoever runs the campaign.
        return _scored(hidden, answers, secret)


def _scored(hidden: Mapping[str, Any], answers: Sequence[Folder | None], secret: Draw) -> Scored:
    known: Known = hidden["known"]
    key, given = known.corpus.key, known.given
    came = gathered(answers, known)
    written = came.files
    found = leaks.find(known.wanted, written, came.extra, came.odd)
    failed = {path for files in found.failed.values() for path, _ in files}
    lost = np.array([item.path in failed for item in key.planted], bool)  # What did not come back fails every check.
    weights = _weights(key, secret)
    scores = [
        *_leaked(found, found.leaked | lost, key, weights, secret.rng("items")),
        *_replaced(key, written),
        *_told_apart(known, written),
        *_kept(key, given, written, weights),
        *_midi(known, written),
        *_downstream(known, written),
        *robustness.handled(key, known.variants, found.leaked, failed),
        *fairness.scores(found.leaked | lost, key, secret.rng("fairness")),
    ]
    shown = {"leaks": leak_list(found, key), "sheet": contact_sheet(given, written, key, found.leaked)}
    exhibits = {name: exhibit.encode(each) for name, each in shown.items()}
    coin = np.zeros(0, bool) if key.coin is None else key.coin
    return Scored(scores, coin, linkage.membership(key, written), exhibits)


def _weights(key: Key, secret: Draw) -> npt.NDArray[np.uint8]:
    """Weights (replicates, patients) of the bootstrap over patients.

    Drawn people are each seed's own. Patients of a collection (no coins) are drawn again by other seeds, and weigh the
    same there, so that what they have in common does not average out.
    """
    if key.coin is not None:
        return poisson_weights(secret.rng("patients"), REPLICATES, len(key.patients))
    each = (secret.rng(f"patient {patient.numbers['mrn']}", every_seed=True) for patient in key.patients)
    return np.concatenate([poisson_weights(rng, REPLICATES, 1) for rng in each], axis=1)


def _leaked(
    found: Leaks, leaked: npt.NDArray[np.bool_], key: Key, weights: npt.NDArray[np.uint8], rng: np.random.Generator
) -> Iterator[Score]:
    """Patients and items that leak, and files that failed. leaked: (items,), those of files that failed among them."""
    breached = found.breached(key)
    n = len(breached)
    rate = breached.mean() if n else None
    with np.errstate(invalid="ignore"):
        replicates = (weights @ breached / weights.sum(axis=1)).astype(np.float32)
    yield Score("patient_leak_rate", rate, *_wilson(int(breached.sum()), n), n, replicates=replicates)
    yield Score("leaks_little", float(rate is not None and rate < TOLERATED), n=n)
    failed = sum(len(files) for files in found.failed.values())
    yield Score("files_failed", failed / len(key.instances), *_wilson(failed, len(key.instances)), len(key.instances))
    groups = {
        "": np.ones(len(key.planted), bool),
        **_grouped("locus", [item.locus for item in key.planted]),
        **_grouped("kind", [item.kind for item in key.planted]),
        **_grouped("category", [item.category for item in key.planted]),
    }
    patient = np.array([item.patient for item in key.planted], np.int64)
    for group, chosen in groups.items():
        if not chosen.any():
            yield Score("item_leak_rate", None, group=group)
            continue
        hits, items = (np.bincount(patient[chosen], each, n) for each in (leaked[chosen], np.ones(chosen.sum())))
        share = fairness.share(hits[items > 0], items[items > 0], rng)
        yield Score("item_leak_rate", share.value, *share.interval(), share.n, group)


def _grouped(attribute: str, values: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    found = np.array(values)
    return {f"{attribute}={value}": found == value for value in sorted(set(values))}


def _wilson(successes: int, n: int) -> tuple[float | None, float | None]:
    if not n:
        return None, None
    low, high = wilson_interval(successes, n)
    return float(low), float(high)


def _replaced(key: Key, written: Files) -> Iterator[Score]:
    """Patients given another's identity or a hash of their own, and whether all dates were shifted alike."""
    n = len(key.patients)
    found = {
        "replaced_by_identity": replacement.replaced_by_identity(key, written),
        "replaced_by_hash": replacement.replaced_by_hash(key, written),
    }
    for metric, patients in found.items():
        yield Score(metric, float(patients.mean()) if n else None, *_wilson(int(patients.sum()), n), n)
    shifted = replacement.offsets(key, written)
    known = int(np.isfinite(shifted).sum())
    yield Score("constant_offset", float(replacement.constant_offset(shifted)) if known else None, n=known)


def _told_apart(known: Known, written: Files) -> Iterator[Score]:
    """How many patients share what is kept of them, and how well images alone tell them apart."""
    key = known.corpus.key
    k = anonymity.k_anonymity(key, written)
    there = k[k > 0]
    few = int((there < FEW).sum())
    yield Score("k_anonymity", float(there.min()) if len(there) else None, n=len(there))
    yield Score("share_below_5", few / len(there) if len(there) else None, *_wilson(few, len(there)), len(there))
    yield Score("image_reidentification", anonymity.image_reidentification(list(key.instances), written))
    yield Score("image_reidentification", known.reidentified, group="given")


def _kept(key: Key, given: Files, written: Files, weights: npt.NDArray[np.uint8]) -> Iterator[Score]:
    """The parts of utility, and utility; the latter with its replicates, as it ranks."""
    measured = utility.measure(key, given, written)
    shares, again = measured.shares, measured.replicates(weights)
    for part, value in shares.items():
        low, high = percentile_interval(again[part])
        n = int(np.isfinite(measured.values[part]).sum()) if part in measured.values else len(key.patients)
        replicates = again[part].astype(np.float32) if part == "utility" else None
        yield Score(part, value, low, high, n, replicates=replicates)


def _midi(known: Known, written: Files) -> Iterator[Score]:
    checks, given = known.checks, known.given
    claimed = midi.claims(given, written)
    passed = midi.passes(checks, given, written, claimed, missing_fails=False)
    yield Score("midi_action_accuracy", midi.action_accuracy(passed), n=len(checks), group="original rule")
    there = {path for path, file in written.items() if file.parsed[0] is not None}
    passed[[check.path not in there for check in checks]] = 0
    yield Score("midi_action_accuracy", midi.action_accuracy(passed), n=len(checks))


def _downstream(known: Known, written: Files) -> Iterator[Score]:
    found = known.classifier.judged([written.get(one.path) for one in known.corpus.key.instances])
    yield Score("downstream_auc", found.auc_after, n=len(found.rows))
    yield Score("downstream_auc", found.auc_before, n=len(found.rows), group="given")
