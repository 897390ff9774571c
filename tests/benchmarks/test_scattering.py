"""Scattering by matrix products beside the same transform by batched FFTs, as kymatio has it, in the same run.

One thread, 512 grey images of 28 x 28 pixels and 128 colour images of 32 x 32.

    pytest tests/benchmarks/test_scattering.py --benchmark-only -s
"""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fourfold.tasks.dp_images import scattering  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def every_second(spectrum):
    rows, columns = (side // 2 for side in spectrum.shape[-2:])
    return spectrum.unflatten(-1, (2, columns)).unflatten(-3, (2, rows)).mean((-4, -2))


def by_fft(images, at_once=16):
    """(n, 1, side, side) -> (n, 81, side // 4, side // 4): each product with a filter on the whole frequency plane."""
    side = images.shape[-1] + 8
    psi = [
        torch.tensor(np.stack([scattering._transfer(side, side, scale, k) for k in range(8)])).float()
        for scale in (0, 1)
    ]
    ahead = (torch.arange(side) + side // 2) % side - side // 2 + 1.5
    bell = torch.exp(-(ahead**2) / (2 * 1.6**2)).double()
    phi = torch.fft.fft2(torch.outer(bell, bell) / (2 * np.pi * 1.6**2)).to(torch.complex64)
    half = 4 * every_second(phi)

    def low(spectrum, transfer):
        kept = torch.fft.ifft2(spectrum * transfer).real
        return kept[..., :: kept.shape[-1] * 4 // side, :: kept.shape[-1] * 4 // side][..., 1:-1, 1:-1]

    out = []
    for chunk in images.split(at_once):
        x = torch.fft.fft2(torch.nn.functional.pad(chunk, (4, 4, 4, 4), mode="reflect"))
        fine = torch.fft.fft2(torch.fft.ifft2(x * psi[0]).abs())
        coarse = torch.fft.fft2(torch.fft.ifft2(every_second(x * psi[1])).abs())
        second = torch.fft.fft2(torch.fft.ifft2(every_second(fine[:, :, None] * psi[1])).abs()).flatten(1, 2)
        out.append(torch.cat([low(x, phi), low(fine, phi), low(coarse, half), low(second, half)], 1))
    return torch.cat(out)


def seconds(transform, images):
    with torch.inference_mode():
        transform(images[:16])
        start = time.process_time()
        transform(images)
        return time.process_time() - start


@pytest.mark.parametrize(("n", "channels", "side"), [(512, 1, 28), (128, 3, 32)])
def test_matrix_products_beside_ffts(benchmark, n, channels, side):
    images = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))
    grey = images.reshape(-1, 1, side, side)
    torch.testing.assert_close(scattering.scatter(grey[:32]), by_fft(grey[:32]), rtol=1e-3, atol=1e-5)
    theirs = min(seconds(by_fft, grey) for _ in range(3))
    ours = min(seconds(scattering.scatter, images) for _ in range(3))
    with torch.inference_mode():
        benchmark.pedantic(scattering.scatter, args=(images,), rounds=3)
    benchmark.extra_info.update(
        cpu_ms_an_image=1e3 * ours / n, fft_cpu_ms_an_image=1e3 * theirs / n, ratio=theirs / ours
    )
    print(f"\n{1e3 * ours / n:.2f} CPU ms an image; by FFT {1e3 * theirs / n:.2f}; {theirs / ours:.1f} times")
