"""One cell from start to finish, as ordinary Python: draw, ask the guest, check, score, and tell where it came from."""

import math
import platform
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fourfold.suite import exhibit, mechanism_checks, protocol
from fourfold.suite.cell import Cell
from fourfold.suite.environment import EnvironmentFailed, Progress, interpreter
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget
from fourfold.suite.pack import Pack
from fourfold.suite.task import Ask, Draw, Problem, Score, Spent, Task, Want
from fourfold.suite.visit import Curation, Visit, visit_warm
from fourfold.suite.warm import Parents

FAMILIES = {metric.name: metric.family for metric in protocol.PRIVACY + protocol.COST}
_REPORTED = (
    "fourfold",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "fairlearn",
    "torch",
    "opacus",
    "ray",
)
UNREHEARSED = (
    "its releases are more numbers than are kept, so that nobody knows what its answers are made of: take fewer steps "
    'or parameters, or declare access = "curator", which needs no rehearsal'
)


@dataclass(frozen=True)
class Job:
    """A cell and the method that fills it."""

    cell: Cell
    pack: Pack


@dataclass(frozen=True)
class Result:
    """What one cell came to: its rows for the store, and their provenance."""

    cell: Cell
    status: str
    reason: str
    rows: list[dict[str, Any]]
    provenance: dict[str, Any]


def declared(task: Task, pack: Pack) -> dict[str, str]:
    """What the method declares of what the task lets it declare; the first of the values where it is silent."""
    return {name: str(pack.declared.get(name, values[0])) for name, values in task.declares.items()}


def curated(draw: Draw, cell: str, task: Task, problem: Problem, options: Mapping[str, str]) -> Curation:
    """What a cell's curator is told; its batches, noise and coins are the cell's own."""
    rng = draw.rng(f"curator {cell}")
    secret = Secret(int(rng.integers(2**62)), rng.random(protocol.CANARIES) < 0.5)
    return Curation(secret, options.get("access", "records"), task.examine, problem.examined)


def back(
    seen: Visit,
    curation: Curation,
    problem: Problem,
    budget: Budget,
    visit: Callable[[Sequence[Ask], Curation], Visit],
) -> protocol.Backed:
    """Read what a visit's curator noted and, where it ran beside the method under a budget, rehearse the fit.

    visit: how to visit the same method again. Raises ValueError for notes that are none.
    """
    verified = curation.access == "curator"
    coins = curation.secret.coins
    if not seen.evidence:
        return protocol.Backed(seen.ledger, None, coins, {}, False)
    notes = mechanism_checks.read(seen.evidence, len(coins))
    members = np.empty((0, 2), np.int64) if problem.members is None else problem.members
    again = mechanism_checks.rehearsal(notes, members[:, 0])
    if verified or math.isinf(budget.epsilon) or again is None:
        return protocol.Backed(seen.ledger, notes, coins, {}, verified)
    fit, *others = problem.asks
    asked = members[members[:, 0] == again.witness, 1]
    answers = [[_again(ask, asked, each) for ask, each in zip(problem.asks, seen.answers, strict=True)]]
    found = []
    for each in filter(None, (again, mechanism_checks.blank(notes))):
        tried = [replace(fit, give=mechanism_checks.garbled(fit.give, each.witness))]
        if notes.whole:
            tried += [_some(ask, asked) for ask in others]
        rehearsed = visit(tried, Curation(replace(curation.secret, rehearsal=each)))
        if rehearsed.status != "ok" or not rehearsed.evidence:
            untried = f"the rehearsal did not come through: {rehearsed.reason}"
            return protocol.Backed(seen.ledger, notes, coins, {}, False, untried)
        answers.append(rehearsed.answers)
        found.append(mechanism_checks.read(rehearsed.evidence, len(coins)))
    verdicts = mechanism_checks.verdicts(notes, found, answers if notes.whole else None)
    untried = "" if notes.whole else UNREHEARSED
    return protocol.Backed(seen.ledger, notes, coins, verdicts, False, untried)


