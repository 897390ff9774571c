"""What a model is beside its answers: how it fares under attack, what an image costs it, how small it can be made.

This runs in a confined process of the suite's on a graph and parameters that a method handed over. Graphs only compute,
but what they compute may be anything: NaN included, or the output of another model than the one that answered.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.clipping import CHUNK_NUMBERS
from fourfold.suite.graph import Graph, GraphError, Reference
from fourfold.tasks.dp_images import scattering

if TYPE_CHECKING:
    from torch import Tensor

WHITE = 255.0
"""The greatest value of a pixel, in whose unit all images here are: float32, from 0."""
GREY_RADIUS, COLOUR_RADIUS = 0.1 * WHITE, 8.0
"""The most that an attack changes a pixel of a grey image, and one of a colour image, each channel by itself."""
PGD_STEPS = 20
PGD_STEP = 2.5 / PGD_STEPS
"""Of the radius, so that a path from any start reaches every point of the ball (Madry et al. 2018)."""
ATTACK_WORK = 4e11
"""Floating-point operations that the attacks may take, as ``flops`` counts: about a minute of a core. A model that
needs more is attacked on fewer images, ATTACKED at least.
"""
ATTACKED = 20
_AT_ONCE = 50  # Images, which bounds what the scattering transform keeps of them for its gradient.

Parameters = Mapping[str, "Tensor"]
Odds = Callable[["Tensor", "Tensor"], "Tensor"]


def examine(graph: Graph, parameters: Parameters, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """Attack, weigh and quantize a model of one image, or of its scattering features: the graph's record tells which.

    arrays: images (n, h, w) or (n, h, w, 3) uint8, and their labels (n,). Gives ``clean`` and ``int8``, its
    probabilities (n, k) as it is and with quantized weights; ``flops``, ``model_bytes`` and ``int8_bytes``; and of the
    first images, ``fgsm`` and ``pgd``, its probabilities (m, k) on attacked ones, and ``moved`` (m,), whether it has a
    gradient there at all. A graph that is no such model gives ``refused``, which says why.
    """
    import torch

    images, labels = (torch.from_numpy(np.array(each)) for each in arrays)
    taken = input_of(graph, tuple(images.shape[1:]))
    if taken is None or len(graph.output) != 1 or graph.output[0] <= int(labels.max()):
        shapes = [field.shape for field in graph.record]
        return {"refused": f"a graph of fields of shapes {shapes} with output {graph.output} is no model of the images"}
    images = images.float()
    try:
        taking, answering = flops(graph, parameters, taken, images[:1])
        m = int(max(ATTACKED, ATTACK_WORK // (3 * (PGD_STEPS + 1) * max(taking + answering, 1))))
        return {
            "clean": answers(graph, parameters, taken, images),
            "int8": answers(graph, quantized(parameters), taken, images),
            "flops": answering,
            "model_bytes": 4 * sum(math.prod(shape) for shape in graph.parameters.values()),
            "int8_bytes": int8_bytes(graph.parameters),
        } | _attacked(graph, parameters, taken, images[:m], labels[:m])
    except (GraphError, RuntimeError) as error:  # As torch calls all that an operation cannot do.
        return {"refused": str(error)[:1000]}


Input = Callable[["Tensor"], "Tensor"]


def input_of(graph: Graph, shape: tuple[int, ...]) -> Input | None:
    """What makes the graph's input, (n, ...), of images (n, *shape): nothing, or the scattering transform.

    None where the graph takes neither.
    """
    height, width, channels = (*shape, 1)[:3]
    scattered = (channels * scattering.PATHS, height // scattering.SHRINKS, width // scattering.SHRINKS)
    given = [field.shape for field in graph.record]
    return (lambda images: images) if given == [shape] else _scattered if given == [scattered] else None


def _scattered(images: "Tensor") -> "Tensor":
    """Features as a method gets them, in half precision; their gradient is that before they are rounded."""
    planes = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    exact = scattering.scatter(planes / WHITE)
    return exact + (exact.half().float() - exact).detach()


def answers(graph: Graph, parameters: Parameters, taken: Input, images: "Tensor") -> npt.NDArray[np.float32]:
    """The graph's output for each image, (n, k)."""
    import torch

    model = torch.func.vmap(graph, in_dims=(None, 0))
    with torch.no_grad():
        return torch.cat([model(parameters, taken(part)) for part in images.split(_chunk(graph))]).float().numpy()


