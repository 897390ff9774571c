"""Guests that do not end, or grow, kill, fork or forge: none holds the suite up, and none outlives its visit."""

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fourfold.suite import warm
from fourfold.suite.method import Budget
from fourfold.suite.usage import below
from fourfold.suite.visit import Visit, visit, visit_warm
from fourfold.suite.warm import GuestLost, Parent, Parents

Run = Callable[..., Visit]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what Linux alone tells or enforces")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "sleep",
    [
        "time.sleep(1000)",
        "[signal.signal(each, signal.SIG_IGN) for each in (signal.SIGTERM, signal.SIGINT)]; time.sleep(1000)",
        "exec('while True: pass')",
    ],
)
def test_a_method_that_never_returns_is_ended(run: Run, sleep: str) -> None:
    began = time.monotonic()
    seen = run(f"def fit(self, train, budget): {sleep}", time_limit=0.7)
    assert seen.status == "timeout"
    assert "no answer within 0.7 s" in seen.reason
    assert "--time-limit" in seen.reason
    assert time.monotonic() - began < 5
    assert [phase.verb for phase in seen.phases] == ["fit"]
    assert seen.phases[0].wall > 0.6


@LINUX
def test_memory_that_grows_in_children_counts(run: Run) -> None:
    seen = run(
        """
        def fit(self, train, budget):
            for _ in range(4):
                if not os.fork():
                    held = []
                    while True:
                        held.append(np.ones(1 << 20))
                        time.sleep(0.01)
            time.sleep(60)
    """,
        memory_limit=300 << 20,
    )
    assert seen.status == "out-of-memory"
    told = r"it used 0\.\d\d GiB where 0\.29 were agreed|it held more than was agreed, .*|MemoryError: .*"
    assert re.search(f"({told}); use less, or declare more", seen.reason)  # Whoever was first: looks, cgroup, itself.
    assert seen.peak_memory > 250 << 20


@LINUX
def test_pages_that_children_share_count_once(run: Run) -> None:
    seen = run(
        """
        def fit(self, train, budget):
            self.data = np.ones(12 << 20)
            children = [os.fork() or time.sleep(1.0) or os._exit(0) for _ in range(6)]
            [os.wait() for _ in children]
    """,
        memory_limit=400 << 20,
    )
    assert seen.status == "ok", seen.reason
    assert 96 << 20 < seen.peak_memory < 300 << 20


@LINUX
def test_memory_error_in_small_steps_is_still_told(run: Run) -> None:
    seen = run(
        """
        def fit(self, train, budget):
            held = []
            while True:
                held.append(bytearray(4096))
    """,
        memory_limit=200 << 20,
    )
    assert (seen.status, seen.reason.split(":")[0]) == ("out-of-memory", "MemoryError")


@LINUX
def test_a_child_that_keeps_the_pipes_open_does_not_keep_the_suite_waiting(run: Run) -> None:
    began = time.monotonic()
    seen = run("def fit(self, train, budget): os.fork() or time.sleep(1000); os._exit(3)")
    assert (seen.status, seen.reason.split(";")[0]) == ("failed", "it left with exit code 3 before it had answered")
    assert time.monotonic() - began < 5


@LINUX
def test_nothing_that_a_method_started_survives_it(run: Run, heard: Any) -> None:
    name = f"fourfold-{os.getpid() % 100_000}"
    seen = run(f"""
        def fit(self, train, budget):
            read, write = os.pipe()
            if not os.fork():
                os.setsid()
                for _ in range(3):
                    os.fork()
                open("/proc/self/comm", "w").write({name!r})
                os.write(write, b"%d\\n" % os.getpid())
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(1000)
            pids = b""
            while pids.count(b"\\n") < 8:
                pids += os.read(read, 4096)
            print([int(pid) for pid in pids.split()])
    """)
    assert len(set(heard(seen))) == 8
    assert name not in [path.read_text().strip() for path in Path("/proc").glob("[0-9]*/comm") if path.exists()]


