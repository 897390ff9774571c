"""The operations that a graph from outside may hold, and why it may not hold others."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

CONSTRUCTORS = frozenset({"aten.arange.default", "aten.arange.start", "aten.full.default", "aten.ones.default",
                          "aten.zeros.default"})  # fmt: skip
_PLAIN = """
    abs acos alias amax amin asin atan avg_pool2d adaptive_avg_pool2d binary_cross_entropy_with_logits bmm cat celu
    clamp clamp_max clamp_min clone contiguous conv1d conv2d cos cosh cross_entropy_loss detach dot elu erf exp expand
    expand_as expm1 full_like gelu group_norm hardsigmoid hardswish hardtanh huber_loss l1_loss layer_norm leaky_relu
    linalg_vector_norm linear log log1p log_sigmoid logical_and logical_not logical_or logsumexp matmul max max_pool2d
    maximum mean min minimum mish mm mse_loss mv neg nll_loss nll_loss_nd ones_like pad permute reciprocal relu
    relu6 repeat reshape rms_norm rsqrt selu sigmoid sign silu sin sinh smooth_l1_loss softplus sqrt square squeeze
    stack sum t tan tanh tril triu unsqueeze zeros_like _to_copy
"""
_OVERLOADED = """
    add.Scalar add.Tensor div.Scalar div.Tensor eq.Scalar eq.Tensor flatten.using_ints ge.Scalar ge.Tensor gt.Scalar
    gt.Tensor le.Scalar le.Tensor log_softmax.int lt.Scalar lt.Tensor masked_fill.Scalar mean.dim mul.Scalar mul.Tensor
    ne.Scalar ne.Tensor pow.Scalar pow.Tensor_Scalar pow.Tensor_Tensor rsub.Scalar select.int slice.Tensor softmax.int
    squeeze.dim squeeze.dims std.correction std.dim sub.Scalar sub.Tensor sum.dim_IntList to.dtype transpose.int
    unflatten.int var.correction var.dim where.ScalarOther where.ScalarSelf where.self
"""
ALLOWED = (
    CONSTRUCTORS
    | {f"aten.{name}.default" for name in _PLAIN.split()}
    | {f"aten.{name}" for name in _OVERLOADED.split()}
)
"""Pure, deterministic, functional operations whose shapes follow from shapes alone."""

_RANDOM = ("rand", "normal_", "bernoulli", "multinomial", "dropout", "poisson", "exponential", "uniform", "rrelu")
_REASONS = (
    (("batch_norm", "_native_batch_norm", "instance_norm"),
     "it mixes records or keeps running statistics; use group_norm or layer_norm"),
    (("empty", "empty_like", "new_empty"), "it reads memory that nobody wrote; use zeros or full"),
    (("nonzero", "masked_select", "unique", "item", "_local_scalar_dense", "bincount", "repeat_interleave"),
     "its shape depends on the data; use where, or multiply by a mask"),
    (("one_hot",), "it looks at its data; compare with arange instead"),
    (("lift_fresh_copy", "lift_fresh"), "it brings a constant tensor; pass that as a parameter, or write numbers"),
)  # fmt: skip


_CODES = ("ScalarType", "MemoryFormat", "Layout", "Device")


def operation(op: str) -> Any:
    """The function of torch that an allowed name such as ``aten.add.Tensor`` stands for."""
    import torch

    _, name, overload = op.split(".")
    return getattr(getattr(torch.ops.aten, name), overload)


def miscoded(op: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """What is no dtype where one belongs, or names a memory format, layout or device; empty where all is well.

    Torch takes a number in such a place for a code and looks it up unchecked.
    """
    import torch

    for position, asked in enumerate(operation(op)._schema.arguments):
        value = arguments[position] if position < len(arguments) else keywords.get(asked.name)
        kind = str(asked.real_type)
        is_dtype = "ScalarType" in kind and isinstance(value, torch.dtype)
        if value is not None and not is_dtype and any(code in kind for code in _CODES):
            return f"{asked.name} is {str(value)[:40]}, not null or, where it is one, a dtype"
    return ""


def why_not(op: str) -> str:
    """The close of an error message on an operation that is not allowed: the reason, or the nearest that is."""
    name = op.split(".")[1] if op.count(".") else op
    if name.endswith("_") and not name.startswith("__"):
        return ": it works in place; a graph has only functions" + nearest(op.replace("_.", ".", 1), ALLOWED)
    if any(word in name for word in _RANDOM):
        return ": it is random, and a graph must give the same answer twice; export a model in eval mode"
    for names, reason in _REASONS:
        if name in names:
            return f": {reason}"
    return nearest(op, ALLOWED) or "; fourfold.suite.operations.ALLOWED lists those that are"


def nearest(name: str, names: Iterable[str]) -> str:
    """The close that an error message can have: the nearest of the names there are, where one is near."""
    close = difflib.get_close_matches(name, list(names), 1)
    return f"; the nearest is {close[0]!r}" if close else ""
