"""One visit of a guest, seen from the trusted side: ask, measure, check. Nothing it says is believed unchecked."""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.suite import boundary, energy, folder, guest, packfiles
from fourfold.suite.custody import Custody
from fourfold.suite.evidence import NUMBERS, Secret
from fourfold.suite.folder import Folder
from fourfold.suite.method import Budget, Mechanism
from fourfold.suite.pack import CURATED
from fourfold.suite.task import Ask, FolderWant, Want
from fourfold.suite.warm import GuestLost, Parent, Parents
from fourfold.suite.watch import FaultError, KilledError, VisitError, Watch

_TOTAL_TOLERANCE = 1e-3
_NAMES = 1 << 24
"""The most bytes that the names of a folder's files take."""
TRIES = 3
"""How often a visit is begun that breaks off by nobody's known fault."""
_STEPS = 1 << 26
"""Bytes of a curator's notes on the steps of a fit, beside its releases."""
MODEL = 1 << 29
"""The most bytes of a model that a method hands over."""


@dataclass(frozen=True)
class Phase:
    """What one ask cost, as the operating system counts: seconds of CPU over all its processes, and of wall clock."""

    verb: str
    cpu: float
    wall: float


@dataclass(frozen=True)
class Curation:
    """What a visit has to do with a curator.

    secret: what the curator is told. access: ``records`` where the method is given its private records, ``curator``
    where a custodian holds them. examine, examined: the function, as ``module:name``, by which the task examines the
    model that the method hands over, and the arrays it gets beside it; '' and (): not at all.
    """

    secret: Secret
    access: str = "records"
    examine: str = ""
    examined: Sequence[np.ndarray] = ()


UNCURATED = Curation(Secret(0, np.zeros(0, np.bool_)))
"""For who has no curator, or no secrets from it."""


@dataclass
class Visit:
    """What came of it. status is one of ``cell.STATUSES``; reason says what, where and what to do.

    start: seconds from the fork until the method stood ready. faults: of each ask that failed and was let fail, by its
    place, why. phases: an ask each; the last one of a visit that did not end well is the ask it broke off in.
    peak_memory: bytes. parameters: as ``state.count`` counts; None: cannot tell.
    ledger: what the method wrote down by itself. evidence: what its curator noted, ledger and all; {}: it had none.
    found: what the task's examination of its model found. checks: verdicts on its mechanisms, by name.
    confinement: how far it was confined, one of ``sandbox.LEVELS``; '': it never ran. killed: it ended by SIGKILL, and
    the suite did not send it. limited_by: what limited its memory, as ``Parent`` says.
    """

    status: str = "ok"
    reason: str = ""
    answers: list[Any] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    ledger: list[Mechanism] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    start: float = 0.0
    peak_memory: int = 0
    parameters: int | None = None
    energy: float | None = None
    log: str = ""
    confinement: str = ""
    killed: bool = False
    limited_by: str = ""


def visit_warm(
    parents: Parents,
    preload: Sequence[str],
    python: str,
    file: str,
    name: str,
    parameters: dict[str, Any],
    budget: Budget,
    asks: Sequence[Ask],
    curation: Curation = UNCURATED,
) -> Visit:
    """Run a method in a guest of the parent that suits it, and again where that parent dies or the guest is killed.

    Either may be the machine's fault, or somebody's. What happens each of ``TRIES`` times is the method's doing: one
    whose parent dies has ``failed``, one that is killed is ``out-of-memory``. Raises GuestLost where no parent starts.
    """
    for left in reversed(range(TRIES)):
        gpus, curated = budget.device == "cuda", _needs_custody(curation)
        parent = parents.get(preload, budget.cpus, python, gpus=gpus)
        other = parents.get(("torch", *CURATED), budget.cpus, gpus=gpus, custodian=True) if curated else None
        try:
            seen = visit(parent, file, name, parameters, budget, asks, curation, other)
        except GuestLost:
            for each in (parent, other):
                parents.drop(each)
        else:
            if not (seen.killed and left):
                return seen
    return Visit(
        "failed",
        f"the process that started it died while it ran, {TRIES} times: a method must leave processes alone "
        "that it did not start",
    )


def _needs_custody(curation: Curation) -> bool:
    return curation.access == "curator" or bool(curation.examine)


def visit(
    parent: Parent,
    file: str,
    name: str,
    parameters: dict[str, Any],
    budget: Budget,
    asks: Sequence[Ask],
    curation: Curation = UNCURATED,
    other: Parent | None = None,
) -> Visit:
    """Run a method's class through its asks in a guest forked from ``parent``, within the budget.

    other: the parent of a custodian, where the curation needs one.

    Raises GuestLost when the parent itself dies; whatever the method does ends in the visit's status.
    """
    result, place = Visit(confinement=parent.confinement), Path(file)
    with Watch(parent, budget.memory_limit) as watch:
        custodied = curation.access == "curator"
        order = {
            "role": "guest",
            "access": curation.access,
            "file": place.name,
            "class": name,
            "parameters": parameters,
            "budget": vars(budget),
            "memory_limit": budget.memory_limit,
            "most": max((ask.want.most for ask in asks if isinstance(ask.want, FolderWant)), default=0),
            "verbs": sorted({"model" if custodied and ask.verb != "fit" else ask.verb for ask in asks}),
        }
        watch.say(guest.ORDER, json.dumps(order).encode())
        watch.say(guest.RECORD, boundary.encode(folder.gather(place.parent, packfiles.LARGEST)))
        # What a guest does not need to know, it is not told.
        secret = Secret(0, curation.secret.coins[:0]) if custodied else curation.secret
        watch.say(guest.RECORD, boundary.encode(secret.fields()))
        with Custody(other, budget, curation.secret, curation.examine, watch) as custody:
            _Meter(watch, result, custody, curation).converse(asks, budget.time_limit)
            result.peak_memory = max(watch.peak, watch.end().memory) + (custody.peak if custodied else 0)
        result.log, result.limited_by = watch.log.text(), parent.limited_by
    return result


class _Meter:
    """Leads one conversation and measures it.

    A phase begins where the one before it ended, not where its ask was sent: what a guest does after it has answered,
    or before it was asked, is then counted too, in the phase it falls into.
    """

    def __init__(self, watch: Watch, result: Visit, custody: Custody, curation: Curation) -> None:
        self._watch, self._result = watch, result
        self._custody, self._curation = custody, curation
        self._holder = custody if curation.access == "curator" else None
        self._verb, self._cpu, self._asked = "", 0.0, 0.0

    def converse(self, asks: Sequence[Ask], time_limit: float) -> None:
        watch, result = self._watch, self._result
        try:
            hands_over = self._begin(time_limit)
            before = energy.joules()
            for ask in asks:
                result.answers.append(self._may_ask(ask) if ask.may_fail else self._ask(ask))
            self._judge_faults(asks)
            after = energy.joules()
            if before is not None and after is not None and after >= before:  # The counter wraps around.
                result.energy = after - before
            if self._curation.examine and hands_over:
                result.found = dict(self._custody.examine(self._model(asks[-1]), self._curation.examined))
        except VisitError as ended:
            result.status, result.reason = ended.args
            result.killed = isinstance(ended, KilledError)
            if self._verb:
                before = self._used()  # Whom a namespace's end takes along, nobody waits for: the kernel forgets them.
                self._phase(max(before, watch.end().cpu + (self._holder.cpu if self._holder else 0.0)))
        else:
            result.parameters, result.killed = _state(watch)
            watch.finish()

    def _begin(self, time_limit: float) -> bool:
        """Wait until it stands ready; whether it can hand over a model."""
        began = time.monotonic()
        self._watch.allow(time_limit)
        ready = self._watch.frame(guest.READY)
        self._result.start = time.monotonic() - began
        self._cpu = self._used()
        self._watch.allow(time_limit)  # Anew: imports are not on the method's clock.
        return ready == b"model"

    def _used(self) -> float:
        return self._watch.usage.cpu() + (self._holder.cpu if self._holder else 0.0)

    def _may_ask(self, ask: Ask) -> np.ndarray | Folder | None:
        """``_ask``, or None where the method failed and can go on."""
        fault: VisitError
        try:
            return self._ask(ask)
        except _Refused as refused:
            fault = refused
        except FaultError as raised:
            if raised.args[0] == "out-of-memory":
                raise
            self._phase(self._used())
            fault = raised
        self._result.faults[len(self._result.answers)] = f"{fault.args[0]}: {fault.args[1]}"
        return None

    def _judge_faults(self, asks: Sequence[Ask]) -> None:
        """End the visit where every ask that might fail did."""
        faults = self._result.faults
        if faults and len(faults) == sum(ask.may_fail for ask in asks):
            status, reason = min(faults.items())[1].split(": ", 1)
            raise VisitError(status, f"it answered none of {len(faults)} asks; the first: {reason}")

    def _ask(self, ask: Ask) -> np.ndarray | Folder | None:
        self._verb, self._asked = ask.verb, time.monotonic()
        if self._holder and ask.verb == "fit":
            self._holder.hold(private(ask.give))
        if self._holder and ask.verb != "fit":
            body = self._holder.answer(self._model(ask), private(ask.give))
        else:
            body = self._say(ask.verb, public(ask.give) if self._holder else ask.give, _most(ask.want))
        self._phase(self._used())
        if ask.verb == "fit":
            self._evidence(ask.give)
        if isinstance(ask.want, FolderWant):
            return _folder(body, ask.verb)
        return check(body, ask.want, ask.verb) if ask.want else None

    def _say(self, verb: str, give: Any, most: int) -> bytes:
        """Ask the guest, passing on what it asks of its curator meanwhile, and take its answer and ledger."""
        self._watch.ask(verb, boundary.encode(give))
        while True:
            tag, body = self._watch.either((guest.ANSWER, guest.CALL) if self._holder else (guest.ANSWER,), most)
            if tag == guest.ANSWER or self._holder is None:
                break
            self._watch.say(guest.REPLY, self._holder.call(body))
        self._result.ledger = mechanisms(self._watch.frame(guest.LEDGER))
        return body

    def _model(self, ask: Ask) -> bytes:
        return self._say("model", public(ask.give), MODEL)

    def _evidence(self, give: Any) -> None:
        noted = self._watch.frame(guest.EVIDENCE, 0 if self._holder else _noted(give))
        try:
            told = self._holder.account() if self._holder else boundary.fields(noted) if noted else {}
            self._result.evidence = dict(told)
        except boundary.BoundaryError as error:
            raise VisitError("invalid-output", f"its curator's notes are none: {error}") from error

    def _phase(self, cpu: float) -> None:
        self._result.phases.append(Phase(self._verb, max(0.0, cpu - self._cpu), time.monotonic() - self._asked))
        self._verb, self._cpu = "", cpu


def private(record: Any) -> list[np.ndarray]:
    """The fields of a record that have a row for each private record."""
    return [getattr(record, name) for name in record.private]


def public(record: Any) -> Any:
    """The record without their rows: types, shapes and whatever else it says are public."""
    return dataclasses.replace(record, **{name: getattr(record, name)[:0] for name in getattr(record, "private", ())})


def _folder(body: bytes, verb: str) -> Folder:
    """Read the folder that an ask brought; ends the visit as ``invalid-output`` where it is none."""
    try:
        return folder.read(boundary.fields(body))
    except ValueError as error:
        raise _Refused(f"{verb} did not leave a folder of files: {error}") from error


def _noted(give: Any) -> int:
    """The most bytes of a curator's notes on a fit; 0 where the records that were given have nothing private."""
    rows = max((len(getattr(give, name)) for name in getattr(give, "private", ())), default=0)
    return 16 * rows + 8 * NUMBERS + _STEPS if rows else 0


def _most(want: Want | FolderWant | None) -> int:
    """The most bytes an answer may have: twice what was asked for, so that a wrong length can still be told."""
    if isinstance(want, FolderWant):
        return want.most + _NAMES
    return 0 if want is None else 16 * math.prod(want.shape) + (1 << 16)


class _Refused(VisitError):
    """An answer is not what was wanted."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid-output", reason)


def check(body: bytes, want: Want, verb: str) -> np.ndarray:
    """Decode an answer and hold it to what was wanted; ends the visit as ``invalid-output`` with what is wrong."""
    try:
        answer = boundary.numbers(body).astype(np.float64)
    except boundary.BoundaryError as error:
        raise _Refused(f"{verb} did not return an array: {error}") from error
    if answer.shape == (*want.shape, 1):  # A column, as a frame or a classifier of one output gives it.
        answer = answer.reshape(want.shape)
    if answer.shape != want.shape:
        raise _Refused(
            f"{verb} returned shape {answer.shape} where {want.shape} was asked for: one answer a query, in their order"
        )
    _refuse(~np.isfinite(answer), answer, verb, "that are not finite (NaN or infinity)")
    outside = (answer < want.low) | (answer > want.high)
    if outside.any():
        low, high = (np.broadcast_to(bound, want.shape)[outside][0] for bound in (want.low, want.high))
        _refuse(outside, answer, verb, f"outside [{low:g}, {high:g}]")
    if want.total is not None:
        sums = answer.sum(axis=-1)
        wrong = np.abs(sums - want.total) > _TOTAL_TOLERANCE
        _refuse(wrong, sums, verb, f"that do not sum to {want.total:g}", "rows")
    return answer


def _refuse(wrong: np.ndarray, answer: np.ndarray, verb: str, why: str, what: str = "values") -> None:
    if count := int(np.count_nonzero(wrong)):
        first = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise _Refused(
            f"{verb} returned {count:,} of {answer.size:,} {what} {why}, such as {answer[first]:.6g} at {list(first)}"
        )


def mechanisms(body: bytes) -> list[Mechanism]:
    """Read a ledger, as the guest's ``_mechanisms`` writes it; ends the visit for what is not one."""
    try:
        return [_mechanism(*each) for each in json.loads(body)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise VisitError("invalid-output", f"the ledger is not one: {error}; use self.ledger's own methods") from error


def _mechanism(
    kind: str, noise_multiplier: float, sample_rate: float, steps: int, sampling: str, unit: str = "record"
) -> Mechanism:
    if kind not in ("gaussian", "laplace") or sampling not in ("poisson", "shuffle", "full"):
        raise ValueError(f"there is no {kind!r} mechanism with {sampling!r} sampling")
    if type(steps) is not int or not 0 <= steps < 2**53:
        raise ValueError(f"a mechanism of {steps!r} steps")
    if not (0 <= float(noise_multiplier) < math.inf and 0 <= float(sample_rate) <= 1):
        raise ValueError(f"noise multiplier {noise_multiplier!r} at sample rate {sample_rate!r}")
    if unit not in ("record", "user"):
        raise ValueError(f"there is no unit {unit!r}")
    return Mechanism(kind, float(noise_multiplier), float(sample_rate), steps, sampling, unit)


def _state(watch: Watch) -> tuple[int | None, bool]:
    """Ask how many numbers the fitted method holds; None where the guest cannot tell. And whether it was killed."""
    try:
        watch.say(guest.STATE)
        counted = json.loads(watch.frame(guest.STATE))
    except (VisitError, ValueError) as error:
        return None, isinstance(error, KilledError)
    return (counted if type(counted) is int and counted >= 0 else None), False
