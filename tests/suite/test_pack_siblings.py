"""An installed method takes along the modules of its package that it needs, and finds these and no others."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite.method import Budget
from fourfold.suite.pack import Pack, load, read
from fourfold.suite.task import Ask, Want
from fourfold.suite.visit import visit
from fourfold.suite.warm import Parents

ENTRY = """
import numpy as np
from acme.methods import shared
from fourfold.suite import Method

class Acme(Method):
    task = "test"
    def fit(self, train, budget): pass
    def predict(self, query): return np.full(3, shared.HALF)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Pack]:
    """The method of a package acme.methods whose modules are these."""
    home = tmp_path / "acme" / "methods"
    home.mkdir(parents=True)

    def write(**modules: str) -> Pack:
        for name, text in modules.items():
            (home / f"{name}.py").write_text(text)
        return read(home / "acme.py", "Acme", "acme", "acme.methods")

    return write


def test_what_it_imports_goes_along_and_what_that_imports_and_nothing_else(installed: Callable[..., Pack]) -> None:
    pack = installed(acme=ENTRY, shared="from acme.methods.halves import HALF", halves="import scipy\nHALF = 0.5",
                     other="import acme.methods.acme", __init__="raise ImportError")
    assert sorted(pack.files) == ["acme/methods/halves.py", "acme/methods/shared.py", "method.py"]
    assert pack.entry == "method.py"
    assert {"numpy", "scipy"} <= set(pack.imports)
    assert load(pack.archive()).digest == pack.digest


def test_a_change_in_what_it_imports_makes_it_another(installed: Callable[..., Pack]) -> None:
    one = installed(acme=ENTRY, shared="HALF = 0.5", other="")
    assert installed(other="CHANGED = 1").digest == one.digest
    assert installed(shared="HALF = 0.25").digest != one.digest


@pytest.mark.parametrize("there", [False, True], ids=["not installed", "another version installed"])
def test_the_guest_runs_what_was_packed(
    installed: Callable[..., Pack], tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = installed(acme=ENTRY, shared="from acme.methods.halves import HALF", halves="HALF = 0.5")
    elsewhere = tmp_path / "site"
    (elsewhere / "acme" / "methods").mkdir(parents=True)
    for place in ("acme", "acme/methods"):
        (elsewhere / place / "__init__.py").write_text("")
    (elsewhere / "acme" / "methods" / "halves.py").write_text("HALF = 0.125")
    top = f"import sys; sys.path.insert(0, {str(elsewhere)!r}); import acme\n" if there else ""
    pack = installed(acme=top + ENTRY)
    monkeypatch.setenv("FOURFOLD_SANDBOX", "process" if there else "")  # So that the other version can be read.
    file = pack.unpack(tmp_path / "unpacked")
    with Parents() as parents:
        asks = [Ask("fit", {"n": 1}), Ask("predict", {"n": 1}, Want((3,)))]
        seen = visit(parents.get((), 1, sys.executable), str(file), "Acme", {}, Budget(), asks)
    assert seen.status == "ok", seen.reason
    assert seen.answers[1].tolist() == [0.5] * 3


def test_what_it_imports_only_when_it_is_called_goes_along_too(installed: Callable[..., Pack]) -> None:
    late = ENTRY.replace("from acme.methods import shared\n", "").replace(
        "query): return", "query):\n        from acme.methods import shared\n        return")
    before = installed(acme=late, shared="HALF = 0.5\n")
    assert set(before.files) == {"method.py", "acme/methods/shared.py"}
    assert installed(shared="HALF = 0.25\n").digest != before.digest
