import numpy as np
import pytest
from scipy.stats import expon, kstest, norm

from fourfold.tasks.driver_displacement import luck


@pytest.fixture(scope="module")
def bits() -> np.ndarray:
    return luck.bits(np.random.default_rng(0), 3, 200_001)


def test_bits_are_even_and_rows_independent(bits):
    assert bits.shape == (3, 200_001)
    assert bits.dtype == np.uint16
    assert np.corrcoef(bits.astype(float)) == pytest.approx(np.eye(3), abs=0.01)
    assert bits.mean() / (1 << 16) == pytest.approx(0.5, abs=0.003)


def test_deviates_follow_their_laws(bits):
    assert kstest(luck.normal(bits[0]), norm.cdf).statistic < 0.005
    assert kstest(luck.exponential(bits[1]), expon.cdf).statistic < 0.005


def test_what_is_sure_happens_and_what_cannot_be_does_not(bits):
    assert luck.chance(bits[0], 1.0).all()
    assert not luck.chance(bits[0], 0.0).any()
    each = np.where(np.arange(bits.shape[1]) % 2, 0.2, 0.9).astype(np.float32)
    happened = luck.chance(bits[0], each)
    assert happened[::2].mean() == pytest.approx(0.9, abs=0.005)
    assert happened[1::2].mean() == pytest.approx(0.2, abs=0.005)


def test_nobody_needs_no_luck():
    assert luck.bits(np.random.default_rng(0), 5, 0).shape == (5, 0)
