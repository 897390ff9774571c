"""Reaching other processes: another guest, the warm parent, init, whatever the suite runs."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fourfold.suite.method import Budget
from fourfold.suite.visit import visit
from fourfold.suite.warm import Parents

attack = pytest.mark.attack
ALONE = "it sees no process but its own"
OWN = "its /tmp and /dev/shm are its own"
INIT = "init is another user's where the suite runs as root, and deaf to what has no handler"
SAME = "SUCCEEDS: the same user may signal it"
FRESH = "a new parent is started; a method that does it twice has failed"


@pytest.fixture
def harness() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the suite's user that the test may lose."""
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@attack(namespaces=ALONE, process=SAME)
def test_kills_a_process_of_the_suite(strike, judge, harness):
    strike(f"os.kill({harness.pid}, signal.SIGKILL)")
    try:
        harness.wait(0.3)
        judge(True)
    except subprocess.TimeoutExpired:
        judge(False)


@attack(namespaces=ALONE, process=SAME)
def test_stops_a_process_of_the_suite(strike, judge, harness):
    strike(f"os.kill({harness.pid}, signal.SIGSTOP); time.sleep(0.1)")
    judge(state(harness.pid) == "T")


@attack(namespaces="the system call is denied, and it sees no process but its own", process="SUCCEEDS as root")
def test_traces_a_process_of_the_suite(strike, judge, harness):
    seen = strike(f"print('traced' if libc.ptrace(16, {harness.pid}, None, None) == 0 else 'not')")
    judge("traced" in seen.log)


@attack(namespaces="the system call is denied, and it sees no process but its own", process="SUCCEEDS as root")
def test_takes_descriptors_from_a_process_of_the_suite(strike, judge, harness):
    seen = strike(f"""
        fd = os.pidfd_open({harness.pid})
        print('taken' if libc.syscall(438, fd, 1, 0) >= 0 else 'not')
    """)
    judge("taken" in seen.log)


@attack(namespaces=ALONE, process="SUCCEEDS as root: limits of others can be set")
def test_sets_limits_of_a_process_of_the_suite(strike, judge, harness):
    seen = strike(f"import resource; print('set', resource.prlimit({harness.pid}, resource.RLIMIT_NOFILE, (64, 64)))")
    judge("set" in seen.log)


@attack(namespaces=ALONE, process="SUCCEEDS as root: priorities of others can be set")
def test_slows_a_process_of_the_suite(strike, judge, harness):
    strike(f"os.setpriority(os.PRIO_PROCESS, {harness.pid}, 19)")
    judge(os.getpriority(os.PRIO_PROCESS, harness.pid) == 19)


@attack(namespaces=INIT, process=FRESH)
def test_kills_its_parent(strike, judge):
    seen = strike("os.kill(os.getppid(), signal.SIGKILL); time.sleep(0.5)")
    judge(seen.status not in ("ok", "failed") or strike().status != "ok")


@attack(
    namespaces=INIT,
    process="not run: takes the minute for which the suite waits; tests/suite/guest/test_watch.py has it",
)
def test_stops_its_parent(strike, judge):
    seen = strike("os.kill(os.getppid(), signal.SIGSTOP)")
    judge(seen.status != "ok")


@attack(
    namespaces="init ignores, of its own world, whatever it has no handler for; one it has ends the guest alone",
    process="not run: what has number 1 there is the machine's own",
)
def test_kills_init(strike, judge):
    seen = strike("""
        for number in set(signal.Signals) - {signal.SIGCHLD}:
            try:
                os.kill(1, number)
            except OSError as error:
                print(number, error)
    """)
    judge(seen.status not in ("ok", "failed") or strike().status != "ok")


@attack(namespaces="a signal to all reaches its own world alone", process="not run: it would end this machine's work")
def test_kills_everybody(strike, judge, harness):
    seen = strike("os.fork() or time.sleep(60); os.kill(-1, signal.SIGKILL)")
    judge(harness.poll() is not None or seen.status != "ok")


@attack(both="it leads its own session and group")
def test_signals_its_group(strike, judge, harness):
    seen = strike("signal.signal(signal.SIGUSR1, signal.SIG_IGN); os.killpg(0, signal.SIGUSR1)")
    judge(seen.status != "ok" or harness.poll() is not None)


@pytest.fixture
def beside(parents, method, asks):
    """Another guest that sleeps meanwhile: the number of its warm parent, and what will come of its visit."""
    with Parents() as others, ThreadPoolExecutor(1) as pool:
        other = others.get((), 1)
        file = method("time.sleep(1.5)", name="victim.py")
        yield other.pid, pool.submit(visit, other, file, "Attack", {}, Budget(time_limit=20.0, seed=8), asks)


