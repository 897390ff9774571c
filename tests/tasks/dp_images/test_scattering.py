"""The transform beside its definition, written out by loops and plain FFTs, and the properties it is proven to have."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fourfold.tasks.dp_images import scattering  # noqa: E402
from fourfold.tasks.dp_images.scattering import scatter  # noqa: E402


def gabor(height, width, sigma, theta, frequency, slant, ahead=0.0):
    """A wave beneath a Gaussian, pixel by pixel, summed over its periods; ``ahead`` pixels ahead."""
    values = np.zeros((height, width), complex)
    for row in range(-2 * height, 3 * height):
        for column in range(-2 * width, 3 * width):
            y, x = row + ahead, column + ahead
            along = y * math.cos(theta) + x * math.sin(theta)
            across = x * math.cos(theta) - y * math.sin(theta)
            bell = math.exp(-(along**2 + slant**2 * across**2) / (2 * sigma**2))
            values[row % height, column % width] += bell * np.exp(1j * frequency * along)
    return values * slant / (2 * math.pi * sigma**2)


def filters(height, width):
    """phi, read 1.5 pixels ahead along both axes, and psi by (scale, angle)."""
    psi = {}
    for scale in (0, 1):
        for angle in range(8):
            theta = (3 - angle) * math.pi / 8
            sigma, frequency = 0.8 * 2**scale, 0.75 * math.pi / 2**scale
            wave, bell = (gabor(height, width, sigma, theta, f, 0.5) for f in (frequency, 0))
            psi[scale, angle] = wave - wave.sum() / bell.sum() * bell
    return gabor(height, width, 1.6, 0, 0, 1, ahead=1.5), psi


def convolve(x, y):
    """Periodic convolution."""
    return np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(y))


def defined(image):
    """Scattering of one grey image by its definition, all at full resolution until the last."""
    height, width = image.shape
    spare = [(4, 4 + -side % 4) for side in image.shape]
    x = np.pad(image, spare, mode="reflect")
    phi, psi = filters(*x.shape)
    paths = [x]
    first = {path: abs(convolve(x, psi[path])) for path in sorted(psi)}
    paths += first.values()
    paths += [abs(convolve(first[0, a], psi[1, b])) for a in range(8) for b in range(8)]
    return np.stack([convolve(path, phi).real[4::4, 4::4][: height // 4, : width // 4] for path in paths])


def relative(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def image(height, width, seed=0, channels=1):
    return torch.tensor(np.random.default_rng(seed).random((1, channels, height, width)))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 16), (14, 9)])
def test_it_is_what_the_definition_says(height, width):
    x = image(height, width)
    found, wanted = scatter(x)[0].numpy(), defined(x[0, 0].numpy())
    assert found.shape == wanted.shape == (81, height // 4, width // 4)
    fine = list(range(9))
    np.testing.assert_allclose(found[fine], wanted[fine], rtol=1e-10, atol=1e-12)
    assert relative(found[9:], wanted[9:]) < 0.03  # Of white noise, each second pixel aliases a little.


def test_coarse_paths_are_the_definition_on_each_second_pixel():
    x = np.pad(image(12, 16)[0, 0].numpy(), 4, mode="reflect")
    phi, psi = filters(*x.shape)
    inner = abs(convolve(x, psi[0, 2]))
    for path, source, angle in ((9 + 5, x, 5), (17 + 8 * 2 + 5, inner, 5)):
        coarse = abs(convolve(source, psi[1, angle]))[::2, ::2]
        wanted = convolve(coarse, 4 * phi[::2, ::2]).real[2:-2:2, 2:-2:2]
        np.testing.assert_allclose(scatter(image(12, 16))[0, path].numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_shapes_of_the_datasets():
    assert scatter(torch.zeros(2, 1, 28, 28)).shape == (2, 81, 7, 7)
    assert scatter(torch.zeros(2, 3, 32, 32)).shape == (2, 243, 8, 8)
    assert scatter(torch.zeros(2, 1, 8, 8)).shape == (2, 81, 2, 2)


def test_channels_and_images_are_taken_one_by_one():
    x = torch.cat([image(12, 12, seed, channels=3) for seed in range(20)])
    together = scatter(x).reshape(20, 3, 81, 3, 3)
    torch.testing.assert_close(together[17, 1], scatter(x[17:18, 1:2])[0])


def test_single_precision_is_near_double():
    x = image(28, 28)
    assert relative(scatter(x.float()).numpy(), scatter(x).numpy()) < 1e-6


def test_a_constant_image_has_its_mean_and_nothing_else():
    found = scatter(torch.full((1, 1, 28, 28), 0.7, dtype=torch.float64))[0]
    assert torch.allclose(found[0], torch.full((7, 7), 0.7, dtype=torch.float64), atol=1e-6)
    assert found[1:].abs().max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), apart=st.floats(1e-3, 1.0))
def test_it_does_not_expand(seed, apart):
    """With a reflected border: on images that vanish near it, where padding adds nothing to the distance."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((2, 1, 1, 28, 28))
    x[..., 5:-5, 5:-5] = rng.random((18, 18))
    y[..., 5:-5, 5:-5] = x[..., 5:-5, 5:-5] + apart * rng.normal(size=(18, 18))
    moved = scatter(torch.tensor(x)) - scatter(torch.tensor(y))
    assert moved.norm() <= np.linalg.norm(x - y)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100))
