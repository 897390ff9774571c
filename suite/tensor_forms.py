"""Records and sums as tensors, in the forms in which a curator takes them, computes with them and gives them out."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def tensor(column: Any) -> "Tensor":
    """An array, read-only or not, as a tensor over the same memory."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(column) if isinstance(column, np.ndarray) else column


def narrow(kept: Any, made: Any) -> Any:
    """The type to keep what was made in: what came in half precision stays so."""
    import torch

    return kept if kept in (torch.float16, torch.bfloat16) and made == torch.float32 else made


def ready(column: "Tensor") -> "Tensor":
    """Half precision is for keeping, not for computing."""
    import torch

    return column.float() if column.dtype in (torch.float16, torch.bfloat16) else column


def example(record: "Sequence[Tensor]") -> "list[Tensor]":
    """One record of zeros, with the shapes and types that a function meets."""
    import torch

    return [torch.zeros(column.shape[1:], dtype=ready(column[:0]).dtype) for column in record]


def made_up(record: "Sequence[Tensor]", n: int) -> "list[Tensor]":
    """``n`` records that nobody has: normal numbers, and 0 where a field holds whole ones."""
    import torch

    generator = torch.Generator().manual_seed(0)
    blank = [torch.zeros(n, *each.shape, dtype=each.dtype) for each in example(record)]
    return [each.normal_(generator=generator) if each.is_floating_point() else each for each in blank]


def parts(tensors: Any) -> "list[Tensor]":
    """The tensors of a tensor, a sequence or a mapping, in order."""
    if isinstance(tensors, Mapping):
        return list(tensors.values())
    return list(tensors) if isinstance(tensors, Sequence) else [] if tensors is None else [tensors]


def like(flat: "Tensor", pattern: Any) -> Any:
    """Cut ``flat`` into tensors shaped and arranged as ``pattern``."""
    shaped = parts(pattern)
    pieces = flat.split([part.numel() for part in shaped])
    cut = [piece.reshape(part.shape) for piece, part in zip(pieces, shaped, strict=True)]
    if isinstance(pattern, Mapping):
        return dict(zip(pattern, cut, strict=True))
    return cut if isinstance(pattern, Sequence) else cut[0]
