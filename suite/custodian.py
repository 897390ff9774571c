"""The custodian: a process of the suite's that holds private records for a curator, and in which no method ever runs.

It is forked and confined as a guest is. What it is asked by the method's guest comes through the suite, as fields
that may cross (see ``boundary``): graphs of allowed operations, parameters, numbers. What it gives back is noisy sums.
How long a sum takes tells next to nothing of the records; see ``pace``.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fourfold.suite import boundary, model
from fourfold.suite.curator import Curator, CuratorError
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget
from fourfold.suite.pace import Pace

HOLD, SERVE, ANSWER_QUERIES, EXAMINE, ACCOUNT = "hold", "serve", "answer", "examine", "account"


def serve(order: dict[str, Any], asks: int, answers: int) -> None:
    """Do what the suite asks until it closes the pipe. An exception ends the process, and the visit with it."""
    from fourfold.suite import guest

    budget = Budget(**order["budget"])
    told = Secret.read(boundary.fields(boundary.receive(asks)[1]))
    boundary.send(answers, guest.READY)
    curator: Curator | None = None
    while True:
        verb = boundary.receive(asks)[1].decode()
        body = boundary.receive(asks)[1]
        reply: dict[str, Any] = {}
        if verb == HOLD:
            curator = Curator(list(boundary.fields(body).values()), budget, told, pace=Pace(budget.device))
        elif verb == SERVE:
            assert curator is not None
            reply = _served(curator, body)
        elif verb == ANSWER_QUERIES:
            reply = {"answer": answer(*_modelled(body))}
        elif verb == EXAMINE:
            module, _, name = order["examine"].partition(":")
            reply = getattr(importlib.import_module(module), name)(*_modelled(body))
        elif verb == ACCOUNT:
            assert curator is not None
            reply = curator.account()
        boundary.send(answers, guest.ANSWER, boundary.encode(reply or {"done": True}))


def _served(curator: Curator, body: bytes | bytearray) -> dict[str, Any]:
    """One request of the guest's, or why it is refused.

    A refusal speaks of the request alone. What goes wrong while a graph runs over the records speaks of them, so it
    is passed on to nobody: it ends this process. That it did is one bit, which no ledger has.
    """
    try:
        act = _read(curator, boundary.fields(body))
    except ValueError as error:  # GraphError and BoundaryError are such.
        return {"refused": str(error)[:1000]}
    try:
        return act()
    except CuratorError as error:
        return {"refused": str(error)[:1000]}


def _read(curator: Curator, asked: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """What is asked for, ready to be done. Raises ValueError for what is no request."""
    what = asked.get("what")
    if what == "noise_multiplier":
        rate, steps = _number(asked, "sample_rate"), int(_number(asked, "steps"))
        return lambda: {"value": curator.noise_multiplier(rate, steps)}
    if what == "noisy_sum":
        at = model.tensors(asked)
        return lambda: model.listed(curator.noisy_sum(at))
    if what not in ("transform", "open", "noisy_total"):
        raise ValueError(f"the curator does not know {what!r}")
    graph, parameters = model.unpacked(asked)
    if what == "transform":
        return partial(_silently, curator.apply, graph, parameters)
    noise, clip = _number(asked, "noise_multiplier"), _number(asked, "clip")
    if what == "noisy_total":
        return lambda: model.listed({"total": curator.total(graph, parameters, clip, noise)})
    rate, steps = _number(asked, "sample_rate"), int(_number(asked, "steps"))
    return partial(_silently, curator.plan, rate, noise, clip, steps, graph)


def _silently(act: Callable[..., None], *arguments: Any) -> dict[str, Any]:
    act(*arguments)
    return {}


def _number(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(f"{name} is a finite number, got {value!r}")
    return value


def _modelled(body: bytes | bytearray) -> tuple[Any, Any, list[np.ndarray]]:
    fields = boundary.fields(body)
    graph, parameters = model.unpacked(fields)
    return graph, parameters, [value for name, value in fields.items() if name.startswith("query")]


def answer(graph: Any, parameters: Any, queries: list[np.ndarray]) -> np.ndarray:
    """The graph's output for each query, as (n, ...) float64."""
    import torch

    made = []
    mapped = torch.func.vmap(graph, in_dims=(None, *[0] * len(queries)))
    with torch.no_grad():
        for start in range(0, len(queries[0]), graph.at_once):
            part = [torch.from_numpy(np.array(each[start : start + graph.at_once])) for each in queries]
            single = [each.float() if each.dtype == torch.float16 else each for each in part]
            made.append(mapped(parameters, *single).double().numpy())
    return np.concatenate(made)