def test_it_commutes_with_positive_factors(seed, factor):
    x = image(8, 12, seed)
    torch.testing.assert_close(scatter(factor * x), factor * scatter(x))


def test_a_shift_by_a_pixel_moves_it_less_than_the_image():
    x = torch.nn.functional.pad(image(16, 16), (6, 6, 6, 6))
    moved = (scatter(torch.roll(x, 1, 3)) - scatter(x)).norm() / scatter(x).norm()
    assert moved < 0.5 * (torch.roll(x, 1, 3) - x).norm() / x.norm()


@pytest.mark.parametrize("side", [8, 28, 32])
def test_a_mirrored_image_has_its_columns_and_its_angles_mirrored(side):
    x = image(side, side)
    here, there = scatter(x)[0].flip(2), scatter(x.flip(3))[0]
    angle = [(6 - a) % 8 for a in range(8)]
    mirrored = [0, *(1 + a for a in angle), *(9 + a for a in angle), *(17 + 8 * a + b for a in angle for b in angle)]
    torch.testing.assert_close(there[:9], here[mirrored][:9])
    assert relative(there.numpy(), here[mirrored].numpy()) < 0.01  # The coarse paths alias, a pixel apart.
    assert relative(there.numpy(), here.numpy()) > 0.02


def test_gradients_are_right_and_finite_where_an_image_is_blank():
    x = image(8, 8).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: scatter(x)[:, 4::25], x, fast_mode=True)
    blank = torch.zeros(1, 1, 28, 28, requires_grad=True)
    (slope,) = torch.autograd.grad(scatter(blank).sum(), blank)
    assert torch.isfinite(slope).all()


def test_gradients_come_after_a_first_use_without():
    scattering._bank.cache_clear()
    with torch.inference_mode():
        scatter(torch.rand(1, 1, 16, 16))
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    scatter(x).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "images", [torch.zeros(1, 1, 7, 28), torch.zeros(28, 28), torch.zeros(1, 1, 28, 28, dtype=torch.uint8)]
)
def test_other_shapes_and_types_are_refused(images):
    with pytest.raises(ValueError, match=r"floating-point images .* of at least 8 x 8"):
        scatter(images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_the_same():
    x = torch.rand(40, 3, 32, 32)
    torch.testing.assert_close(scatter(x.cuda()).cpu(), scatter(x), rtol=1e-4, atol=1e-5)
