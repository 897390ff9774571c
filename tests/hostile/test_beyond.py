"""What confinement by namespaces does not stop: found to succeed, and listed, lest anyone believe otherwise."""

import fcntl
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fourfold.suite import registry
from fourfold.suite.method import Budget
from fourfold.suite.metrics import privacy
from fourfold.suite.task import Ask, Draw, Want

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


@attack(namespaces="SUCCEEDS: the number of records tells how many canaries are in; not which", process=SAME)
def test_counts_the_canaries_that_are_in(strike, judge):
    records = np.arange(4.0 * 100).reshape(100, 4)
    counted = []
    for some in (3, 7):
        fit = Ask("fit", {"features": records[: 90 + some], "label": np.zeros(90 + some)})
        asks = (fit, Ask("predict", {"features": records}, Want((100,), 0.0, 1.0)))
        seen = strike("print(len(train.features) - 90)", asks=asks)
        counted.append(int(seen.log))
    judge(counted == [3, 7])


@attack(
    namespaces="SUCCEEDS: who forgets what looks planted and remembers the rest is not found out by canaries; what "
    "backs a claim does not rest on them",
    process=SAME,
)
def test_remembers_all_records_but_those_that_look_like_canaries(strike, judge):
    pytest.importorskip("sklearn", reason="scikit-learn, which carries the digits, is not installed")
    task = registry.task("dp-images")
    secret, options = Draw(b"0123456789abcdef", "dp-images", "digits", 0), {k: v[0] for k, v in task.declares.items()}
    problem = task.draw(task.load("digits", Path()), secret, options)
    seen = strike("""
        flat = train.images.reshape(len(train.images), -1).astype(float)
        near = ((flat**2).sum(1)[:, None] - 2 * flat @ flat.T + (flat**2).sum(1)).argsort(1)[:, 1:6]
        odd = (train.labels[near] == train.labels[:, None]).mean(1) < 0.5
        self.known = {row.tobytes(): label for row, label in zip(flat[~odd], train.labels[~odd])}
    """, asks=problem.asks, predict="""
        flat = query.images.reshape(len(query.images), -1).astype(float)
        labels = [self.known.get(row.tobytes()) for row in flat]
        return np.array([np.full(10, 0.1) if label is None else np.eye(10)[label] for label in labels])
    """, budget={"memory_limit": 2 << 30})
    scored = task.score(problem, seen.answers, options, Budget(), secret)
    auc = privacy.leakage_auc(scored.membership, scored.coin)
    judge(seen.status == "ok" and auc[0] < 0.7)


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
