"""Attacks: each a few lines of a method, run for real in a guest at each level of confinement, and judged from outside.

A test bears the mark ``attack(namespaces=..., process=...)``, or ``attack(both=...)``: what stops it at each level of
``sandbox.LEVELS``, or ``SUCCEEDS`` and why, or ``not run`` and why. ``judge`` holds what happened against that, and
ATTACKS.md lists it.
"""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest

from fourfold.suite import cgroups, sandbox
from fourfold.suite.method import Budget
from fourfold.suite.task import Ask, Want
from fourfold.suite.visit import Visit, visit_warm
from fourfold.suite.warm import Parents

N = 50
TOP = """
import ctypes, glob, json, os, select, signal, socket, struct, subprocess, sys, threading, time
import numpy as np
from fourfold.suite import Method

libc = ctypes.CDLL(None, use_errno=True)

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def frame(tag, body=b""):
    return struct.pack("<cQ", tag, len(body)) + body

def pipe(way):
    ends = [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]
    ends = [fd for fd in ends if os.path.exists(f"/proc/self/fd/{fd}")]
    return max(fd for fd in ends if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:") and
               int(open(f"/proc/self/fdinfo/{fd}").read().split("flags:")[1].split()[0], 8) & 3 == way)

def send(*frames):
    data = memoryview(b"".join(frames))
    while data:
        data = data[os.write(pipe(os.O_WRONLY), data):]
"""
METHOD = """
class Attack(Method):
    task = "hostile"

    def fit(self, train, budget):
        try:
{fit}
        except Exception as error:
            print("failed:", repr(error))

    def predict(self, query):
{predict}

    def deidentify(self, source, target, policy):
{deidentify}
"""
Strike = Callable[..., Visit]
PLAIN_FIT = Ask("fit", {"features": np.arange(4.0 * N).reshape(N, 4), "label": np.arange(N) % 2 == 0})
PLAIN_ASKS = (PLAIN_FIT, Ask("predict", {"features": np.arange(4.0 * N).reshape(N, 4)}, Want((N,), 0.0, 1.0)))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(namespaces, process, both): what comes of an attack at each level")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "level" in metafunc.fixturenames:
        (mark,) = metafunc.definition.iter_markers("attack")
        metafunc.parametrize("level", [_at(level, _said(mark, level)) for level in sandbox.LEVELS], scope="function")


def _said(mark: pytest.Mark, level: str) -> str:
    said: str = mark.kwargs.get("both") or mark.kwargs[level]
    return said


def _at(level: str, said: str) -> Any:
    skipped = [pytest.mark.skip(reason=said)] if said.startswith("not run") else []
    if "as root" in said and os.geteuid() != 0:
        skipped = [pytest.mark.skip(reason="says what comes of it where the suite runs as root")]
    return pytest.param(level, marks=skipped)


@pytest.fixture(scope="session")
def confined() -> tuple[str, str]:
    if sys.platform != "linux":
        pytest.skip("the attacks are written for Linux")
    return sandbox.level(sandbox.shown())


@pytest.fixture(scope="session")
def parents_of() -> Iterator[dict[str, Parents]]:
    """The warm parents of each level, kept for the session."""
    with Parents() as plain, Parents() as able:
        yield {"process": plain, "namespaces": able}


@pytest.fixture
def parents(
    level: str, parents_of: dict[str, Parents], confined: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> Parents:
    if level == "process":
        monkeypatch.setenv(sandbox.PLAIN, level)
    elif confined[0] != level:
        pytest.skip(f"guests cannot be confined here: {confined[1]}")
    return parents_of[level]


@pytest.fixture
def method(tmp_path: Path) -> Callable[..., str]:
    """Writes a method whose ``fit`` attacks and goes on, and whose ``predict`` is innocent, unless they are given."""

    def method(
        fit: str = "pass",
        predict: str = "return np.full(len(query.features), 0.5)",
        top: str = "",
        deidentify: str = "pass",
        name: str = "attack.py",
    ) -> str:
        def laid(body: str, depth: int) -> str:
            return indent(dedent(body).strip("\n"), " " * depth)

        folder = tmp_path / "method"
        folder.mkdir(exist_ok=True)
        body = METHOD.format(fit=laid(fit, 12), predict=laid(predict, 8), deidentify=laid(deidentify, 8))
        (folder / name).write_text(TOP + dedent(top) + body)
        return str(folder / name)

    return method


@pytest.fixture
def strike(parents: Parents, level: str, method: Callable[..., str]) -> Strike:
    """Runs an attack, as the suite runs any method, and tells what came of the visit."""

    def strike(fit: str = "pass", *, asks: Sequence[Ask] = PLAIN_ASKS, budget: dict[str, Any] | None = None,
               **sources: str) -> Visit:
        given: dict[str, Any] = {"time_limit": 20.0, "memory_limit": 1 << 30, "seed": 7} | (budget or {})
        file = method(fit, **sources)
        python = parents.get((), 1)
        seen = visit_warm(parents, (), sys.executable, file, "Attack", {}, Budget(**given), asks)
        assert python.confinement == level
        return seen

    return strike


@pytest.fixture
def asks() -> Sequence[Ask]:
    """Fit on 50 records, then predict 50 numbers in [0, 1]."""
    return PLAIN_ASKS


@pytest.fixture
def judge(level: str, request: pytest.FixtureRequest) -> Callable[[bool], None]:
    """Hold an attack's success against what is said of it."""
    mark = request.node.get_closest_marker("attack")

    def judge(succeeded: bool) -> None:
        said = _said(mark, level)
        if "as root" in said and not succeeded:
            pytest.skip("this machine denies it to root as well")
        uncounted = "elsewhere it SUCCEEDS" in said and cgroups.home()[0] is None
        assert succeeded == (said.startswith("SUCCEEDS") or uncounted), f"{level}: {said}"

    return judge


@pytest.fixture
def token() -> str:
    """A secret: whoever can say it has read it."""
    return secrets.token_hex(16)
