import math
from collections.abc import Callable

import pytest

from fourfold.suite.display import Progress, display, duration, line, reasons, spoken, value_of
from fourfold.suite.evaluate import Job, Result
from fourfold.suite.events import Finished, Retried, Started

Toy = Callable[..., list[Job]]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ended(job: Job, status: str = "ok", reason: str = "", value: float | None = 0.75) -> Finished:
    rows = [
        {"metric": "hits", "group": "", "value": value},
        {"metric": "cpu_seconds", "group": "fit", "value": 9.0},
        {"metric": "cpu_seconds", "group": "", "value": 0.25},
    ]
    return Finished(Result(job.cell, status, reason, rows, {}), "a worker")


@pytest.fixture
def jobs(toy: Toy) -> list[Job]:
    return toy("Noop", seeds=4)


def test_progress_counts_what_happened(jobs: list[Job]) -> None:
    progress = Progress(jobs, lambda cell: 10.0, True, clock=Clock())
    for event in (
        Started(jobs[0].cell, "a"),
        Started(jobs[1].cell, "b"),
        ended(jobs[0]),
        Retried(jobs[1].cell, "lost"),
        Started(jobs[1].cell, "b"),
        ended(jobs[1], "timeout", "too slow"),
    ):
        progress.take(event)
    assert (progress.done, progress.total, dict(progress.statuses)) == (2, 4, {"ok": 1, "timeout": 1})
    assert not progress.running
    assert progress.tally().startswith("2/4 done, 1 without a score (1 timeout), about ")


def test_what_is_left_is_the_estimate_corrected_by_what_was_taken(jobs: list[Job]) -> None:
    clock = Clock()
    progress = Progress(jobs, lambda cell: 10.0, True, clock=clock)
    assert progress.left() == pytest.approx(40)
    progress.take(Started(jobs[0].cell, "a"))
    clock.now += 20  # twice as long as estimated
    progress.take(ended(jobs[0]))
    assert progress.left() == pytest.approx(60)
    progress.take(Started(jobs[1].cell, "a"))
    clock.now += 5
    assert progress.left() == pytest.approx(55)


def test_two_at_once_take_half_as_long(jobs: list[Job]) -> None:
    progress = Progress(jobs, lambda cell: 10.0, True, slots=2, clock=Clock())
    assert progress.left() == pytest.approx(20)


def test_nothing_is_said_of_what_is_left_before_anything_is_known(jobs: list[Job]) -> None:
    clock = Clock()
    progress = Progress(jobs, lambda cell: 1.0, False, clock=clock)
    assert progress.left() is None
    assert progress.tally() == "0/4 done, too early to tell what is left"
    progress.take(Started(jobs[0].cell, "a"))
    clock.now += 3
    progress.take(ended(jobs[0]))
    assert progress.left() == pytest.approx(9)


def test_a_line_has_the_headline_and_the_cpu_seconds_of_all(jobs: list[Job]) -> None:
    assert line(ended(jobs[2])) == "toy/tiny  noop  seed 2  ok  hits 0.75  0.25 s CPU"
    assert "hits undefined" in line(ended(jobs[2], value=None))
    assert value_of(ended(jobs[0]).result, "auc") is None


def test_no_words_of_a_method_reach_the_terminal_as_orders(jobs: list[Job], capsys: pytest.CaptureFixture[str]) -> None:
    shown = display("plain", Progress(jobs, lambda cell: 1.0, True, clock=Clock()))
    shown.take(ended(jobs[0], "failed", "bad\x1b[2J\r\nnews\u202e and more"))
    told = capsys.readouterr().out
    assert "bad [2J news and more" in told
    assert all(each.isprintable() or each == "\n" for each in told)


def test_none_shows_nothing_and_still_counts(jobs: list[Job], capsys: pytest.CaptureFixture[str]) -> None:
    shown = display("none", Progress(jobs, lambda cell: 1.0, True))
    shown.take(ended(jobs[0]))
    assert shown.progress.done == 1
    assert capsys.readouterr().out == ""


def test_a_reason_is_told_once_with_how_often(jobs: list[Job]) -> None:
    progress = Progress(jobs, lambda cell: 1.0, True)
    for job in jobs[:3]:
        progress.take(ended(job, "failed", "no idea"))
    progress.take(ended(jobs[3], "timeout", "too slow"))
    assert reasons(progress.failures.items()) == ["noop: failed (3 cells): no idea", "noop: timeout (1 cell): too slow"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.24, "0.2 s"),
        (42.4, "42 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
        (math.inf, "for ever"),
    ],
)
def test_a_duration_is_told_as_people_do(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_long_reason_is_cut() -> None:
    assert len(spoken("a" * 5000, 100)) == 100
