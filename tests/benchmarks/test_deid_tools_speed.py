"""Seconds a file on headers alone: ours beside dicom-anonymizer, on the same files, and their ratio.

Both run in this process, without a guest. dicom-anonymizer is looked for where it is installed, or built into an
environment's packages: pip install dicom-anonymizer==2.1.0.
"""

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fourfold.baselines.dicom_deid.by_dicom_anonymizer import DicomAnonymizer
from fourfold.baselines.dicom_deid.keyed_profile import KeyedProfile
from fourfold.suite.method import Budget
from fourfold.tasks.dicom_deid import corpus, phantoms, problem

PATIENTS = 12
POLICY = SimpleNamespace(edition=problem.EDITION, options=problem.OPTIONS)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of some patients, written out."""
    root = tmp_path_factory.mktemp("studies")
    drawn = corpus.draw(np.random.default_rng(5), np.random.default_rng(6), phantoms.phantom, PATIENTS, True)
    for path, data in drawn.given.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def a_file(method: Any, studies: Path, target: Path) -> Callable[[], float]:
    """A call that returns the CPU seconds a file that a method takes over all of them."""
    files = sum(path.is_file() for path in studies.rglob("*"))

    def call() -> float:
        target.mkdir(exist_ok=True)
        start = time.process_time()
        method.deidentify(str(studies), str(target), POLICY)
        return (time.process_time() - start) / files

    return call


def test_ours_beside_dicom_anonymizer(benchmark: Any, studies: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("dicomanonymizer") is None:
        pytest.skip("dicom-anonymizer is not installed: pip install dicom-anonymizer==2.1.0")
    theirs = a_file(DicomAnonymizer(Budget()), studies, tmp_path / "theirs")
    ours = a_file(KeyedProfile(Budget(), {"pixels": False}), studies, tmp_path / "ours")
    theirs(), ours()  # What is imported and built once.
    pairs = [(theirs(), ours()) for _ in range(5)]
    ratio = float(np.median([mine / other for other, mine in pairs]))
    benchmark.extra_info |= {
        "CPU seconds a file, theirs": min(other for other, _ in pairs), "ratio": ratio,
        "CPU seconds a file, ours": min(mine for _, mine in pairs),
    }
    print(f"\nours takes {ratio:.2f} times dicom-anonymizer's CPU seconds a file")
    benchmark.pedantic(ours, rounds=1)
