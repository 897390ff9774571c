"""A cell's identity: all that shapes its result, and nothing else."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.suite.cell import Cell, canonical, selector
from fourfold.suite.method import Budget

CELL = Cell("fair-credit", "1", "taiwan", "c0ffee", "d1ce", "scorecard", "ab" * 32, (("strength", 1.0),), Budget(), 0)


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other"},
        {"task_version": "2"},
        {"dataset": "hmda"},
        {"dataset_checksum": "beef"},
        {"draw": "dead"},
        {"method_digest": "cd" * 32},
        {"parameters": (("strength", 2.0),)},
        {"parameters": ()},
        {"seed": 1},
        {"budget": Budget(epsilon=1.0)},
        {"budget": Budget(delta=1e-6)},
        {"budget": Budget(time_limit=1)},
        {"budget": Budget(device="cuda")},
        {"budget": Budget(seed=1)},
        {"budget": Budget(fairness_tolerance=0.1)},
    ],
)
def test_whatever_shapes_the_result_changes_the_identity(change):
    assert dataclasses.replace(CELL, **change).id != CELL.id


def test_the_name_people_read_does_not():
    assert dataclasses.replace(CELL, method="scorecard-of-mine").id == CELL.id


def test_the_identity_is_the_same_on_every_machine_and_day():
    assert CELL.id == "d15921e7cae489bd65fe2d6425e5831e0db2cbbe150a85eee285d04e8e039bf3"
    assert Cell(*[getattr(CELL, field.name) for field in dataclasses.fields(Cell)]).id == CELL.id


def test_rows_carry_the_cell_and_infinity_means_no_privacy_asked():
    row = CELL.row()
    assert row["epsilon"] == math.inf
    assert json.loads(row["parameters"]) == {"strength": 1}
    assert row["cell"] == CELL.id


@given(st.dictionaries(st.text(), st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())))
def test_canonical_json_has_one_spelling(value):
    spelled = canonical(value)
    assert spelled == canonical(dict(reversed(list(value.items()))))
    assert isinstance(json.loads(spelled), dict)


def test_equal_numbers_are_spelled_alike():
    assert canonical({"a": 1}) == canonical({"a": 1.0})
    assert canonical([math.inf, -math.inf]) == '["inf","-inf"]'


def test_a_selector_reads_as_it_is_typed():
    assert (
        selector("scorecard", {"strength": 0.1, "bins": 5, "fair": True}) == "scorecard[bins=5,fair=true,strength=0.1]"
    )
    assert selector("scorecard", {}) == "scorecard"


def test_a_selector_spells_a_number_as_the_store_does():
    parameters = {"rate": 1.0, "most": math.inf, "kind": "a b"}
    assert selector("m", parameters) == "m[kind=a b,most=inf,rate=1]"
    assert selector("m", json.loads(canonical(parameters))) == "m[kind=a b,most=inf,rate=1]"
