"""The sum of per-example gradients, each clipped: what the Gaussian mechanism of DP-SGD adds its noise to."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.suite.graph import CHUNK_NUMBERS, Graph, GraphError, Node, Reference

if TYPE_CHECKING:
    from torch import Tensor

CLIPS = (1e-6, 1e12)
"""The least and the largest clip. Beyond, single precision loses noise, gradients or their sum."""
LONGEST = 1e30
"""A gradient of this norm is as good as infinite: its scale, clip / norm, would be no normal float32 number."""
UNSEEN = 4e-15
"""How long a float32 vector can be of which ``lengths`` would see nothing: 2^27 numbers whose squares underflow."""
BLOCK = 1 << 16
"""Numbers whose squares are added up in single precision before rounding errors of one sign show."""


def lengths(rows: "Tensor") -> "Tensor":
    """The L2 norm (b,) of each of (b, d) float32 rows; never less than it by more than rounding.

    Squares underflow below 1e-19, and what was not seen could be scaled up by what it is multiplied with, so UNSEEN is
    added. A sum of many squares is taken in blocks: one after the other, they fall short by 0.1 % at a million.
    """
    import torch

    blocks = [torch.linalg.vector_norm(block, dim=1) for block in rows.split(BLOCK, dim=1)]
    return torch.linalg.vector_norm(torch.stack(blocks), dim=0) + UNSEEN


def clipped_sum(
    graph: Graph,
    parameters: "Mapping[str, Tensor]",
    record: "tuple[Tensor, ...]",
    clip: float,
    chunk: int | None = None,
) -> "tuple[dict[str, Tensor], Tensor]":
    """Sum over a batch of each example's gradient, scaled by min(1, clip / its norm); and the norms before clipping.

    graph: the loss of one record, a single number. record: its fields with a leading batch of b, each cast to the dtype
    that the graph declares. clip: the largest L2 norm, over all parameters together, that an example may add. chunk:
    examples at a time, chosen by size when None. Gives tensors shaped as the parameters, by name, and norms (b,).

    An example's gradient is its own up to rounding: the last bits of a product may hang on how many examples are beside
    it. Of a loss that magnifies them, the sum moves by more than ``clip`` where one example is left out.

    An example whose gradient has no finite norm, or one above LONGEST, adds nothing. Abadi et al. 2016, algorithm 1;
    where a layer allows it, its per-example gradients are never written down (Goodfellow 2015; Li et al. 2022, "ghost
    clipping"), and the pass that gives the norms gives the sum too (Bu et al. 2023, "book-keeping").

    Raises GraphError where the graph gives anything but one number, ValueError where clip is not within CLIPS.
    """
    import torch

    if graph.output != () or not graph.parameters:
        raise GraphError(
            f"the loss is of {len(graph.parameters)} parameters and has shape {graph.output}; it must be "
            "a single number a record, of at least one"
        )
    if not record or len(record) != len(graph.record):
        raise GraphError(f"the record has {len(record)} fields; the graph asks for {len(graph.record)}, at least one")
    if not CLIPS[0] <= clip <= CLIPS[1]:
        raise ValueError(f"clip is {clip}; it must be a positive, finite number from {CLIPS[0]:g} to {CLIPS[1]:g}")
    layers = ghost_layers(graph)
    sums = {name: torch.zeros_like(parameters[name]) for name in graph.parameters}
    norms = [torch.zeros(0, device=record[0].device)]
    step = chunk or _chunk(graph, layers)
    for start in range(0, len(record[0]), step):
        part = tuple(
            field[start : start + step].to(getattr(torch, declared.dtype))
            for field, declared in zip(record, graph.record, strict=True)
        )
        gradients = _per_example(graph, layers, parameters, part)
        norms.append(_norms(layers, *gradients))
        for name, added in _scaled_sums(layers, *gradients, norms[-1], clip):
            sums[name] += added
    return sums, torch.cat(norms)


def clipped_values(
    graph: Graph, parameters: "Mapping[str, Tensor]", record: "Sequence[Tensor]", clip: float
) -> "Tensor":
    """Sum over a batch of each example's output of a graph, scaled by min(1, clip / its L2 norm), shaped as one output.

    What is not finite counts as 0, and an output longer than LONGEST adds nothing.
    """
    import torch

    made = torch.func.vmap(graph, in_dims=(None, *[0] * len(record)))(parameters, *record)
    # A sum in half precision is rounded by far more than a clip, and one record tips it.
    flat = torch.nan_to_num(made.reshape(len(made), -1).float(), 0.0, 0.0, 0.0)
    norms = lengths(flat)
    scale = (clip / norms).clamp_max(1.0).masked_fill(norms > LONGEST, 0.0)
    return (scale @ flat).reshape(graph.output)


class GhostLayer(NamedTuple):
    """A linear layer on a vector a record: its node, its weight, and its bias where it has one of its own."""

    node: Node
    weight: str
    bias: str | None


def ghost_layers(graph: Graph) -> tuple[GhostLayer, ...]:
    """The linear layers whose per-example gradients need not be written down.

    On a vector x, or a batch of one, the gradient of the weight is the outer product of g, the gradient of the layer's
    output, with x, and that of the bias is g. This is all of a parameter's gradient only where nothing else uses it.
    """
    uses = Counter([graph.result, *(reference for node in graph.nodes for reference in _references(node))])

    def own(argument: Any) -> str | None:
        is_own = isinstance(argument, Reference) and argument.kind == "parameter" and uses[argument] == 1
        return str(argument.key) if is_own else None

    layers = []
    for node in graph.nodes:
        if node.op != "aten.linear.default" or node.keywords or len(node.arguments) < 2:
            continue
        weight, bias = own(node.arguments[1]), own(node.arguments[2]) if len(node.arguments) == 3 else None
        if weight and len(graph.parameters[weight]) == 2 and math.prod(node.shape[:-1]) == 1:
            layers.append(
                GhostLayer(node, weight, bias if bias and graph.parameters[bias] == node.shape[-1:] else None)
            )
    return tuple(layers)


def _references(node: Node) -> Iterator[Reference]:
    for argument in (*node.arguments, *node.keywords.values()):
        for item in argument if isinstance(argument, list) else [argument]:
            if isinstance(item, Reference):
                yield item


def _chunk(graph: Graph, layers: tuple[GhostLayer, ...]) -> int:
    """Examples that fit in CHUNK_NUMBERS, each with all that is computed, its gradients, and those written down."""
    ghosts = {name for layer in layers for name in layer[1:]}
    written = sum(math.prod(shape) for name, shape in graph.parameters.items() if name not in ghosts)
    return max(1, CHUNK_NUMBERS // (2 * graph.elements + written + 1))


Named = dict[str, Any]


def _per_example(
    graph: Graph, layers: tuple[GhostLayer, ...], parameters: "Mapping[str, Tensor]", record: "tuple[Tensor, ...]"
) -> tuple[Named, Named, Named]:
    """Per example, with a leading b: gradients of the other parameters, by name; those of the layers' outputs, by node;
    and the layers' inputs, by node.

    A zero added to a layer's output has the gradient of that output for its own.
    """
    import torch

    ghosts = {name for layer in layers for name in layer[1:]}
    written = {name: parameters[name] for name in graph.parameters if name not in ghosts}
    fixed = {name: parameters[name] for name in graph.parameters if name in ghosts}
    device = record[0].device
    zeros = {layer.node.name: torch.zeros(layer.node.shape, device=device) for layer in layers}

    def loss(written: Named, zeros: Named, *fields: "Tensor") -> "tuple[Tensor, Named]":
        inputs: Named = {}

        def watching(name: str) -> Any:
            def add_zero(arguments: tuple[Any, ...], result: "Tensor") -> "Tensor":
                inputs[name] = arguments[0].flatten()
                return result + zeros[name]

            return add_zero

        value = graph({**written, **fixed}, *fields, watch={name: watching(name) for name in zeros})
        return value, inputs

    gradient = torch.func.grad(loss, argnums=(0, 1), has_aux=True)
    (of_written, of_outputs), inputs = torch.func.vmap(gradient, (None, None, *[0] * len(record)))(
        written, zeros, *record
    )
    return of_written, {name: each.flatten(1) for name, each in of_outputs.items()}, inputs


def _norms(layers: tuple[GhostLayer, ...], of_written: Named, of_outputs: Named, inputs: Named) -> "Tensor":
    """L2 norm (b,) of each example's gradient of all parameters; the square of an outer product's is |g|^2 |x|^2."""
    import torch

    norms = [lengths(gradient.flatten(1)) for gradient in of_written.values()]
    for node, _, bias in layers:
        of_output, source = (lengths(each[node.name]) for each in (of_outputs, inputs))
        norms.append(of_output * ((source.square() + 1).sqrt() if bias else source))
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return norm.masked_fill(norm > LONGEST, math.inf)


def _scaled_sums(
    layers: tuple[GhostLayer, ...], of_written: Named, of_outputs: Named, inputs: Named, norms: "Tensor", clip: float
) -> "Iterator[tuple[str, Tensor]]":
    """The sums, by parameter, of the gradients scaled by min(1, clip / norm)."""
    finite = norms.isfinite()
    if not finite.all():  # Zero times infinity is not zero: their rows must go, and not only their weight.
        of_written, of_outputs, inputs = (
            {name: value[finite] for name, value in each.items()} for each in (of_written, of_outputs, inputs)
        )
        norms = norms[finite]
    scale = (clip / norms).clamp(max=1)
    for name, gradient in of_written.items():
        yield name, (scale @ gradient.flatten(1)).reshape(gradient.shape[1:])
    for node, weight, bias in layers:
        scaled = of_outputs[node.name] * scale[:, None]
        yield weight, scaled.T @ inputs[node.name]
        if bias:
            yield bias, scaled.sum(0)
