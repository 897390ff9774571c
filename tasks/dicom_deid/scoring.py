"""The scores of what a method made of the studies: what leaks, what stays, for whom."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite import exhibit
from fourfold.suite.folder import Folder
from fourfold.suite.metrics.bootstrap import percentile_interval, poisson_weights, wilson_interval
from fourfold.suite.task import Draw, Score, Scored
from fourfold.tasks.dicom_deid import fairness, leaks, midi, renames, utility
from fourfold.tasks.dicom_deid.downstream import downstream
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.leak_list import leak_list
from fourfold.tasks.dicom_deid.leaks import Leaks
from fourfold.tasks.dicom_deid.problem import gathered
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.sheets import contact_sheet

REPLICATES = 1000
"""Resamples of patients, for intervals and ranks."""
TOLERATED = 0.05
"""The share of patients who leak from which on a method is not ranked by utility."""

Files = Mapping[str, File]


def score(hidden: Mapping[str, Any], answers: Sequence[Folder | None], secret: Draw) -> Scored:
    """Score one folder a group of patients; None is a group that the method failed on: its files did not come back."""
    corpus, key = hidden["corpus"], hidden["corpus"].key
    given, reference = _files(corpus.given), _files(corpus.reference)
    came, odd = gathered(answers, hidden["groups"])
    matched = renames.answered(corpus.given, came)
    names = {path: path for path in matched.files}
    written = {path: File(names[path], data) for path, data in matched.files.items()}
    extra = [File(path, came[path]) for path in matched.extra]
    found = leaks.find(key, given, reference, written, extra, odd)
    weights = poisson_weights(secret.rng("patients"), REPLICATES, len(key.patients))
    scores = [
        *_leaked(found, key, weights),
        *_kept(key, given, written, weights),
        *_midi(key, given, reference, written),
        *_downstream(key, given, written),
        *fairness.scores(found.leaked, key, secret.rng("fairness")),
    ]
    shown = {"leaks": leak_list(found, key), "sheet": contact_sheet(given, written, key, found.leaked)}
    exhibits = {name: exhibit.encode(each) for name, each in shown.items()}
    coin = np.zeros(0, bool) if key.coin is None else key.coin
    return Scored(scores, coin, np.zeros(len(coin)), exhibits)


def _files(contents: Mapping[str, bytes]) -> dict[str, File]:
    return {path: File(path, data) for path, data in contents.items()}


def _leaked(found: Leaks, key: Key, weights: npt.NDArray[np.uint8]) -> Iterator[Score]:
    """Patients and items that leak, and files that failed."""
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
        hits, items = (np.bincount(patient[chosen], each, n) for each in (found.leaked[chosen], None))
        with np.errstate(invalid="ignore"):
            again = (weights @ hits) / (weights @ items)
        low, high = percentile_interval(again)
        value = float(hits.sum() / items.sum())
        if low == high:  # Where none or all leak, resampling tells nothing: then a patient is one trial.
            low, high = _wilson(round(value * (items > 0).sum()), int((items > 0).sum()))
        yield Score("item_leak_rate", value, low, high, int(chosen.sum()), group)


def _grouped(attribute: str, values: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    found = np.array(values)
    return {f"{attribute}={value}": found == value for value in sorted(set(values))}


def _wilson(successes: int, n: int) -> tuple[float | None, float | None]:
    if not n:
        return None, None
    low, high = wilson_interval(successes, n)
    return float(low), float(high)


def _kept(key: Key, given: Files, written: Files, weights: npt.NDArray[np.uint8]) -> Iterator[Score]:
    """The parts of utility, and utility; the latter with its replicates, as it ranks."""
    measured = utility.measure(key, given, written)
    shares, again = measured.shares, measured.replicates(weights)
    for part, value in shares.items():
        low, high = percentile_interval(again[part])
        n = int(np.isfinite(measured.values[part]).sum()) if part in measured.values else len(key.patients)
        replicates = again[part].astype(np.float32) if part == "utility" else None
        yield Score(part, value, low, high, n, replicates=replicates)


def _midi(key: Key, given: Files, reference: Files, written: Files) -> Iterator[Score]:
    checks = midi.checks(key, given, reference)
    claimed = midi.claims(given, written)
    for group, fails in (("", True), ("original rule", False)):
        passed = midi.passes(checks, given, written, claimed, missing_fails=fails)
        yield Score("midi_action_accuracy", midi.action_accuracy(passed), n=len(checks), group=group)


def _downstream(key: Key, given: Files, written: Files) -> Iterator[Score]:
    paths = [one.path for one in key.instances]
    found = downstream(
        [given[path] for path in paths],
        [written.get(path) for path in paths],
        [one.modality for one in key.instances],
        [one.patient for one in key.instances],
    )
    yield Score("downstream_auc", found.auc_after, n=len(found.rows))
    yield Score("downstream_auc", found.auc_before, n=len(found.rows), group="given")
