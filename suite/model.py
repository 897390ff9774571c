"""What crosses in place of Python: a function of one record as a graph, and the tensors that are its parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from fourfold.suite.graph import Graph


def packed(
    function: Callable[..., Any], parameters: "Mapping[str, Tensor]", example: "Sequence[Tensor]"
) -> dict[str, Any]:
    """A function ``f(parameters, *record)`` and its parameters as fields that may cross; example: one record."""
    from fourfold.suite import graph

    written = graph.export(function, parameters, *example)
    return {"graph": np.frombuffer(written, np.uint8), **listed(parameters)}


def unpacked(fields: Mapping[str, Any]) -> "tuple[Graph, dict[str, Tensor]]":
    """The graph and the parameters again. Raises GraphError or ValueError for what is neither."""
    from fourfold.suite import graph

    code = fields.get("graph")
    if not isinstance(code, np.ndarray) or code.dtype != np.uint8:
        raise ValueError("a graph was expected, as bytes")
    return graph.read(code.tobytes()), tensors(fields)


def listed(parameters: "Mapping[str, Tensor]") -> dict[str, Any]:
    """Named tensors as fields that may cross."""
    held = [value.detach().float().cpu().numpy() for value in parameters.values()]
    return {"names": tuple(parameters), **{f"value{place}": value for place, value in enumerate(held)}}


def tensors(fields: Mapping[str, Any]) -> "dict[str, Tensor]":
    """The named tensors again, float32. Raises ValueError."""
    import torch

    names = fields.get("names")
    if not isinstance(names, tuple):
        raise ValueError("names of arrays were expected")
    values = {name: fields.get(f"value{place}") for place, name in enumerate(names)}
    if not all(isinstance(value, np.ndarray) and value.dtype.kind in "fiub" for value in values.values()):
        raise ValueError("named arrays of numbers were expected")
    return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in values.items()}


def example(record: Sequence[Any]) -> "list[Tensor]":
    """One record of zeros, with the shapes and types that a function of it meets; half precision comes as single."""
    import torch

    types = [torch.from_numpy(np.zeros(0, column.dtype)).dtype for column in record]
    single = [torch.float32 if kind == torch.float16 else kind for kind in types]
    return [torch.zeros(column.shape[1:], dtype=kind) for column, kind in zip(record, single, strict=True)]
