"""Metrics of quantile forecasts, against hand-worked examples, utilsforecast, GluonTS and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.metrics import forecast

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
MEDIAN, LOW, HIGH = 5, 1, 9

panels = st.builds(
    lambda seed, n, h, past, season: drawn(seed, n, h, past, season),
    st.integers(0, 2**32 - 1),
    n=st.integers(1, 6),
    h=st.integers(1, 8),
    past=st.integers(14, 30),
    season=st.sampled_from([1, 4, 12]),
)


def drawn(seed, n, h, past, season):
    """History (n, past), outcome (n, h), ascending quantiles (n, h, 11) and the season."""
    rng = np.random.default_rng(seed)
    history = 100 + rng.normal(0, 10, (n, past)).cumsum(axis=1)
    outcome = history[:, -1:] + rng.normal(0, 15, (n, h))
    quantiles = np.sort(history[:, -1, None, None] + rng.normal(0, 15, (n, h, 11)), axis=-1)
    return history, outcome, quantiles, season


def frames(history, outcome, quantiles):
    """The same as utilsforecast takes it: one row a series and period; quantiles as columns."""
    pd = pytest.importorskip("pandas")

    def long(values, start):
        n, periods = values.shape
        index = {"unique_id": np.repeat(np.arange(n), periods), "ds": np.tile(np.arange(start, start + periods), n)}
        return pd.DataFrame({**index, "y": values.ravel()})

    test = long(outcome, history.shape[1])
    for place, level in enumerate(LEVELS):
        test[f"q{level}"] = quantiles[..., place].ravel()
    test["model-lo-80"], test["model-hi-80"] = test["q0.1"], test["q0.9"]
    return long(history, 0), test


@pytest.fixture(scope="module")
def losses():
    return pytest.importorskip("utilsforecast.losses")


@settings(max_examples=8, deadline=None)
@given(panels)
def test_values_are_those_of_utilsforecast(losses, panel):
    history, outcome, quantiles, season = panel
    train, test = frames(history, outcome, quantiles)
    scale = forecast.seasonal_scale(history, season)
    columns = {"model": [f"q{level}" for level in LEVELS]}

    each = forecast.pinball(outcome, quantiles, LEVELS)
    for place, level in enumerate(LEVELS):
        theirs = losses.quantile_loss(test, {"model": f"q{level}"}, q=level)["model"]
        assert each[..., place].mean(axis=1) == pytest.approx(theirs.to_numpy())
    theirs = losses.mqloss(test, columns, LEVELS)["model"]
    assert forecast.quantile_loss(outcome, quantiles, LEVELS).mean(axis=1) == pytest.approx(2 * theirs.to_numpy())
    theirs = losses.scaled_mqloss(test, columns, LEVELS, season, train)["model"].mean()
    assert forecast.scaled_quantile_loss(outcome, quantiles, LEVELS, scale) == pytest.approx(2 * theirs)
    theirs = losses.mase(test, ["q0.5"], season, train)["q0.5"].mean()
    assert forecast.mase(outcome, quantiles[..., MEDIAN], scale) == pytest.approx(theirs)
    theirs = losses.coverage(test, ["model"], 80)["model"].mean()
    assert forecast.coverage(outcome, quantiles[..., LOW], quantiles[..., HIGH]) == pytest.approx(theirs)
    theirs = losses.bias(test, ["q0.5"])["q0.5"].mean()
    assert forecast.bias(outcome, quantiles[..., MEDIAN], np.ones_like(outcome)) == pytest.approx(theirs, abs=1e-9)
    cdf = forecast.known_mean(forecast.pit_cdf(outcome, quantiles, LEVELS), axis=(0, 1))
    for place, level in enumerate(LEVELS):
        theirs = losses.calibration(test, {"model": f"q{level}"})["model"].mean()
        assert cdf[place] == pytest.approx(theirs)


@settings(max_examples=8, deadline=None)
@given(panels)
def test_values_are_those_of_gluonts(panel):
    peers = pytest.importorskip("gluonts.evaluation.metrics")
    ev = pytest.importorskip("gluonts.ev.metrics")
    history, outcome, quantiles, season = panel
    scale = np.array([peers.calculate_seasonal_error(past, seasonality=season) for past in history])
    assert forecast.seasonal_scale(history, season) == pytest.approx(scale)
    data = {"label": outcome, **{str(level): quantiles[..., place] for place, level in enumerate(LEVELS)}}
    theirs = ev.MeanWeightedSumQuantileLoss(LEVELS.tolist())(axis=None)
    theirs.update(data)
    assert forecast.weighted_quantile_loss(outcome, quantiles, LEVELS) == pytest.approx(theirs.get())
    low, high = quantiles[..., LOW], quantiles[..., HIGH]
    each = [peers.msis(*row, alpha=0.2) for row in zip(outcome, low, high, scale, strict=True)]
    assert forecast.msis(outcome, low, high, 0.2, scale) == pytest.approx(np.mean(each))


def test_quantile_loss_of_a_hand_worked_example():
    # 10 against .1 -> 4, .5 -> 10, .9 -> 12: .1 x 6, 0, .1 x 2; twice their mean.
    assert forecast.quantile_loss([10.0], [[4.0, 10.0, 12.0]], [0.1, 0.5, 0.9]) == pytest.approx([2 * 0.8 / 3])
    assert forecast.quantile_loss([10.0], [[7.0] * 11], LEVELS) == pytest.approx([3.0]), "a sure forecast: its error"
    assert forecast.weighted_quantile_loss([10.0, 30.0], [[7.0] * 11, [30.0] * 11], LEVELS) == pytest.approx(3 / 40)
    assert forecast.weighted_quantile_loss([10.0], [[7.0] * 11], LEVELS, size=[60.0]) == pytest.approx(3 / 60)
    assert forecast.bias([10.0, 30.0], [12.0, 22.0]) == pytest.approx(-6 / 40)


def test_interval_score_of_a_hand_worked_example():
    inside, under, over = forecast.interval_score([5.0, 1.0, 12.0], [2.0] * 3, [8.0] * 3, 0.2)
    assert (inside, under, over) == pytest.approx((6, 6 + 10 * 1, 6 + 10 * 4))


@settings(max_examples=50, deadline=None)
@given(panels, st.randoms(use_true_random=False))
def test_an_unknown_outcome_is_left_out(panel, random):
    history, outcome, quantiles, season = panel
    scale = forecast.seasonal_scale(history, season)
    holed = np.concatenate([outcome, np.full((len(outcome), 1), np.nan)], axis=1)
    wider = np.concatenate([quantiles, np.full((len(outcome), 1, 11), random.uniform(-1e6, 1e6))], axis=1)
    for metric in (
        lambda y, q: forecast.weighted_quantile_loss(y, q, LEVELS),
        lambda y, q: forecast.scaled_quantile_loss(y, q, LEVELS, scale),
        lambda y, q: forecast.mase(y, q[..., MEDIAN], scale),
        lambda y, q: forecast.msis(y, q[..., LOW], q[..., HIGH], 0.2, scale),
        lambda y, q: forecast.coverage(y, q[..., LOW], q[..., HIGH]),
        lambda y, q: forecast.bias(y, q[..., MEDIAN]),
        lambda y, q: forecast.known_mean(forecast.pit_cdf(y, q, LEVELS), axis=(0, 1)),
    ):
        assert metric(holed, wider) == pytest.approx(metric(outcome, quantiles))


def test_what_rests_on_nothing_is_undefined():
    nothing, quantiles = np.full((1, 2), np.nan), np.zeros((1, 2, 11))
    assert np.isnan(forecast.weighted_quantile_loss(nothing, quantiles, LEVELS))
    assert np.isnan(forecast.mase(nothing, quantiles[..., MEDIAN], np.ones(1)))
    assert np.isnan(forecast.coverage(nothing, quantiles[..., LOW], quantiles[..., HIGH]))
    assert np.isnan(forecast.seasonal_scale([[1.0, 2.0, 3.0]], 4)), "no two values a season apart"
    assert np.isnan(forecast.weighted_quantile_loss([0.0], [[1.0] * 11], LEVELS)), "a share of nothing"


def test_a_constant_series_has_a_floor_for_its_scale_and_is_counted():
    scale = forecast.seasonal_scale([[7.0] * 5, [1.0, 4.0, 7.0, 10.0, 13.0], [np.nan] * 5], 1)
    floored, count = forecast.floored(scale)
    assert floored[:2].tolist() == [1.0, 3.0]
    assert np.isnan(floored[2]), "no scale at all is no small scale"
    assert count == 1
    assert forecast.mase([[9.0], [9.0], [9.0]], np.full((3, 1), 6.0), floored) == pytest.approx((3 / 1 + 3 / 3) / 2)


@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3), min_size=1, max_size=8))
def test_crossing_quantiles_are_sorted_and_counted(rows):
    straight, count = forecast.uncrossed(rows)
    assert straight.tolist() == [sorted(row) for row in rows]
    assert count == sum(row != sorted(row) for row in rows)
    levels = np.array([0.1, 0.5, 0.9])
    outcome = np.zeros(len(rows))
    before = forecast.quantile_loss(outcome, np.array(rows, float), levels)
    assert (forecast.quantile_loss(outcome, straight, levels) <= before + 1e-12).all(), "sorting never costs"


def test_pit_of_a_calibrated_forecast_is_uniform_and_of_others_is_not():
    special = pytest.importorskip("scipy.special")
    outcome = np.random.default_rng(0).normal(size=40_000)
    quantiles = np.tile(special.ndtri(LEVELS), (len(outcome), 1))

    def deviation(given):
        return float(forecast.pit_deviation(forecast.pit_cdf(outcome, given, LEVELS).mean(axis=0), LEVELS))

    assert deviation(quantiles) < 0.005
    assert deviation(quantiles + 10) == pytest.approx((1 - LEVELS).mean()), "all outcomes under all quantiles"
    narrow = np.abs(special.ndtr(special.ndtri(LEVELS) / 2) - LEVELS).mean()
    assert deviation(quantiles / 2) == pytest.approx(narrow, abs=0.005)


def test_pit_of_outcomes_that_equal_quantiles_is_spread_evenly():
    levels = np.array([0.25, 0.5, 0.75])
    sure = forecast.pit_cdf([3.0], [[3.0, 3.0, 3.0]], levels)
    assert sure[0] == pytest.approx(levels), "sure and right is calibrated"
    assert forecast.pit_cdf([3.0], [[1.0, 3.0, 3.0]], levels)[0] == pytest.approx([0, 1 / 3, 2 / 3])
    assert forecast.pit_cdf([3.0], [[1.0, 2.0, 5.0]], levels)[0] == pytest.approx([0, 0, 1])
    zeros = np.random.default_rng(1).random(20_000) < 0.6
    outcome = np.where(zeros, 0.0, np.random.default_rng(2).random(20_000))
    mixture = np.tile([0.0, 0.0, (0.75 - 0.6) / 0.4], (20_000, 1))
    off = forecast.pit_deviation(forecast.pit_cdf(outcome, mixture, levels).mean(axis=0), levels)
    # That the atom at 0 ends at 0.6 no quantile says: spread up to 0.75, it adds 0.2 at 0.25 and 0.4 at 0.5.
    assert off == pytest.approx((0.05 + 0.1 + 0) / 3, abs=0.01)
