"""The best method known to us: what its parts must do on data whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold.baselines.driver_displacement.ours import Ours, numerous
from fourfold.baselines.driver_displacement.ours_combined import calibrated, pinball, weights
from fourfold.baselines.driver_displacement.ours_displaced import Past, Windows, curves, least_absolute
from fourfold.baselines.driver_displacement.ours_headcount import forecast, usual_season
from fourfold.baselines.driver_displacement.ours_recalibrated import cells
from fourfold.suite import Budget
from fourfold.tasks.driver_displacement.naive import naive
from fourfold.tasks.driver_displacement.panel import QUANTILES
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Query, Train

LEVELS = np.array(QUANTILES)
MEDIAN = QUANTILES.index(0.5)
NONE = np.array([""])


def regressed(seen: np.ndarray, noise: np.ndarray, kind: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The regression alone, calibrated."""
    cell = cells(kind, np.zeros(len(kind)))
    return calibrated(seen, [lambda end: forecast(seen[:, :end], noise[:, :end], kind, horizon, season, LEVELS)], cell,
                      season, LEVELS)


def asked(headcount: np.ndarray, series: tuple[str, ...], moe: np.ndarray) -> Query:
    """Head-counts of a year each, with margins of error, to be forecast three years ahead."""
    periods = headcount.shape[1]
    return Query(
        series=series, periods=tuple(map(str, range(periods + 3))), season=1, headcount=headcount, past=moe[None],
        past_names=("moe",), known=np.empty((0, len(series), periods + 3)), known_names=(),
        static=np.empty((len(series), 0)), static_names=(), quantiles=LEVELS, targets=("headcount",), horizon=3,
        label_lag=LABEL_LAG, world=-1)


def test_a_usual_season_is_that_of_past_years_without_their_trend():
    months = np.arange(60)
    level = (1000.0 + 5 * months + 100 * (months % 12 == 0))[None]
    shrunk = 4 / 4.5  # four past years against half a one without a season
    found = usual_season(level, 12, 12)[0, -1]
    assert found == pytest.approx(np.array([100.0] + [0.0] * 11) * shrunk, abs=1e-9)


def test_head_counts_follow_trend_and_season():
    months = np.arange(96)
    truth = 5000.0 + 20 * np.arange(108) + 300 * np.sin(2 * np.pi * np.arange(108) / 12)
    seen = (truth[:96] + np.random.default_rng(0).normal(0, 5, 96))[None]
    made = regressed(seen, np.sqrt(seen), NONE, 12, 12)[0]
    error = np.abs(made[:, MEDIAN] - truth[96:]).mean()
    assert error < 0.4 * np.abs(truth[months[-1]] - truth[96:]).mean()
    assert (np.diff(made, axis=1) >= 0).all()


@pytest.mark.parametrize("total", [
    [1.0, 1.03, 0.97, 1.02, 1.05, 1.01, 0.98, 1.03, 1.0, 1.0, 1.0, 1.0],
    [1.0, 1.1, 1.2, 1.3, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4],
])
def test_noise_is_smoothed_out_of_shares_and_not_out_of_their_total(total):
    rng = np.random.default_rng(1)
    truth = rng.uniform(200, 5000, 60)[:, None] * total
    noise = 0.1 * truth
    seen = np.maximum(truth + rng.normal(size=truth.shape) * noise, 1)[:, :9]
    query = asked(seen, tuple(f"{place} truck" for place in range(60)), 1.645 * noise[:, :9])
    ours = Ours(Budget()).predict(query)[:, 0, :, MEDIAN]
    last = naive(seen, 3)[:, :, MEDIAN]
    assert np.abs(ours - truth[:, 9:]).sum() < 0.7 * np.abs(last - truth[:, 9:]).sum()


def test_intervals_cover_what_they_say_on_random_walks():
    rng = np.random.default_rng(2)
    walk = 10_000 + np.cumsum(rng.normal(0, 50, (40, 72)), axis=1)
    made = regressed(walk[:, :60], np.sqrt(walk[:, :60]), np.full(40, ""), 12, 12)
    covered = (walk[:, 60:] >= made[..., 1]) & (walk[:, 60:] <= made[..., -2])
    assert 0.7 < covered.mean() < 0.9


def test_the_pinball_loss_is_the_absolute_error_where_all_quantiles_are_one_value():
    truth = np.array([[3.0, np.nan], [np.nan, np.nan]])
    made = np.full((1, 2, 2, len(LEVELS)), 1.0)
    assert pinball(truth, made, LEVELS)[0, 0] == pytest.approx(2 * LEVELS.mean())
    assert np.isnan(pinball(truth, made, LEVELS)[0, 1])


