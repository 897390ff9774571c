"""The curator: it holds the private records, gives out nothing but noisy sums over them, and keeps the ledger.

It draws Poisson batches, clips, sums and adds the noise: DP-SGD (Abadi et al. 2016) with the method's own computation
in the middle. Beside the method, in the guest, it makes the rung ``accounted`` possible; in a process of the suite's,
the rung ``verified`` (see ``custodian``). torch is imported where it is used.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.evidence import EVERYONE, Evidence, Secret
from fourfold.suite.method import Budget, Mechanism
from fourfold.suite.noise import Noise, noisy
from fourfold.suite.pace import Pace
from fourfold.suite.tensor_forms import example, like, made_up, narrow, parts, ready, tensor

if TYPE_CHECKING:
    from torch import Tensor

    from fourfold.suite.graph import Graph

Function = Callable[..., Any]
"""Of one record: ``function(parameters, *record)``, parameters a dict of tensors; a loss is a scalar."""


class CuratorError(RuntimeError):
    """The curator was asked for what it cannot give: out of order, or beyond the budget."""


@dataclass
class _Plan:
    sample_rate: float
    noise_multiplier: float
    clip: float
    steps: int
    loss: "Graph | None"
    taken: int = 0
    expected: float = 0.0


class Curator:
    """The private records of one fit, and the only way to learn from them that the suite can vouch for.

    ``n`` (records, or users where they are the unit) and ``shapes`` (of one record's parts) are public. Open a plan,
    which must fit what is left of the budget, then take at most its steps: ``noisy_sum(parameters)`` for each, or
    ``draw()`` and ``release(total)`` where the method sums clipped gradients in its own way. With an infinite budget
    the noise multiplier may be 0.
    """

    def __init__(
        self,
        record: Sequence[Any],
        budget: Budget,
        secret: Secret,
        unit: "npt.NDArray[np.int64] | None" = None,
        pace: Pace | None = None,
    ) -> None:
        import torch

        self._device, self._pace = torch.device(budget.device), pace
        self._record = [tensor(column) for column in record]
        self._budget, self._secret = budget, secret
        rows = len(self._record[0])
        self._unit = None if unit is None else np.unique(np.asarray(unit), return_inverse=True)[1].reshape(-1)
        if self._unit is not None and len(self._unit) != rows:
            raise CuratorError(f"unit names a user for each of the {rows:,} records, got {len(self._unit):,}")
        self.n = rows if self._unit is None else int(self._unit.max()) + 1
        self._plans: list[_Plan] = []
        self._full: list[Mechanism] = []
        self._coins, self._canary_coins = (np.random.default_rng([secret.seed, stream]) for stream in (1, 2))
        self._noise = Noise(secret.seed, self._device)
        self._batch: npt.NDArray[np.int64] | None = None
        self._dropped, self._over = False, False
        self.evidence = Evidence(self.n, len(secret.coins), secret.rehearsal)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each part of one record, such as ((1, 28, 28), ())."""
        return tuple(tuple(column.shape[1:]) for column in self._record)

    def noise_multiplier(self, sample_rate: float, steps: int) -> float:
        """The least noise multiplier with which ``steps`` sums fit what is left of the budget; 0 without one.

        Raises CuratorError where none does.
        """
        from fourfold.suite.metrics.accountant import noise_multiplier

        if math.isinf(self._budget.epsilon):
            return 0.0
        try:
            return noise_multiplier(self._budget.epsilon, self._budget.delta, sample_rate, steps, self.spent())
        except ValueError as error:
            raise CuratorError(str(error)) from error

    def transform(self, function: Function, parameters: "Mapping[str, Tensor] | None" = None) -> None:
        """Replace the first part of each record by ``function(parameters, first)``.

        As the function sees no other record, that costs nothing; what it needs to know is in ``parameters``.
        """
        self.apply(_graph(function, parameters or {}, example(self._record)[:1]), parameters or {})

    def apply(self, graph: "Graph", parameters: "Mapping[str, Tensor]") -> None:
        """``transform`` by a graph."""
        import torch

        mapped = torch.func.vmap(graph, in_dims=(None, 0))
        held = {name: value.to(self._device) for name, value in parameters.items()}
        first, kept = self._record[0], None

        def of(part: "Tensor") -> "Tensor":
            made: Tensor = mapped(held, ready(part.to(self._device)))
            return made

        with self._held(self._expected(lambda record: of(record[0]), len(first), graph.at_once)):
            for start in range(0, len(first), graph.at_once):
                made = of(first[start : start + graph.at_once])
                if kept is None:
                    kept = torch.empty(len(first), *made.shape[1:], dtype=narrow(first.dtype, made.dtype))
                kept[start : start + len(made)] = made
        if kept is not None:
            self._record[0] = kept

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
        """Plan ``steps`` sums over Poisson batches, each record drawn by its own coin of ``sample_rate``.

        clip: the most, in L2 norm, by which one unit may move a sum. The noise has ``noise_multiplier * clip`` as its
        standard deviation in each coordinate. loss: ``loss(parameters, *record)`` of one record, for ``noisy_sum``,
        with tensors shaped as ``parameters``. Raises CuratorError for a plan beyond the budget.
        """
        graph = None if loss is None else _graph(loss, parameters or {}, example(self._record))
        self.plan(sample_rate, noise_multiplier, clip, steps, graph)

    def plan(self, sample_rate: float, noise_multiplier: float, clip: float, steps: int, loss: "Graph | None") -> None:
        """``open`` with a graph."""
        plan = _Plan(float(sample_rate), float(noise_multiplier), float(clip), int(steps), loss)
        if not (0 < plan.sample_rate <= 1 and plan.noise_multiplier >= 0 and plan.steps >= 1):
            raise CuratorError(
                "a plan has a sample rate in (0, 1], a noise multiplier of at least 0 and at least one step, got "
                f"{sample_rate}, {noise_multiplier}, {steps}"
            )
        _check_scale(plan.clip, plan.noise_multiplier)
        if loss is not None and loss.output != ():
            raise CuratorError(f"a loss is one number a record, got shape {loss.output}")
        self._check_fitting()
        if self._batch is not None:  # It was drawn at another plan's rate, which its release has to be entered with.
            raise CuratorError("a batch is drawn: release its sum before another plan is opened")
        if loss is not None and self._unit is not None:
            raise CuratorError("noisy_sum clips records, not users: use draw() and release() where users are the unit")
        self._afford([self._mechanism(plan, plan.steps)])
        if loss is not None:
            plan.expected = self._expected_step(plan, loss)
        self._plans.append(plan)

    def noisy_sum(self, parameters: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """One step: the gradients of the loss over a fresh batch, each clipped, summed, and noise added.

        Divide by ``sample_rate * n`` for a mean: the size of a batch is private.
        """
        import torch

        from fourfold.suite.clipping import clipped_sum

        plan = self._opened()
        if plan.loss is None:
            raise CuratorError("noisy_sum needs a loss: open(..., loss=, parameters=)")
        shapes = {name: tuple(value.shape) for name, value in parameters.items()}
        if shapes != {name: tuple(shape) for name, shape in plan.loss.parameters.items()}:
            raise CuratorError(f"the plan's loss is of parameters {dict(plan.loss.parameters)}, got {shapes}")
        with self._held(plan.expected):
            batch = self._rows(self._draw(plan))
            if self.evidence.known:
                total = {name: torch.zeros(shape, device=self._device) for name, shape in plan.loss.parameters.items()}
            else:
                # What is summed has the type of its parameter, and half precision rounds a sum by more than a clip.
                at = {name: parameters[name].detach().to(self._device, torch.float32) for name in plan.loss.parameters}
                total, _ = clipped_sum(plan.loss, at, batch, plan.clip)
        released: dict[str, Tensor] = self._release(total, parameters, plan)
        return released

    def draw(self) -> "npt.NDArray[np.int64]":
        """The next batch, as row numbers of the records (for users: of all records of the users drawn)."""
        return self._draw(self._opened())

    def release(self, total: Any, parameters: Any = None) -> Any:
        """Add the noise to ``total``, a sum over the batch last drawn in which no unit counts for more than ``clip``.

        total: a tensor, or a sequence or mapping of tensors; the same comes back. parameters: what the sum was taken
        at, in any such form. It is the author's duty to clip; a rehearsal checks that it was done.
        """
        return self._release(total, parameters, self._opened())

    def noisy_total(
        self,
        function: Function,
        parameters: "Mapping[str, Tensor] | None" = None,
        *,
        clip: float,
        noise_multiplier: float,
    ) -> "Tensor":
        """The sum over all records of ``function(parameters, *record)``, each clipped to the L2 norm ``clip``, with
        noise: one Gaussian mechanism, such as for a mean by which features are then centred. Raises CuratorError
        beyond the budget.
        """
        graph = _graph(function, parameters or {}, example(self._record))
        return self.total(graph, parameters or {}, clip, noise_multiplier)

    def total(
        self, graph: "Graph", parameters: "Mapping[str, Tensor]", clip: float, noise_multiplier: float
    ) -> "Tensor":
        """``noisy_total`` of a graph."""
        import torch

        from fourfold.suite.clipping import clipped_values

        if self._unit is not None:
            raise CuratorError("noisy_total clips records, not users: use draw() and release() for users")
        if not noise_multiplier >= 0:
            raise CuratorError(f"a noise multiplier of at least 0 is needed, got {noise_multiplier}")
        _check_scale(clip, noise_multiplier)
        plan = _Plan(1.0, float(noise_multiplier), float(clip), 1, None)
        self._afford([self._mechanism(plan, 1)])
        batch = self._without_witness(np.arange(len(self._record[0])))
        held = {name: value.detach().to(self._device) for name, value in parameters.items()}
        total = torch.zeros(graph.output, device=self._device)
        n = len(self._record[0])
        expected = self._expected(lambda record: clipped_values(graph, held, record, clip), n, graph.at_once)
        with self._held(expected):
            for rows in np.array_split(batch, 1 + len(batch) // graph.at_once)[: len(batch)]:
                total += clipped_values(graph, held, self._rows(rows), clip)
        self._full.append(self._mechanism(plan, 1))
        released: Tensor = self._release(total, [], plan)
        return released

    def spent(self) -> list[Mechanism]:
        """The ledger so far: what was released, not what was planned.

        Empty where anything was released without noise: no epsilon holds of it, whatever else there was.
        """
        entered = [*self._full, *(self._mechanism(plan, plan.taken) for plan in self._plans if plan.taken)]
        return entered if all(each.noise_multiplier for each in entered) else []

    def account(self) -> dict[str, Any]:
        """For the suite, once the fit is over: the evidence, and the ledger, as fields that may cross.

        From then on no plan is opened and no batch drawn: what came of them would be in no ledger.
        """
        self._over = True
        ledger = json.dumps([list(astuple(each)) for each in self.spent()])
        return self.evidence.arrays() | {"ledger": ledger}

    def _mechanism(self, plan: _Plan, steps: int) -> Mechanism:
        unit = "record" if self._unit is None else "user"
        sampling = "poisson" if plan.sample_rate < 1 else "full"
        return Mechanism("gaussian", plan.noise_multiplier, plan.sample_rate, steps, sampling, unit)

    def _check_fitting(self) -> None:
        if self._over:
            raise CuratorError("the fit is over and its ledger is taken: a curator gives out no more")

    def _afford(self, more: list[Mechanism]) -> None:
        from fourfold.suite.metrics.accountant import accounted_epsilon

        self._check_fitting()
        if math.isinf(self._budget.epsilon):
            return
        needed = math.inf
        if all(each.noise_multiplier > 0 for each in more):
            try:
                accounted = accounted_epsilon([*self.spent(), *more], self._budget.delta)
            except ValueError as error:  # Of the numbers of the plan: it has seen no record.
                raise CuratorError(f"the plan cannot be accounted for: {error}") from error
            needed = accounted.epsilon if accounted else 0.0
        if needed > self._budget.epsilon + 1e-9:
            raise CuratorError(
                f"the plan needs epsilon {needed:.4g} where {self._budget.epsilon:.4g} is the budget: more noise, "
                "fewer steps or a lower sample rate; curator.noise_multiplier(sample_rate, steps) finds the noise"
            )

    def _opened(self) -> _Plan:
        if not self._plans:
            raise CuratorError("open(sample_rate=, noise_multiplier=, clip=, steps=) comes before the first sum")
        return self._plans[-1]

    def _draw(self, plan: _Plan) -> "npt.NDArray[np.int64]":
        self._check_fitting()
        if plan.taken >= plan.steps:
            raise CuratorError(f"the {plan.steps} steps of the plan are taken: open another, if the budget allows")
        drawn = np.flatnonzero(self.coins(plan.sample_rate))
        self.evidence.drew(drawn, plan.sample_rate)
        if self.evidence.emptied:
            drawn = drawn[:0]
        return self._without_witness(drawn if self._unit is None else np.flatnonzero(np.isin(self._unit, drawn)))

    def _expected(self, of: "Callable[[Sequence[Tensor]], object]", rows: int, at_once: int) -> float:
        """How long it takes to copy so many rows and compute with them, so many at once; 0 where no pace is kept."""
        if self._pace is None or not rows:
            return 0.0
        times = -(-rows // at_once)
        blank, some = made_up(self._record, -(-rows // times)), np.arange(-(-rows // times))
        return times * self._pace.taken(lambda: (self._rows(some), of([each.to(self._device) for each in blank])))

    def _expected_step(self, plan: _Plan, loss: "Graph") -> float:
        """``_expected`` of one step, whose batch is larger once in 44 times, mostly by less than there is slack for."""
        import torch

        from fourfold.suite.clipping import clipped_sum

        n, rate = self.n, plan.sample_rate
        rows = min(n, math.ceil(rate * n + 2 * math.sqrt(rate * (1 - rate) * n)))
        blank = made_up([torch.empty(0, *shape) for shape in loss.parameters.values()], 1)
        at = {name: each[0].to(self._device) / 10 for name, each in zip(loss.parameters, blank, strict=True)}
        return self._expected(lambda record: clipped_sum(loss, at, tuple(record), plan.clip), rows, rows)

    def _held(self, expected: float) -> AbstractContextManager[None]:
        return self._pace.held(expected) if self._pace else nullcontext()

    def coins(self, sample_rate: float) -> "npt.NDArray[np.bool_]":
        """(n,) fair throws: which units the next batch has."""
        return self._coins.random(self.n) < sample_rate

    def noise(self, size: int) -> "Tensor":
        """``size`` standard normal numbers."""
        return self._noise(size)

    def _without_witness(self, rows: "npt.NDArray[np.int64]") -> "npt.NDArray[np.int64]":
        """Take the batch; in a rehearsal without the witness, or the user whose record it is, or without anyone."""
        if self._secret.rehearsal is not None:
            witness = self._secret.rehearsal.witness
            gone = rows == witness if self._unit is None else self._unit[rows] == self._unit[witness]
            self._dropped, rows = bool(gone.any()), rows[~gone & (witness != EVERYONE)]
        self._batch = rows
        return rows

    def _rows(self, rows: "npt.NDArray[np.int64]") -> "tuple[Tensor, ...]":
        import torch

        index = torch.from_numpy(rows)
        return tuple(ready(column[index].to(self._device)) for column in self._record)

    def _release(self, total: Any, parameters: Any, plan: _Plan) -> Any:
        import torch

        self._check_fitting()
        if self._batch is None:
            raise CuratorError("a release follows a draw: draw() once before each release(total)")
        flat = torch.cat([part.detach().reshape(-1).to(self._device, torch.float32) for part in parts(total)])
        into = self._secret.coins & (self._canary_coins.random(len(self._secret.coins)) < plan.sample_rate)
        longer = torch.cat([flat, torch.from_numpy(plan.clip * into.astype(np.float32)).to(self._device)])
        spread = plan.noise_multiplier * plan.clip
        if spread:
            longer = noisy(longer, self.noise(len(longer)), spread)
        released, canaries = longer[: len(flat)], longer[len(flat) :] / plan.clip
        plan.taken += 1
        given = self.evidence.released(flat, released, canaries, parts(parameters), self._batch, self._dropped,
                                       plan.clip, spread)
        self._batch, self._dropped = None, False
        return like(given, total)

    def __reduce__(self) -> Any:
        raise TypeError("a curator holds private records and is no part of a fitted method")


def _check_scale(clip: float, noise_multiplier: float) -> None:
    """Raises CuratorError for a clip, or noise, at which single precision does not keep what the ledger says."""
    from fourfold.suite.clipping import CLIPS

    if not CLIPS[0] <= clip <= CLIPS[1]:
        raise CuratorError(f"a clip from {CLIPS[0]:g} to {CLIPS[1]:g} is needed, got {clip}: scale the loss instead")
    if noise_multiplier and not 1e-30 <= noise_multiplier * clip <= 1e30:
        raise CuratorError(f"a noise multiplier of {noise_multiplier} at clip {clip} is beyond single precision")


def _graph(function: Function, parameters: "Mapping[str, Tensor]", example: "Sequence[Tensor]") -> "Graph":
    from fourfold.suite import graph

    return graph.read(graph.export(function, parameters, *example))
