"""What confinement by namespaces does not stop: found to succeed, and listed, lest anyone believe otherwise."""

import fcntl
import os
from importlib.util import find_spec

import numpy as np
import pytest

attack = pytest.mark.attack
SAME = "SUCCEEDS: as under namespaces"


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
