"""A computation on one record that crosses to the suite without Python: a list of pure ATen operations, as JSON.

``export`` writes it where the method runs, ``read`` rebuilds it where the private records are. What is read is built
from the JSON alone, out of operations named in ``ALLOWED``, so it can neither run code, nor keep state, nor draw random
numbers, nor look at a record other than the one it is given.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.suite.operations import ALLOWED, CONSTRUCTORS, miscoded, nearest, operation, why_not

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 1 << 20
MAX_NODES = 10_000
MAX_LIST = 64
MAX_PARAMETERS = 1 << 27
"""Numbers in all parameters together: 512 MiB of float32."""
MAX_ELEMENTS = 1 << 24
"""Numbers in one record and in all that is computed from it, together: 64 MiB of float32 a record."""

CHUNK_NUMBERS = 1 << 24
"""Numbers that a part of a batch may hold at a time: 64 MiB of float32."""

DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")


class GraphError(ValueError):
    """What was read is no graph that may run, or it was given tensors that do not fit it."""


class Field(NamedTuple):
    """One tensor of a record: its shape without the batch, and the name of its dtype, such as ``float32``."""

    shape: tuple[int, ...]
    dtype: str


class Reference(NamedTuple):
    """A tensor by where it comes from: (``parameter``, name), (``record``, index) or (``node``, name)."""

    kind: str
    key: str | int


@dataclass(frozen=True)
class Node:
    """One operation: its name in the graph, the ATen operation, arguments that hold literals and references, and the
    shape of its result for one record.
    """

    name: str
    op: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    shape: tuple[int, ...] = ()


Watch = Callable[[tuple[Any, ...], Any], Any]


@dataclass(frozen=True)
class Graph:
    """A pure function ``graph(parameters, *record) -> tensor`` of one record; ``torch.func.vmap`` gives it a batch.

    parameters: the shape of each, by name; all are float32. record: its fields. output: the shape of the answer, ``()``
    for a loss. elements: the numbers in one record and all that is computed from it, which bounds its memory.
    """

    parameters: Mapping[str, tuple[int, ...]]
    record: tuple[Field, ...]
    nodes: tuple[Node, ...]
    result: Reference
    output: tuple[int, ...] = ()
    elements: int = 0

    @property
    def at_once(self) -> int:
        """How many records to compute at a time: as many as hold CHUNK_NUMBERS, and one at least."""
        return max(1, CHUNK_NUMBERS // max(1, self.elements))

    def __call__(
        self,
        parameters: "Mapping[str, Tensor]",
        *record: "Tensor",
        watch: Mapping[str, Watch] = MappingProxyType({}),
    ) -> "Tensor":
        """The output for one record, on the device of the parameters.

        watch: for a node's name, a function of (its arguments, its result) whose answer stands in for the result.
        Raises GraphError where a tensor is missing, has another shape, or where an operation fails.
        """
        self._fit(parameters, record)
        values: dict[Reference, Any] = {Reference("parameter", name): parameters[name] for name in self.parameters}
        values.update((Reference("record", index), field) for index, field in enumerate(record))
        device = next((tensor.device for tensor in values.values()), None)
        for node, result in _run(self.nodes, values, device):
            if node.name in watch:
                arguments = tuple(_resolve(argument, values) for argument in node.arguments)
                values[Reference("node", node.name)] = watch[node.name](arguments, result)
        return values[self.result]

    def _fit(self, parameters: "Mapping[str, Tensor]", record: "tuple[Tensor, ...]") -> None:
        for name, shape in self.parameters.items():
            if name not in parameters:
                raise GraphError(f"parameter {name!r} is missing{nearest(name, parameters)}")
            if tuple(parameters[name].shape) != shape:
                raise GraphError(f"parameter {name!r} has shape {tuple(parameters[name].shape)}, not {shape}")
        if tuple(tuple(field.shape) for field in record) != tuple(field.shape for field in self.record):
            given, asked = [tuple(field.shape) for field in record], [field.shape for field in self.record]
            raise GraphError(f"the record has fields of shapes {given}, not {asked}; a batch needs torch.func.vmap")


def _run(nodes: tuple[Node, ...], values: dict[Reference, Any], device: Any) -> "Iterator[tuple[Node, Any]]":
    """Evaluate the nodes into ``values``, in their order, giving each with its result."""
    import torch

    for node in nodes:
        placed = {"device": device} if node.op in CONSTRUCTORS else {}
        arguments = [_resolve(argument, values) for argument in node.arguments]
        keywords = {key: _resolve(value, values) for key, value in node.keywords.items()}
        try:
            result = operation(node.op)(*arguments, **keywords, **placed)
        except Exception as error:
            raise GraphError(f"node {node.name!r} ({node.op}): {error}") from error
        if not isinstance(result, torch.Tensor):
            raise GraphError(f"node {node.name!r} ({node.op}) gives {type(result).__name__}, not one tensor")
        values[Reference("node", node.name)] = result
        yield node, result


def _resolve(argument: Any, values: Mapping[Reference, Any]) -> Any:
    if isinstance(argument, Reference):
        return values[argument]
    return [_resolve(item, values) for item in argument] if isinstance(argument, list) else argument


# Writing, where the method runs.


def export(function: "Callable[..., Tensor]", parameters: "Mapping[str, Tensor]", *example: "Tensor") -> bytes:
    """``function(parameters, *record)`` as a graph: JSON in UTF-8, with neither code nor any of the numbers given.

    parameters: float32 tensors by name. example: the fields of one record, without a batch; of both, only shapes and
    dtypes count. Raises GraphError where torch.export cannot trace it or it needs what ``read`` would refuse.
    """
    import torch

    names = tuple(parameters)

    class Flat(torch.nn.Module):
        def forward(self, *tensors: Any) -> Any:
            return function(dict(zip(names, tensors, strict=False)), *tensors[len(names) :])

    tensors = [torch.zeros_like(tensor.detach()) for tensor in (*parameters.values(), *example)]
    try:
        program = torch.export.export(Flat(), tuple(tensors))
        if any(_wants_functional(node) for node in program.graph.nodes):
            program = program.run_decompositions({})
    except Exception as error:
        raise GraphError(f"torch.export cannot trace this function: {error}") from error
    data = json.dumps(
        {
            "parameters": {name: list(tensor.shape) for name, tensor in parameters.items()},
            "record": [[list(field.shape), _dtype_name(field.dtype)] for field in example],
            **_write_nodes(program, names),
        },
        separators=(",", ":"),
    ).encode()
    read(data)
    return data


def _wants_functional(node: Any) -> bool:
    """Whether a node works in place, or is a dropout, which in eval mode is nothing."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and (schema.is_mutable or "dropout" in schema.name)


