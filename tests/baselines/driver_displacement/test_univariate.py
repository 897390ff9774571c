from collections import Counter

import numpy as np
import pytest

from fourfold.baselines.driver_displacement.statistical import arima_models, ets_models
from fourfold.baselines.driver_displacement.univariate import forecast_each, history, quantiles_of, seasonal_factors

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:statsforecast")

LEVELS = np.array([0.1, 0.5, 0.9])


class Fails:
    def forecast(self, **_):
        raise ZeroDivisionError


def test_a_season_is_found_where_there_is_one():
    rng = np.random.default_rng(1)
    time, truth = np.arange(40), np.array([0.9, 1.0, 1.2, 0.9])
    trend = 1000 * np.exp(0.01 * time)
    seasonal = trend * np.resize(truth, 40) * np.exp(rng.normal(0, 0.005, 40))
    assert seasonal_factors(seasonal, 4) == pytest.approx(truth, abs=0.01)
    walk = 1000 * np.exp(np.cumsum(rng.normal(0, 0.02, 40)))
    assert seasonal_factors(walk, 4).tolist() == [1, 1, 1, 1]
    assert seasonal_factors(seasonal, 1).tolist() == [1]


def test_gaps_are_filled_and_what_was_ten_years_ago_is_left_out():
    past = np.arange(50.0)
    past[[0, 20, 48, 49]] = np.nan
    assert history(past, 4).tolist() == list(range(8, 48))
    assert history(past, 1).tolist() == list(range(1, 48))


def test_a_model_that_fails_or_has_nothing_to_learn_from_leaves_it_to_naive():
    for y, model in (([5.0, 7.0, 6.0, 9.0, 8.0], Fails()), ([4.0, 4.0, 4.0, 4.0, 4.0], None), ([1.0, 2.0], None)):
        found = quantiles_of(model, np.array(y), 3, LEVELS)
        assert found[:, 1].tolist() == [y[-1]] * 3
        assert (np.diff(found, axis=1) >= 0).all()


def test_what_is_missing_at_the_end_is_forecast_first(problems):
    train, queries, secret = problems["simulated"]()
    lost = forecast_each(train, queries[0], ets_models)[:, 1, :, 5]
    known, grown = secret[0]["displaced"][:, 27], secret[0]["displaced"][:, 26:28]
    slope = np.diff(grown, axis=1)[:, 0]
    assert (lost[:, 0] > known + 2 * slope).all()


def test_arima_finds_a_trend_and_others_take_the_order_of_the_largest():
    rng = np.random.default_rng(2)
    lines = [size * (100 + 5 * np.arange(40) + np.cumsum(rng.normal(0, 1, 40))) for size in range(1, 9)]
    models = arima_models(lines)
    searched = Counter((model.order, model.drift) for model in models[2:])
    assert {(model.order, model.drift) for model in models[:2]} == {searched.most_common(1)[0][0]}
    found = quantiles_of(models[0], lines[0], 4, LEVELS)
    assert np.diff(found[:, 1]) == pytest.approx(5, abs=1)


def test_quantiles_are_those_of_the_library():
    y = 1000 + np.cumsum(np.random.default_rng(5).normal(5, 20, 40))
    for model in (*ets_models([y]), *arima_models([y])):
        theirs = model.forecast(y=y.copy(), h=5, level=[80, 90], fitted=True)
        ours = quantiles_of(model, y, 5, np.array([0.05, 0.1, 0.5, 0.9, 0.95]))
        names = ("lo-90", "lo-80", "mean", "hi-80", "hi-90")
        assert ours == pytest.approx(np.stack([np.asarray(theirs[name]) for name in names], axis=1), rel=1e-9)
