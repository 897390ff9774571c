"""Gaussian noise that keeps what it is added to private: from a keyed stream, in double precision, on a coarse grid.

torch's own generator is a Mersenne Twister of a 32-bit seed: who asks a curator for a sum that is known sees its noise,
finds the seed, and takes off all noise to come. And a float32 sum tells in its last bits which floats it was added up
from (Mironov 2012; Haney et al. 2022), however much noise is in it.
"""

import hashlib
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1 << 16
"""Normal numbers that are made at a time: what they are made from stays in the processor's cache."""
GRID = 2.0**-16
"""The step of the grid on which noisy sums lie, in standard deviations of the noise at most."""


class Noise:
    """Standard normal numbers that nobody can foretell who does not know the seed, however many of them he has seen.

    Pairs of uniform numbers of 53 bits (Box and Muller 1958) out of SHAKE-128 over the seed and a counter. The same
    seed gives the same numbers on every device, up to the rounding of logarithms and cosines.
    """

    def __init__(self, seed: int, device: Any = "cpu") -> None:
        self._key = seed.to_bytes(16, "little", signed=True)
        self._device, self._blocks = device, 0

    def __call__(self, size: int) -> "Tensor":
        """The next ``size`` numbers, as (size,) float64."""
        import torch

        drawn = torch.empty(size, dtype=torch.float64, device=self._device)
        for start in range(0, size, BLOCK):
            part = drawn[start : start + BLOCK]
            part.copy_(self._block((len(part) + 1) // 2)[: len(part)])
        return drawn

    def _block(self, pairs: int) -> "Tensor":
        import numpy as np
        import torch

        stream = hashlib.shake_128(self._key + self._blocks.to_bytes(8, "little")).digest(16 * pairs)
        self._blocks += 1
        bits = np.frombuffer(stream, "<u8") >> 11
        # Above 0 and below 1 + 2^-53: 0 has no logarithm.
        uniform = torch.from_numpy((bits + 0.5) * 2.0**-53).to(self._device)
        length = uniform[:pairs].log_().mul_(-2).clamp_(min=0).sqrt_()
        angle = uniform[pairs:].mul_(2 * math.pi)
        return torch.cat([angle.cos().mul_(length), angle.sin().mul_(length)])


def noisy(total: "Tensor", noise: "Tensor", spread: float) -> "Tensor":
    """``total + spread * noise``, (d,) float32, rounded to multiples of a power of two, GRID times ``spread`` at most.

    Added up in double precision before it is rounded, the sum is as if of real numbers; what comes after it, the last
    rounding to single precision too, is post-processing. spread: above 0.
    """
    step = 2.0 ** math.floor(math.log2(spread)) * GRID
    return (total.double() + spread * noise).div_(step).round_().mul_(step).float()
