import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite import pack
from fourfold.suite.check import Finding, check

Checked = Callable[..., list[Finding]]
METHOD = '''
import os
import time
import numpy as np
from fourfold.suite import Method

class Mine(Method):
    """Mine."""
    task = "toy"
    version = "1"
    author = "Me"
    licence = "MIT"

    def fit(self, train, budget):
        pass

    def predict(self, query):
        return np.linspace(0, 1, len(query.features))
'''


@pytest.fixture
def checked(toy: object, tmp_path: Path) -> Checked:
    """Checks the method above with some of its text replaced: ``checked(("pass", "raise ValueError"))``."""

    def run(*changes: tuple[str, str]) -> list[Finding]:
        text = METHOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, textwrap.dedent(new))
        (tmp_path / "mine.py").write_text(text)
        found = pack.read(tmp_path / "mine.py")
        return list(check(found, pack.set_parameters(found, {}), tmp_path, tmp_path / "scratch"))

    return run


def of(findings: list[Finding], level: str) -> dict[str, str]:
    return {each.what: f"{each.said} -> {each.remedy}" for each in findings if each.level == level}


def test_a_sound_method_has_nothing_wrong_and_nothing_to_note(checked: Checked) -> None:
    findings = checked()
    assert {each.level for each in findings} == {"ok"}
    told = of(findings, "ok")
    assert "predict returned (100,), from 0 to 1" in told["answers"]
    assert "fit 0." in told["cost"]
    assert "MiB" in told["cost"]


def test_what_is_missing_of_the_description_is_noted(checked: Checked) -> None:
    notes = of(checked(('    """Mine."""\n', ""), ('    licence = "MIT"\n', ""), ('    author = "Me"\n', "")), "note")
    assert set(notes) == {"docstring", "licence", "author"}
    assert 'licence = "Apache-2.0"' in notes["licence"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("pass", "raise ValueError('too few')"), "too few"),
        (("np.linspace(0, 1, len(query.features))", "np.zeros(3)"), "shape (3,) where (100,)"),
        (("np.linspace(0, 1, len(query.features))", "np.full(len(query.features), np.nan)"), "not finite"),
        (("np.linspace(0, 1, len(query.features))", "np.full(len(query.features), 2.0)"), "outside [0, 1]"),
        (
            ("np.linspace(0, 1, len(query.features))", "['yes'] * len(query.features)"),
            "must return an array of numbers",
        ),
        (("import time", "import timee"), "timee"),
        (("pass", "train.features[:] = 0"), "read-only"),
        (("pass", "os._exit(0)"), "fit"),
    ],
)
def test_what_breaks_the_contract_is_told_with_where_and_what_to_do(
    checked: Checked, change: tuple[str, str], told: str
) -> None:
    wrong = [each for each in checked(change) if each.level == "wrong"]
    assert [each.what for each in wrong] == ["run"]
    assert told in wrong[0].said
    assert wrong[0].remedy


def test_a_declaration_that_is_misspelled_is_noted_with_the_nearest(checked: Checked) -> None:
    change = ('author = "Me"', 'author = "Me"; requirement = ("six==1.16.0",); half = 0.5')
    notes = of(checked(change), "note")
    assert notes["declarations"].startswith("Mine.requirement declares nothing; did you mean requirements?")
    assert "half" not in str(notes)


def test_a_method_that_is_missing_is_told_without_the_suites_own_frames(checked: Checked) -> None:
    log = of(checked(("def predict", "def predicted")), "note")["printed"]
    assert log.startswith("TypeError: Mine has no predict; write def predict(self, query)")


def test_a_traceback_begins_in_the_file_of_the_author(checked: Checked) -> None:
    log = of(checked(("pass", "raise ValueError('too few')")), "note")["printed"].splitlines()
    assert log[0].startswith("Traceback")
    assert "method.py" in log[1]
    assert log[-1].startswith("ValueError: too few")


def test_a_task_that_is_unknown_is_told_with_the_nearest(checked: Checked) -> None:
    assert "did you mean toy?" in of(checked(('task = "toy"', 'task = "toi"')), "wrong")["declarations"]


def test_requirements_that_cannot_be_met_are_told(checked: Checked) -> None:
    wrong = of(checked(('version = "1"', 'version = "1"\n    requirements = ("no such requirement",)')), "wrong")
    assert "no such requirement" in wrong["requirements"]


def test_randomness_of_its_own_is_noted_with_how_far_it_goes(checked: Checked) -> None:
    change = (
        "np.linspace(0, 1, len(query.features))",
        "np.random.default_rng(time.time_ns()).random(len(query.features))",
    )
    notes = of(checked(change), "note")
    assert "two runs with one seed differ by up to 0." in notes["determinism"]
    assert "budget.seed" in notes["determinism"]


def test_the_seed_of_the_budget_makes_it_deterministic(checked: Checked) -> None:
    change = (
        "np.linspace(0, 1, len(query.features))",
        "np.random.default_rng(self.budget.seed).random(len(query.features))",
    )
    assert not of(checked(change), "note")


def test_what_it_prints_is_shown_to_its_author(checked: Checked) -> None:
    assert "hello from fit" in of(checked(("pass", "print('hello from fit')")), "note")["printed"]


def test_an_answer_that_is_the_same_for_all_is_noted(checked: Checked) -> None:
    assert "answers" in of(
        checked(("np.linspace(0, 1, len(query.features))", "np.full(len(query.features), 0.5)")), "note"
    )


PRIVATE = ('version = "1"', 'version = "1"\n    private = True')


@pytest.mark.parametrize(("noise", "level"), [(10.0, "ok"), (0.5, "wrong")])
def test_a_ledger_is_held_against_the_budget(checked: Checked, noise: float, level: str) -> None:
    """One Gaussian release at sigma 10 is (0.38, 1e-5)-DP; at 0.5 it is well over the epsilon of a check."""
    findings = checked(PRIVATE, ("pass", f"self.ledger.gaussian({noise})"))
    assert "of 3, at delta 1e-05 (analytic-gaussian)" in of(findings, level)["privacy"]


def test_a_claim_without_a_ledger_and_a_ledger_without_a_claim_are_noted(checked: Checked) -> None:
    assert "its ledger is empty" in of(checked(PRIVATE), "note")["privacy"]
    assert "private = True" in of(checked(("pass", "self.ledger.gaussian(1.0)")), "note")["privacy"]
