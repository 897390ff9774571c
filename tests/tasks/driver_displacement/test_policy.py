from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fourfold.suite.task import Score
from fourfold.tasks.driver_displacement import reemployment
from fourfold.tasks.driver_displacement.measures import POLICY
from fourfold.tasks.driver_displacement.panel import QUANTILES, Panel
from fourfold.tasks.driver_displacement.policy import PLACES_SHARE, policy_scores
from fourfold.tasks.driver_displacement.simulator import World
from fourfold.tasks.driver_displacement.window import Window
from fourfold.tasks.driver_displacement.workers import Workers
from fourfold.tasks.driver_displacement.worlds import hidden_windows

ORIGIN, HORIZON, PERIODS = 5, 2, 9


def scores(windows: list[Window], forecasts: list[Any], seed: int = 0) -> dict[tuple[str, str], Score]:
    found = policy_scores(windows, forecasts, np.random.default_rng(seed))
    return {(score.metric, score.group): score for score in found}


def tiny(gains: list[list[float]], women: list[list[int]] | None = None, *, old: int = 0) -> Window:
    """Series of 100 drivers; in each, one worker for each gain, net of the cost, who lost a job at the origin.

    old: workers of the first series who lost theirs before, which the origin knows.
    """
    n = len(gains)
    place = np.repeat(np.arange(n), [len(each) for each in gains])
    place, known = np.concatenate([np.zeros(old, int), place]), np.arange(len(place) + old) < old
    m, net = len(place), np.concatenate([np.zeros(old), *gains])
    lost = np.where(known, 1, ORIGIN)
    displaced = np.array([[((place == i) & (lost <= t)).sum() for t in range(PERIODS)] for i in range(n)], float)
    sex = np.concatenate([np.zeros(old, int), *(women or [[0] * len(each) for each in gains])])
    earnings = np.stack([np.full(m, 100_000.0), 100_000 + net + reemployment.COST])
    workers = Workers(
        place.astype(np.int16), lost.astype(np.int16), np.full(m, -1, np.int16), np.full(m, True), sex.astype(np.int8),
        np.zeros(m, np.int8), np.full(m, 40, np.int8), np.full(m, 40_000, np.float32),
        np.stack([np.full(m, 60.0), np.full(m, 20.0)]), earnings, np.stack([np.full(m, 3_000.0), np.full(m, 4_000.0)]),
        np.stack([np.full(m, 0.8), np.full(m, 0.9)]),
    )  # fmt: skip
    groups = {
        "occupation": np.array([f"kind{i}" for i in range(n)]),
        "minority": np.where(np.arange(n) == 0, "high", "low"),
        "income": np.full(n, "middle"),
    }
    headcount = np.full((n, PERIODS), 100.0)
    names, quarters = tuple("abcd"[:n]), tuple(map(str, range(PERIODS)))
    panel = Panel(names, quarters, 4, headcount, displaced, {}, {}, {}, groups)
    seen = replace(panel, periods=quarters[: ORIGIN + 1], headcount=headcount[:, : ORIGIN + 1], displaced=None)
    world = World(panel, "bass", "slow", headcount, 0 * headcount, 0 * headcount, workers)
    return Window(seen, panel, ORIGIN, HORIZON, world=world)


def sure(window: Window, newly: list[float]) -> np.ndarray:
    """A forecast, in every quantile, of so many jobs lost since the last label."""
    last = np.asarray(window.truth.displaced)[:, ORIGIN - 4] + np.array(newly)
    return np.broadcast_to(last[:, None, None], (len(newly), HORIZON, len(QUANTILES))).copy()


def test_the_truth_has_no_regret_and_its_reward_is_known():
    """20 newly displaced, 6 places, 6 sure workers of $3,000 each in the second series."""
    window = tiny([[1_000.0] * 14, [3_000.0] * 6])
    found = scores([window], [sure(window, [14, 6])])
    assert found["regret", ""].value == pytest.approx(0)
    assert found["npv_per_place", ""].value == pytest.approx(3_000)
    assert found["reemployed_26w", ""].value == pytest.approx(6 / 20)
    assert found["reemployed_52w", ""].value == pytest.approx(6 / 20)
    assert found["earnings_kept_5y", ""].value == pytest.approx(0.8 + 0.1 * 6 / 20)
    assert found["unemployment_insurance", ""].value == pytest.approx(3_000 + 1_000 * 6 / 20)
    assert found["seed_gain", ""].value == pytest.approx(reemployment.COURSE * (0.9 - 1) * 40_000)
    assert found["regret", ""].n == 20