def test_a_candidate_that_lost_less_weighs_more_and_the_first_most_where_nothing_is_known():
    unknown = np.full((1, 3, 1), np.nan)
    assert weights(unknown)[:, 0] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    losses = np.array([[2.0, 1.0, 3.0]] * 8)[:, :, None]
    assert weights(losses)[1, 0] > 0.99
    assert weights(1000 * losses) == pytest.approx(weights(losses))
    assert weights(np.ones((8, 3, 1)))[:, 0] == pytest.approx([4 / 6, 1 / 6, 1 / 6])


def test_the_latest_losses_count_most():
    losses = np.ones((8, 2, 1))
    losses[:4, 0], losses[4:, 1] = 2.0, 2.0
    assert weights(losses)[1, 0] > 0.5 > weights(losses[::-1])[1, 0]


def test_each_series_is_forecast_by_the_candidate_that_suits_it():
    truth = np.stack([np.full(60, 100.0), 100 + 5.0 * np.arange(60)])
    spread = np.linspace(-1, 1, len(LEVELS))

    def held(end: int) -> np.ndarray:
        return np.repeat(truth[:, end - 1, None], 4, axis=1)[..., None] + spread

    def rising(end: int) -> np.ndarray:
        return held(end) + 5.0 * np.arange(1, 5)[:, None]

    made = calibrated(truth[:, :56], [held, rising], np.arange(2), 4, LEVELS)
    assert made[..., MEDIAN] == pytest.approx(truth[:, 56:], abs=0.1)


def test_nothing_published_is_forecast_as_nothing_and_late_series_from_their_last_value():
    seen = np.full((3, 30), 500.0)
    seen[0], seen[1, -1] = np.nan, np.nan
    made = regressed(seen, np.ones(seen.shape), np.full(3, ""), 4, 4)
    assert np.isfinite(made).all()
    assert made[0] == pytest.approx(0)
    assert made[1, :, MEDIAN] == pytest.approx(500, rel=1e-3)


def test_a_forecast_knows_nothing_of_what_comes_after_its_origin():
    rng = np.random.default_rng(3)
    walk = 1000 + np.cumsum(rng.normal(0, 20, (6, 50)), axis=1)
    part = [forecast(each[:, :40], np.ones((6, 40)), np.full(6, ""), 4, 4, LEVELS) for each in (walk, walk * 1.0)]
    changed = walk.copy()
    changed[:, 39] *= 1.2
    moved = forecast(changed[:, :40], np.ones((6, 40)), np.full(6, ""), 4, 4, LEVELS)
    assert (part[0] == part[1]).all()
    assert (moved[:, 0, MEDIAN] > part[0][:, 0, MEDIAN]).all()


def early_and_late() -> Past:
    """Eight states of which half launch ten quarters after the others and lose the same share at the same age."""
    quarters = np.arange(49)
    launch = np.repeat([10, 20], 4)[:, None]
    age = np.maximum(quarters - launch + 1, 0)
    share = 0.01 * age
    jobs = np.full((8, 41), 1000.0)
    lost = 1000 * share[:, :37]
    return Past(lost, jobs - 1000 * share[:, :41], share[:, :41], age, np.array(list("abcdefgh")), np.full(8, "taxi"))


def test_the_curve_of_an_occupation_is_the_share_lost_at_each_age():
    found = curves(early_and_late())
    reached = 37 - 10
    per_age = 0.01 * 1000 / early_and_late().jobs
    assert found[:, 1] == pytest.approx(per_age.mean(), rel=0.1)
    assert np.diff(found[0, 1:reached]) == pytest.approx(found[0, 2] - found[0, 1], rel=0.2)
    assert found[0, -1] > found[0, reached]  # it goes on where no state has been yet


def test_least_absolute_deviations_ignore_a_wild_world():
    rng = np.random.default_rng(4)
    effect = rng.normal(size=(400, 1, 2))
    lost = effect @ np.array([2.0, -1.0])
    lost[:20] += 100 * effect[:20].sum(axis=2)
    windows = Windows(effect, np.full((400, 1), 0.1), lost, np.ones(400), np.zeros(400, np.int64))
    squares = np.linalg.lstsq(effect[:, 0], lost[:, 0])[0]
    off = [np.abs(each - [2, -1]).max() for each in (least_absolute(windows)[0], squares)]
    assert off[0] < 0.5 * off[1]