def _places(ask: Ask, asked: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Of an ask about private records, those that a rehearsal asks again: the first few and those ``asked`` for."""
    queries = len(getattr(ask.give, ask.give.private[0]))
    return np.union1d(np.arange(min(mechanism_checks.ANSWERS, queries)), asked)


def _again(
    ask: Ask, asked: npt.NDArray[np.int64], answer: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """The part of an answer that a rehearsal asks for again."""
    if answer is None or not getattr(ask.give, "private", ()):
        return answer
    return answer[_places(ask, asked)]


def _some(ask: Ask, asked: npt.NDArray[np.int64]) -> Ask:
    """The same ask about these queries alone."""
    if not getattr(ask.give, "private", ()):
        return ask
    assert isinstance(ask.want, Want)
    places = _places(ask, asked)
    give = replace(ask.give, **{name: getattr(ask.give, name)[places] for name in ask.give.private})
    return replace(ask, give=give, want=replace(ask.want, shape=(len(places), *ask.want.shape[1:])))


class Evaluator:
    """Scores cells one after the other, keeping warm what they share: parents, problems, unpacked methods.

    sandboxed: whether to refuse (UnfitError) where guests cannot be confined by namespaces.
    """

    def __init__(
        self, key: bytes, folder: Path, progress: Progress | None = None, *, sandboxed: bool = False
    ) -> None:
        self._key, self._folder, self._progress = key, folder, progress
        self._parents = Parents(sandboxed=sandboxed)
        self._pythons: dict[tuple[str, ...], str | EnvironmentFailed] = {}
        self._problems: OrderedDict[tuple[Any, ...], Problem] = OrderedDict()

    def run(self, job: Job, task: Task, data: Any) -> Result:
        """Score one cell. What the method does wrong is in the result; GuestLost means that a machine failed."""
        cell, pack = job.cell, job.pack
        started, loaded = time.time(), time.monotonic()
        draw = Draw(self._key, cell.task, cell.dataset, cell.seed)
        options = declared(task, pack)
        problem = self._problem(task, data, draw, options, cell.dataset)
        python = self._python(tuple(pack.get("requirements")))
        if isinstance(python, EnvironmentFailed):
            seen = Visit("refused", str(python))
            provenance = _provenance(cell, seen, started, time.monotonic() - loaded)
            return Result(cell, seen.status, seen.reason, _rows(cell, task, [], seen, {}), provenance)
        file = str(pack.unpack(self._folder))
        curation = curated(draw, cell.id, task, problem, options)

        def visit(asks: Sequence[Ask], under: Curation) -> Visit:
            return visit_warm(
                self._parents, pack.preload, python, file, pack.klass, dict(cell.parameters), cell.budget, asks, under
            )

        seen = visit(problem.asks, curation)
        scores, exhibits = list[Score](), dict[str, bytes]()
        if seen.status == "ok":
            scores, exhibits = self._scores(job, task, problem, seen, options, draw, curation, visit)
            cpu, wall = [each.cpu for each in seen.phases], [each.wall for each in seen.phases]
            scores += task.costs(problem, Spent(seen.start, cpu, wall))
        queries = sum(ask.want.answers for ask in problem.asks if ask.want)
        scores += protocol.cost_scores(seen, queries, problem.prepared)
        rows = _rows(cell, task, scores, seen, exhibits)
        return Result(cell, seen.status, seen.reason, rows, _provenance(cell, seen, started, time.monotonic() - loaded))

    def _python(self, requirements: tuple[str, ...]) -> str | EnvironmentFailed:
        """The Python of these requirements, or why there is none: tried once, not for every cell."""
        if requirements not in self._pythons:
            try:
                self._pythons[requirements] = interpreter(requirements, self._folder, self._progress)
            except EnvironmentFailed as error:
                self._pythons[requirements] = error
        return self._pythons[requirements]

    def _problem(self, task: Task, data: Any, draw: Draw, options: Mapping[str, str], dataset: str) -> Problem:
        """The problem of this draw, kept for the methods that are asked it next."""
        key = (task.name, dataset, draw.digest, tuple(sorted(options.items())))
        if key not in self._problems:
            while len(self._problems) >= 2:
                self._problems.popitem(last=False)
            self._problems[key] = task.draw(data, draw, options)
        self._problems.move_to_end(key)
        return self._problems[key]

    def _scores(
        self,
        job: Job,
        task: Task,
        problem: Problem,
        seen: Visit,
        options: Mapping[str, str],
        draw: Draw,
        curation: Curation,
        visit: "Callable[[Sequence[Ask], Curation], Visit]",
    ) -> tuple[list[Score], dict[str, bytes]]:
        budget = job.cell.budget
        scored = task.score(problem, seen.answers, options, budget, draw)
        try:
            backed = back(seen, curation, problem, budget, visit)
            private = protocol.privacy_scores(job.cell, bool(job.pack.get("private")), backed, scored)
        except ValueError as error:
            seen.status, seen.reason = "invalid-output", f"the ledger is not one: {error}"
            return [], {}
        seen.checks = {name: vars(verdict) for name, verdict in backed.verdicts.items()}
        if backed.untried:
            seen.checks["rehearsal"] = {"passed": False, "said": backed.untried}
        seen.ledger = backed.mechanisms
        examined = task.examined(problem, seen.found, seen.answers)
        return [*scored.scores, *examined, *private], dict(scored.exhibits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._parents.__exit__(*error)


def _rows(
    cell: Cell, task: Task, scores: list[Score], seen: Visit, exhibits: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    """The store's rows of one cell; one that failed has a row that says so and what it cost until then."""
    families = FAMILIES | {metric.name: metric.family for metric in task.metrics}
    shared = cell.row() | {"status": seen.status, "reason": seen.reason}
    if seen.status != "ok":
        scores = [Score("", None), *scores]
    measured = [
        shared
        | {
            "family": families.get(score.metric, ""),
            "metric": score.metric,
            "group": score.group,
            "value": _number(score.value),
            "low": _number(score.low),
            "high": _number(score.high),
            "n": int(score.n),
            "replicates": score.replicates,
        }
        for score in scores
    ]
    return measured + exhibit.rows(shared, exhibits)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _provenance(cell: Cell, seen: Visit, started: float, wall: float) -> dict[str, Any]:
    return {
        "task_version": cell.task_version,
        "dataset_checksum": cell.dataset_checksum,
        "draw": cell.draw,
        "budget": vars(cell.budget) | {"epsilon": str(cell.budget.epsilon)},
        "versions": versions(),
        "host": socket.gethostname(),
        "device": cell.budget.device,
        "confinement": seen.confinement,
        "memory_limited_by": seen.limited_by,
        "started": started,
        "wall": wall,
        "guest_start": seen.start,
        "log": seen.log,
        "ledger": [vars(mechanism) for mechanism in seen.ledger],
        "checks": seen.checks,
        "faults": {str(ask): why for ask, why in seen.faults.items()},
    }


@cache
def versions() -> dict[str, str]:
    """The versions of Python, of the system and of the packages that scores depend on, as installed here."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def lost(cell: Cell, reason: str) -> Result:
    """The result of a cell whose machine failed once too often."""
    return _unscored(cell, "lost", reason)


def deadly(cell: Cell, reason: str) -> Result:
    """The result of a cell each of whose workers died on a machine that lives: its method's fault, so ``failed``."""
    return _unscored(cell, "failed", f"{reason}; a method must leave processes alone that it did not start, and keep "
                                     "within the memory it declares")


def _unscored(cell: Cell, status: str, reason: str) -> Result:
    seen = Visit(status, reason)
    empty = {"value": None, "low": None, "high": None, "n": 0, "replicates": None}
    row = cell.row() | {"status": status, "reason": reason, "family": "", "metric": "", "group": ""} | empty
    return Result(cell, status, reason, [row], _provenance(cell, seen, time.time(), 0.0))