def _write_nodes(program: Any, names: tuple[str, ...]) -> dict[str, Any]:
    places: dict[Any, dict[str, Any]] = {}
    nodes, result, given = [], [], program.graph_signature.user_inputs
    for node in program.graph.nodes:
        if node.op == "placeholder":
            index = len(places)
            if node.name not in given:
                raise GraphError(f"{node.name} is a tensor the function holds; pass it as a parameter instead")
            places[node] = {"parameter": names[index]} if index < len(names) else {"record": index - len(names)}
        elif node.op == "output":
            result = list(node.args[0])
        elif "_assert_tensor_metadata" not in str(node.target):
            places[node] = {"node": node.name}
            kept = {key: value for key, value in node.kwargs.items() if key not in _PLACING}
            # A view needs strides of its input that vmap does not keep.
            op = str(node.target).replace("aten.view.default", "aten.reshape.default")
            nodes.append([node.name, op, _write(list(node.args), places), _write(kept, places)])
    if len(result) != 1 or result[0] not in places:
        raise GraphError("the function must return one tensor that is computed from its inputs")
    return {"nodes": nodes, "output": places[result[0]]}


_PLACING = ("device", "layout", "pin_memory", "memory_format", "non_blocking")


def _write(value: Any, places: Mapping[Any, Any]) -> Any:
    import torch

    if isinstance(value, torch.fx.Node):
        return places[value]
    if isinstance(value, torch.dtype):
        return {"dtype": _dtype_name(value)}
    if isinstance(value, list | tuple):
        return [_write(item, places) for item in value]
    if isinstance(value, dict):
        return {key: _write(item, places) for key, item in value.items()}
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


