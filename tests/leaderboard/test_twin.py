"""What privacy costs: rows beside their non-private twins, by hand and for any numbers."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fourfold.leaderboard import text, twin
from fourfold.leaderboard.board import Ranked, build
from fourfold.suite.cellfile import SCHEMA

METRICS = [
    {"name": name, "title": name, "family": family, "better": better, "doc": "", "unit": "", "low": low, "high": None}
    for name, family, better, low in (
        ("accuracy", "accuracy", "higher", 0),
        ("class_gap", "fairness", "lower", 0),
        ("class_gap_added", "fairness", "lower", -1),
        ("cpu_seconds", "cost", "lower", 0),
        ("slowdown", "cost", "lower", 0),
    )
]
TASK: dict[str, Any] = {"name": "images", "headline": "accuracy", "metrics": METRICS, "shown": ["accuracy"]}

Cell = tuple[str, float, int, float, float]
"""Method, epsilon, seed, class gap, CPU seconds of fit."""


def ranked(
    cells: list[Cell],
    task: dict[str, Any] = TASK,
    failed: tuple[int, ...] = (),
    parameters: dict[str, Any] | None = None,
) -> Ranked:
    rows = []
    for place, (method, epsilon, seed, gap, seconds) in enumerate(cells):
        here = {
            "cell": f"{place:016x}",
            "task": "images",
            "dataset": "digits",
            "method": method.split("@")[0],
            "method_digest": method,
            "parameters": json.dumps((parameters or {}).get(epsilon, {})),
            "epsilon": epsilon,
            "delta": 1e-5,
            "seed": seed,
            "family": "",
            "group": "",
            "low": None,
            "high": None,
            "n": 100,
            "status": "ok",
            "reason": "",
            "replicates": None,
        }
        if place in failed:
            rows.append(here | {"metric": "", "value": None, "status": "failed", "reason": "no luck"})
            continue
        rows += [
            here | {"metric": "accuracy", "value": 0.9},
            here | {"metric": "class_gap", "value": gap, "low": gap - 0.01, "high": gap + 0.01},
            here | {"metric": "cpu_seconds", "group": "fit", "value": seconds},
        ]
    return build(pa.Table.from_pylist(rows, schema=SCHEMA), {"images": task}, {}).standings[0]


def told(found: Ranked, title: str, metric: str) -> tuple[float, float, float]:
    row, column = found.titles.index(title), found.standing.column(metric)
    assert column is not None
    return tuple(float(each[row, column]) for each in (found.summary.mean, found.summary.low, found.summary.high))  # type: ignore[return-value]


def test_what_privacy_adds_is_taken_seed_by_seed_with_a_paired_interval() -> None:
    gaps = {math.inf: [0.10, 0.14, 0.09], 1.0: [0.30, 0.37, 0.26]}
    seconds = {math.inf: [2.0, 4.0, 3.0], 1.0: [20.0, 48.0, 33.0]}
    found = ranked([("sgd", eps, seed, gaps[eps][seed], seconds[eps][seed]) for eps in gaps for seed in range(3)])
    added = np.subtract(gaps[1.0], gaps[math.inf])
    expected = stats.t.interval(0.95, 2, added.mean(), stats.sem(added))
    assert told(found, "sgd ε=1", "class_gap_added") == pytest.approx((added.mean(), *expected))
    ratio = np.array([10.0, 12.0, 11.0])
    expected = stats.t.interval(0.95, 2, 11.0, stats.sem(ratio))
    assert told(found, "sgd ε=1", "slowdown") == pytest.approx((11.0, *expected))


def test_a_row_without_privacy_and_one_without_a_twin_say_why_there_is_nothing() -> None:
    found = ranked([("sgd", 1.0, 0, 0.3, 9.0), ("sgd", math.inf, 0, 0.1, 3.0), ("other", 1.0, 0, 0.3, 9.0)])
    column = found.standing.column("slowdown")
    assert column is not None
    values = dict(zip(found.titles, found.summary.mean[:, column], strict=True))
    assert values["sgd ε=1"] == 3.0
    assert np.isnan([values["sgd"], values["other ε=1"]]).all()
    why = {found.titles[row]: reason for (row, at), reason in found.standing.reasons.items() if at == column}
    assert why == {"sgd": twin.OWN, "other ε=1": twin.NO_TWIN}


def test_a_twin_is_the_same_code_with_the_same_parameters() -> None:
    cells = [("sgd@1", 1.0, 0, 0.3, 9.0), ("sgd@2", math.inf, 0, 0.1, 3.0)]
    assert ranked(cells).standing.column("slowdown") is None
    same = [("sgd", 1.0, 0, 0.3, 9.0), ("sgd", math.inf, 0, 0.1, 3.0)]
    assert ranked(same, parameters={1.0: {"clip": 2}}).standing.column("slowdown") is None
    assert (
        told(ranked(same, parameters={1.0: {"clip": 2}, math.inf: {"clip": 2}}), "sgd[clip=2] ε=1", "slowdown")[0] == 3
    )


def test_a_seed_that_failed_on_either_side_is_left_out() -> None:
    cells = [("sgd", eps, seed, 0.2 + 0.1 * seed / eps, 2.0) for eps in (1.0, math.inf) for seed in range(3)]
    found = ranked(cells, failed=(1,))  # epsilon 1, seed 1
    assert told(found, "sgd ε=1", "class_gap_added")[0] == pytest.approx((0.0 + 0.2) / 2)
    found = ranked(cells, failed=(3, 4, 5))
    column = found.standing.column("class_gap_added")
    assert {found.standing.reasons[row, column] for row in range(2)} == {twin.OWN, twin.NO_PAIR}


def test_a_single_seed_has_a_value_and_no_interval() -> None:
    found = ranked([("sgd", 1.0, 0, 0.3, 9.0), ("sgd", math.inf, 0, 0.1, 3.0)])
    mean, low, high = told(found, "sgd ε=1", "class_gap_added")
    assert mean == pytest.approx(0.2)
    assert np.isnan([low, high]).all()


def test_a_task_that_declares_neither_gets_neither() -> None:
    plain = TASK | {"metrics": [each for each in METRICS if each["name"] in ("accuracy", "class_gap", "cpu_seconds")]}
    found = ranked([("sgd", 1.0, 0, 0.3, 9.0), ("sgd", math.inf, 0, 0.1, 3.0)], plain)
    assert {name for name, _ in found.standing.columns} == {"accuracy", "class_gap", "cpu_seconds"}


def test_the_texts_hold_them_like_any_other_metric() -> None:
    found = ranked([("sgd", 1.0, 0, 0.3, 9.0), ("sgd", math.inf, 0, 0.1, 3.0)], TASK | {"shown": ["slowdown"]})
    assert found.title(found.shown[0]) == "slowdown"
    row, other = found.titles.index("sgd ε=1"), found.titles.index("sgd")
    assert text.difference(found, row, row, found.shown[0]).difference == 0
    assert math.isnan(text.difference(found, row, other, found.shown[0]).difference)


measured = st.floats(0.001, 1000)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.tuples(measured, measured, measured, measured), min_size=1, max_size=4))
def test_means_over_seeds_are_of_differences_and_of_ratios(
    values: list[tuple[float, float, float, float]],
) -> None:
    found = ranked(
        [("sgd", 1.0, seed, gap, fit) for seed, (gap, fit, _, _) in enumerate(values)]
        + [("sgd", math.inf, seed, gap, fit) for seed, (_, _, gap, fit) in enumerate(values)]
    )
    assert told(found, "sgd ε=1", "class_gap_added")[0] == pytest.approx(np.mean([a - c for a, _, c, _ in values]))
    assert told(found, "sgd ε=1", "slowdown")[0] == pytest.approx(np.mean([b / d for _, b, _, d in values]))
