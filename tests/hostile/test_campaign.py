"""Attacks on a whole campaign: one ``fourfold run`` a level, of an honest method among hostile ones."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import sandbox, store

attack = pytest.mark.attack
METHODS = Path(__file__).parent / "hostile_methods.py"
CLASSES = ("Honest", "Patching", "Blaming", "Shouting", "Forging", "Remembering", "Murdering", "TwoFaced")
FOURFOLD = (sys.executable, "-P", "-m", "fourfold.suite.cli")
KEY = "0123456789abcdef" * 2
"""Of a draw with half of its 40 canaries in. Nine of 150 draws had too few in, or out, for an audit to refute 1."""
SCORED = "scores are computed in another process, from the answers"


@dataclass(frozen=True)
class Campaign:
    """What came of one: what it printed, and by method and metric what it stored."""

    printed: str
    folder: Path
    rows: list[dict[str, Any]]

    def value(self, method: str, metric: str) -> float | None:
        return next((row["value"] for row in self.of(method) if (row["metric"], row["group"]) == (metric, "")), None)

    def status(self, method: str) -> set[str]:
        return {row["status"] for row in self.of(method)}

    def of(self, method: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["method"].replace("-", "") == method.lower()]


def _ran(words: tuple[str, ...], folder: Path, level: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOURFOLD_")}
    given = kept | ({sandbox.PLAIN: level} if level == "process" else {}) | {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run([*FOURFOLD, *words], cwd=folder, env=given, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def campaigns(toy: object, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Campaign]:
    made: dict[str, Campaign] = {}

    def campaign(level: str) -> Campaign:
        if level not in made:
            folder = tmp_path_factory.mktemp(level)
            chosen = [word for name in CLASSES for word in ("-m", f"{METHODS}:{name}")]
            how = "run -t toy --seed 0 --epsilon 1 --backend process --workers 1 --time-limit 120 --display plain"
            (folder / "key").write_text(KEY)
            ran = _ran((*how.split(), "--key", "key", *chosen), folder, level)
            rows = store.read(folder / "results").rows.to_pylist()
            made[level] = Campaign(ran.stdout + ran.stderr, folder, rows)
        return made[level]

    return campaign


@pytest.fixture
def campaign(campaigns, level, confined) -> Campaign:
    if level == "namespaces" and confined[0] != level:
        pytest.skip(f"guests cannot be confined here: {confined[1]}")
    return campaigns(level)


@attack(both=SCORED)
def test_patches_the_scorer(campaign, judge):
    honest, patched = (campaign.value(name, "hits") for name in ("Honest", "Patching"))
    assert honest is not None
    assert campaign.status("Patching") == {"ok"}
    judge(patched != honest or campaign.value("Patching", "leakage_auc") is None)


@attack(both="it has failed after another try; the campaign goes on")
def test_blames_the_machine_for_ever(campaign, judge):
    judge(campaign.status("Blaming") != {"failed"})


@attack(both="what is shown is cleaned of what a terminal obeys")
def test_speaks_to_the_terminal(campaign, judge):
    assert campaign.status("Shouting") == {"failed"}
    forged = any(line.startswith("finished 100") for line in campaign.printed.splitlines())
    judge(forged or "\x1b]" in campaign.printed or "\x1b[2J" in campaign.printed or "\a" in campaign.printed)


@attack(both="a ledger that no curator kept backs nothing: the row says claimed")
def test_backs_a_claim_by_a_forged_ledger(campaign, judge):
    assert campaign.status("Forging") == {"ok"}
    judge(campaign.value("Forging", "rung") > 1)


@attack(both="the audit finds it out, and the row does not rank")
def test_claims_privacy_and_remembers_every_record(campaign, judge):
    assert campaign.status("Remembering") == {"ok"}
    judge(campaign.value("Remembering", "refuted") != 1 or campaign.value("Remembering", "leakage_auc") < 0.99)


@attack(
    namespaces="it can name no process of the suite's",
    process="SUCCEEDS: three workers die, and its cell has failed; the other cells have not",
)
def test_kills_its_evaluator(campaign, judge):
    assert {status for name in CLASSES[:6] for status in campaign.status(name)} == {"ok", "failed"}
    judge(any(", 3 times; a method must" in row["reason"] for row in campaign.of("Murdering")))


@attack(both="rows are written by the suite, a file a cell")
def test_adds_rows_of_its_own(campaign, judge):
    judge(len({row["cell"] for row in campaign.rows}) != len(CLASSES))


@attack(both="a check ranks nobody: what is scored is what ranks")
def test_behaves_where_it_is_checked_alone(campaign, judge, level):
    before = {path for path in (campaign.folder / "results").rglob("*") if path.is_file()}
    checked = _ran(("check", f"{METHODS}:TwoFaced"), campaign.folder, level)
    assert "returned" in checked.stdout, checked.stderr
    after = {path for path in (campaign.folder / "results").rglob("*") if path.is_file()}
    two, one = campaign.value("TwoFaced", "hits"), campaign.value("Honest", "hits")
    judge(before != after or two is None or two >= one)


def test_rows_say_how_far_it_was_confined(campaigns, confined) -> None:
    for level in {"process", confined[0]}:
        campaign = campaigns(level)
        (cell,) = {row["cell"] for row in campaign.of("Honest")}
        assert store.provenance(campaign.folder / "results", cell)["confinement"] == level
