"""From a request to the cells still to run. Pure, but for reading what methods and datasets are."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fourfold.suite import datasets, registry
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job
from fourfold.suite.method import Budget, Value
from fourfold.suite.pack import DECLARATIONS, Pack, PackError
from fourfold.suite.task import Draw, Task

RERUN = ("missing", "failed", "all")


@dataclass(frozen=True)
class Request:
    """What a user asks for. Empty tasks, datasets or methods: all tasks, their embedded datasets, all their methods.

    seeds: the numbers of the draws to run on. epsilons: the budgets that private methods run at, the others at none;
    empty: each task's own. gpus: whether methods that ask for one are among those that nobody named. sandboxed: whether
    methods that ask for packages of their own are refused or, where nobody named them, left out: what is installed for
    them runs outside of any guest. time_limit: seconds a cell.
    """

    tasks: Sequence[str] = ()
    datasets: Sequence[str] = ()
    methods: Sequence[str] = ()
    seeds: Sequence[int] = tuple(range(5))
    epsilons: Sequence[float] = ()
    gpus: bool = True
    sandboxed: bool = False
    delta: float = 1e-5
    time_limit: float = 3600.0
    fairness_tolerance: float = 0.05


@dataclass(frozen=True)
class Plan:
    """The jobs of a request: those to run, and the ids of those that the store already has."""

    todo: list[Job]
    cached: list[Job]


def jobs(request: Request, key: bytes, cache: Path) -> list[Job]:
    """Every job of a request. Raises UnknownName, PackError or DatasetError, each with what to do."""
    pairs = _datasets(request)
    chosen = _methods(request, {task.name for task, _ in pairs})
    made = []
    for task, dataset in pairs:
        checksum = datasets.checksum(task.datasets[dataset], cache)
        for pack, parameters in chosen:
            if pack.task != task.name:
                continue
            check_declarations(task, pack)
            epsilons = (request.epsilons or task.epsilons) if pack.get("private") else (math.inf,)
            for epsilon in epsilons:
                made += [
                    _job(task, dataset, checksum, pack, parameters, float(epsilon), seed, request, key)
                    for seed in request.seeds
                ]
    return list({job.cell.id: job for job in made}.values())


def compare(every: Iterable[Job], statuses: Mapping[str, str], rerun: str) -> Plan:
    """What is to run, given the status of each cell in the store: what is missing, also what failed, or all."""
    todo: list[Job] = []
    cached: list[Job] = []
    for job in every:
        status = statuses.get(job.cell.id)
        again = status is None or rerun == "all" or (rerun == "failed" and status != "ok")
        (todo if again else cached).append(job)
    return Plan(todo, cached)


def _datasets(request: Request) -> list[tuple[Task, str]]:
    tasks = [registry.task(name) for name in request.tasks or registry.task_names()]
    if not request.datasets:
        return [(task, task.embedded) for task in tasks]
    found = []
    for name in request.datasets:
        of, _, bare = name.rpartition("/")
        having = [task for task in tasks if bare in task.datasets and of in ("", task.name)]
        if not having:
            others = [task for task in registry.task_names() if bare in registry.task(task).datasets]
            if others and of in ("", *others):
                raise registry.UnknownName(
                    f"{bare} is a dataset of {', '.join(others)}, which is not among the tasks asked for: "
                    f"{', '.join(task.name for task in tasks)}"
                )
            raise registry.nearest("dataset", name, {each for task in tasks for each in task.datasets})
        found += [(task, bare) for task in having]
    return found


def _methods(request: Request, tasks: set[str]) -> list[tuple[Pack, tuple[tuple[str, Value], ...]]]:
    chosen = [registry.select(selector) for selector in request.methods or registry.method_names()]
    if request.methods:
        for pack, _ in chosen:
            if pack.task not in tasks:
                raise PackError(
                    f"{pack.name} solves {pack.task}, which is not among the tasks asked for: "
                    f"{', '.join(sorted(tasks))}"
                )
            if request.sandboxed and (why := unconfined(pack)):
                raise PackError(why)
        return chosen
    return [each for each in chosen if (request.gpus or not each[0].get("gpus"))
            and not (request.sandboxed and unconfined(each[0]))]


def unconfined(pack: Pack) -> str:
    """Why a method cannot be scored where all that is not the suite's is to be confined, or ''."""
    if not pack.get("requirements"):
        return ""
    return (f"{pack.name} asks for packages of its own ({', '.join(pack.get('requirements'))}), which start outside of "
            "any guest: leave out --require-sandbox, and trust them, or have the method do without")


def check_declarations(task: Task, pack: Pack) -> None:
    """Raise PackError where a method declares what its task does not let it."""
    for name, values in task.declares.items():
        if name in pack.declared and pack.declared[name] not in values:
            raise PackError(
                f"{pack.name}: {name} = {pack.declared[name]!r}, but {task.name} knows {', '.join(map(repr, values))}"
            )


def meant(task: Task, name: str) -> str:
    """The declaration that a class attribute was to be, where it is none and is spelled much like one; else ''."""
    known = {*DECLARATIONS, *task.declares}
    near = [] if name in known else difflib.get_close_matches(name, known, 1, 0.8)
    return near[0] if near else ""


def _job(
    task: Task,
    dataset: str,
    checksum: str,
    pack: Pack,
    parameters: tuple[tuple[str, Value], ...],
    epsilon: float,
    seed: int,
    request: Request,
    key: bytes,
) -> Job:
    draw = Draw(key, task.name, dataset, seed)
    gpus = float(pack.get("gpus"))
    budget = Budget(
        epsilon=epsilon,
        delta=request.delta,
        fairness_tolerance=request.fairness_tolerance,
        time_limit=request.time_limit,
        memory_limit=int(float(pack.get("memory")) * 2**30),
        device="cuda" if gpus else "cpu",
        cpus=float(pack.get("cpus")),
        seed=int(draw.rng("method").integers(2**31)),
    )
    cell = Cell(
        task.name, task.version, dataset, checksum, draw.digest, pack.name, pack.digest, parameters, budget, seed
    )
    return Job(cell, pack)
