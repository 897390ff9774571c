"""From a request to cells."""

import math
from pathlib import Path

import pytest

from fourfold.suite import plan, registry
from fourfold.suite.pack import PackError
from fourfold.suite.plan import Request

KEY, CACHE = b"0123456789abcdef", Path("nowhere")


def cells(**request):
    return [job.cell for job in plan.jobs(Request(**request), KEY, CACHE)]


def test_a_bare_request_is_every_method_on_the_embedded_dataset():
    found = cells(seeds=range(2))
    assert {cell.dataset for cell in found} == {registry.task(name).embedded for name in registry.task_names()}
    assert {cell.method for cell in found} == set(registry.method_names())
    assert {cell.seed for cell in found} == {0, 1}


def test_exactly_the_seeds_named_whatever_their_number():
    assert [cell.seed for cell in cells(methods=["logistic"], seeds=(70_000, 3, 70_000))] == [70_000, 3]
    assert [cell.seed for cell in cells(methods=["logistic"])] == [0, 1, 2, 3, 4]
    alone, among = cells(methods=["logistic"], seeds=[3])[0], cells(methods=["logistic"])[3]
    assert alone.id == among.id


def test_private_methods_run_at_each_epsilon_and_others_at_none():
    found = cells(methods=["dp-logistic", "logistic"], seeds=range(1), epsilons=(1.0, 8.0))
    assert sorted((cell.method, cell.budget.epsilon) for cell in found) == [
        ("dp-logistic", 1.0),
        ("dp-logistic", 8.0),
        ("logistic", math.inf),
    ]


def test_parameters_are_part_of_the_identity_however_they_are_spelled():
    plain, one, spelled, other = (
        cells(methods=[each], seeds=range(1))[0]
        for each in ("scorecard", "scorecard[strength=1]", "scorecard[ strength = 1.0 ]", "scorecard[strength=0.1]")
    )
    assert plain.id == one.id == spelled.id
    assert other.id != plain.id
    assert other.title == "scorecard[strength=0.1]"


def test_the_same_method_twice_is_planned_once():
    assert len(cells(methods=["logistic", "logistic"], seeds=range(1))) == 1


def test_another_key_makes_other_cells():
    mine, theirs = (
        plan.jobs(Request(methods=["logistic"], seeds=[0]), key, CACHE)[0].cell for key in (KEY, KEY[::-1])
    )
    assert mine.id != theirs.id
    assert mine.draw != theirs.draw


@pytest.mark.parametrize(
    ("request_", "near"),
    [
        ({"tasks": ["fair-kredit"]}, "fair-credit"),
        ({"datasets": ["taiwn"]}, "taiwan"),
        ({"methods": ["scorcard"]}, "scorecard"),
        ({"methods": ["scorecard[strenght=1]"]}, "strength"),
        ({"methods": ["scorecard[strength=lots]"]}, "number"),
        ({"methods": ["scorecard[strength"]}, "name\\[parameter=value"),
        ({"methods": ["./nothing.py"]}, "no file"),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest(request_, near):
    with pytest.raises((registry.UnknownName, PackError), match=near):
        cells(seeds=range(1), **request_)


def test_rerun_says_what_is_run_again():
    every = plan.jobs(Request(methods=["logistic"], seeds=range(3)), KEY, CACHE)
    statuses = {every[0].cell.id: "ok", every[1].cell.id: "timeout"}
    for rerun, expected in (("missing", [2]), ("failed", [1, 2]), ("all", [0, 1, 2])):
        todo = plan.compare(every, statuses, rerun).todo
        assert [job.cell.seed for job in todo] == expected


def test_packages_of_a_methods_own_are_refused_where_all_is_to_be_confined(tmp_path):
    method = tmp_path / "brings.py"
    method.write_text("from fourfold.suite import Method\nclass Brings(Method):\n    task = 'fair-credit'\n"
                      "    requirements = ('six==1.16.0',)\n    def fit(self, train, budget): pass\n"
                      "    def predict(self, query): return 0\n")
    assert cells(methods=[str(method)], tasks=["fair-credit"], seeds=[0])
    with pytest.raises(PackError, match=r"brings asks for packages of its own \(six==1\.16\.0\).*--require-sandbox"):
        cells(methods=[str(method)], tasks=["fair-credit"], seeds=[0], sandboxed=True)
    everybody = {cell.method for cell in cells(tasks=["dicom-deid"], seeds=[0])}
    confined = {cell.method for cell in cells(tasks=["dicom-deid"], seeds=[0], sandboxed=True)}
    assert everybody - confined == {"deid", "dicognito", "dicom-anonymizer", "presidio"}
