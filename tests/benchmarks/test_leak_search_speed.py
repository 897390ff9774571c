"""CPU milliseconds a file that scoring costs, beside those of the cheapest real tool on the same files.

The target is a tenth of the cheapest tool's. Tools run in this process, without a guest; they are looked for where they
are installed: pip install dicognito==0.19.0 dicom-anonymizer==2.1.0 deid==0.4.13.

    pytest tests/benchmarks/test_leak_search_speed.py --benchmark-only -s
"""

import contextlib
import importlib.util
import io
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fourfold.baselines.dicom_deid.by_deid import Deid
from fourfold.baselines.dicom_deid.by_dicognito import Dicognito
from fourfold.baselines.dicom_deid.by_dicom_anonymizer import DicomAnonymizer
from fourfold.suite import folder
from fourfold.suite.method import Budget, Method
from fourfold.suite.task import Draw, Problem
from fourfold.tasks.dicom_deid import corpus, phantoms, problem, scoring
from fourfold.tasks.dicom_deid.key import Corpus

pytest.importorskip("ahocorasick_rs")
PATIENTS = 24
TARGET = 0.1
"""Of the cheapest tool's CPU seconds."""
TOOLS: dict[str, type[Method]] = {"dicognito": Dicognito, "dicomanonymizer": DicomAnonymizer, "deid": Deid}
POLICY = SimpleNamespace(edition=problem.EDITION, options=problem.OPTIONS)


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    return corpus.draw(np.random.default_rng(0), np.random.default_rng(1), phantoms.phantom, PATIENTS)


@pytest.fixture(scope="module")
def written(drawn: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, dict[str, bytes]]]:
    """By tool, its CPU milliseconds a file, and what it wrote."""
    source, found = tmp_path_factory.mktemp("source"), {}
    for path, data in drawn.given.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    for name in TOOLS:
        if importlib.util.find_spec(name) is not None:
            target = tmp_path_factory.mktemp(name)
            used = milliseconds(lambda name=name, target=target: run(TOOLS[name], source, target))
            files = {each: (target / each).read_bytes() for each in drawn.given if (target / each).is_file()}
            found[name] = (used / len(drawn.given), files)
    return found


def run(tool: type[Method], source: Path, target: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        tool(Budget()).deidentify(str(source), str(target), POLICY)  # type: ignore[attr-defined]


def milliseconds(call: Callable[[], object]) -> float:
    """CPU milliseconds of this process."""
    start = time.process_time()
    call()
    return 1000 * (time.process_time() - start)


def scored(asked: Problem, output: dict[str, bytes]) -> Callable[[], object]:
    known = asked.answers.hidden["known"]
    answers = [folder.folder({path: output[path] for path in paths if path in output}) for paths in known.groups]
    return lambda: scoring.score(asked.answers.hidden, answers, Draw(b"k" * 32, "dicom-deid", "phantom", 0))


@pytest.mark.parametrize("output", ["copied", "perfect", *TOOLS])
def test_scoring_beside_the_cheapest_tool(
    benchmark: Any, drawn: Corpus, written: dict[str, tuple[float, dict[str, bytes]]], output: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if output in TOOLS and output not in written:
        pytest.skip(f"{output} is not installed")
    outputs = {"copied": dict(drawn.given), "perfect": dict(drawn.reference)}
    asked, files = problem.asked(drawn, {}), len(drawn.given)
    score = scored(asked, outputs[output] if output in outputs else written[output][1])
    first = milliseconds(score) / files  # With what is worked out once for all methods that are asked the same.
    then = min(benchmark.pedantic(lambda: milliseconds(score), rounds=1), *(milliseconds(score) for _ in range(2)))
    told = {"first": first, "each further": then / files}
    if written:
        told["cheapest tool"] = min(used for used, _ in written.values())
        told["ratio"] = told["each further"] / told["cheapest tool"]
    benchmark.extra_info |= told
    with capsys.disabled():
        shown = ", ".join(f"{name} {value:.2f}" for name, value in told.items())
        print(f"\n{output}, CPU ms a file over {files} files: {shown}; the target is a ratio of {TARGET}")
