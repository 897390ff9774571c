"""Scores of known answers: worked out by hand; failure costs what the references do, and foresight shows."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold.suite.task import Draw
from fourfold.tasks.driver_displacement import policy, reemployment
from fourfold.tasks.driver_displacement.measures import METRICS
from fourfold.tasks.driver_displacement.naive import reference, seasonal_reference
from fourfold.tasks.driver_displacement.origins import until
from fourfold.tasks.driver_displacement.panel import QUANTILES, Panel
from fourfold.tasks.driver_displacement.problem import draw
from fourfold.tasks.driver_displacement.resampling import KEPT
from fourfold.tasks.driver_displacement.scoring import score
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Window
from fourfold.tasks.driver_displacement.worlds import PublicWorlds

DRAW = Draw(b"0123456789abcdef", "driver-displacement", "made", 1)
LEVELS = np.array(QUANTILES)
N, PERIODS, HORIZON = 24, 60, 4


def made(seed, origin=39, *, displaced=True, era="", world=None):
    """A window of 24 series, four a state: head-counts walk, displacement grows."""
    rng = np.random.default_rng(seed)
    head = np.maximum(2000 + rng.normal(0, 40, (N, PERIODS)).cumsum(axis=1), 0)
    lost = rng.gamma(0.5, 8, (N, PERIODS)).cumsum(axis=1)
    state = np.repeat(["AA", "BB", "CC", "DD", "EE", "FF"], 4)
    truth = Panel(
        series=tuple(f"{name} {row % 4}" for row, name in enumerate(state)),
        periods=tuple(str(period) for period in range(PERIODS)),
        season=4,
        headcount=head,
        displaced=lost if displaced else None,
        past={},
        known={},
        static={"women_share": np.tile([0.1, 0.2, 0.3, 0.6], 6)},
        groups={"state": state, "minority": np.repeat(["high", "low", "middle"], 8)},
    )
    end = origin + 1
    labels = np.where(np.arange(end) > origin - LABEL_LAG, np.nan, lost[:, :end]) if displaced else None
    seen = replace(truth, periods=truth.periods[:end], headcount=head[:, :end], displaced=labels)
    return Window(seen, truth, origin, HORIZON, era, world=object() if world is None and displaced else world)


def outcomes(window):
    """What a forecast of the window is to hit, (n, targets, h)."""
    ahead = slice(window.origin + 1, window.origin + 1 + window.horizon)
    tables = [window.truth.headcount, window.truth.displaced]
    return np.stack([table[:, ahead] for table in tables if table is not None], axis=1)


def oracle(window):
    return np.repeat(outcomes(window)[..., None], len(LEVELS), axis=-1)


def guess(window, seed=0):
    """The outcome, blurred, with quantiles of a fair width."""
    rng = np.random.default_rng(seed)
    centre = outcomes(window) + rng.normal(0, 10, outcomes(window).shape)
    return centre[..., None] + 20 * (LEVELS - 0.5)


def scored(windows, answers, canary=()):
    hidden = {
        "windows": tuple(windows),
        "coin": np.zeros(len(canary), bool),
        "canary": np.array(canary, np.int64).reshape(-1, 2),
    }
    return score(hidden, [None, *answers], DRAW)


def table(windows, answers):
    return {(score.metric, score.group): score for score in scored(windows, answers).scores}


@pytest.fixture(scope="module")
def windows():
    return [made(seed, origin) for seed, origin in enumerate((31, 35, 39, 43, 47, 51))]


def loss(outcome, quantiles):
    """Twice the mean pinball loss over the deciles, written out."""
    total = 0.0
    for level, forecast in zip(LEVELS[1:-1], np.moveaxis(quantiles[..., 1:-1], -1, 0), strict=True):
        total = total + np.where(outcome >= forecast, level * (outcome - forecast), (1 - level) * (forecast - outcome))
    return 2 * total / 9


def ratios(windows, answers, target, rows=slice(None), steps=slice(None), of=reference):
    """The relative loss in each window, written out."""
    found = []
    for window, answer in zip(windows, answers, strict=True):
        y = outcomes(window)[rows, target, steps]
        ours, theirs = (loss(y, each[rows, target, steps]).sum() for each in (answer, of(window)))
        found.append(ours / theirs)
    return np.array(found)


def geometric(values):
    return pytest.approx(np.exp(np.log(values).mean()))


def test_the_references_are_worth_one_and_the_truth_the_least_there_is(windows):
    found = table(windows, [reference(window) for window in windows])
    for group in ("", "target=headcount", "target=displaced", "horizon=1", "state=CC", "minority=high", "sex=women"):
        assert found["relative_loss", group].value == 1.0
    found = table(windows, [seasonal_reference(window) for window in windows])
    assert found["relative_loss_seasonal", ""].value == 1.0
    found = table(windows, [oracle(window) for window in windows])
    assert found["relative_loss", ""].value == pytest.approx(0.01)
    for metric in ("loss_per_1000", "wql", "sql", "mase", "msis", "bias", "pit_deviation", "under_forecast_gap"):
        assert found[metric, ""].value == pytest.approx(0), metric
    assert found["coverage_80", ""].value == found["coverage_90", ""].value == 1


def test_relative_losses_are_geometric_means_over_windows(windows):
    answers = [guess(window, seed) for seed, window in enumerate(windows)]
    found = table(windows, answers)
    main, heads = 1, 0
    assert found["relative_loss", ""].value == geometric(ratios(windows, answers, main))
    assert found["relative_loss", "target=displaced"].value == found["relative_loss", ""].value
    assert found["relative_loss", "target=headcount"].value == geometric(ratios(windows, answers, heads))
    seasonal = ratios(windows, answers, main, of=seasonal_reference)
    assert found["relative_loss_seasonal", ""].value == geometric(seasonal)
    for step in (1, 2, 4):
        of_step = ratios(windows, answers, main, steps=slice(step - 1, step))
        assert found["relative_loss", f"horizon={step}"].value == geometric(of_step)
        assert found["relative_loss", f"horizon={step}"].n == N * len(windows)
    rows = windows[0].truth.groups["state"] == "BB"
    assert found["relative_loss", "state=BB"].value == geometric(ratios(windows, answers, main, rows))
    rows = windows[0].truth.groups["minority"] == "high"
    high = ratios(windows, answers, main, rows)
    assert found["relative_loss", "minority=high"].value == geometric(high)
    low = ratios(windows, answers, main, windows[0].truth.groups["minority"] == "low")
    gap = found["loss_gap", "minority=high-low"].value
    assert gap == pytest.approx(np.exp(np.log(high).mean()) - np.exp(np.log(low).mean()))
    assert found["loss_gap", ""].value == abs(gap)


def test_losses_in_their_own_unit(windows):
    answers = [guess(window, seed) for seed, window in enumerate(windows)]
    found = table(windows, answers)
    heads, lost = zip(*(np.moveaxis(outcomes(window), 1, 0) for window in windows), strict=True)
    jobs = [each.sum() + other.sum() for each, other in zip(heads, lost, strict=True)]
    losses = [loss(y, answer[:, 1]).sum() for y, answer in zip(lost, answers, strict=True)]
    assert found["loss_per_1000", ""].value == pytest.approx(np.mean(np.divide(losses, jobs)) * 1000)
    losses = [loss(y, answer[:, 0]).sum() / y.sum() for y, answer in zip(heads, answers, strict=True)]
    assert found["wql", ""].value == pytest.approx(np.mean(losses))
    none = [np.zeros_like(answer) for answer in answers]
    displaced = [y.sum() / n for y, n in zip(lost, jobs, strict=True)]
    assert table(windows, none)["loss_per_1000", ""].value == pytest.approx(np.mean(displaced) * 1000)
    median = table(windows, none)["bias", ""].value
    assert median == pytest.approx(-np.mean(displaced))


def test_a_failed_window_is_scored_as_the_references_and_counted(windows):
    answers = [guess(window, seed) for seed, window in enumerate(windows)]
    some = [None if place in (1, 4) else answer for place, answer in enumerate(answers)]
    stood_in = [reference(window) if answer is None else answer for window, answer in zip(windows, some, strict=True)]
    with_failures, with_references = table(windows, some), table(windows, stood_in)
    assert with_failures["windows_failed", ""].value == 2
    assert with_failures["windows_failed", ""].n == 6
    assert with_references["windows_failed", ""].value == 0
    for key, wanted in with_references.items():
        if key[0] not in ("windows_failed", "crossed"):
            assert (with_failures[key].value, with_failures[key].low) == (wanted.value, wanted.low), key
    assert with_failures["relative_loss", ""].value > table(windows, answers)["relative_loss", ""].value
    nothing = table(windows, [None] * len(windows))
    assert nothing["relative_loss", ""].value == 1.0
    assert nothing["windows_failed", ""].value == 6


def shifted(window, by=400.0):
    """The window with other outcomes, and all that a method may know of it as it was."""
    later = np.where(np.arange(PERIODS) > window.origin, by, 0.0)
    truth = window.truth
    return replace(window, truth=replace(truth, headcount=truth.headcount + later, displaced=truth.displaced + later))


def test_foresight_is_undone_when_the_target_is_shifted(windows):
    elsewhere = [shifted(window) for window in windows]
    foreseen, honest = [oracle(window) for window in windows], [reference(window) for window in windows]
    assert all((reference(other) == forecast).all() for other, forecast in zip(elsewhere, honest, strict=True))
    assert table(windows, foreseen)["relative_loss", ""].value == pytest.approx(0.01)
    caught = table(elsewhere, foreseen)
    assert caught["relative_loss", ""].value > 0.8
    assert caught["coverage_80", ""].value == 0
    there, here = table(elsewhere, honest), table(windows, honest)
    for metric in ("loss_per_1000", "wql", "sql", "mase", "msis", "bias"):
        assert there[metric, ""].value != here[metric, ""].value, metric


def test_crossing_quantiles_are_put_in_order_and_counted(windows):
    answers = [guess(window, seed) for seed, window in enumerate(windows)]
    crossed = [answer.copy() for answer in answers]
    crossed[2][3, 1, 0] = crossed[2][3, 1, 0, ::-1]
    crossed[5][7:9, 0, 2, [4, 5]] = crossed[5][7:9, 0, 2, [5, 4]]
    found, wanted = table(windows, crossed), table(windows, answers)
    assert found["crossed", ""].value == 3
    assert found["crossed", ""].n == 6 * N * 2 * HORIZON
    assert found["relative_loss", ""].value == wanted["relative_loss", ""].value
    assert found["sql", ""].value == wanted["sql", ""].value


def test_the_window_that_is_shown_is_not_scored(windows):
    shown = replace(made(9), scored=False)
    answers = [guess(window) for window in windows]
    with_it = table([*windows[:3], shown, *windows[3:]], [*answers[:3], None, *answers[3:]])
    without = table(windows, answers)
    assert {key: (score.value, score.low, score.n) for key, score in with_it.items()} == {
        key: (score.value, score.low, score.n) for key, score in without.items()
    }


@pytest.fixture(scope="module")
def eras():
    """A real dataset: one history, and of its origins the first four, one and the last four in eras of their own."""
    whole = made(5, displaced=False)
    places = [*range(20, 28, 2), 33, *range(40, 48, 2)]
    names = ["before"] * 4 + ["covid"] + ["after"] * 4
    return [
        replace(whole, seen=made(5, place, displaced=False).seen, origin=place, era=era)
        for place, era in zip(places, names, strict=True)
    ]


def test_covid_is_scored_by_itself_alone(eras):
    answers = [guess(window, seed) for seed, window in enumerate(eras)]
    ruined = [answer + 1e5 if window.era == "covid" else answer for window, answer in zip(eras, answers, strict=True)]
    found, wanted = table(eras, ruined), table(eras, answers)
    for key in wanted:
        if key[1] != "era=covid":
            assert found[key].value == wanted[key].value, key
    assert found["relative_loss", "era=covid"].value > wanted["relative_loss", "era=covid"].value
    assert found["relative_loss", "era=covid"].low is None, "one window has no interval"
    of_eras = ratios(eras, answers, 0)
    assert wanted["relative_loss", ""].value == geometric(np.delete(of_eras, 4))
    assert wanted["relative_loss", "era=before"].value == geometric(of_eras[:4])
    assert ("loss_per_1000", "") not in wanted


def test_unknown_outcomes_and_scales_under_the_floor_are_counted(eras):
    window = eras[0]
    head, past = window.truth.headcount.copy(), window.seen.headcount.copy()
    head[0, window.origin + 2], past[1], past[2] = np.nan, 7.0, np.nan
    holed = replace(window, truth=replace(window.truth, headcount=head), seen=replace(window.seen, headcount=past))
    found = table([holed, *eras[1:]], [guess(each) for each in eras])
    assert found["outcomes_unknown", ""].value == 1
    assert found["outcomes_unknown", ""].n == 9 * N * HORIZON
    assert found["scale_floored", ""].value == 1
    assert found["scale_undefined", ""].value == 1
    assert found["relative_loss", "era=before"].n == 4 * N * HORIZON - 1
    assert all(score.value is None or np.isfinite(score.value) for score in found.values())


def test_groups_that_are_forecast_worse_show(windows):
    answers = [guess(window, seed) for seed, window in enumerate(windows)]
    high = windows[0].truth.groups["minority"] == "high"
    for answer in answers:
        answer[high, 1] -= 60  # Displacement is missed there, by far more than the quantiles are wide.
    found = table(windows, answers)
    assert found["coverage_80", "minority=high"].value < 0.05
    assert found["coverage_gap", "minority=high-low"].high < -0.3
    assert found["coverage_gap", ""].low > 0.3
    assert found["under_forecast_gap", "minority=high-low"].low > 0
    worst = found["worst_group_loss", ""]
    assert worst.value == found["relative_loss", "minority=high"].value
    assert worst.low < worst.value < worst.high
    jobs = [outcomes(window)[high].sum() for window in windows]
    missed = [
        np.maximum(outcomes(window)[high, 1] - answer[high, 1, :, 5], 0).sum()
        for window, answer in zip(windows, answers, strict=True)
    ]
    assert found["under_forecast", "minority=high"].value == pytest.approx(np.mean(np.divide(missed, jobs)))


def test_where_heads_are_counted_a_loss_is_missed_by_forecasting_too_many(eras):
    more, fewer = ([oracle(window) + by for window in eras] for by in (50, -50))
    assert table(eras, more)["under_forecast", "minority=low"].value > 0.01
    assert table(eras, fewer)["under_forecast", "minority=low"].value == 0


def test_sexes_weigh_each_series_by_their_share(windows):
    answers = [oracle(window) for window in windows]
    for answer in answers:
        answer[3::4, 1] += 1000  # 60 % women there; 10, 20 and 30 % elsewhere.
    found = table(windows, answers)
    assert found["coverage_80", "sex=women"].value == pytest.approx(1 - 0.6 / 1.2)
    assert found["coverage_80", "sex=men"].value == pytest.approx(1 - 0.4 / 2.8)
    assert found["coverage_gap", "sex=women-men"].value == pytest.approx(0.4 / 2.8 - 0.6 / 1.2)


def test_membership_is_the_mean_of_the_cells_quantiles_the_nearest_most(windows):
    answers = [guess(window) for window in windows]
    answers[3] = None
    found = scored(windows, answers, [(0, 5), (3, 1), (5, 2)]).membership
    shares = np.array([12, 6, 4, 3]) / 25
    first, last = (shares @ np.arcsinh(answers[at][row, 1]).mean(axis=1) for at, row in ((0, 5), (5, 2)))
    assert found == pytest.approx([first, 0, last])


def test_worlds_are_scored_by_policy_too_and_all_that_is_scored_is_declared(public: PublicWorlds):
    hidden = draw(public, DRAW, small=True).answers.hidden
    answers = [reference(window) for window in hidden["windows"]]
    foreseen = [oracle(window) for window in hidden["windows"]]
    found, best = (
        {(each.metric, each.group): each for each in score(hidden, [None, *each], DRAW).scores}
        for each in (answers, foreseen)
    )
    assert {metric for metric, _ in found} == {metric.name for metric in METRICS}
    assert best["regret", ""].value < found["regret", ""].value
    assert found["regret", ""].replicates.shape == (KEPT,)
    failed = score(hidden, [None] * (1 + len(answers)), DRAW).scores
    assert {(each.metric, each.group): each.value for each in failed}["regret", ""] == found["regret", ""].value


def test_the_measures_of_policy_name_the_numbers_it_uses():
    told = {metric.name: metric.doc for metric in METRICS}
    assert f"{policy.PLACES_SHARE * 100:.0f} %" in told["regret"]
    assert f"{reemployment.HORIZON:.0f} years at {reemployment.DISCOUNT * 100:.0f} %" in told["npv_per_place"]
    assert f"${reemployment.COST:,.0f}" in told["npv_per_place"]


def test_replicates_pair_methods_and_intervals_hold_their_values(windows):
    first, second = (table(windows, [guess(w, seed) for w in windows])["relative_loss", ""] for seed in (1, 2))
    assert first.replicates.dtype == np.float32
    assert first.replicates.shape == (KEPT,)
    assert first.low < first.value < first.high
    apart = np.std(np.log(first.replicates) - np.log(second.replicates))
    assert apart < 0.5 * np.std(np.log(first.replicates)), "what windows have in common cancels"
    again = table(windows, [guess(w, 1) for w in windows])["relative_loss", ""]
    assert (again.replicates == first.replicates).all()


def test_every_score_is_one_that_is_declared_and_in_its_range(windows, eras):
    declared = {metric.name: metric for metric in METRICS}
    found = [*table(windows, [guess(window) for window in windows]).values()]
    found += table(eras, [guess(window) for window in eras]).values()
    for each in found:
        metric = declared[each.metric]
        for value in (each.value, each.low, each.high):
            assert value is None or metric.low is None or value >= metric.low
            assert value is None or metric.high is None or value <= metric.high
    rows = [(score.metric, score.group) for score in scored(windows, [None] * 6).scores]
    assert len(set(rows)) == len(rows)


@pytest.mark.data
def test_naive_on_new_yorks_drivers_scores_as_a_prototype_of_statsforecast_and_loops_did(loaded):
    """Measured before this task was written, on the last vintage alone."""
    as_published = draw(loaded("nyc-tlc"), DRAW).answers.hidden["windows"]
    windows = [replace(window, seen=until(window.truth, window.origin)) for window in as_published]
    found = table(windows, map(reference, windows))
    for era, expected in (
        ("before", {"mase": 0.488, "sql": 0.387, "wql": 0.075, "coverage_80": 0.824, "coverage_90": 0.914}),
        ("after", {"mase": 0.305, "sql": 0.320, "wql": 0.076, "coverage_80": 0.989}),
    ):
        for metric, value in expected.items():
            assert found[metric, f"era={era}"].value == pytest.approx(value, abs=0.0006), (metric, era)
    assert found["sql", ""].value < table(as_published, map(reference, as_published))["sql", ""].value


def test_intervals_of_a_short_history_are_within_what_each_metric_can_be():
    first = made(1, 31, displaced=False)
    windows = [
        replace(first, seen=replace(until(first.truth, origin), displaced=None), origin=origin)
        for origin in (31, 32, 33, 34, 35)
    ]
    limits = {metric.name: (metric.low, metric.high) for metric in METRICS}
    found = table(windows, [guess(window, seed) for seed, window in enumerate(windows)])
    for each in found.values():
        least, most = limits[each.metric]
        assert each.low is None or least is None or each.low >= least, each
        assert each.high is None or most is None or each.high <= most, each
    assert 1 in {each.high for (metric, _), each in found.items() if metric == "coverage_80"}
    assert found["coverage_gap", "minority=high-low"].low < 0
