"""The wavelet scattering transform of small images: features that no data shaped, so that they cost no privacy.

Order two, two scales, eight angles, with Morlet wavelets psi and a Gaussian phi (Bruna & Mallat 2013, "Invariant
scattering convolution networks", sections 2.1 to 2.3), on the filters, the reflected border and the order of channels
of kymatio's Scattering2D(J=2, L=8), which Tramer & Boneh 2021 train on. It is read at the middle of each 4 x 4 pixels,
not at their first: so the features of a mirrored image are those of the image, its columns and angles mirrored.

All transforms are products with small Fourier matrices, planes along the last axis: at the few dozen pixels of a side
here, a matrix product is several times as fast as an FFT, and it can subsample and crop on its way.
"""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VERSION = "2"
"""Rises whenever ``scatter`` returns other numbers; features kept on disk are named by it."""

ANGLES = 8
PATHS = 1 + 2 * ANGLES + ANGLES * ANGLES
"""Channels out for each channel in: x * phi, then |x * psi1| * phi, then ||x * psi1| * psi2| * phi."""
SHRINKS = 4
"""Pixels in for each pixel out, along each side: 2 to the number of scales."""

_BORDER = 4  # Pixels that are reflected on each side; the reflection needs images of at least twice that.
_PLANES = {"cpu": 32}  # At once: as many as a core's cache holds.
_PLANES_ELSEWHERE = 1024


class _Bank(NamedTuple):
    """The linear maps of one padded size. A pair is of the maps along rows and along columns.

    forward: Fourier transform, whose image has (pixels, planes) merged. inverse, inverse_half: back, to the size at
    hand. low, low_half: convolution with phi at the positions that are kept, from all pixels or from each second.
    fine, coarse: transfer functions of psi at the first and the second scale, (frequency, alias, angle), where the
    one frequency at half resolution is the sum of its four aliases.
    """

    forward: tuple["Tensor", "Tensor"]
    inverse: tuple["Tensor", "Tensor"]
    inverse_half: tuple["Tensor", "Tensor"]
    low: tuple["Tensor", "Tensor"]
    low_half: tuple["Tensor", "Tensor"]
    fine: "Tensor"
    coarse: "Tensor"