def test_regret_is_the_share_of_the_gain_that_is_lost():
    """All six places go where a worker gains $1,000 and not $3,000."""
    window = tiny([[1_000.0] * 14, [3_000.0] * 6])
    found = scores([window], [sure(window, [14, 0])])
    assert found["regret", ""].value == pytest.approx(1 - 6 / 18)
    assert found["npv_per_place", ""].value == pytest.approx(1_000)


def test_a_place_for_nobody_is_lost():
    """Six places where one worker needs one."""
    window = tiny([[1_000.0] * 19, [3_000.0]])
    found = scores([window], [sure(window, [0, 6])])
    assert found["regret", ""].value == pytest.approx(1 - 3 / (3 + 5))
    assert found["npv_per_place", ""].value == pytest.approx(3_000 / 6)


def test_where_nobody_loses_a_job_a_false_alarm_costs_places_too():
    """Six places where nobody needs one, by a forecast and by head-count; a worker gains $1,600 on average."""
    window = tiny([[1_000.0] * 14, [3_000.0] * 6, []])
    assert scores([window], [sure(window, [14, 6, 0])])["regret", ""].value == pytest.approx(0)
    alarm = scores([window], [sure(window, [14, 0, 6])])
    assert alarm["regret", ""].value == pytest.approx(1)
    assert alarm["npv_per_place", ""].value == 0
    assert scores([window], [None])["regret", ""].value == pytest.approx(1 - (2 + 6) / 18)


def test_only_what_is_new_since_the_last_label_is_forecast_and_trained():
    window = tiny([[1_000.0] * 14, [3_000.0] * 6], old=50)
    assert np.asarray(window.truth.displaced)[0, ORIGIN - 4] == 50
    found = scores([window], [sure(window, [14, 6])])
    assert (found["regret", ""].value, found["regret", ""].n) == (pytest.approx(0), 20)


def test_who_drives_again_needs_no_place():
    window = tiny([[1_000.0] * 10, [3_000.0] * 10])
    assert isinstance(window.world, World)
    workers = window.world.workers
    back = np.where(np.arange(20) < 5, 7, -1).astype(np.int16)
    window = replace(window, world=replace(window.world, workers=replace(workers, returned=back)))
    assert scores([window], [None])["regret", ""].n == 15


def test_a_failure_and_a_forecast_of_nothing_share_places_by_head_count():
    window = tiny([[1_000.0] * 14, [3_000.0] * 6])
    failed, nothing = scores([window], [None]), scores([window], [sure(window, [0, 0])])
    assert failed["regret", ""].value == nothing["regret", ""].value == pytest.approx(1 - (3 + 9) / 18)


def test_groups_get_places_and_what_these_are_worth():
    """All six places to the second series, which is half women, of whom each gains $1,000 and each man $5,000."""
    window = tiny([[1_000.0] * 14, [1_000.0, 5_000.0] * 3], women=[[0] * 14, [1, 0] * 3])
    found = scores([window], [sure(window, [14, 6])])
    assert found["places_share", "minority=low"].value == pytest.approx(1 / (6 / 20))
    assert found["places_share", "minority=high"].value == 0
    assert found["places_share", "sex=female"].value == pytest.approx((3 / 6) / (3 / 20))
    assert found["places_share", "sex=male"].value == pytest.approx((3 / 6) / (17 / 20))
    assert found["places_share", "income=middle"].value == pytest.approx(1)
    assert found["npv_per_worker", "occupation=kind1"].value == pytest.approx(3_000)
    assert found["npv_per_worker", "sex=female"].value == pytest.approx(1_000)
    assert found["npv_per_worker", "sex=male"].value == pytest.approx(5_000 * 3 / 17)
    assert found["worst_group_npv", ""].value == 0
    assert found["no_group_worse", ""].value == 1


def test_the_gate_shuts_where_a_group_loses():
    window = tiny([[1_000.0] * 14, [-2_000.0, 8_000.0] * 3], women=[[0] * 14, [1, 0] * 3])
    found = scores([window], [sure(window, [14, 6])])
    assert found["worst_group_npv", ""].value == pytest.approx(-2_000)
    assert found["no_group_worse", ""].value == 0


