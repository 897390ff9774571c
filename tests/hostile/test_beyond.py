"""What confinement by namespaces does not stop: found to succeed, and listed, lest anyone believe otherwise."""

import fcntl
import os
from importlib.util import find_spec

import numpy as np
import pytest

from fourfold.suite import sandbox

attack = pytest.mark.attack
CGROUP = "SUCCEEDS: a memory cgroup alone would count it"
SAME = "SUCCEEDS: as under namespaces"
LIMIT = {"memory_limit": 300 << 20}


@attack(
    namespaces="SUCCEEDS: what lies in files counts as scratch, up to sandbox.SCRATCH, and not as memory",
    process="SUCCEEDS: what lies in files is the disk's",
)
def test_holds_memory_in_files(strike, judge):
    fit = "file = open('held', 'wb'); [file.write(bytes(1 << 24)) for _ in range(25)]; time.sleep(0.3)"
    seen = strike(fit, budget=LIMIT)
    assert sandbox.SCRATCH > 400 << 20
    judge(seen.status == "ok" and seen.peak_memory < 200 << 20)


@attack(namespaces=CGROUP, process=SAME)
def test_holds_memory_in_sockets(strike, judge):
    seen = strike("""
        held, size = [socket.socketpair() for _ in range(400)], 0
        for end in (end for pair in held for end in pair):
            end.setblocking(False)
            try:
                while True:
                    size += end.send(bytes(60000))
            except BlockingIOError:
                pass
        time.sleep(0.3)
        print(size)
    """, budget={"memory_limit": 100 << 20})
    judge(seen.status == "ok" and int(seen.log) > 100 << 20)


@attack(namespaces=CGROUP, process=SAME)
def test_holds_memory_in_page_tables(strike, judge):
    seen = strike("""
        import mmap
        held = mmap.mmap(-1, 32 << 30, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE | 0x4000)
        sum(held[place] for place in range(0, 32 << 30, 2 << 20))
        time.sleep(0.3)
        print(next(line for line in open('/proc/self/status') if line.startswith('VmPTE')).split()[1])
    """, budget=LIMIT)
    judge(seen.status == "ok" and int(seen.log) > 60 << 10 and seen.peak_memory < 60 << 20)


@attack(
    namespaces="SUCCEEDS: locks on files that both may read are one machine's; guests that work together can talk",
    process=SAME,
)
def test_tells_another_guest_by_a_lock(strike, judge):
    place = os.__file__
    with open(place, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        seen = strike(f"""
            import fcntl
            try:
                fcntl.flock(open({place!r}, 'rb'), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print('told')
        """)
    judge("told" in seen.log)


@attack(
    namespaces="SUCCEEDS: who has the records knows which queries are among them; an audit refutes and proves nothing",
    process=SAME,
)
def test_knows_the_queries_it_was_trained_on(strike, judge):
    seen = strike("self.known = {row.tobytes() for row in train.features}", predict="""
        return np.array([float(row.tobytes() in self.known) for row in query.features])
    """)
    judge(seen.status == "ok" and bool(np.all(seen.answers[1] == 1)))


@attack(namespaces="SUCCEEDS: public data have public answers, which a method may carry along", process=SAME)
def test_knows_the_answers_of_public_data(strike, judge):
    package = find_spec("sklearn")
    if package is None:
        pytest.skip("scikit-learn, which carries the digits, is not installed")
    place = os.path.join(os.path.dirname(package.origin), "datasets", "data", "digits.csv.gz")
    judge("1797" in strike(f"import gzip; print(len(gzip.open({place!r}).readlines()))").log)


@attack(namespaces="SUCCEEDS: the count of its numbers is the guest's own", process=SAME)
def test_forges_the_count_of_its_parameters(strike, judge):
    seen = strike("self.weights = np.ones(1000)", predict="""
        from fourfold.suite import state
        state.count = lambda method: 1
        return np.full(len(query.features), 0.5)
    """)
    judge(seen.parameters == 1)


@attack(namespaces="SUCCEEDS: imports are on no clock, but for their limit; no record is there yet", process=SAME)
def test_works_while_it_is_imported(strike, judge):
    seen = strike(top="burn(0.4)")
    judge(seen.status == "ok" and sum(phase.cpu for phase in seen.phases) < 0.2 and seen.start > 0.3)