@LINUX
def test_a_method_that_kills_its_parent_is_told_from_a_machine_that_fails(
    tmp_path: Path, asks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOURFOLD_SANDBOX", "process")
    killer = tmp_path / "killer.py"
    killer.write_text(
        dedent("""
        import os
        from fourfold.suite import Method
        class Killer(Method):
            def fit(self, train, budget): os.kill(os.getppid(), 9)
            def predict(self, query): pass
    """)
    )
    with Parents() as parents:
        parent = parents.get((), 1)
        with pytest.raises(GuestLost, match="ended with code -9"):
            visit(parent, str(killer), "Killer", {}, Budget(), asks)
        parents.drop(parent)
        seen = visit_warm(parents, (), sys.executable, str(killer), "Killer", {}, Budget(), asks)
        assert seen.status == "failed"
        assert re.search(r"the process that started it died while it ran, 3 times: .* leave processes", seen.reason)
        assert visit_warm(parents, (), sys.executable, str(killer), "Killer", {}, Budget(), []).status == "ok"


def test_a_parent_that_dies_by_itself_costs_a_method_nothing(
    parents: Parents, run: Run, tmp_path: Path, asks: Any
) -> None:
    os.kill(parents.get(("pandas",), 1).pid, 9)
    run()
    seen = visit_warm(
        parents, ("pandas",), sys.executable, str(tmp_path / "guest_method.py"), "Guest", {}, Budget(), asks
    )
    assert seen.status == "ok"


@LINUX
def test_who_waits_to_be_the_next_guest_may_die_meanwhile(run: Run, parents: Parents) -> None:
    assert run().status == "ok"
    deadline = time.monotonic() + 10
    while not (waiting := below(parents.get((), 1).pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)  # A kill takes its time.
    assert run().status == "ok"


def test_a_parent_that_cannot_start_says_why(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    bare.chmod(0o755)
    with pytest.raises(GuestLost, match="ended with code 3: no such library"):
        Parent(str(bare), (), 1)


def test_the_suite_going_away_ends_the_guest(tmp_path: Path) -> None:
    parent = Parent(sys.executable, (), 1)
    pipes = [os.pipe() for _ in range(3)]
    pid = parent.fork((pipes[0][0], pipes[1][1], pipes[2][1]), 1 << 30)
    assert alive(pid)
    parent.close()
    assert not alive(pid)
    for descriptor in (each for pipe in pipes for each in pipe):
        os.close(descriptor)


FORGED = {
    "garbage": (
        "os.write(answers(), b'?' + os.urandom(4) + b'garbage' * 1000)",
        "invalid-output",
        "broke the protocol: a frame",
    ),
    "an answer too early": (
        "os.write(answers(), frame(b'A') + frame(b'L', b'[]') + frame(b'V') + frame(b'A')); time.sleep(1)",
        "invalid-output",
        "broke the protocol: it answered before it was asked",
    ),
    "an enormous frame": (
        "os.write(answers(), struct.pack('<cQ', b'A', 1 << 62)); time.sleep(60)",
        "invalid-output",
        r"its answer has 4,611,686,018,427,387,904 bytes where at most 0",
    ),
    "an enormous ledger": (
        "os.write(answers(), frame(b'A') + struct.pack('<cQ', b'L', 1 << 40)); time.sleep(60)",
        "invalid-output",
        r"its ledger has 1,099,511,627,776 bytes where at most 1,048,576",
    ),
    "a malformed ledger": (
        "os.write(answers(), frame(b'A') + frame(b'L', b'[[1, 2]]')); time.sleep(60)",
        "invalid-output",
        "the ledger is not one",
    ),
    "a deep ledger": (
        "os.write(answers(), frame(b'A') + frame(b'L', b'[' * 100_000)); time.sleep(60)",
        "invalid-output",
        "the ledger is not one",
    ),
    "a ledger of an unknown kind": (
        "os.write(answers(), frame(b'A') + frame(b'L', b'[[\"magic\", 1, 1, 1, \"full\"]]'))",
        "invalid-output",
        "there is no 'magic' mechanism",
    ),
    "a malformed error": ("os.write(answers(), frame(b'E', b'{}')); time.sleep(60)", "failed", "could not say why"),
    "a closed pipe": ("os.close(answers()); time.sleep(60)", "failed", "closed the pipe that carries its answers"),
    "half a frame": (
        "os.write(answers(), b'A\\0\\0'); os._exit(0)",
        "failed",
        "left with exit code 0 before it had answered",
    ),
}


@LINUX
@pytest.mark.parametrize(("act", "status", "reason"), FORGED.values(), ids=FORGED.keys())
def test_a_forged_frame_is_refused(run: Run, act: str, status: str, reason: str) -> None:
    began = time.monotonic()
    seen = run(f"def fit(self, train, budget): {act}")
    assert seen.status == status
    assert re.search(reason, seen.reason), seen.reason
    assert time.monotonic() - began < 5


@LINUX
@pytest.mark.parametrize(
    "body",
    [
        "b'\\x80\\x04cposix\\nsystem\\n'",
        "b''",
        "__import__('pickle').dumps(np.zeros(50))",
        "__import__('fourfold.suite.boundary').suite.boundary.encode({'answer': np.array(['x'] * 50)})",
    ],
)
def test_what_is_no_arrow_array_is_no_answer(run: Run, body: str) -> None:
    seen = run(
        predict=f"def predict(self, query): os.write(answers(), frame(b'A', {body}) + frame(b'L', b'[]'))",
    )
    assert seen.status == "invalid-output"
    assert re.search("predict did not return an array", seen.reason)


@LINUX
def test_a_method_that_stops_its_parent_does_not_stop_the_suite(
    tmp_path: Path, asks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_FORK", 0.5)
    monkeypatch.setenv("FOURFOLD_SANDBOX", "process")
    stopper = tmp_path / "stopper.py"
    stopper.write_text(
        "import os, signal\nfrom fourfold.suite import Method\nclass Stopper(Method):\n"
        "    def fit(self, train, budget): os.kill(os.getppid(), signal.SIGSTOP)\n    def predict(self, query): pass\n"
    )
    with Parents() as parents, pytest.raises(GuestLost, match="ended with code -9"):
        visit(parents.get((), 1), str(stopper), "Stopper", {}, Budget(time_limit=2), asks)


def test_a_signal_without_a_name_is_told_by_its_number(run: Callable[..., Visit]) -> None:
    seen = run("def fit(self, train, budget): os.kill(os.getpid(), 40)")
    assert (seen.status, "it was ended by 40 before it had answered" in seen.reason) == ("failed", True), seen.reason


def test_who_reads_its_own_log_away_breaks_nothing(run: Callable[..., Visit]) -> None:
    """As an ordinary user a guest may open the other end of the pipe that it prints to."""
    seen = run("""
        def fit(self, train, budget):
            mine, end = None, time.time() + 1
            try:
                mine = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
            except PermissionError:
                end = 0
            while time.time() < end:
                os.write(2, b"x")
                try:
                    os.read(mine, 1 << 20)
                except BlockingIOError:
                    pass
    """)
    assert seen.status == "ok", seen.reason


def test_what_comes_after_the_last_frame_is_not_gathered(run: Callable[..., Visit]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = run(predict="""
        def predict(self, query):
            from fourfold.suite import boundary
            send, out, block = boundary.send, answers(), bytes(1 << 20)
            def flooding(descriptor, tag, body=b""):
                send(descriptor, tag, body)
                while tag == b"S":
                    os.write(out, block)
            boundary.send = flooding
            return np.full(len(query.features), 0.5)
    """)
    assert seen.status == "ok", seen.reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB
