"""The suite's end of a custodian: gives it private records, passes on what a guest asks of them, has it answer."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from fourfold.suite import boundary, custodian, folder, guest
from fourfold.suite.boundary import Bytes
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget
from fourfold.suite.warm import Parent
from fourfold.suite.watch import BesideError, KilledError, VisitError, Watch

REQUEST, REPLY = 1 << 29, 1 << 29
"""The most bytes of what a guest may send its curator, and of what may come back."""


class Custody:
    """At most one custodian, forked from ``parent`` when it is first needed; a context manager that leaves none behind.

    Whatever makes it fail ends the visit: it says no more than that, as the records might speak from the reason.
    beside: the method's guest, which is looked at while the custodian works.
    """

    def __init__(self, parent: Parent | None, budget: Budget, secret: Secret, examine: str, beside: Watch) -> None:
        self._parent, self._budget, self._secret, self._beside = parent, budget, secret, beside
        self._order = {"role": "custodian", "budget": vars(budget), "examine": examine}
        self._watch: Watch | None = None

    def _started(self) -> Watch:
        if self._watch is None:
            assert self._parent is not None
            self._watch = Watch(self._parent, self._budget.memory_limit, self._beside)
            order = self._order | {"memory_limit": self._budget.memory_limit}
            self._watch.say(guest.ORDER, json.dumps(order).encode())
            self._watch.say(guest.RECORD, boundary.encode(folder.folder({})))
            self._watch.say(guest.RECORD, boundary.encode(self._secret.fields()))
            self._watch.allow(self._budget.time_limit)
            self._watch.frame(guest.READY)
        return self._watch

    @property
    def cpu(self) -> float:
        """CPU seconds used so far."""
        return self._watch.usage.cpu() if self._watch else 0.0

    @property
    def peak(self) -> int:
        """The most bytes it was seen to hold."""
        return self._watch.peak if self._watch else 0

    def hold(self, record: Sequence[np.ndarray]) -> None:
        """Take the private records: arrays of a row each."""
        self._ask(custodian.HOLD, boundary.encode({f"part{place}": each for place, each in enumerate(record)}))

    def call(self, request: Bytes) -> Bytes:
        """Pass on one request of a guest's, and return the reply to it."""
        return self._ask(custodian.SERVE, request)

    def answer(self, model: Bytes, queries: Sequence[np.ndarray]) -> bytes:
        """A model's answers to queries, as ``boundary.numbers`` reads them."""
        return self._ask(custodian.ANSWER_QUERIES, _joined(model, queries))

    def examine(self, model: Bytes, queries: Sequence[np.ndarray]) -> Mapping[str, Any]:
        """What the task's examination of a model yields."""
        return boundary.fields(self._ask(custodian.EXAMINE, _joined(model, queries)))

    def account(self) -> Mapping[str, Any]:
        """The curator's ledger and evidence; see ``Curator.account``."""
        return boundary.fields(self._ask(custodian.ACCOUNT, boundary.encode({"done": True})))

    def _ask(self, verb: str, body: Bytes) -> bytes:
        try:
            watch = self._started()
            watch.ask(verb, body)
            return watch.frame(guest.ANSWER, REPLY)
        except (BesideError, KilledError):
            raise
        except VisitError as ended:
            status, reason = ended.args
            if status in ("timeout", "out-of-memory"):
                raise VisitError(status, f"{reason} (the suite's process that runs the method's graph)") from None
            raise VisitError("failed", "the method's graph failed in the suite's process, or was much slower there "
                             "than on made-up records; try it on records of your own, with zeros, large values and an "
                             "empty batch among them") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._watch:
            self._watch.__exit__(*error)


def _joined(model: Bytes, queries: Sequence[np.ndarray]) -> Bytes:
    """A model as a guest sent it, with the queries beside it."""
    try:
        fields = boundary.fields(model)
    except boundary.BoundaryError as error:
        raise VisitError("invalid-output", f"model() did not give a graph and its parameters: {error}") from error
    kept = {name: value for name, value in fields.items() if not name.startswith("query")}
    return boundary.encode(kept | {f"query{place}": each for place, each in enumerate(queries)})
