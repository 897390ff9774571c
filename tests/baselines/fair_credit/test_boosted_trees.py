import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.baselines.fair_credit.boosted_trees import reweighing


def test_weights_are_the_expected_over_the_observed_share():
    # Kamiran and Calders (2012), their job-applicant example: 10 people, half of each sex, 4 men and 2 women hired.
    sex = np.array([0] * 5 + [1] * 5)
    hired = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0])
    weights = reweighing(sex, hired)
    assert weights[[0, 4, 5, 7]] == pytest.approx([0.75, 2.0, 1.5, 2 / 3])


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 1)), min_size=1, max_size=60))
def test_weighed_group_and_label_are_independent(records):
    group, label = np.array(records).T
    weights = reweighing(group, label)
    assert (weights[group == -1] == 1).all()
    cells = {(g, y) for g, y in records if g >= 0}
    known = group >= 0
    for g in set(group[known]):
        if {(g, 0), (g, 1)} <= cells:  # an empty cell has no record to carry its weight
            share = weights[(group == g) & (label == 1)].sum() / weights[group == g].sum()
            assert share == pytest.approx(label[known].mean())
