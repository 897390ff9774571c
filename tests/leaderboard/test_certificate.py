"""What is certified, from the counts of all seeds together."""

from types import SimpleNamespace

import numpy as np
import pytest

from fourfold.leaderboard.certificate import upper_bounds
from fourfold.suite.metrics import fairness

CERTIFICATE = {"metric": "approval", "within": 0.05, "seeds": 5}


def standing(rates, n=500, seeds=5, ok=True):
    """One row; rates: approval of (a good, a bad, b good, b bad), the same for every seed."""
    columns = [("approval", group) for group in ("a,good", "a,bad", "b,good", "b,bad")] + [("auc", "")]
    value = np.repeat(np.array([*rates, 0.8])[None, :, None], seeds, axis=2)
    return SimpleNamespace(
        rows=["row"],
        columns=columns,
        asked=seeds,
        ok=np.full((1, seeds), ok),
        value=value,
        n=np.full((1, 5, seeds), n),
        column=lambda metric, group="": columns.index((metric, group)),
    )


def test_the_bound_is_that_of_the_added_counts():
    bound = upper_bounds(standing([0.8, 0.4, 0.82, 0.43]), CERTIFICATE)[0]
    counts = 2500 * np.array([[[0.2, 0.8], [0.6, 0.4]], [[0.18, 0.82], [0.57, 0.43]]])
    assert bound == pytest.approx(float(fairness.equalized_odds_upper_bound(counts)))
    assert bound > 0.03


def test_more_seeds_certify_more_and_seeds_that_score_the_same_records_again_do_not():
    bounds = [upper_bounds(standing([0.8, 0.4, 0.8, 0.4], seeds=seeds), CERTIFICATE)[0] for seeds in (1, 5, 10)]
    assert bounds[0] > bounds[1]
    assert bounds[1] == pytest.approx(bounds[2])


@pytest.mark.parametrize("case", [standing([0.8, 0.4, 0.8, 0.4], ok=False), standing([0.8, 0.4, 0.8, 0.4], n=0)])
def test_what_is_incomplete_or_rests_on_nobody_is_not_certified(case):
    assert np.isnan(upper_bounds(case, CERTIFICATE)).all()


def test_a_task_without_a_certificate_certifies_nothing():
    assert np.isnan(upper_bounds(standing([0.8, 0.4, 0.8, 0.4]), None)).all()
