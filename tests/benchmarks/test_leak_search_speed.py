"""What the search of outputs costs a file, beside what a de-identifier costs, in the same run.

    pytest tests/benchmarks/test_leak_search_speed.py --benchmark-only -s
"""

import importlib
import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("ahocorasick_rs")

from fourfold.tasks.dicom_deid import leaks
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.reading import File


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return draw(np.random.default_rng(0), np.random.default_rng(1), phantom, patients=20)


def files(contents: dict[str, bytes]) -> dict[str, File]:
    return {path: File(path, data) for path, data in contents.items()}


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


@pytest.mark.parametrize("output", ["perfect", "copied"])
def test_search_of_outputs(benchmark, corpus, output, capsys):
    written = {path: data + b"\0\0" for path, data in corpus.reference.items()} if output == "perfect" else corpus.given
    used = []

    def run() -> None:
        known = (files(dict(corpus.given)), files(dict(corpus.reference)), files(dict(written)))
        used.append(seconds(lambda: leaks.find(corpus.key, *known)))

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    number, size = len(corpus.given), sum(map(len, written.values()))
    benchmark.extra_info["ms_per_file"] = 1000 * min(used) / number
    benchmark.extra_info["ms_per_100_kB"] = 1e8 * min(used) / size
    peer = anonymized(corpus)
    if peer:
        benchmark.extra_info["of_dicom_anonymizer"] = min(used) / peer
    with capsys.disabled():
        print(f"\n{output}: {number} files of {size / number / 1000:.0f} kB on average: {benchmark.extra_info}")


def anonymized(corpus: Corpus) -> float:
    """CPU seconds that dicom-anonymizer takes to read, clean and write the same files; 0 where it is not installed."""
    try:
        anonymize = importlib.import_module("dicomanonymizer").anonymize_dataset
    except ImportError:
        return 0.0
    from io import BytesIO

    from pydicom import dcmread

    def run() -> None:
        for data in corpus.given.values():
            dataset = dcmread(BytesIO(data))
            anonymize(dataset)
            dataset.save_as(BytesIO())

    return seconds(run)
