"""How many numbers a fitted method holds, counted as its state is pickled away into nothing. Runs in the guest."""

import io
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
_LONG = 1024  # A shorter text is a name; boosted trees spell their model out in a longer one.


class _Counter(pickle.Pickler):
    """Counts the numbers in what it is given to pickle; arrays, tensors and long texts are counted, once each."""

    def __init__(self) -> None:
        super().__init__(_Nowhere())
        self.total = 0
        self._counted: dict[int, Any] = {}  # Holds what it counted, so that no other item comes to bear its id.

    def persistent_id(self, item: Any) -> int | None:
        """Take what holds many numbers out of the pickle, and count them."""
        numbers = _numbers(item)
        if numbers is None:
            return None
        if id(item) not in self._counted:
            self._counted[id(item)] = item
            self.total += numbers()
        return 1


def _numbers(item: Any) -> Callable[[], int] | None:
    """How to count the numbers in an item that is counted whole; None for one that is not."""
    torch = sys.modules.get("torch")
    if isinstance(item, np.ndarray) and item.dtype.kind in "fiuc":
        return lambda: item.size
    if torch is not None and isinstance(item, torch.Tensor):
        return item.numel
    if isinstance(item, str | bytes) and len(item) > _LONG:
        return lambda: len(_NUMBER.findall(item if isinstance(item, bytes) else item.encode(errors="replace")))
    return None


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def count(method: Any) -> int | None:
    """Numbers in the method's attributes; None where they cannot be pickled."""
    counter = _Counter()
    try:
        own = ("budget", "ledger", "_curate")
        counter.dump({name: value for name, value in vars(method).items() if name not in own})
    except Exception:
        return None
    return counter.total
