"""A curator for a method whose records are with the suite: it sends graphs and parameters, and gets noisy sums."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.suite import boundary, model
from fourfold.suite.curator import CuratorError, Function
from fourfold.suite.method import Budget

if TYPE_CHECKING:
    from torch import Tensor

Call = Callable[[boundary.Bytes], boundary.Bytes]
"""Send a request to the suite's curator and wait for its reply."""


class CuratorProxy:
    """The public half of ``Curator``; each call is answered by a process in which the method does not run.

    ``train`` has its shapes and its ``n`` alone: its private fields have no rows.
    """

    def __init__(self, train: Any, budget: Budget, call: Call, unit: Any) -> None:
        if unit is not None:
            raise CuratorError("users cannot be named where the records are with the suite")
        self._budget, self._call = budget, call
        self._record = model.example([getattr(train, name) for name in train.private])
        self.n: int = train.n

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """As ``Curator.shapes``."""
        return tuple(tuple(part.shape) for part in self._record)

    def noise_multiplier(self, sample_rate: float, steps: int) -> float:
        """As ``Curator.noise_multiplier``."""
        if math.isinf(self._budget.epsilon):
            return 0.0
        return float(self._ask("noise_multiplier", sample_rate=float(sample_rate), steps=int(steps))["value"])

    def transform(self, function: Function, parameters: "Mapping[str, Tensor] | None" = None) -> None:
        """As ``Curator.transform``."""
        self._ask("transform", **model.packed(function, parameters or {}, self._record[:1]))
        made = function(parameters or {}, self._record[0])
        self._record[0] = made.float() if made.is_floating_point() else made  # Half precision comes back as single.

    def open(
        self,
        *,
        sample_rate: float,
        noise_multiplier: float,
        clip: float,
        steps: int,
        loss: Function | None = None,
        parameters: "Mapping[str, Tensor] | None" = None,
    ) -> None:
        """As ``Curator.open``; the loss cannot be left out."""
        if loss is None:
            raise CuratorError("the records are with the suite: open(..., loss=, parameters=), then noisy_sum")
        plan = {"sample_rate": float(sample_rate), "noise_multiplier": float(noise_multiplier), "clip": float(clip)}
        self._ask("open", **plan, steps=int(steps), **model.packed(loss, parameters or {}, self._record))

    def noisy_sum(self, parameters: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """As ``Curator.noisy_sum``."""
        return model.tensors(self._ask("noisy_sum", **model.listed(parameters)))

    def noisy_total(
        self,
        function: Function,
        parameters: "Mapping[str, Tensor] | None" = None,
        *,
        clip: float,
        noise_multiplier: float,
    ) -> "Tensor":
        """As ``Curator.noisy_total``."""
        packed = model.packed(function, parameters or {}, self._record)
        reply = self._ask("noisy_total", clip=float(clip), noise_multiplier=float(noise_multiplier), **packed)
        return model.tensors(reply)["total"]

    def draw(self) -> np.ndarray:
        """Not where the records are with the suite."""
        raise CuratorError("the records are with the suite: use open(..., loss=, parameters=) and noisy_sum")

    def release(self, total: Any, parameters: Any = None) -> Any:
        """Not where the records are with the suite."""
        return self.draw()

    def _ask(self, what: str, **values: Any) -> dict[str, Any]:
        reply = boundary.fields(self._call(boundary.encode({"what": what, **values})))
        if refused := reply.get("refused"):
            raise CuratorError(refused)
        return reply

    def __reduce__(self) -> Any:
        raise TypeError("a curator is no part of a fitted method")
