"""What a dataset page computes with, against scipy's distributions."""

import pytest
from scipy import stats

from fourfold.leaderboard.payload import _student


def test_students_quantiles_are_those_of_two_seeds_and_more() -> None:
    assert _student(40) == pytest.approx([stats.t.ppf(0.975, seeds - 1) for seeds in range(2, 41)], abs=1e-6)
    assert _student(1) == []