# Reading, where the records are.


def read(data: bytes) -> Graph:
    """The graph that ``export`` wrote, from bytes that need not be trusted.

    Its shapes are worked out without memory for any of its tensors. Raises GraphError, naming the node and the
    operation, where it is anything but a list of allowed operations on earlier tensors within the limits of this file.
    """
    document = _parse(data)
    parameters = {
        _text(name, "a parameter's name"): _shape(shape, f"parameter {name!r}")
        for name, shape in _expect(document["parameters"], dict, "parameters").items()
    }
    if sum(math.prod(shape) for shape in parameters.values()) > MAX_PARAMETERS:
        raise GraphError(f"the parameters hold more than {MAX_PARAMETERS:,} numbers")
    record = tuple(_field(field) for field in _expect(document["record"], list, "record")[: MAX_LIST + 1])
    if len(record) > MAX_LIST:
        raise GraphError(f"the record has more than {MAX_LIST} fields")
    listed = _expect(document["nodes"], list, "nodes")
    if len(listed) > MAX_NODES:
        raise GraphError(f"the graph has {len(listed):,} nodes; {MAX_NODES:,} are the most")
    known = {Reference("parameter", name) for name in parameters}
    known |= {Reference("record", index) for index in range(len(record))}
    nodes = tuple(_node(item, known) for item in listed)
    result = _value(document["output"], known, "output")
    if not isinstance(result, Reference):
        raise GraphError("the output is not a reference to a tensor")
    return _measured(Graph(parameters, record, nodes, result))


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise GraphError(f"the graph has {len(data):,} bytes; {MAX_BYTES:,} are the most")

    def refuse(constant: str) -> None:
        raise GraphError(f"{constant} is not a finite number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(mapping := dict(pairs)) != len(pairs):
            raise GraphError("a name appears twice in one JSON object")
        return mapping

    try:
        document = json.loads(data, parse_constant=refuse, object_pairs_hook=unique)
    except GraphError:
        raise
    except (ValueError, RecursionError) as error:
        raise GraphError(f"the graph is not JSON in UTF-8: {error}") from error
    keys = {"parameters", "record", "nodes", "output"}
    if set(_expect(document, dict, "the graph")) != keys:
        raise GraphError(f"the graph has the keys {sorted(document)[:8]}, not {sorted(keys)}")
    return document


def _expect(value: Any, kind: type, what: str) -> Any:
    if type(value) is not kind:
        raise GraphError(f"{what} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def _text(value: Any, what: str) -> str:
    if not 0 < len(_expect(value, str, what)) <= 200:
        raise GraphError(f"{what} has {len(value)} letters; from 1 to 200 are allowed")
    return value


def _shape(value: Any, what: str) -> tuple[int, ...]:
    shape = tuple(_expect(value, list, f"the shape of {what}"))
    if len(shape) > 8 or any(type(size) is not int or not 0 <= size <= MAX_PARAMETERS for size in shape):
        raise GraphError(f"the shape of {what} is not of up to 8 sizes from 0 to {MAX_PARAMETERS:,}")
    return shape


def _field(value: Any) -> Field:
    if len(_expect(value, list, "a field of the record")) != 2:
        raise GraphError("a field of the record is not [shape, dtype]")
    return Field(_shape(value[0], "a field of the record"), _dtype(value[1], "a field of the record"))


def _dtype(value: Any, what: str) -> str:
    if value not in DTYPES if isinstance(value, str) else True:
        raise GraphError(f"{what}: {str(value)[:40]!r} is no dtype; there are {', '.join(DTYPES)}")
    return value


def _node(value: Any, known: set[Reference]) -> Node:
    if len(_expect(value, list, "a node")) != 4:
        raise GraphError("a node is not [name, operation, arguments, keywords]")
    name, op = _text(value[0], "a node's name"), _text(value[1], "an operation")
    where = f"node {name!r} ({op})"
    if op not in ALLOWED:
        raise GraphError(f"{where}: this operation is not allowed{why_not(op)}")
    if Reference("node", name) in known:
        raise GraphError(f"{where}: a node of this name came before")
    arguments = _expect(value[2], list, f"the arguments of {where}")
    keywords = _expect(value[3], dict, f"the keywords of {where}")
    if len(arguments) > MAX_LIST or any(key in ("out", *_PLACING) for key in keywords):
        raise GraphError(f"{where}: more than {MAX_LIST} arguments, or a keyword that says where a result lies")
    node = Node(
        name,
        op,
        tuple(_value(item, known, where) for item in arguments),
        {key: _value(item, known, where) for key, item in keywords.items()},
    )
    if wrong := miscoded(op, node.arguments, node.keywords):
        raise GraphError(f"{where}: {wrong}")
    known.add(Reference("node", name))
    return node


def _value(value: Any, known: set[Reference], where: str, *, inside: bool = False) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not -(2**63) <= value < 2**63 or not math.isfinite(value):
            raise GraphError(f"{where}: a number is not finite, or beyond 64 bits")
        return value
    if isinstance(value, list) and not inside and len(value) <= MAX_LIST:
        return [_value(item, known, where, inside=True) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        kind, key = next(iter(value.items()))
        if kind == "dtype":
            import torch

            return getattr(torch, _dtype(key, where))
        if isinstance(key, str) or type(key) is int:
            if (reference := Reference(kind, key)) in known:
                return reference
            raise GraphError(f"{where}: {kind[:40]} {str(key)[:200]!r} is none that came before")
    raise GraphError(
        f"{where}: a {type(value).__name__} where a number, true, false, null, a dtype, a reference, or one list of "
        f"at most {MAX_LIST} of these can stand"
    )


def _measured(graph: Graph) -> Graph:
    """The graph with its output's shape and its size, from shapes alone: tensors on ``meta`` have no memory."""
    import torch

    def blank(shape: tuple[int, ...], dtype: str) -> Any:
        return torch.empty(shape, dtype=getattr(torch, dtype), device="meta")

    values: dict[Reference, Any] = {
        Reference("parameter", name): blank(shape, "float32") for name, shape in graph.parameters.items()
    }
    elements, nodes = sum(math.prod(field.shape) for field in graph.record), []
    if elements <= MAX_ELEMENTS:
        values.update((Reference("record", index), blank(*field)) for index, field in enumerate(graph.record))
        for node, result in _run(graph.nodes, values, "meta"):
            elements += result.numel()
            nodes.append(replace(node, shape=tuple(result.shape)))
            if elements > MAX_ELEMENTS:
                raise GraphError(f"node {node.name!r} ({node.op}): more than {MAX_ELEMENTS:,} numbers a record by here")
    if elements > MAX_ELEMENTS:
        raise GraphError(f"a record holds more than {MAX_ELEMENTS:,} numbers")
    output = values[graph.result]
    if not output.dtype.is_floating_point:
        raise GraphError(f"the output is of {_dtype_name(output.dtype)}, not of a floating-point dtype")
    return replace(graph, nodes=tuple(nodes), output=tuple(output.shape), elements=elements)