def scatter(images: "Tensor") -> "Tensor":
    """Scattering coefficients of images (n, c, h, w) of at least 8 x 8 pixels: (n, 81 c, h // 4, w // 4).

    The 81 channels of a channel are the mean (1), the first order at the fine and at the coarse scale (8 angles each)
    and the second order (fine angle, then coarse angle: 64). Floating point of either precision, on any device,
    differentiable everywhere. The transform does not expand distances and commutes with scaling by a positive number.
    Raises ValueError where the shape or the type of ``images`` is another.
    """
    import torch

    if images.ndim != 4 or not images.is_floating_point() or min(images.shape[-2:]) < 2 * _BORDER:
        raise ValueError(
            f"scatter takes floating-point images (n, channels, height, width) of at least {2 * _BORDER} x "
            f"{2 * _BORDER} pixels, not {images.dtype} of shape {tuple(images.shape)}"
        )
    n, channels, height, width = images.shape
    spare = (_BORDER, _BORDER + -width % SHRINKS, _BORDER, _BORDER + -height % SHRINKS)
    planes = torch.nn.functional.pad(images, spare, mode="reflect").flatten(0, 1)
    bank = _bank(height, width, images.dtype, images.device)
    at_once = _PLANES.get(images.device.type, _PLANES_ELSEWHERE)
    scattered = [_scatter(chunk.permute(1, 2, 0), bank) for chunk in planes.split(at_once)]
    return torch.cat(scattered).reshape(n, channels * PATHS, height // SHRINKS, width // SHRINKS)


def _scatter(x: "Tensor", bank: _Bank) -> "Tensor":
    """Padded planes (rows, columns, n) -> (n, 81, rows out, columns out)."""
    import torch

    n = x.shape[-1]
    spectrum = _along_both(bank.forward, _complex(x))
    fine = _modulus(_along_both(bank.inverse, (spectrum[..., None] * bank.fine[:, :, None]).flatten(2)))
    both = torch.cat([spectrum, _along_both(bank.forward, _complex(fine))], -1)
    coarse = _modulus(_along_both(bank.inverse_half, _halved(both, bank.coarse)))
    coarse_low = _along_both(bank.low_half, coarse)
    orders = [
        _along_both(bank.low, x),
        _along_both(bank.low, fine),
        coarse_low[..., : n * ANGLES],
        coarse_low[..., n * ANGLES :],
    ]
    return torch.cat([order.unflatten(2, (n, -1)) for order in orders], -1).permute(2, 3, 0, 1)


def _along_both(maps: tuple["Tensor", "Tensor"], x: "Tensor") -> "Tensor":
    """Apply one matrix along the first axis of (rows, columns, planes) and one along the second."""
    rows, columns = maps
    x = (rows @ x.reshape(len(x), -1)).unflatten(1, x.shape[1:])
    return columns @ x


def _halved(spectrum: "Tensor", transfer: "Tensor") -> "Tensor":
    """The spectra (rows, columns, planes) of filtered planes of which each second pixel is kept, angles last.

    Keeping each second pixel of a row or column adds up the two frequencies that become one.
    """
    rows, columns, planes = spectrum.shape
    aliases = spectrum.reshape(2, rows // 2, 2, columns // 2, planes).permute(1, 3, 4, 0, 2)
    filtered = aliases.reshape(-1, planes, 4) @ transfer
    return filtered.reshape(rows // 2, columns // 2, planes * ANGLES)


def _complex(x: "Tensor") -> "Tensor":
    return x.to(x.dtype.to_complex())


def _modulus(x: "Tensor") -> "Tensor":
    """|x|, with gradient 0 at 0; several times as fast as ``abs``, which guards against overflow."""
    return (x.real.square() + x.imag.square() + 1e-20).sqrt()


@functools.lru_cache(maxsize=8)
def _bank(height: int, width: int, dtype: "torch.dtype", device: "torch.device") -> _Bank:
    import torch

    rows, columns = (2 * _BORDER + math.ceil(side / SHRINKS) * SHRINKS for side in (height, width))

    def tensor(values: npt.NDArray) -> "Tensor":
        wanted = dtype.to_complex() if np.iscomplexobj(values) else dtype
        return torch.tensor(values, dtype=wanted, device=device)

    def pair(make: Callable[[int, int], npt.NDArray]) -> tuple["Tensor", "Tensor"]:
        return tensor(make(rows, height)), tensor(make(columns, width))

    fine, coarse = (np.stack([_transfer(rows, columns, scale, k) for k in range(ANGLES)], -1) for scale in (0, 1))
    aliases = coarse.reshape(2, rows // 2, 2, columns // 2, ANGLES).transpose(1, 3, 0, 2, 4).reshape(-1, 4, ANGLES) / 4
    with torch.inference_mode(False):  # The bank outlives this call, and tensors of inference bear no gradient later.
        return _Bank(
            forward=pair(lambda side, _: np.fft.fft(np.eye(side))),
            inverse=pair(lambda side, _: np.fft.ifft(np.eye(side))),
            inverse_half=pair(lambda side, _: np.fft.ifft(np.eye(side // 2))),
            low=pair(_low_pass),
            low_half=pair(lambda side, kept: 2 * _low_pass(side, kept)[:, ::2]),
            fine=tensor(fine),
            coarse=tensor(aliases.astype(complex)),
        )


def _low_pass(side: int, kept: int) -> npt.NDArray[np.float64]:
    """Convolution with phi along one axis of ``side`` pixels, read amid each four of the ``kept`` within the border."""
    sigma = 0.8 * 2
    middles = _BORDER + (SHRINKS - 1) / 2 + SHRINKS * np.arange(kept // SHRINKS)
    apart = np.arange(side) - middles[:, None]
    wrapped = apart[..., None] + side * np.arange(-2, 3)
    return np.exp(-(wrapped**2) / (2 * sigma**2)).sum(-1) / math.sqrt(2 * math.pi * sigma**2)


def _transfer(rows: int, columns: int, scale: int, angle: int) -> npt.NDArray[np.float64]:
    """Fourier transform of the Morlet wavelet at a scale (0 or 1) and an angle: real, and 0 at frequency 0."""
    sigma, frequency = 0.8 * 2**scale, 0.75 * math.pi / 2**scale
    theta = (ANGLES // 2 - 1 - angle) * math.pi / ANGLES
    wave, envelope = (_gabor(rows, columns, sigma, theta, xi) for xi in (frequency, 0.0))
    return np.fft.fft2(wave - envelope * (wave.sum() / envelope.sum())).real


def _gabor(rows: int, columns: int, sigma: float, theta: float, frequency: float) -> npt.NDArray[np.complex128]:
    """A wave of ``frequency`` radians a pixel along theta beneath a Gaussian, twice as long across, wrapped around."""
    slant = 4 / ANGLES
    y = (np.arange(rows)[:, None] + rows * np.arange(-2, 3))[:, None, :, None]
    x = (np.arange(columns)[:, None] + columns * np.arange(-2, 3))[None, :, None, :]
    along, across = y * math.cos(theta) + x * math.sin(theta), x * math.cos(theta) - y * math.sin(theta)
    envelope = np.exp(-(along**2 + (slant * across) ** 2) / (2 * sigma**2)) * slant / (2 * math.pi * sigma**2)
    return (envelope * np.exp(1j * frequency * along)).sum((2, 3))
