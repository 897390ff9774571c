"""Why a row is refuted, and how the checks, attacks and kinds of a private method are told on its page."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fourfold.leaderboard import pages, text
from fourfold.leaderboard.board import Board, build
from fourfold.suite.cellfile import SCHEMA

SAMPLINGS = ("full", "poisson", "shuffle")
TASK: dict[str, Any] = {
    "name": "dp-images",
    "headline": "accuracy",
    "shown": ["accuracy", "epsilon_audited", "sampling"],
    "metrics": [
        {"name": name, "title": name.replace("_", " "), "family": family, "better": better, "doc": "", "unit": "",
         "low": None, "high": None, "names": names}
        for name, family, better, names in (
            ("accuracy", "accuracy", "higher", ()),
            ("epsilon_claimed", "privacy", "lower", ()),
            ("epsilon_accounted", "privacy", "lower", ()),
            ("epsilon_audited", "privacy", "lower", ()),
            ("sampling", "privacy", "none", SAMPLINGS),
            ("mechanism_check", "privacy", "higher", ()),
            ("refuted", "privacy", "lower", ()),
        )
    ],
}  # fmt: skip
HONEST: dict[tuple[str, str], float] = {
    ("accuracy", ""): 0.9,
    ("epsilon_claimed", ""): 3.0,
    ("epsilon_accounted", ""): 2.99,
    ("epsilon_audited", ""): 0.4,
    ("epsilon_audited", "white-box"): 2.1,
    ("sampling", ""): 1.0,
    ("mechanism_check", "noise"): 1.0,
    ("mechanism_check", "chain"): 1.0,
    ("refuted", ""): 0.0,
}


def made(*seeds: dict[tuple[str, str], float], checks: list[dict[str, Any]] | None = None) -> Board:
    """One method, a cell a seed: what differs from an honest one's."""
    here = {
        "task": "dp-images", "dataset": "mnist", "method": "dp-sgd", "method_digest": "ab", "parameters": "{}",
        "epsilon": 3.0, "delta": 1e-5, "family": "", "low": None, "high": None, "n": 1000, "status": "ok",
        "reason": "", "replicates": None,
    }  # fmt: skip
    rows = [
        here | {"cell": f"{seed:016x}", "seed": seed, "metric": metric, "group": group, "value": value}
        for seed, changed in enumerate(seeds)
        for (metric, group), value in (HONEST | changed).items()
    ]
    provenance = {f"{seed:016x}": {"checks": said} for seed, said in enumerate(checks or [])}
    return build(pa.Table.from_pylist(rows, schema=SCHEMA), {"dp-images": TASK}, {}, provenance=provenance)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({("mechanism_check", "noise"): 0.0}, "failed the noise check"),
        (
            {("mechanism_check", "noise"): 0.0, ("mechanism_check", "chain"): 0.0},
            "failed the chain and noise checks",
        ),
        ({("epsilon_accounted", ""): 4.5}, "its ledger adds up to ε = 4.50, above the claimed 3.00"),
        ({("epsilon_audited", ""): 3.5}, "canaries among the records show ε ≥ 3.50, above the claimed 3.00"),
        (
            {("epsilon_claimed", ""): math.nan, ("epsilon_audited", "white-box"): 9.3},
            "canaries in the curator's sums show ε ≥ 9.30, above the accounted 2.99",
        ),
        ({}, "what was measured contradicts the epsilon it keeps"),
    ],
)
def test_a_refuted_row_says_why_by_the_seed_that_is(changed: dict[tuple[str, str], float], why: str) -> None:
    (ranked,) = made({}, {("refuted", ""): 1.0} | changed).standings
    assert ranked.states == [("refuted", why)]
    assert f"refuted: {why}" in text.markdown(made({}, {("refuted", ""): 1.0} | changed))


def test_a_seed_that_is_not_refuted_gives_no_reason() -> None:
    (ranked,) = made({("epsilon_audited", ""): 3.2}, {("refuted", ""): 1.0, ("mechanism_check", "noise"): 0}).standings
    assert ranked.states == [("refuted", "failed the noise check")]


def test_kinds_that_differ_between_seeds_are_not_averaged() -> None:
    (ranked,) = made({}, {("sampling", ""): 2.0}).standings
    column = ranked.standing.column("sampling")
    assert np.isnan(ranked.summary.mean[0, column])
    (same,) = made({}, {}).standings
    assert same.summary.mean[0, column] == 1


def page(board: Board, out: Path) -> str:
    return next(path.read_text() for path in pages.render(board, out) if "<h1>dp-sgd" in path.read_text())


def test_the_page_names_attacks_checks_and_kinds(tmp_path: Path) -> None:
    said = {"noise": {"passed": True, "said": "8 releases"}, "chain": {"passed": True, "said": "all follow"}}
    bad = said | {"noise": {"passed": False, "said": "release 1 is <0> times"}}
    failed = {("mechanism_check", "noise"): 0.0, ("refuted", ""): 1.0}
    told = page(made({}, failed, checks=[said, bad]), tmp_path)
    assert "failed the noise check" in told
    assert ">black-box</span>" in told
    assert ">white-box</span>" in told
    lines = {line.split("</th>")[0].rsplit(">", 1)[1]: line for line in told.splitlines() if 'class="reason"' in line}
    assert ">failed<" in lines["noise"]
    assert "release 1 is &lt;0&gt; times" in lines["noise"]
    assert '<td class="num">1</td>' in lines["noise"]
    assert "passed" in lines["chain"]
    assert "<td>failed</td><td>worst seed</td><td>1,000</td><td>passed</td><td>failed</td>" in told
    assert "<td>poisson</td>" in told


def test_the_table_shows_both_audits(tmp_path: Path) -> None:
    board = made({}, {})
    assert "epsilon audited · white-box" in [board.standings[0].title(column) for column in board.standings[0].shown]
    told = text.markdown(board)
    assert "| 1 (ε ≤ 3) | dp-sgd ε=3 |" in told
    assert "poisson" in told


@pytest.mark.parametrize("metric", ["epsilon_claimed", "epsilon_accounted"])
def test_a_row_that_promises_nothing_on_one_seed_promises_nothing(metric: str) -> None:
    """It answered the question for an accounted epsilon of at most 3 by the seeds on which it kept a ledger."""
    def stands(*seeds: dict[tuple[str, str], float]) -> float:
        (ranked,) = made(*seeds).standings
        column = ranked.standing.column(metric)
        assert column is not None
        return float(ranked.summary.mean[0, column])

    assert stands({}, {(metric, ""): 2.0}) == pytest.approx(HONEST[metric, ""])
    assert math.isnan(stands({}, {(metric, ""): math.nan}))
