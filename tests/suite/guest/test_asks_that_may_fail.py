"""Asks of which some may fail: the visit goes on, and what went wrong is told."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fourfold.suite.task import Ask
from fourfold.suite.visit import Visit

Run = Callable[..., Visit]

FIT = "def fit(self, train, budget): self.asked = -1"
PREDICT = """
def predict(self, query):
    self.asked += 1
    if self.asked in {at}:
        {how}
    return np.full(len(query.features), 0.5)
"""


@pytest.fixture
def several(asks: tuple[Ask, ...]) -> tuple[Ask, ...]:
    fit, predict = asks
    return fit, *[replace(predict, may_fail=True)] * 3


def body(at: set[int], how: str) -> tuple[str, str]:
    return FIT, PREDICT.format(at=at, how=how)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("raise ValueError('no such series')", "failed: ValueError: no such series (at guest_method.py:"),
        ("return np.full(len(query.features), np.nan)", "not finite"),
        ("return np.full(3, 0.5)", "invalid-output: predict returned shape (3,)"),
        ("return np.full(len(query.features), -0.5)", "outside [0, 1]"),
        ("return 'later'", "invalid-output: predict must return an array of numbers"),
    ],
)
def test_the_others_are_asked_all_the_same(run: Run, several: tuple[Ask, ...], how: str, why: str) -> None:
    seen = run(*body({1}, how), asks=several)
    assert (seen.status, seen.reason) == ("ok", "")
    assert [answer is None for answer in seen.answers] == [True, False, True, False]
    assert list(seen.faults) == [2]
    assert why in seen.faults[2]
    assert [phase.verb for phase in seen.phases] == ["fit", *["predict"] * 3]


def test_where_all_fail_the_method_has_failed(run: Run, several: tuple[Ask, ...]) -> None:
    seen = run(*body({0, 1, 2}, "1 / 0"), asks=several)
    assert seen.status == "failed"
    assert "answered none of 3 asks; the first: ZeroDivisionError" in seen.reason


@pytest.mark.parametrize(
    ("how", "status"),
    [("import os; os._exit(3)", "failed"), ("raise MemoryError", "out-of-memory"), ("raise SystemExit", "failed")],
)
def test_a_guest_that_is_gone_is_asked_no_more(run: Run, several: tuple[Ask, ...], how: str, status: str) -> None:
    seen = run(*body({1}, how), asks=several)
    assert seen.status == status
    assert len(seen.answers) == 2


def test_an_ask_that_may_not_fail_ends_the_visit(run: Run, several: tuple[Ask, ...]) -> None:
    seen = run(*body({1}, "1 / 0"), asks=[replace(ask, may_fail=False) for ask in several])
    assert (seen.status, seen.faults) == ("failed", {})


def test_bounds_may_differ_from_place_to_place(run: Run, asks: tuple[Ask, ...]) -> None:
    fit, predict = asks
    assert predict.want is not None
    low = np.full(predict.want.shape, -1.0)
    low[7] = 0.75
    seen = run(*body(set(), "pass"), asks=[fit, replace(predict, want=replace(predict.want, low=low))])
    assert seen.status == "invalid-output"
    assert "1 of 50 values outside [0.75, 1], such as 0.5 at [7]" in seen.reason
