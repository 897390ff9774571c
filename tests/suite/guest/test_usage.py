"""CPU time, wall clock and size of a method, counted from outside, with all it starts and whatever it says."""

import os
import sys
from collections.abc import Callable

import pytest

from fourfold.suite import usage
from fourfold.suite.visit import Visit

Run = Callable[..., Visit]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what Linux alone tells or enforces")


@pytest.fixture
def cpu(run: Run) -> Callable[..., dict[str, float]]:
    def cpu(fit: str) -> dict[str, float]:
        seen = run(fit)
        assert seen.status == "ok", seen.reason
        return {phase.verb: phase.cpu for phase in seen.phases}

    return cpu


def test_cpu_is_counted_in_the_phase_that_used_it(cpu: Callable[..., dict[str, float]]) -> None:
    used = cpu("def fit(self, train, budget): burn(0.5); time.sleep(0.3)")
    assert used["fit"] == pytest.approx(0.5, abs=0.08)
    assert used["predict"] < 0.1


def test_sleeping_costs_wall_clock_alone(run: Run) -> None:
    seen = run("def fit(self, train, budget): time.sleep(0.4)")
    assert 0.4 <= seen.phases[0].wall < 0.8
    assert seen.phases[0].cpu < 0.1


# Each burns 0.3 s. Who does not wait for the process itself waits for its end of a pipe to close, be it ever so slow.
STARTED = {
    "waited for": "os.fork() or (burn(0.3), os._exit(0)); os.wait()",
    "a zombie": "os.fork() or (burn(0.3), os._exit(0)); os.close(w); os.read(r, 1)",
    "an orphan": "os.fork() or (os.fork() or (burn(0.3), os._exit(0))) and os._exit(0); os.close(w); os.read(r, 1)",
    "not waited for": "signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.fork() or (burn(0.3), os._exit(0)); "
    "os.close(w); os.read(r, 1)",
    "a thread": "t = __import__('threading').Thread(target=burn, args=(0.3,)); t.start(); t.join()",
}


@LINUX
@pytest.mark.parametrize("start", STARTED.values(), ids=STARTED)
def test_the_cpu_of_what_it_starts_counts(cpu: Callable[..., dict[str, float]], start: str) -> None:
    assert cpu(f"def fit(self, train, budget): r, w = os.pipe(); {start}")["fit"] == pytest.approx(0.3, abs=0.12)


@LINUX
def test_cpu_cannot_be_hidden_by_answering_early(run: Run) -> None:
    """The early answer ends ``fit`` as far as the suite can tell; the work then falls to the ask that waits for it."""
    seen = run(
        """
        def fit(self, train, budget):
            os.write(answers(), frame(b"A") + frame(b"L", b"[]") + frame(b"V"))
            burn(0.4)
            from fourfold.suite import boundary
            boundary.send = lambda *_: None
    """,
        """
        def predict(self, query):
            body = encode({"answer": np.full(50, 0.5)})
            os.write(answers(), frame(b"A", body) + frame(b"L", b"[]"))
    """,
        top="from fourfold.suite.boundary import encode",
    )
    assert seen.status == "ok", seen.reason
    assert [phase.verb for phase in seen.phases] == ["fit", "predict"]
    assert sum(phase.cpu for phase in seen.phases) == pytest.approx(0.4, abs=0.1)


def test_what_a_failed_visit_cost_is_told(run: Run) -> None:
    seen = run("def fit(self, train, budget): burn(0.3); raise ValueError")
    assert seen.status == "failed"
    assert [phase.verb for phase in seen.phases] == ["fit"]
    assert seen.phases[0].cpu == pytest.approx(0.3, abs=0.1)


def test_what_a_visit_cost_that_is_ended_in_the_middle_is_told(run: Run) -> None:
    seen = run("def fit(self, train, budget): burn(60)", time_limit=1.0)
    assert seen.status == "timeout"
    assert 0.4 < seen.phases[0].cpu < 1.2  # As much as a busy machine gave it.


def test_the_numbers_in_a_fitted_method_are_counted(run: Run) -> None:
    assert (
        run("def fit(self, train, budget): self.weights, self.copy = np.ones((3, 5)), 2 * np.ones(4)").parameters == 19
    )
    assert run("def fit(self, train, budget): self.weights = self.same = np.ones(7)").parameters == 7
    assert run("def fit(self, train, budget): self.function = lambda: 0").parameters is None
    assert (
        run(
            "def fit(self, train, budget): self.__class__.__reduce__ = None; self.bad = type('B', (), {'__reduce__': "
            "lambda self: os._exit(5)})()"
        ).parameters
        is None
    )


@LINUX
def test_a_process_that_lets_nobody_look_is_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may trace all processes, as root may, is refused by none: so the refusal is made here."""
    told = usage._told

    def refused(path: str) -> bytes:
        if path.endswith("smaps_rollup"):
            raise PermissionError(path)
        return told(path)

    seen = usage._shared(os.getpid())
    monkeypatch.setattr(usage, "_told", refused)
    assert usage._shared(os.getpid()) >= seen > 0
