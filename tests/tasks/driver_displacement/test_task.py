"""The task as the suite meets it."""

import numpy as np
import pytest

from fourfold.leaderboard.ranking import mean_intervals
from fourfold.suite.method import Budget
from fourfold.suite.protocol import COST, PRIVACY
from fourfold.suite.task import Draw
from fourfold.tasks.driver_displacement import DriverDisplacement
from fourfold.tasks.driver_displacement.naive import naive, reference

DRAW = Draw(b"0123456789abcdef", "driver-displacement", "simulated", 0)
DECLARED = {"pretrained": "no"}


def test_what_it_shows_it_or_the_suite_measures():
    measured = {metric.name for metric in (*DriverDisplacement.metrics, *PRIVACY, *COST)}
    assert set(DriverDisplacement.shown) <= measured
    assert DriverDisplacement.shown[0] == DriverDisplacement.headline
    assert DriverDisplacement.embedded in DriverDisplacement.datasets
    assert all(dataset.task == DriverDisplacement.name for dataset in DriverDisplacement.datasets.values())


def test_no_size_of_a_gap_and_no_worst_group_averages_out_over_seeds():
    """Ten seeds of a true gap of 0 have a mean size well above it, and an interval that narrows is beside 0."""
    pushed = {metric.name for metric in DriverDisplacement.metrics if not metric.averages}
    sizes = {"coverage_error", "pit_deviation", "loss_gap", "coverage_gap", "under_forecast_gap"}
    assert pushed == sizes | {"worst_group_loss", "worst_group_npv"}
    size = np.abs(np.random.default_rng(0).normal(size=(500, 10)))
    _, low, high = mean_intervals(size, np.maximum(size - 1.96, 0), size + 1.96, np.zeros(500, bool))
    assert np.mean((low <= 0) & (high >= 0)) > 0.95


def test_the_references_own_forecasts_are_worth_one(tmp_path):
    task = DriverDisplacement()
    problem = task.draw(task.load("simulated", tmp_path), DRAW, DECLARED, small=True)
    answers = [None, *(reference(window) for window in problem.answers.hidden["windows"])]
    scored = task.score(problem, answers, DECLARED, Budget(), DRAW)
    values = {(score.metric, score.group): score.value for score in scored.scores}
    assert values["relative_loss", ""] == pytest.approx(1)
    assert values["windows_failed", ""] == 0
    assert scored.membership.shape == scored.coin.shape
    assert {score.metric for score in scored.scores} <= {metric.name for metric in task.metrics}


def test_a_forecast_that_knows_the_recorded_stock_gives_its_canaries_away(tmp_path):
    task = DriverDisplacement()
    problem = task.draw(task.load("simulated", tmp_path), DRAW, DECLARED, small=True)
    train = problem.asks[0].give
    answers = [None]
    for ask in problem.asks[1:]:
        out = (train.world == ask.give.world) & (train.returned < 0)
        stock = np.bincount(train.place[out], minlength=len(train.series)) / train.recorded
        answers.append(np.broadcast_to(stock[:, None, None, None], ask.want.shape))
    scored = task.score(problem, answers, DECLARED, Budget(), DRAW)
    assert 0 < scored.coin.sum() < len(scored.coin)
    assert scored.membership[scored.coin].min() > scored.membership[~scored.coin].max()


@pytest.mark.data
@pytest.mark.parametrize(("name", "wql", "mase", "coverage"), [
    # The notes' Naive has .075 and .488 on nyc-tlc: it saw the last month of the classes that are published late.
    ("nyc-tlc", 0.0775, 0.496, 0.829), ("us-states", 0.071, 1.467, 0.784),
])
def test_of_real_data_naive_scores_what_it_does(cache, name, wql, mase, coverage):
    task, draw = DriverDisplacement(), Draw(b"0123456789abcdef", "driver-displacement", name, 0)
    problem = task.draw(task.load(name, cache), draw, DECLARED)
    answers = [None, *(naive(ask.give.headcount, ask.give.horizon)[:, None] for ask in problem.asks[1:])]
    scored = task.score(problem, answers, DECLARED, Budget(), draw)
    group = "era=before" if name == "nyc-tlc" else ""
    values = {score.metric: score.value for score in scored.scores if score.group == group}
    assert values["relative_loss"] == pytest.approx(1)
    found = [values[metric] for metric in ("wql", "mase", "coverage_80")]
    assert found == pytest.approx([wql, mase, coverage], abs=1e-3)


@pytest.mark.filterwarnings("error")
def test_the_largest_forecasts_that_are_allowed_are_scored(tmp_path):
    task = DriverDisplacement()
    problem = task.draw(task.load("simulated", tmp_path), DRAW, DECLARED, small=True)
    wide = [np.broadcast_to(ask.want.high, ask.want.shape).copy() for ask in problem.asks[1:]]
    for answer, ask in zip(wide, problem.asks[1:], strict=True):
        answer[..., :5] = np.broadcast_to(ask.want.low, ask.want.shape)[..., :5]
    scored = task.score(problem, [None, *wide], DECLARED, Budget(), DRAW)
    assert all(np.isfinite(score.value) for score in scored.scores if score.value is not None)
    values = {(score.metric, score.group): score.value for score in scored.scores}
    assert values["relative_loss", ""] > 10
    assert values["windows_failed", ""] == 0
