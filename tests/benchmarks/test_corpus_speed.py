"""Drawing the default corpus of dicom-deid: 120 people, some 60 of them with some 300 files, each written twice.

Run with ``pytest tests/benchmarks/test_corpus_speed.py --benchmark-only``. CPU seconds of this process, so that other
work on the machine does not count; phantoms, burning and encoding are part of it.
"""

import time

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus
from fourfold.tasks.dicom_deid.phantoms import phantom


def default(seed: int) -> Corpus:
    return draw(np.random.default_rng(seed), np.random.default_rng([seed, 1]), phantom)


def test_default_corpus(benchmark: BenchmarkFixture) -> None:
    default(0)  # Fonts and dictionaries are read once a process.
    used = []

    def timed() -> Corpus:
        before = time.process_time()
        corpus = default(1)
        used.append(time.process_time() - before)
        return corpus

    corpus = benchmark.pedantic(timed, rounds=2)
    benchmark.extra_info.update(cpu_seconds=min(used), files=len(corpus.given), patients=len(corpus.key.patients))
    assert len(corpus.given) > 200
