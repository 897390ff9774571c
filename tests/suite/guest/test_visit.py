"""What methods do wrong, each done for real by a guest that is forked for it, and what the suite makes of it."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fourfold.suite import boundary
from fourfold.suite.task import Want
from fourfold.suite.visit import Visit, check
from fourfold.suite.watch import LOG_KEPT, VisitError

Run = Callable[..., Visit]


def test_a_method_that_does_as_it_should(run: Run) -> None:
    seen = run(
        "def fit(self, train, budget): self.mean = train.label.mean()",
        "def predict(self, query): return np.full(len(query.features), self.mean)",
    )
    assert (seen.status, seen.reason, seen.log) == ("ok", "", "")
    assert seen.answers[0] is None
    np.testing.assert_array_equal(seen.answers[1], np.full(50, 0.5))
    assert [phase.verb for phase in seen.phases] == ["fit", "predict"]
    assert seen.peak_memory > 20 << 20


CASES = {
    "exception in fit": (
        dict(fit="def fit(self, train, budget): raise ValueError('no such column')"),
        "failed",
        r"ValueError: no such column \(at guest_method\.py:7\)",
    ),
    "exception in predict": (
        dict(predict="def predict(self, query): return 1 / 0"),
        "failed",
        r"ZeroDivisionError: .*\(at guest_method\.py:8\)",
    ),
    "class that cannot be imported": (
        dict(top="import nonexistent_package"),
        "failed",
        r"ModuleNotFoundError: .*nonexistent_package.*\(at guest_method\.py:4\)",
    ),
    "constructor that fails": (
        dict(fit="def __init__(self, *_): raise OSError('no licence')\ndef fit(self, train, budget): pass"),
        "failed",
        r"OSError: no licence",
    ),
    "fit with the wrong signature": (
        dict(fit="def fit(self, train): pass"),
        "failed",
        r"Guest\.fit is called with \(train, budget\) and takes \(self, train\); write def fit",
    ),
    "predict with the wrong signature": (
        dict(predict="def predict(self): pass"),
        "failed",
        r"Guest\.predict is called with \(query\) and takes \(self\); write def predict",
    ),
    "no predict": (dict(predict=""), "failed", r"Guest has no predict; write def predict\(self, query\)"),
    "no fit": (dict(fit=""), "failed", r"Guest has no fit; write def fit\(self, train, budget\)"),
    "exit without an answer": (
        dict(fit="def fit(self, train, budget): sys.exit(0)"),
        "failed",
        r"called exit\(0\) before it had answered; let fit and predict return",
    ),
    "os._exit in fit": (
        dict(fit="def fit(self, train, budget): os._exit(0)"),
        "failed",
        r"left with exit code 0 before it had answered; let fit and predict return",
    ),
    "segmentation fault": (
        dict(fit="def fit(self, train, budget): os.kill(os.getpid(), signal.SIGSEGV)"),
        "failed",
        r"ended by SIGSEGV before it had answered",
    ),
    "sigkill": (
        dict(fit="def fit(self, train, budget): os.kill(os.getpid(), signal.SIGKILL)"),
        "out-of-memory",
        r"killed by SIGKILL, as the system does when memory runs out",
    ),
    "changes its records": (
        dict(fit="def fit(self, train, budget): train.features[0, 0] = 1"),
        "failed",
        r"read-only; .*copy what you want to change.*\(at guest_method\.py:7\)",
    ),
    "changes its text": (dict(fit="def fit(self, train, budget): train.race[:] = 'x'"), "failed", r"read-only; .*copy"),
    "replaces a field": (dict(fit="def fit(self, train, budget): train.label = 1"), "failed", r"FrozenInstanceError"),
    "wrong length": (
        dict(predict="def predict(self, query): return np.zeros(49)"),
        "invalid-output",
        r"predict returned shape \(49,\) where \(50,\) was asked for: one answer a query",
    ),
    "wrong shape": (
        dict(predict="def predict(self, query): return np.zeros((50, 2))"),
        "invalid-output",
        r"shape \(50, 2\) where \(50,\)",
    ),
    "far too much": (
        dict(predict="def predict(self, query): return np.zeros(10_000_000)"),
        "invalid-output",
        r"its answer has 80,000,\d+ bytes where at most 66,336 were agreed",
    ),
    "nan": (
        dict(predict="def predict(self, query): return np.where(np.arange(50) == 3, np.nan, 0.5)"),
        "invalid-output",
        r"predict returned 1 of 50 values that are not finite \(NaN or infinity\), such as nan at \[3\]",
    ),
    "out of range": (
        dict(predict="def predict(self, query): return np.arange(50) / 40"),
        "invalid-output",
        r"predict returned 9 of 50 values outside \[0, 1\], such as 1\.025 at \[41\]",
    ),
    "strings": (
        dict(predict="def predict(self, query): return ['default'] * 50"),
        "invalid-output",
        r"predict must return an array of numbers, such as a numpy array of floats; list of <U7 came",
    ),
    "none": (
        dict(predict="def predict(self, query): pass"),
        "invalid-output",
        r"array of numbers.*; NoneType of object came",
    ),
    "ragged": (
        dict(predict="def predict(self, query): return [[1], [1, 2]]"),
        "failed",
        r"ValueError: .*inhomogeneous",
    ),
    "numpy MemoryError": (
        dict(fit="def fit(self, train, budget): np.ones(1 << 40)"),
        "out-of-memory",
        r"MemoryError: .*8\.00 TiB.*\(at guest_method\.py:7\); use less, or declare more: memory =",
    ),
    "ledger of other things": (
        dict(fit="def fit(self, train, budget): self.ledger.mechanisms = [1, 2]"),
        "failed",
        r"the ledger holds what is no Mechanism; record them by self\.ledger",
    ),
    "ledger gone": (dict(fit="def fit(self, train, budget): self.ledger = None"), "failed", r"mechanisms"),
    "ledger of nonsense": (
        dict(fit="def fit(self, train, budget): self.ledger.gaussian(float('nan'))"),
        "invalid-output",
        r"the ledger is not one: noise multiplier nan",
    ),
    "ledger with a sample rate of 2": (
        dict(fit="def fit(self, train, budget): self.ledger.subsampled_gaussian(1.0, 2.0, 5)"),
        "invalid-output",
        r"the ledger is not one: .* at sample rate 2\.0",
    ),
    "huge ledger": (
        dict(fit="def fit(self, train, budget): [self.ledger.gaussian(1.0) for _ in range(100_000)]"),
        "invalid-output",
        r"its ledger has [\d,]+ bytes where at most 1,048,576 were agreed",
    ),
}


@pytest.mark.parametrize(("source", "status", "reason"), CASES.values(), ids=CASES.keys())
def test_a_failure_is_told_with_what_and_where_and_what_to_do(run: Run, source: Any, status: str, reason: str) -> None:
    seen = run(**source)
    assert seen.status == status
    assert re.search(reason, seen.reason), seen.reason


@pytest.mark.parametrize(
    "answer",
    [
        "[0.5] * 50",
        "np.full(50, 1, np.uint8)",
        "np.ones(50, bool)",
        "np.full((50, 1), 0.5, np.float16)",
        "__import__('pandas').Series([0.25] * 50)",
        "__import__('pandas').DataFrame({'p': [0.25] * 50})",
    ],
)
def test_whatever_is_an_array_of_numbers_is_an_answer(run: Run, answer: str) -> None:
    seen = run(predict=f"def predict(self, query): return {answer}")
    assert seen.status == "ok", seen.reason
    assert seen.answers[1] is not None
    assert seen.answers[1].dtype == np.float64
    assert seen.answers[1].shape == (50,)


def test_a_method_that_prints_200_mb_is_heard_in_part_and_loses_nothing(run: Run) -> None:
    seen = run("""
        def fit(self, train, budget):
            print("the first line")
            for _ in range(200):
                os.write(1, b"x" * 1_000_000)
            print("the last line", file=sys.stderr)
    """)
    assert seen.status == "ok", seen.reason
    assert len(seen.log) < LOG_KEPT + 100
    assert seen.log.startswith("the first line\nxxx")
    assert seen.log.endswith("xxxthe last line\n")
    assert f"[... {200_000_000 + 15 + 14 - LOG_KEPT:,} bytes left out ...]" in seen.log


def test_what_was_printed_before_a_failure_is_kept_with_the_traceback(run: Run) -> None:
    seen = run("def fit(self, train, budget): sys.stdout.write('so far so good'); raise KeyError('x')")
    assert seen.log.startswith("so far so good")
    assert "Traceback" in seen.log
    assert "KeyError: 'x'" in seen.log


CLASSES = Want((3, 4), 0, 1, total=1)


def test_rows_that_sum_to_their_total_are_taken_within_a_thousandth() -> None:
    answer = np.full((3, 4), 0.25)
    answer[1] = 0.2502
    np.testing.assert_array_equal(check(boundary.encode({"answer": answer}), CLASSES, "predict"), answer)


@pytest.mark.parametrize("row", [[0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0], [0.2504, 0.2504, 0.2504, 0.2504]])
def test_rows_that_do_not_sum_to_their_total_are_refused(row: list[float]) -> None:
    answer = np.full((3, 4), 0.25)
    answer[2] = row
    said = rf"predict returned 1 of 3 rows that do not sum to 1, such as {sum(row):.6g} at \[2\]"
    with pytest.raises(VisitError, match=said) as refused:
        check(boundary.encode({"answer": answer}), CLASSES, "predict")
    assert refused.value.args[0] == "invalid-output"