def _chunk(graph: Graph) -> int:
    return min(_AT_ONCE, max(1, CHUNK_NUMBERS // (2 * graph.elements)))


# Attacks.


def _attacked(
    graph: Graph, parameters: Parameters, taken: Input, images: "Tensor", labels: "Tensor"
) -> dict[str, npt.NDArray[Any]]:
    import torch

    odds = odds_against(graph, parameters, taken)
    radius = GREY_RADIUS if images.ndim == 3 else COLOUR_RADIUS
    rng = torch.Generator().manual_seed(0)

    def moved(attack: Callable[["Tensor", "Tensor"], "Tensor"]) -> "Tensor":
        parts: Iterator[tuple[Tensor, Tensor]] = zip(
            images.split(_chunk(graph)), labels.split(_chunk(graph)), strict=True
        )
        return torch.cat([attack(*part) for part in parts])

    fast = moved(lambda x, label: fgsm(odds, x, label, radius))
    best = moved(lambda x, label: pgd(odds, x, label, radius, rng))
    return {
        "fgsm": answers(graph, parameters, taken, fast),
        "pgd": answers(graph, parameters, taken, best),
        "moved": (fast != images).flatten(1).any(1).numpy(),
    }


def odds_against(graph: Graph, parameters: Parameters, taken: Input) -> Odds:
    """A function of images (n, ...) and labels (n,): the logarithm of the odds that the label is wrong, (n,).

    It grows with the cross-entropy, so that its gradient points the same way; but where a model is all but certain,
    cross-entropy is flat in single precision and these odds are not. They are taken of what enters a final softmax.
    """
    import torch

    before = _before_softmax(graph)
    logits = torch.func.vmap(graph if before is None else replace(graph, result=before), in_dims=(None, 0))

    def odds(images: "Tensor", labels: "Tensor") -> "Tensor":
        z = logits(parameters, taken(images)).float()
        z = z.clamp_min(torch.finfo(z.dtype).tiny).log() if before is None else z
        own = torch.nn.functional.one_hot(labels, z.shape[1]).bool()
        return z.masked_fill(own, -math.inf).logsumexp(1) - z[own]

    return odds


def _before_softmax(graph: Graph) -> Reference | None:
    """What the last operation takes where that is a softmax, or the exponential of one's logarithm."""
    for node in graph.nodes:
        if graph.result == Reference("node", node.name) and node.op in ("aten.softmax.int", "aten.exp.default"):
            taken = node.arguments[0] if node.arguments else None
            return taken if isinstance(taken, Reference) else None
    return None


def fgsm(odds: Odds, images: "Tensor", labels: "Tensor", radius: float) -> "Tensor":
    """The fast gradient sign method: each pixel moved by the radius (Goodfellow et al. 2015, section 4)."""
    return (images + radius * _gradient(odds, images, labels).sign()).clamp(0, WHITE)


def pgd(odds: Odds, images: "Tensor", labels: "Tensor", radius: float, rng: Any) -> "Tensor":
    """Projected gradient ascent in the maximum norm from a random start (Madry et al. 2018, section 2.1)."""
    import torch

    low, high = (images - radius).clamp_min(0), (images + radius).clamp_max(WHITE)
    moved = low + (high - low) * torch.rand(images.shape, generator=rng)
    for _ in range(PGD_STEPS):
        moved = moved + PGD_STEP * radius * _gradient(odds, moved, labels).sign()
        moved = moved.clamp(low, high)
    return moved


def _gradient(odds: Odds, images: "Tensor", labels: "Tensor") -> "Tensor":
    """The gradient of the odds at each image; 0 where there is none, or it is not finite."""
    import torch

    images = images.detach().requires_grad_()
    total = odds(images, labels).sum()
    if not total.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(total, images)
    return gradient.nan_to_num(0, 0, 0)


# Size.


def flops(graph: Graph, parameters: Parameters, taken: Input, image: "Tensor") -> tuple[int, int]:
    """Floating-point operations of one image (1, ...): those that make the graph's input of it, and the graph's own.

    As torch's counter has it: two for each multiply-add of convolutions and matrix products, none for the rest.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad():
        with FlopCounterMode(display=False) as taking:
            record = taken(image)
        with FlopCounterMode(display=False) as answering:
            torch.func.vmap(graph, in_dims=(None, 0))(parameters, record)
    return int(taking.get_total_flops()), int(answering.get_total_flops())


def quantized(parameters: Parameters) -> "dict[str, Tensor]":
    """The parameters with each weight rounded to one of 255 multiples of its channel's scale, symmetric about 0.

    A weight is a parameter of two dimensions or more, its first the output channel, as in torch; a channel's scale is
    its greatest magnitude over 127 (Krishnamoorthi 2018). Others stay as they are.
    """
    return {name: _rounded(value) if value.ndim >= 2 and value.numel() else value for name, value in parameters.items()}


def _rounded(weight: "Tensor") -> "Tensor":
    scale = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / 127
    return (weight / scale.clamp_min(1e-30)).round() * scale


def int8_bytes(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Bytes of ``quantized`` parameters of these shapes: one a weight, four a channel's scale and any other number."""
    weights = [shape for shape in shapes.values() if len(shape) >= 2]
    others = [shape for shape in shapes.values() if len(shape) < 2]
    return sum(math.prod(shape) + 4 * shape[0] for shape in weights) + 4 * sum(map(math.prod, others))
