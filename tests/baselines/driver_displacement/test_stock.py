from dataclasses import replace

import numpy as np
import pytest

from fourfold.baselines.driver_displacement.stock import displaced_stock, histories, no_less_than_none


def test_the_stock_is_who_lost_a_job_and_has_not_returned_over_the_share_recorded(problems):
    train, queries, _ = problems["simulated"]()
    one = np.array([1, 1, 1, 0], np.int16)
    few = replace(train, world=one, place=np.array([2, 2, 5, 2], np.int16), lost=np.array([3, 10, 10, 3], np.int16),
                  returned=np.array([12, -1, -1, -1], np.int16), recorded=0.5)
    stock = displaced_stock(few, queries[1])
    assert stock.shape == queries[1].headcount.shape
    assert stock[2, :28].tolist() == [0] * 3 + [2] * 7 + [4] * 2 + [2] * 16
    assert stock[5, 9:12].tolist() == [0, 2, 2]
    assert np.isnan(stock[:, 28:]).all()
    assert not np.nansum(stock[[0, 1, 3, 4]])


def test_it_is_near_the_truth_where_it_is_known(problems):
    train, queries, secret = problems["simulated"]()
    for query, whole in zip(queries, secret, strict=True):
        known = displaced_stock(train, query)[:, 27]
        assert known == pytest.approx(whole["displaced"][:, 27], rel=0.1, abs=15)


def test_histories_have_a_part_for_each_target(problems):
    train, [query, _], _ = problems["simulated"]()
    assert np.array_equal(histories(train, query)[:, 0], query.headcount)
    assert np.array_equal(histories(train, query)[:, 1], displaced_stock(train, query), equal_nan=True)
    real, [heads, _], _ = problems["monthly"]()
    assert histories(real, heads).shape == (5, 1, 30)


def test_quantiles_are_put_in_order_and_heads_are_none_at_least():
    found = no_less_than_none([[[[3.0, -2.0, 1.0]], [[-1.0, -5.0, 2.0]]]])
    assert found.tolist() == [[[[0, 1, 3]], [[-5, -1, 2]]]]
