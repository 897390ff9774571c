"""A method whose records are with the suite: what it gets, what it cannot get, and what becomes of one that tries."""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from fourfold.suite import mechanism_checks
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget, Mechanism
from fourfold.suite.pack import CURATED
from fourfold.suite.task import Ask, Want
from fourfold.suite.usage import below
from fourfold.suite.visit import Curation, Visit, visit
from fourfold.suite.warm import Parents

pytest.importorskip("torch")
pytest.importorskip("opacus")

N, D, QUERIES = 400, 5, 70
COINS = np.random.default_rng(4).random(30) < 0.5
SECRET = Secret(987654321, COINS)
TOP = """
import json, os, struct, gc, time
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as entropy
from fourfold.suite import Method
from fourfold.suite.descent import descend

def loss(parameters, features, label):
    return entropy(features @ parameters["w"], label.float())

class Guest(Method):
    task = "test"

    def start(self):
        return {"w": torch.zeros(5, requires_grad=True)}

    def train(self, curator, steps=40):
        w = self.start()
        self.w = descend(curator, loss, w, torch.optim.SGD(w.values(), lr=0.5), clip=1.0, sample_rate=0.2, steps=steps)

    def model(self):
        return (lambda parameters, features: torch.sigmoid(features @ parameters["w"])), self.w
"""


@dataclasses.dataclass(frozen=True)
class Train:
    features: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    n: int
    private: tuple[str, ...] = ("features", "labels")


@dataclasses.dataclass(frozen=True)
class Query:
    features: np.ndarray
    private: tuple[str, ...] = ("features",)


def asks() -> Sequence[Ask]:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(N + QUERIES, D)).astype(np.float32)
    label = (features @ np.arange(D) > 0).astype(np.int64)
    return (
        Ask("fit", Train(features[:N], label[:N], ("no", "yes"), N)),
        Ask("predict", Query(features[N:]), Want((QUERIES,), 0.0, 1.0)),
    )


@pytest.fixture
def kept(parents: Parents, tmp_path: Path) -> Callable[..., Visit]:
    """Visit a method made of ``TOP`` and a body, whose records are with a custodian."""

    def kept(body: str = "", access: str = "curator", **budget: Any) -> Visit:
        fit = "" if "def fit" in body else "\ndef fit(self, train, budget):\n    self.train(self.curator(train))\n"
        file = tmp_path / "guest_method.py"
        file.write_text(TOP + "".join(f"    {line}\n" for line in (dedent(body) + fit).splitlines()))
        given = Budget(**{"epsilon": 3.0, "time_limit": 60.0} | budget)
        preload = ("torch", *CURATED)
        parent, other = parents.get(preload, 1), parents.get(preload, 1, custodian=True)
        seen = visit(parent, str(file), "Guest", {}, given, asks(), Curation(SECRET, access), other)
        assert len(below(other.pid)) <= 3, "a custodian outlived its visit"  # What waits to be the next, confined.
        return seen

    return kept


def right(seen: Visit) -> float:
    """The share of queries it classifies rightly."""
    answer = seen.answers[1]
    assert answer is not None
    features = asks()[1].give.features
    return float(np.mean((answer > 0.5) == (features @ np.arange(D) > 0)))


def test_it_learns_from_records_it_never_holds(kept):
    seen = kept(
        """
        def fit(self, train, budget):
            print(json.dumps([train.features.shape, train.labels.shape, train.n, train.classes]))
            self.train(self.curator(train))
        """
    )
    assert seen.status == "ok", seen.reason
    assert seen.log.splitlines()[0] == '[[0, 5], [0], 400, ["no", "yes"]]'
    assert right(seen) > 0.8
    notes = mechanism_checks.read(seen.evidence, len(COINS))
    assert [(each.sampling, each.steps, each.sample_rate) for each in notes.ledger] == [("poisson", 40, 0.2)]
    assert mechanism_checks.noise(notes, None).passed
    assert mechanism_checks.sampler(notes).passed
    assert mechanism_checks.ledger(notes).passed


def test_beside_the_method_it_learns_the_same(kept):
    predict = """
        def predict(self, query):
            return torch.sigmoid(torch.tensor(np.array(query.features)) @ self.w["w"]).numpy()
        """
    there, here = kept(), kept(predict, access="records")
    assert here.status == there.status == "ok", here.reason + there.reason
    np.testing.assert_allclose(here.answers[1], there.answers[1], atol=1e-5)


