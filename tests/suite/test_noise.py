"""Noise is normal, cannot be foretold from what was seen of it, and leaves no trace of what it was added to."""

import math

import numpy as np
import pytest
from scipy import stats

from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget

torch = pytest.importorskip("torch")

from fourfold.suite.noise import BLOCK, GRID, Noise, noisy  # noqa: E402


@pytest.mark.parametrize("size", [1, 2, 7, BLOCK - 1, BLOCK, 3 * BLOCK + 5])
def test_any_number_of_them_comes_and_goes_on_where_it_ended(size):
    first, again = Noise(3), Noise(3)
    drawn = first(size)
    assert drawn.shape == (size,)
    assert drawn.dtype == torch.float64
    assert torch.isfinite(drawn).all()
    assert torch.equal(drawn, again(size))
    assert not torch.equal(drawn, first(size))


def test_they_are_normal_and_independent():
    drawn = Noise(1)(1 << 20).numpy()
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    for apart in (1, 2, BLOCK // 2, BLOCK):  # A pair of one radius is half a block apart.
        assert abs(np.corrcoef(drawn[:-apart], drawn[apart:])[0, 1]) < 5e-3
        assert abs(np.corrcoef(drawn[:-apart] ** 2, drawn[apart:] ** 2)[0, 1]) < 5e-3
    assert stats.kurtosis(drawn) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("apart", [1, 2**32, 2**40, 2**61])
def test_every_bit_of_the_seed_counts(apart):
    assert abs(np.corrcoef(Noise(5)(10_000), Noise(5 + apart)(10_000))[0, 1]) < 0.05


@pytest.mark.parametrize("spread", [1e-6, 0.7, 1.0, 3e4, 1e13])
def test_a_noisy_sum_is_the_sum_and_the_noise_on_a_grid_much_finer_than_the_noise(spread):
    total, noise = spread * torch.linspace(-3, 3, 1000), Noise(2)(1000)
    made = noisy(total, noise, spread)
    assert made.dtype == torch.float32
    apart = (made.double() - total.double() - spread * noise).abs().max()
    assert float(apart) <= spread * GRID
    steps = made.double() / (2.0 ** math.floor(math.log2(spread)) * GRID)
    assert torch.equal(steps, steps.round())


def test_the_last_bits_of_a_release_do_not_tell_whether_a_record_was_there():
    """In float32, what is nearly 0 has finer bits where nothing stood than where noise had to take off a number."""
    pytest.importorskip("opacus")
    from fourfold.suite.curator import Curator

    size = 100_000
    part = np.float32(0.5 / math.sqrt(size))

    def fine(record: float, seed: int) -> bool:
        held = Curator([np.array([[0.0], [record]], np.float32)], Budget(epsilon=1.0), Secret(seed, np.zeros(0, bool)))
        noise = held.noise_multiplier(1.0, 1)
        given = held.noisy_total(lambda _, x: (x * float(part)).expand(size), clip=1.0, noise_multiplier=noise).numpy()
        near = given[np.abs(given) < part / 4].astype(float) / np.spacing(part / 2)
        return bool(np.abs(near - np.round(near)).max() > 1e-9)

    assert [fine(0.0, seed) for seed in range(5)] == [fine(1.0, seed) for seed in range(5, 10)]
