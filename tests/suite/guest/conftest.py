"""Guests for tests: methods written out as source, and run for real in guests that warm parents fork."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest

from fourfold.suite.method import Budget
from fourfold.suite.task import Ask, Want
from fourfold.suite.visit import Visit, visit
from fourfold.suite.warm import Parents

N = 50
FIT = "def fit(self, train, budget): pass"
PREDICT = "def predict(self, query): return np.full(len(query.features), 0.5)"
TOP = "import os, sys, time, signal\nimport numpy as np\nfrom fourfold.suite import Method"
# What some of them call: ``burn`` CPU time; send a ``frame`` to the pipe of the ``answers``, past the guest's own code.
BOTTOM = """
import struct

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def frame(tag, body=b""):
    return struct.pack("<cQ", tag, len(body)) + body

def answers():
    pipes = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}")]
    return max(fd for fd in pipes if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:") and writable(fd))

def writable(fd):
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return int(file.read().split("flags:")[1].split()[0], 8) & 3 == os.O_WRONLY
"""


@pytest.fixture(scope="session")
def parents() -> Iterator[Parents]:
    with Parents() as parents:
        yield parents


@pytest.fixture(scope="session")
def asks() -> tuple[Ask, ...]:
    """Fit on 50 records, then predict 50 numbers in [0, 1]."""
    features = np.arange(4.0 * N).reshape(N, 4)
    train = {"features": features, "label": np.arange(N) % 2 == 0, "race": np.array(["black", "white"] * 25)}
    return Ask("fit", train), Ask("predict", {"features": features}, Want((N,), 0.0, 1.0))


@pytest.fixture
def run(parents: Parents, tmp_path: Path, asks: tuple[Ask, ...]) -> Callable[..., Visit]:
    """Run a method made of these pieces of source; a ``fit`` or ``predict`` that is not given is an innocent one.

    ``top`` is line 4 of its file, ``fit`` begins on line 7, and a ``fit`` of one line is followed by ``predict``.
    """

    of_all = asks

    def run(
        fit: str = FIT,
        predict: str = PREDICT,
        *,
        top: str = "",
        preload: tuple[str, ...] = (),
        asks: Sequence[Ask] = of_all,
        **budget: Any,
    ) -> Visit:
        body = [indent(dedent(each).strip("\n"), "    ") for each in (fit, predict)]
        file = tmp_path / "guest_method.py"
        file.write_text("\n".join([TOP, top, "class Guest(Method):", "    task = 'test'", *body, BOTTOM]))
        given: dict[str, Any] = {"time_limit": 20.0, "memory_limit": 2 << 30, "seed": 7} | budget
        parent = parents.get(preload, given.get("cpus", 1))
        return visit(parent, str(file), "Guest", {}, Budget(**given), asks)

    return run


@pytest.fixture(scope="session")
def heard() -> Callable[[Visit], Any]:
    """What a method printed on its last line, as JSON."""

    def heard(seen: Visit) -> Any:
        assert seen.status == "ok", seen.reason
        return json.loads(seen.log.strip().splitlines()[-1])

    return heard