def test_nothing_of_the_suites_secret_is_in_its_process(kept):
    seen = kept(
        """
        def fit(self, train, budget):
            self.train(self.curator(train), steps=2)
            from fourfold.suite.evidence import Secret
            found = [each for each in gc.get_objects() if isinstance(each, Secret)]
            print(json.dumps([(each.seed, len(each.coins)) for each in found]))
        """
    )
    assert seen.log.splitlines()[0] == "[[0, 0]]"


def test_the_custodians_time_counts_as_the_methods(kept):
    """The guest only waits, for a transform that takes the custodian a while."""
    fit = """
        def fit(self, train, budget):
            curator = self.curator(train)
            before = time.process_time()
            curator.transform(lambda p, x: (x.sum() + torch.zeros(1000, 1000)).tanh().sum() + x)
            print(json.dumps(time.process_time() - before))
            self.train(curator, steps=2)
        """
    seen = kept(fit)
    assert seen.status == "ok", seen.reason
    assert seen.phases[0].cpu > json.loads(seen.log.splitlines()[0]) + 0.5


REFUSED = {
    "a step too many": (
        "c = self.curator(train); self.train(c, 2); c.noisy_sum(self.w)", "2 steps of the plan are taken"),
    "too little noise": (
        "c = self.curator(train)\nc.open(sample_rate=0.5, noise_multiplier=0.8, clip=1.0, steps=100, loss=loss, "
        "parameters=self.start())",
        "where 3 is the budget"),
    "no noise": (
        "c = self.curator(train)\nc.open(sample_rate=0.5, noise_multiplier=0.0, clip=1.0, steps=1, loss=loss, "
        "parameters=self.start())",
        "where 3 is the budget"),
    "a total without noise": (
        "self.curator(train).noisy_total(lambda p, x, y: x, clip=1.0, noise_multiplier=0.0)", "where 3 is the budget"),
    "its own sums": ("self.curator(train).draw()", "the records are with the suite"),
    "users": ("self.curator(train, unit=np.arange(400))", "users cannot be named"),
    "a loss that draws random numbers": (
        "c = self.curator(train)\nc.open(sample_rate=0.5, noise_multiplier=9.0, clip=1.0, steps=1, "
        "parameters=self.start(), loss=lambda p, x, y: (x @ p['w']) * torch.rand(()))",
        "rand"),
    "a clip that is no number": (
        "c = self.curator(train)\nc.open(sample_rate=0.5, noise_multiplier=9.0, clip=float('nan'), steps=1, loss=loss, "
        "parameters=self.start())",
        "clip is a finite number"),
    "two curators": ("self.curator(train); self.curator(train)", "a fit has one curator"),
}


@pytest.mark.parametrize(("act", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_it_may_not_have_is_refused(kept, act, reason):
    seen = kept("def fit(self, train, budget):\n" + "".join(f"    {line}\n" for line in act.splitlines()))
    assert seen.status == "failed"
    assert reason in seen.reason, seen.reason


FORGED = {
    "no fields": "b'nonsense'",
    "no request": "boundary.encode({'x': 1.0})",
    "an unknown one": "boundary.encode({'what': 'records'})",
    "a graph that is none": "boundary.encode({'what': 'transform', 'names': (), 'graph': "
    "np.frombuffer(b'{}', np.uint8)})",
    "a pickle for a graph": "boundary.encode({'what': 'transform', 'names': (), 'graph': "
    "np.frombuffer(__import__('pickle').dumps(os.getcwd), np.uint8)})",
    "a rate of text": "boundary.encode({'what': 'noise_multiplier', 'sample_rate': np.array(['x']), 'steps': 3.0})",
}


def test_forged_requests_are_refused_and_change_nothing(kept):
    requests = ", ".join(f"{name!r}: {request}" for name, request in FORGED.items())
    seen = kept(
        f"""
        def fit(self, train, budget):
            from fourfold.suite import boundary
            curator = self.curator(train)
            requests = {{{requests}}}
            replies = {{name: sorted(boundary.fields(curator._call(each))) for name, each in requests.items()}}
            print(json.dumps(replies), flush=True)
            self.train(curator)
        """
    )
    assert seen.status == "ok", seen.reason
    assert json.loads(seen.log.splitlines()[0]) == {name: ["refused"] for name in FORGED}
    assert right(seen) > 0.8


def test_a_graph_that_fails_on_the_records_ends_the_visit_without_saying_why(kept):
    """A label of 1 is out of bounds where there is but one class: which record that was, nobody is told."""
    seen = kept(
        """
        def fit(self, train, budget):
            curator = self.curator(train)
            w = {"w": torch.zeros(5, 1)}
            def bad(parameters, features, label):
                return torch.nn.functional.cross_entropy(features @ parameters["w"], label)
            curator.open(sample_rate=1.0, noise_multiplier=9.0, clip=1.0, steps=1, loss=bad, parameters=w)
            curator.noisy_sum(w)
        """
    )
    assert seen.status == "failed"
    assert "bounds" not in seen.reason
    assert "the method's graph failed in the suite's process" in seen.reason


def test_one_that_holds_its_records_has_no_line_to_a_custodian(kept):
    seen = kept(
        """
        def fit(self, train, budget):
            pipes = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2]
            for fd in pipes:
                try:
                    os.write(fd, struct.pack("<cQ", b"C", 3) + b"abc")
                except OSError:
                    pass
        def predict(self, query):
            return np.zeros(len(query.features))
        """,
        access="records",
    )
    assert seen.status == "invalid-output"
    assert "a frame b'C' came where b'A' was due" in seen.reason


def test_it_must_hand_over_a_model(kept):
    seen = kept("model = None")
    assert seen.status == "failed"
    assert "write def model(self)" in seen.reason


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("(lambda p, x: 2 + x @ p['w']), self.w", r"outside \[0, 1\]"),
        ("(lambda p, x: (x @ p['w']) / 0), self.w", "not finite"),
        ("(lambda p, x: x * p['w']), self.w", "shape"),
    ],
)
def test_what_its_model_answers_is_checked(kept, model, reason):
    fit = "def fit(self, train, budget):\n    self.train(self.curator(train), steps=2)"
    seen = kept(f"{fit}\ndef model(self):\n    return {model}")
    assert seen.status == "invalid-output", seen.reason
    assert re.search(reason, seen.reason), seen.reason