def worlds(rng: np.random.Generator, count: int = 4) -> tuple[Train, list[Query], np.ndarray]:
    """Public worlds of 40 series over 60 quarters, and one to be forecast from quarter 39, at rates of their own."""
    n, periods, h, origin = 40, 60, 8, 39
    series = tuple(f"{state:02} {kind}" for state in range(10) for kind in ("heavy", "light", "taxi", "bus"))
    quarter, launch = np.arange(periods), np.repeat(rng.integers(8, 16, 10), 4)
    age = np.tile(np.maximum(quarter - launch[:, None] + 1, 0), (count + 1, 1, 1)).astype(float)
    rate = rng.uniform(0.04, 0.12, count + 1)[:, None, None]
    adoption = 1 - np.exp(-((rate * age / 4) ** 2))
    lost = np.rint(4000 * 0.5 * adoption)
    known = np.stack([age, np.broadcast_to(quarter % 4 + 1.0, age.shape)], axis=1)
    noisy = (adoption * np.exp(rng.normal(0, 0.05, adoption.shape)))[:, None]
    m = np.nonzero(np.diff(lost[-1, :, : origin + 1 - LABEL_LAG], axis=1, prepend=0))
    times = np.diff(lost[-1, :, : origin + 1 - LABEL_LAG], axis=1, prepend=0)[m].astype(int)
    place, when = (np.repeat(each, times).astype(np.int16) for each in m)
    nobody = np.zeros(len(place), np.int8)
    both = dict(series=series, season=4, past_names=("adoption",), known_names=("launched", "quarter"),
                static=np.empty((n, 0)), static_names=(), quantiles=LEVELS, targets=("headcount", "displaced"),
                horizon=h, label_lag=LABEL_LAG)
    train = Train(
        **both, periods=tuple(map(str, quarter)), headcount=4000 - lost[:-1], displaced=lost[:-1], past=noisy[:-1],
        known=known[:-1], recorded=1.0, world=np.zeros(len(place), np.int16), place=place, lost=when,
        returned=np.full(len(place), -1, np.int16), sex=nobody, minority=nobody, age=nobody, n=len(place), private=())
    query = Query(
        **both, periods=tuple(map(str, quarter[: origin + 1 + h])), headcount=4000 - lost[-1, :, : origin + 1],
        past=noisy[-1, :, :, : origin + 1], known=known[-1, :, :, : origin + 1 + h], world=0)
    return train, [query], lost[-1, :, origin + 1 : origin + 1 + h]


def test_it_forecasts_losses_of_a_hidden_world_far_better_than_that_they_stay():
    train, (query,), outcome = worlds(np.random.default_rng(5))
    method = Ours(Budget())
    method.fit(train, Budget())
    made = method.predict(query)
    assert made.shape == (40, 2, 8, 11)
    assert np.isfinite(made).all()
    assert (made[:, 0] >= 0).all()
    assert (np.diff(made, axis=-1) >= 0).all()
    known = np.bincount(train.place, minlength=40)[:, None]
    assert np.abs(made[:, 1, :, MEDIAN] - outcome).mean() < 0.3 * np.abs(known - outcome).mean()
    again = Ours(Budget())
    again.fit(train, Budget())
    assert (again.predict(query) == made).all()


def test_adoption_since_the_last_label_moves_the_forecast():
    train, (query,), _ = worlds(np.random.default_rng(6))
    method = Ours(Budget())
    method.fit(train, Budget())
    stopped = query.past.copy()
    stopped[:, :, -LABEL_LAG:] = stopped[:, :, -LABEL_LAG - 1 : -LABEL_LAG]
    slower = method.predict(replace(query, past=stopped))[:, 1, :, MEDIAN].sum()
    assert slower < method.predict(query)[:, 1, :, MEDIAN].sum()


def test_series_with_few_of_their_kind_are_forecast_by_smoothing_and_naive_too():
    _, (query,), _ = worlds(np.random.default_rng(7))
    few = replace(query, series=tuple(f"class{place}" for place in range(3)), headcount=query.headcount[:3])
    alone = Ours(Budget()).candidates(few, np.full(3, ""))
    assert [candidate(40).shape for candidate in alone] == [(3, 8, 11)] * 3
    assert alone[2](30) == pytest.approx(naive(few.headcount[:, :30], 8))
    assert len(Ours(Budget()).candidates(query, numerous(np.repeat("taxi", 40)))) == 1
