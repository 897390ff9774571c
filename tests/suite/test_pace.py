"""The pace at which private records are computed with: as long whatever they hold, and no longer than need be."""

import math
import time

import numpy as np
import pytest

from fourfold.suite.curator import Curator
from fourfold.suite.evidence import Secret
from fourfold.suite.graph import Graph, export, read
from fourfold.suite.method import Budget
from fourfold.suite.pace import FLOOR, OVERRUNS, SLACK, Pace, PaceError

torch = pytest.importorskip("torch")


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def timed(held: Pace, expected: float, work: float) -> float:
    began = time.thread_time()
    with held.held(expected):
        burn(work)
    return time.thread_time() - began


@pytest.mark.parametrize("work", [0.0, 0.004, 0.01])
def test_it_takes_as_long_whatever_is_done(work):
    took = timed(Pace("cpu"), 0.01, work)
    given = 0.01 * SLACK + FLOOR
    assert given <= took < 1.3 * given


def test_what_overruns_takes_the_next_step_and_then_all_may_take_longer():
    held = Pace("cpu")
    assert timed(held, 0.05, 0.06) == pytest.approx((0.05 * SLACK + FLOOR) * SLACK, rel=0.05)
    assert timed(held, 0.05, 0.0) == pytest.approx(0.05 * SLACK**2 + FLOOR, rel=0.05)


def test_only_so_many_overruns_are_borne():
    held = Pace("cpu")
    for _ in range(OVERRUNS):
        timed(held, 0.0, 1.2 * FLOOR)
    with pytest.raises(PaceError, match="longer than over made-up records"):
        timed(held, 0.0, 1.2 * FLOOR)


def test_the_least_of_several_is_what_is_expected():
    turns = iter([0.05, 0.03, 0.02, 0.03])
    assert Pace("cpu").taken(lambda: burn(next(turns))) == pytest.approx(0.02, rel=0.2)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ratio(held: Pace | None) -> float:
    """How much longer a total takes that is slow over the private records alone, behind the first twelve of each."""
    record = [np.ones((400, 1), np.float32), np.ones(400, np.int64)]
    curator = Curator(record, Budget(epsilon=math.inf), Secret(1, np.zeros(0, bool)), pace=held)

    def root(parameters, x, label):  # Of a negative number where the label is 1; those made up have label 0.
        x = 1 + label * (parameters["sign"] - 1)
        return (x * torch.ones(512)).sqrt().sum()[None]

    signs = [{"sign": torch.tensor([sign])} for sign in (1.0, -1.0)]
    graph = read(export(root, signs[0], torch.ones(1), torch.tensor(1)))
    times = [timed_total(curator, graph, sign) for _ in range(24) for sign in signs]
    quick, slow = (sorted(times[24 + which :: 2]) for which in (0, 1))
    return slow[6] / quick[6]


def timed_total(curator: Curator, graph: Graph, parameters: dict[str, "torch.Tensor"]) -> float:
    began = time.thread_time()
    curator.total(graph, parameters, 1.0, 1e5)
    return time.thread_time() - began


def test_a_total_takes_as_long_over_records_that_are_slow():
    assert ratio(None) > 2
    assert ratio(Pace("cpu")) == pytest.approx(1, abs=0.3)
