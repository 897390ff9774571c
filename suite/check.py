"""Whether a method keeps the contract: it really fits and predicts, twice, on a small problem in its guest."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fourfold.suite import evaluate, plan, registry
from fourfold.suite.environment import EnvironmentFailed, Progress, interpreter
from fourfold.suite.folder import Folder
from fourfold.suite.method import Budget, Value
from fourfold.suite.metrics import accountant
from fourfold.suite.pack import Pack, PackError
from fourfold.suite.task import Ask, Draw, Problem, Task
from fourfold.suite.visit import Curation, Visit, visit_warm
from fourfold.suite.warm import Parents

TIME_LIMIT = 120.0
"""Seconds that a check gives a method."""
EPSILON = 3.0
"""The budget at which a method that claims privacy is checked."""
_KEY = b"the draws of a check are no secret"
_LOG = 2000


@dataclass(frozen=True)
class Finding:
    """One thing found. level: ``ok``, ``note`` (the author should know) or ``wrong`` (the contract is broken).

    what: the part of the contract. said: what was found, and where. remedy: what to do.
    """

    level: str
    what: str
    said: str
    remedy: str = ""


def check(
    pack: Pack,
    parameters: Sequence[tuple[str, Value]],
    cache: Path,
    scratch: Path,
    progress: Progress | None = None,
    *,
    sandboxed: bool = False,
) -> Iterator[Finding]:
    """Describe a method, then run it on a small problem of its task's embedded dataset, and yield what is found.

    cache: the datasets'. scratch: for its files and its environment, of whose building ``progress`` hears. sandboxed:
    whether to refuse, by UnfitError, where it cannot be confined by namespaces.
    Raises DatasetError where the embedded dataset cannot be loaded, GuestLost where no guest can be started here.
    """
    yield from _described(pack)
    try:
        task = registry.task(pack.task)
        plan.check_declarations(task, pack)
    except (registry.UnknownName, PackError) as error:
        yield Finding("wrong", "declarations", str(error), "correct the class attribute")
        return
    yield Finding("ok", "declarations", _declarations(task, pack))
    for name in pack.declared:
        if near := plan.meant(task, name):
            said = f"{pack.klass}.{name} declares nothing; did you mean {near}?"
            yield Finding("note", "declarations", said, "correct the name, or prefix it with _ if it is yours alone")
    requirements = tuple(pack.get("requirements"))
    if sandboxed and (why := plan.unconfined(pack)):
        yield Finding("wrong", "requirements", why)
        return
    try:
        python = interpreter(requirements, scratch, progress)
    except EnvironmentFailed as error:
        yield Finding("wrong", "requirements", str(error))
        return
    if requirements:
        yield Finding("ok", "requirements", f"{', '.join(requirements)}: an environment of its own")
    with Parents(sandboxed=sandboxed) as parents:
        draw = Draw(_KEY, task.name, task.embedded, 0)
        options = evaluate.declared(task, pack)
        problem = task.draw(task.load(task.embedded, cache), draw, options, small=True)
        curation = evaluate.curated(draw, pack.digest, task, problem, options)
        given, file = budget(pack), str(pack.unpack(scratch))

        def visit(asks: Sequence[Ask], under: Curation) -> Visit:
            return visit_warm(
                parents, pack.preload, python, file, pack.klass, dict(parameters), given, asks, under
            )

        first = visit(problem.asks, curation)
        yield from _ran(first)
        if first.status == "ok":
            yield from _answered(first, visit(problem.asks, curation))
            yield from _backed(pack, first, curation, problem, visit)


def _described(pack: Pack) -> Iterator[Finding]:
    """What its files say of it."""
    inside = ", ".join(f"{name} = {value!r}" for name, value in pack.parameters.items()) or "none"
    yield Finding("ok", "found", f"class {pack.klass} in {pack.entry}, for {pack.task}; parameters: {inside}")
    where = f"class {pack.klass} in {pack.entry}"
    if not pack.doc:
        yield Finding(
            "note",
            "docstring",
            f"{where} has none; the board would show nothing of what it does",
            "add one below the class line",
        )
    for name, example in (("licence", "Apache-2.0"), ("author", "your name"), ("version", "1")):
        if name not in pack.declared:
            yield Finding("note", name, f"{where} declares none", f'add a line such as: {name} = "{example}"')


def _declarations(task: Task, pack: Pack) -> str:
    said = [f"{name} = {value}" for name, value in evaluate.declared(task, pack).items()]
    said.append(f"private = {bool(pack.get('private'))}")
    return ", ".join(said)


def budget(pack: Pack) -> Budget:
    """The budget of a check."""
    return Budget(
        epsilon=EPSILON if pack.get("private") else math.inf,
        time_limit=TIME_LIMIT,
        seed=20,
        memory_limit=int(float(pack.get("memory")) * 2**30),
        device="cuda" if pack.get("gpus") else "cpu",
        cpus=float(pack.get("cpus")),
    )


def _ran(seen: Visit) -> Iterator[Finding]:
    """Whether it ran, and what that cost."""
    if seen.status != "ok":
        verb = seen.phases[-1].verb if seen.phases else "its import"
        remedy = {
            "timeout": f"a check gives it {TIME_LIMIT:g} s for a small problem; do less, or heed budget.time_limit",
            "out-of-memory": "use less, or declare more: memory = 8 (GiB)",
            "invalid-output": "return what the task's query asks for, as a plain array",
        }.get(seen.status, "correct it there, and check again")
        yield Finding("wrong", "run", f"{seen.status} in {verb}: {seen.reason}", remedy)
    else:
        shapes = [
            f"{phase.verb} returned {_shape(answer)}"
            for phase, answer in zip(seen.phases, seen.answers, strict=True)
            if answer is not None
        ]
        yield Finding("ok", "answers", "; ".join(shapes))
        for place, why in seen.faults.items():
            said = f"ask {place + 1} of {len(seen.answers)}, {seen.phases[place].verb}: {why}"
            yield Finding("wrong", "answers", said, "answer every ask: one that fails is scored as guessed")
    spent = ", ".join(f"{phase.verb} {phase.cpu:.2f} s CPU ({phase.wall:.2f} s)" for phase in seen.phases)
    yield Finding(
        "ok",
        "cost",
        f"{spent or 'nothing was measured'}; start {seen.start:.2f} s; peak memory {seen.peak_memory / 2**20:.0f} MiB",
    )
    if seen.log.strip():
        yield Finding("note", "printed", seen.log.strip()[-_LOG:])


def _shape(answer: np.ndarray | Folder) -> str:
    if isinstance(answer, Folder):
        return f"{len(answer.paths)} files of {len(answer.data):,} bytes"
    return f"{answer.shape}, from {answer.min():.4g} to {answer.max():.4g}" if answer.size else f"{answer.shape}"


def _answered(first: Visit, second: Visit) -> Iterator[Finding]:
    """Whether two runs with one seed answer the same."""
    if second.status != "ok":
        yield Finding(
            "wrong",
            "determinism",
            f"a second run with the same seed did not end well: {second.status}: {second.reason}",
            "let nothing but budget.seed decide what happens",
        )
        return
    both = zip(first.answers, second.answers, strict=True)
    pairs = [(_numbers(a), _numbers(b)) for a, b in both if a is not None and b is not None]
    apart = max((_apart(a, b) for a, b in pairs), default=0.0)
    if apart:
        yield Finding(
            "note",
            "determinism",
            f"two runs with one seed differ by up to {apart:.3g}; `fourfold verify` and `merge` will report it",
            "draw all random numbers from budget.seed",
        )
    else:
        yield Finding("ok", "determinism", "two runs with one seed answer the same")
    if all(np.ptp(a) == 0 for a, _ in pairs if a.size):
        yield Finding("note", "answers", "it gives every query the same answer; on the board that is worth nothing")


def _numbers(answer: np.ndarray | Folder) -> np.ndarray:
    return answer.data if isinstance(answer, Folder) else answer


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a.astype(np.float64) - b), initial=0.0)) if a.shape == b.shape else math.inf


def _backed(
    pack: Pack, seen: Visit, curation: Curation, problem: Problem, visit: Callable[[Sequence[Ask], Curation], Visit]
) -> Iterator[Finding]:
    """What its ledger comes to, against what it was to keep, and whether its mechanisms are what they say."""
    of = budget(pack)
    try:
        backed = evaluate.back(seen, curation, problem, of, visit)
        accounted = accountant.accounted_epsilon(backed.mechanisms, of.delta)
    except (ValueError, ImportError) as error:
        level, remedy = ("wrong", "correct the entry") if isinstance(error, ValueError) else ("note", "")
        yield Finding(level, "privacy", f"its ledger cannot be accounted: {error}", remedy)
        return
    if not pack.get("private"):
        if accounted:
            said = "it keeps a ledger but does not claim privacy, so it is never given a budget"
            yield Finding("note", "privacy", said, "add the line: private = True")
        return
    if accounted is None:
        said = "it claims privacy and its ledger is empty: the board will show the claim as backed by nothing"
        yield Finding("note", "privacy", said, "learn through self.curator(train), or record each mechanism, as in "
                      "self.ledger.subsampled_gaussian(noise, rate, steps)")
        return
    rung, refuted = accountant.backing(
        of.epsilon, accounted.epsilon, None, checked=backed.checked, verified=backed.verified and not backed.ledger
    )
    spent = f"epsilon {accounted.epsilon:.4g} of {of.epsilon:g}, at delta {of.delta:g} ({accounted.accountant})"
    remedy = "add noise, or steps fewer: a row like this is refuted" if refuted else ""
    yield Finding("wrong" if refuted else "ok", "privacy", f"its ledger comes to {spent}; rung: {rung}", remedy)
    if backed.untried:
        yield Finding("wrong", "mechanism checks", backed.untried, "let fit bear any record of this shape and type")
    for name, verdict in backed.verdicts.items():
        remedy = "" if verdict.passed else "let records act through the curator alone: a row like this is refuted"
        yield Finding("ok" if verdict.passed else "wrong", f"check of {name}", verdict.said, remedy)