def test_windows_count_alike_and_their_interval_is_over_worlds():
    rich, poor = tiny([[1_000.0] * 14, [3_000.0] * 6]), tiny([[1_000.0] * 140, [3_000.0] * 60])
    found = scores([rich, poor], [sure(rich, [14, 6]), sure(poor, [140, 0])])["regret", ""]
    assert found.value == pytest.approx((0 + 2 / 3) / 2)
    reach = np.sqrt(2) * 12.7062 / 1.95996 / 3  # Of two worlds, one may be drawn twice: stretched as Student's t is.
    assert (found.low, found.high) == (pytest.approx(1 / 3 - reach, abs=1e-4), pytest.approx(1 / 3 + reach, abs=1e-4))
    assert found.replicates is not None
    assert sorted(set(found.replicates.round(2).tolist())) == pytest.approx([found.low, 1 / 3, found.high], abs=0.01)


def test_what_is_not_scored_or_not_simulated_counts_for_nothing():
    window = tiny([[1_000.0] * 14, [3_000.0] * 6])
    shown, real, idle = replace(window, scored=False), replace(window, world=None), tiny([[], []])
    assert policy_scores([shown, real, idle], [None] * 3, np.random.default_rng(0)) == []
    alone = scores([window], [sure(window, [14, 0])])["regret", ""].value
    forecasts = [sure(window, [14, 0]), None, None, None]
    assert scores([window, shown, real, idle], forecasts)["regret", ""].value == alone


def test_one_forecast_a_window():
    window = tiny([[1_000.0] * 14, [3_000.0] * 6])
    with pytest.raises(ValueError, match="shorter"):
        policy_scores([window, window], [None], np.random.default_rng(0))


@pytest.fixture(scope="module")
def hidden() -> list[Window]:
    return list(hidden_windows(np.random.default_rng(11), 5))


def blurred(window: Window, error: float) -> np.ndarray:
    """The truth, each series off by a factor of its own of this size, and an honest spread around it."""
    displaced, first = np.asarray(window.truth.displaced), window.origin + 1
    last = displaced[:, window.origin - 4]
    truth = displaced[:, first : first + window.horizon] - last[:, None]
    factor = np.exp(error * np.random.default_rng(3).normal(size=(len(last), 1, 1)))
    spread = np.exp(error * np.linspace(-1.645, 1.645, len(QUANTILES)))
    return last[:, None, None] + truth[..., None] * factor * spread


def test_better_forecasts_have_less_regret(hidden):
    """In simulated worlds, with the same resampling for each forecast."""
    table = [scores(hidden, [blurred(window, error) for window in hidden]) for error in (0.0, 0.3, 1.0)]
    table.append(scores(hidden, [None] * len(hidden)))
    regret = [found["regret", ""].value for found in table]
    assert regret == sorted(regret)
    assert regret[0] < 0.05
    assert regret[-1] > 0.2
    reward = [found["npv_per_place", ""].value for found in table]
    assert reward == sorted(reward, reverse=True)
    paired = [found["regret", ""].replicates for found in table]
    assert (paired[0] < paired[-1]).all()
    assert all(found["seed_gain", ""].value < 0 for found in table)  # No new job pays as the old one did.


def test_crossed_quantiles_are_put_in_order(hidden):
    forecasts = [blurred(window, 0.3) for window in hidden]
    backwards = [forecast[..., ::-1] for forecast in forecasts]
    assert scores(hidden, backwards)["regret", ""].value == scores(hidden, forecasts)["regret", ""].value


def test_every_score_is_of_a_metric_that_is_described(hidden):
    names = [metric.name for metric in POLICY]
    assert len(set(names)) == len(names)
    assert {metric.family for metric in POLICY} == {"accuracy", "fairness"}
    assert next(metric for metric in POLICY if metric.name == "seed_gain").better == "none"
    found = scores(hidden, [blurred(window, 0.3) for window in hidden])
    assert {metric for metric, _ in found} == set(names)
    groups = {group for metric, group in found if metric == "places_share"}
    assert {"minority=high", "income=low", "occupation=taxi", "sex=female"} < groups
    for (name, _), score in found.items():
        described = next(metric for metric in POLICY if metric.name == name)
        if score.value is not None:
            assert described.low is None or score.value >= described.low, name
            assert described.high is None or score.value <= described.high, name


def test_what_the_board_says_of_the_stakes_is_what_is_counted():
    told = {metric.name: metric.doc for metric in POLICY}
    assert f"{PLACES_SHARE * 100:.0f} % of the newly displaced" in told["regret"]
    years, rate, cost = reemployment.HORIZON, reemployment.DISCOUNT * 100, reemployment.COST
    assert f"over {years:.0f} years at {rate:.0f} %" in told["npv_per_place"]
    assert f"${cost:,.0f} for each place" in told["npv_per_place"]