@attack(namespaces=ALONE, process="SUCCEEDS: guests are one user")
def test_signals_another_guest(strike, judge, beside):
    parent, visited = beside
    strike(f"""
        for _ in range(20):
            time.sleep(0.05)
            for pid in open('/proc/{parent}/task/{parent}/children').read().split():
                os.kill(int(pid), signal.SIGKILL)
    """)
    judge(visited.result().status != "ok")


@attack(namespaces=OWN, process="SUCCEEDS: guests are one user, with one /tmp")
def test_leaves_a_file_for_another_guest(strike, judge, token):
    name = f"/tmp/hostile-{secrets.token_hex(8)}"
    try:
        strike(f"open({name!r}, 'w').write({token!r})")
        judge(token in strike(f"print(open({name!r}).read())").log)
    finally:
        Path(name).unlink(missing_ok=True)


@attack(namespaces=OWN, process="SUCCEEDS: guests are one user, with one /dev/shm")
def test_leaves_shared_memory_for_another_guest(strike, judge, token):
    name = f"/dev/shm/hostile-{secrets.token_hex(8)}"
    try:
        strike(f"open({name!r}, 'w').write({token!r})")
        judge(token in strike(f"print(open({name!r}).read())").log)
    finally:
        Path(name).unlink(missing_ok=True)


@attack(namespaces=OWN, process="SUCCEEDS: guests are one user, with one /tmp")
def test_meets_the_suite_at_a_fifo(strike, judge, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        strike(f"os.write(os.open({str(fifo)!r}, os.O_WRONLY | os.O_NONBLOCK), b'here')")
        judge(os.read(reading, 10) == b"here")
    finally:
        os.close(reading)


@attack(namespaces="the folder of the other's method is not there", process="SUCCEEDS: guests are one user")
def test_changes_the_method_of_another(strike, judge, tmp_path):
    theirs = tmp_path / "theirs" / "method.py"
    theirs.parent.mkdir()
    theirs.write_text("innocent")
    strike(f"open({str(theirs)!r}, 'w').write('guilty')")
    judge(theirs.read_text() != "innocent")


@attack(namespaces="none outlives init", process="orphans become the warm parent's, which ends them")
def test_leaves_a_daemon(strike, judge):
    name = f"hostile{secrets.token_hex(3)}"
    strike(f"""
        if not os.fork():
            os.setsid()
            if not os.fork():
                for number in set(signal.Signals) - {{signal.SIGKILL, signal.SIGSTOP}}:
                    signal.signal(number, signal.SIG_IGN)
                open('/proc/self/comm', 'w').write({name!r})
                os.closerange(0, 100)
                time.sleep(60)
            os._exit(0)
        time.sleep(0.2)
    """)
    judge(name in names())


@attack(namespaces="none outlives init", process="orphans become the warm parent's, which ends them")
def test_leaves_processes_that_flee_by_forking(strike, judge):
    name = f"hostile{secrets.token_hex(3)}"
    seen = strike(f"""
        if not os.fork():
            open('/proc/self/comm', 'w').write({name!r})
            end = time.time() + 5
            while time.time() < end:
                if os.fork():
                    os._exit(0)
                os.setsid()
        time.sleep(0.2)
    """)
    assert seen.status == "ok", seen.reason
    judge(name in names())


def names() -> set[str]:
    """Of all processes there are."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            found.add(place.read_text().strip())
    return found


@attack(
    namespaces="processes end with their world, whatever pipe they hold",
    process="orphans are ended before the visit is",
)
def test_holds_the_pipes_open_when_it_has_gone(strike, judge):
    seen = strike("os.fork() or time.sleep(60); os._exit(3)", budget={"time_limit": 5.0})
    judge(seen.status != "failed" or "code 3" not in seen.reason)


@attack(both="the suite's ends are its own; a closed pipe is the method's failure")
def test_closes_all_its_pipes(strike, judge):
    judge(strike("os.closerange(0, 100); time.sleep(30)", budget={"time_limit": 10.0}).status != "failed")


@attack(both="processes are known by number, not by name")
def test_takes_the_name_of_another_process(strike, judge):
    seen = strike("open('/proc/self/comm', 'w').write('1) R 1 (x'); burn(0.3)")
    judge(seen.status != "ok" or sum(phase.cpu for phase in seen.phases) < 0.2)