def test_with_no_budget_there_is_no_noise(kept):
    seen = kept(epsilon=math.inf)
    assert seen.status == "ok", seen.reason
    assert right(seen) > 0.9
    assert mechanism_checks.read(seen.evidence, len(COINS)).ledger == []


def test_its_own_entries_stay_its_own(kept):
    seen = kept(
        """
        def fit(self, train, budget):
            self.ledger.laplace(2.0)
            self.train(self.curator(train), steps=2)
        """
    )
    assert seen.ledger == [Mechanism("laplace", 2.0)]
    assert [each.kind for each in mechanism_checks.read(seen.evidence, len(COINS)).ledger] == ["gaussian"]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux, which tells memory so exactly")
def test_its_memory_is_seen_while_its_custodian_works(kept):
    seen = kept(
        """
        def fit(self, train, budget):
            curator = self.curator(train)
            children = []
            while 0 not in children and len(children) < 4:
                children.append(os.fork())
            if 0 in children:
                time.sleep(0.5)
                held = np.ones(14 << 20)
                time.sleep(1.5)
                os._exit(0)
            self.wait(curator)
            self.train(curator)

        def wait(self, curator):
            def slow(p, x, y):
                wide = torch.ones(20_000) * x[0]
                for _ in range(100):
                    wide = torch.tanh(wide * p["scale"])
                return wide.mean()[None]
            curator.noisy_total(slow, {"scale": torch.ones(1)}, clip=1.0, noise_multiplier=1000.0)
        """,
        memory_limit=512 << 20,
    )
    assert seen.status == "out-of-memory", (seen.status, seen.reason)
    assert "suite's process" not in seen.reason


TIMES = """
def fit(self, train, budget):
    from fourfold.suite import model
    curator = self.curator(train)
    def root(p, x, y):  # Of a negative number where a record's label is 1; those made up have label 0.
        wide = (1.0 + y.float() * (p["sign"] - 1.0)) * torch.ones(512)
        return sum((wide * (1 + each)).sqrt() + torch.tanh(wide + each).sin() for each in range(15)).sum()[None]
    asked = [model.packed(root, {"sign": torch.tensor([sign])}, curator._record) for sign in (1.0, -1.0)]
    took = []
    for turn in range(50):
        began = time.perf_counter()
        curator._ask("noisy_total", clip=1.0, noise_multiplier=1e4, **asked[turn % 2])
        took.append(time.perf_counter() - began)
    print(json.dumps(took))
    self.train(curator)
"""


def test_how_long_a_sum_takes_does_not_tell_of_the_records(kept):
    seen = kept(TIMES)
    assert seen.status == "ok", seen.reason
    took = np.array(json.loads(seen.log.splitlines()[-1]))[20:]  # It has found its pace by then.
    quick, slow = took[::2], took[1::2]
    assert 0.2 < np.mean(slow[:, None] > quick) < 0.8
