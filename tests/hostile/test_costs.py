"""Forged costs: work that is done where it might not be counted, memory where nobody looks."""

import pytest

from fourfold.suite.visit import Visit

attack = pytest.mark.attack
COUNTED = "the system's count of all its processes"
BURNT = 0.3


def cpu(seen: Visit) -> float:
    assert seen.status == "ok", seen.reason
    return sum(phase.cpu for phase in seen.phases)


@attack(both=COUNTED)
def test_works_in_a_child_that_it_does_not_wait_for(strike, judge):
    judge(cpu(strike(f"os.fork() or (burn({BURNT}), os._exit(0)); time.sleep(3 * {BURNT})")) < BURNT / 2)


@attack(both=COUNTED)
def test_works_in_a_grandchild_of_another_session(strike, judge):
    judge(cpu(strike(f"""
        if not os.fork():
            os.setsid()
            os.fork() or (burn({BURNT}), os._exit(0))
            os._exit(0)
        time.sleep(3 * {BURNT})
    """)) < BURNT / 2)


@attack(
    namespaces="to ignore the end of a child does nothing, so that what it used is counted",
    process="SUCCEEDS: what lives shorter than the suite's looks are apart is not seen",
)
def test_works_in_short_lives_whose_end_it_ignores(strike, judge):
    seen = strike(f"""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for _ in range(100):
            os.fork() or (burn({BURNT} / 100), os._exit(0))
            time.sleep(1.5 * {BURNT} / 100)
        print(time.process_time())
    """)
    judge(cpu(seen) < float(seen.log) + 0.8 * BURNT)


@attack(both=COUNTED)
def test_works_in_threads(strike, judge):
    judge(cpu(strike(f"t = threading.Thread(target=burn, args=({BURNT},)); t.start(); t.join()")) < BURNT / 2)


@attack(both="a phase ends with the answer; what is done after it falls to the next")
def test_answers_before_it_works(strike, judge):
    seen = strike(f"""
        send(frame(b'A'), frame(b'L', b'[]'), frame(b'V'))
        burn({BURNT})
        from fourfold.suite import boundary
        boundary.send = lambda *_: None
    """, predict="""
        from fourfold.suite.boundary import encode
        send(frame(b'A', encode({'answer': np.full(50, 0.5)})), frame(b'L', b'[]'))
    """)
    judge(cpu(seen) < BURNT / 2)


@attack(both="it is given no record before its clock runs")
def test_works_on_the_records_while_it_is_imported(strike, judge):
    seen = strike(top="""
        ready, _, _ = select.select([pipe(os.O_RDONLY)], [], [], 0.5)
        waiting = ctypes.c_int()
        import fcntl, termios
        fcntl.ioctl(pipe(os.O_RDONLY), termios.FIONREAD, waiting)
        print('waiting', waiting.value)
    """)
    judge(int(seen.log.split("waiting")[1].split()[0]) > 4096)


@attack(both="the clock is the suite's")
def test_turns_its_own_clock_back(strike, judge):
    seen = strike("time.process_time = time.monotonic = time.time = lambda: 0.0; time.sleep(0.4)")
    judge(seen.phases[0].wall < 0.3)


@attack(namespaces="its init waits for who lost its parent", process=COUNTED)
def test_works_in_children_that_end_with_it(strike, judge):
    seen = strike(predict=f"""
        os.fork() or burn({BURNT}) or os._exit(0)
        time.sleep(3 * {BURNT})
        return np.full(len(query.features), 0.5)
    """)
    judge(cpu(seen) < BURNT / 2)
