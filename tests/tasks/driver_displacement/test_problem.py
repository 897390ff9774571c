"""What is asked, and above all what is not given away: no outcome, no coin, no hidden world."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fourfold.suite import boundary
from fourfold.suite.task import Ask, Draw, Problem
from fourfold.tasks.driver_displacement import worlds
from fourfold.tasks.driver_displacement.origins import Plan, Vintages, windows
from fourfold.tasks.driver_displacement.panel import QUANTILES, Panel
from fourfold.tasks.driver_displacement.problem import MOST, SMALL, draw
from fourfold.tasks.driver_displacement.records import CANARIES, CANARY_SHARE, CLEARED, cleared, draw_canaries, recorded
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Window
from fourfold.tasks.driver_displacement.workers import RECORDED

KEY = b"a key of the tests".ljust(32)
REAL = ("nyc-tlc", "us-states", "nyc-bases")
PRIVATE = ("world", "place", "lost", "returned", "sex", "minority", "age")


def secret(seed: int = 0, dataset: str = "simulated", key: bytes = KEY) -> Draw:
    return Draw(key, "driver-displacement", dataset, seed)


def crossing(ask: Ask) -> bytes:
    return bytes(boundary.encode(ask.give))


def spoilt(panel: Panel, after: int) -> Panel:
    """The same panel up to a period, and something else in all it has of later ones but what is known in advance."""
    later = np.arange(len(panel.periods)) > after

    def spoil(table: np.ndarray) -> np.ndarray:
        return np.where(later, 7.0, table)

    return replace(
        panel, headcount=spoil(panel.headcount), past={name: spoil(table) for name, table in panel.past.items()},
        displaced=None if panel.displaced is None else spoil(panel.displaced),
    )


@pytest.fixture(scope="module")
def problem(public) -> Problem:
    return draw(public, secret())


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_of_real_data_no_ask_changes_with_what_came_after_its_origin(loaded, name):
    data = loaded(name)
    asks, found = draw(data, secret(dataset=name)).asks, windows(data)
    for number, window in enumerate(found):
        altered = replace(
            data, panels=tuple(spoilt(panel, window.origin) for panel in data.panels),
            slow={each: np.where(np.arange(table.shape[1]) >= window.origin, 7.0, table)
                  for each, table in data.slow.items()},
        )
        again = draw(altered, secret(dataset=name)).asks
        assert [crossing(ask) for ask in asks[: number + 2]] == [crossing(ask) for ask in again[: number + 2]]
        assert crossing(asks[0]) == crossing(again[0])
    assert crossing(asks[-1]) != crossing(draw(
        replace(data, panels=tuple(spoilt(panel, 5) for panel in data.panels)), secret()).asks[-1])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_of_any_vintages_no_ask_changes_with_what_came_after_its_origin(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    n, periods, horizon = data.draw(st.integers(1, 4)), 20, data.draw(st.integers(1, 4))
    names = tuple(f"2020-{place:02}" for place in range(periods))
    origins = sorted(data.draw(st.sets(st.integers(5, periods - horizon - 1), min_size=1, max_size=4)))
    panels = tuple(
        Panel(tuple("abcd"[:n]), names, 12, rng.uniform(0, 100, (n, periods)), None,
              {"trips": rng.uniform(0, 9, (n, periods))}, {}, {}, {})
        for _ in range(2)
    )
    plan = Plan(horizon, {"": tuple(names[origin] for origin in origins)})
    made = Vintages(panels, (names[origins[0]],), rng.integers(0, 3, n), plan)
    asks = draw(made, secret()).asks
    for number, origin in enumerate(origins):
        altered = draw(replace(made, panels=tuple(spoilt(panel, origin) for panel in panels)), secret()).asks
        assert [crossing(ask) for ask in altered[: number + 2]] == [crossing(ask) for ask in asks[: number + 2]]


@pytest.mark.data
def test_no_vintage_leaks_into_the_origins_of_the_other(loaded):
    data = loaded("nyc-tlc")
    asks, found = draw(data, secret()).asks, windows(data)
    first, last = data.panels
    early = sum(window.truth.periods[window.origin] <= "2022-02" for window in found)
    revised = draw(replace(data, panels=(first, spoilt(last, -1))), secret()).asks
    withdrawn = draw(replace(data, panels=(spoilt(first, -1), last)), secret()).asks
    for number, ask in enumerate(asks):
        of_first = number <= early  # the fit and the early origins
        assert (crossing(ask) == crossing(revised[number])) == of_first
        assert (crossing(ask) == crossing(withdrawn[number])) == (not of_first)


@pytest.mark.data
@pytest.mark.parametrize(("name", "shape", "count"), [
    ("nyc-tlc", (6, 1, 12, 11), 21), ("us-states", (156, 1, 3, 11), 4), ("nyc-bases", (285, 1, 6, 11), 3),
])
def test_a_real_problem_is_one_fit_and_a_forecast_from_each_origin(loaded, name, shape, count):
    drawn = draw(loaded(name), secret(dataset=name))
    fit, *asked = drawn.asks
    train = fit.give
    assert (fit.verb, train.n, train.private, train.targets) == ("fit", 0, (), ("headcount",))
    assert train.headcount.shape == (1, *asked[0].give.headcount.shape)
    assert np.isnan(train.displaced).all()
    assert [ask.verb for ask in asked] == ["predict"] * count
    assert all(ask.may_fail for ask in asked)
    assert asked[0].want.shape == shape
    assert asked[0].want.answers == np.prod(shape[:-1])
    assert (np.broadcast_to(asked[0].want.low, shape) == 0).all()
    ends = [len(ask.give.headcount[0]) for ask in asked]
    assert ends == sorted(ends)
    for ask in asked:
        query = ask.give
        n, end = query.headcount.shape
        assert query.world == -1
        assert len(query.periods) == end + query.horizon
        assert query.past.shape == (len(query.past_names), n, end)
        assert query.known.shape == (len(query.known_names), n, end + query.horizon)
        assert query.static.shape == (n, len(query.static_names))
    assert len(drawn.answers.hidden["coin"]) == 0
    assert drawn.answers.hidden["canary"].shape == (0, 2)


@pytest.mark.data
def test_of_real_data_every_seed_asks_the_same(loaded):
    data = loaded("us-states")
    first, second = (draw(data, secret(seed)).asks for seed in (0, 1))
    assert [crossing(ask) for ask in first] == [crossing(ask) for ask in second]


def test_simulated_asks_are_six_hidden_worlds_and_the_exhibit_by_origin(problem):
    found = problem.answers.hidden["windows"]
    origins = [window.origin for window in found]
    assert origins == sorted(origins)
    assert [window.scored for window in found].count(False) == 1
    assert len(found) == worlds.HIDDEN + 1
    train, asked = problem.asks[0].give, problem.asks[1:]
    assert train.headcount.shape == train.displaced.shape == (worlds.TRAINING, 204, 80)
    assert np.isfinite(train.displaced).all()
    assert train.quantiles.tolist() == list(QUANTILES)
    assert (train.private, train.recorded) == (PRIVATE, RECORDED)
    for number, (window, ask) in enumerate(zip(found, asked, strict=True)):
        query = ask.give
        assert (query.world, query.headcount.shape) == (number, (204, window.origin + 1))
        assert ask.want.shape == (204, 2, 8, 11)
        low = np.broadcast_to(ask.want.low, ask.want.shape)
        assert (low[:, 0] == 0).all()
        assert (low[:, 1] == -MOST).all()
        assert np.array_equal(query.known, np.stack([
            table[:, : window.origin + 9] for table in window.truth.known.values()]))


def test_what_crosses_comes_across_whole(problem):
    for ask in problem.asks:
        came = boundary.decode(boundary.encode(ask.give))
        for name, value in vars(ask.give).items():
            if isinstance(value, np.ndarray):
                assert np.array_equal(getattr(came, name), value, equal_nan=value.dtype.kind == "f"), name


def test_no_query_has_displacement_nor_anything_after_its_origin(public):
    hidden = worlds.hidden_windows(secret().rng("worlds"), 2)

    def asked(window: Window) -> bytes:
        from fourfold.tasks.driver_displacement.problem import _predict

        return crossing(_predict(window, ("headcount", "displaced"), 0))

    for window in (*hidden, public.exhibit):
        world = window.world
        assert isinstance(world, worlds.World)
        after = worlds.origin_of(replace(world, panel=spoilt(world.panel, window.origin)), window.origin)
        without = replace(world.panel, displaced=np.zeros_like(world.panel.displaced))
        assert asked(after) == asked(window)
        assert asked(worlds.origin_of(replace(world, panel=without), window.origin)) == asked(window)
        before = worlds.origin_of(replace(world, panel=spoilt(world.panel, window.origin - 1)), window.origin)
        assert asked(before) != asked(window)


def test_what_the_suite_has_seen_of_displacement_ends_before_the_labels_lag(problem):
    for window in problem.answers.hidden["windows"]:
        assert window.seen.displaced is not None
        known = np.isfinite(window.seen.displaced)
        assert known[:, : window.origin + 1 - LABEL_LAG].all()
        assert not known[:, window.origin + 1 - LABEL_LAG :].any()
        assert np.isfinite(window.truth.displaced).all()


def test_records_are_those_known_at_each_origin(problem):
    train = problem.asks[0].give
    known = np.array([window.origin - LABEL_LAG for window in problem.answers.hidden["windows"]])[train.world]
    assert (train.lost <= known).all()
    assert (train.lost >= 0).all()
    assert (train.returned <= known).all()
    back = train.returned >= 0
    assert (train.returned[back] >= train.lost[back]).all()
    assert train.n == len(train.world) > 1000
    assert np.ptp(train.world[: train.n // 2]) > 0  # mixed


def stock(problem: Problem, number: int) -> np.ndarray:
    """Recorded workers of a window's world who are out at the last period known of, by place, canaries included."""
    train = problem.asks[0].give
    here = (train.world == number) & (train.returned < 0)
    return np.bincount(train.place[here], minlength=204)


def test_records_are_the_displaced_stock_up_to_the_recorded_share(problem):
    hidden = problem.answers.hidden
    placed = hidden["canary"][hidden["coin"]]
    for number, window in enumerate(hidden["windows"]):
        canaries = np.bincount(placed[placed[:, 0] == number, 1], minlength=204)
        found = stock(problem, number) - canaries
        displaced = window.truth.displaced[:, window.origin - LABEL_LAG].copy()
        assert (found <= displaced).all()
        everywhere = hidden["canary"][hidden["canary"][:, 0] == number, 1]
        assert (found[everywhere] == 0).all()
        displaced[everywhere] = 0
        spread = np.sqrt(displaced.sum() * RECORDED * (1 - RECORDED))
        assert abs(found.sum() - RECORDED * displaced.sum()) < 5 * spread


def test_canaries_are_few_in_places_of_few_losses(problem):
    found, canary = problem.answers.hidden["windows"], problem.answers.hidden["canary"]
    real = recorded(found)
    assert 0 < len(canary) <= CANARY_SHARE * real.n
    assert len(np.unique(canary, axis=0)) == len(canary)
    assert all(found[window].scored for window in canary[:, 0])
    for number, window in enumerate(found):
        count = np.bincount(real.place[real.world == number], minlength=204)
        places = canary[canary[:, 0] == number, 1]
        few = np.count_nonzero(count <= CLEARED) if window.scored else 0
        assert len(places) == min(CANARIES, few)
        assert np.array_equal(np.sort(count[places]), np.sort(count)[: len(places)])


def test_a_canary_is_alone_in_its_place(problem):
    hidden, train = problem.answers.hidden, problem.asks[0].give
    real = recorded(hidden["windows"])
    left = cleared(real, hidden["canary"])
    taken = set(zip(left.world.tolist(), left.place.tolist(), strict=True))
    assert not taken & set(map(tuple, hidden["canary"].tolist()))
    assert left.n + hidden["coin"].sum() == train.n
    assert real.n - left.n <= CLEARED * len(hidden["canary"])


def test_of_few_records_fewer_are_canaries(public):
    window = worlds.hidden_windows(secret().rng("worlds"), 1)[0]
    real = recorded([window])
    few = real.chosen(np.arange(0, real.n, -(-real.n // 500)))
    canary, workers = draw_canaries([window], few, np.random.default_rng(0))
    assert len(canary) == workers.n == int(CANARY_SHARE * few.n)
    assert draw_canaries([window], few.chosen(np.arange(0)), np.random.default_rng(0))[1].n == 0


def test_a_coin_decides_which_canaries_are_among_the_records(problem):
    hidden, train = problem.answers.hidden, problem.asks[0].give
    for (window, place), heads in zip(hidden["canary"], hidden["coin"], strict=True):
        assert ((train.world == window) & (train.place == place)).sum() == int(heads)
    rows, places = problem.members.T
    canary = hidden["canary"][hidden["coin"]]
    assert np.array_equal(train.world[rows], canary[:, 0])
    assert np.array_equal(train.place[rows], places)
    assert np.array_equal(places, canary[:, 1])
    assert (train.returned[rows] == -1).all()


def test_coins_are_fair_and_of_each_seed_its_own(public):
    coins = [draw(public, secret(seed), small=True).answers.hidden["coin"] for seed in range(12)]
    every = np.concatenate(coins)
    assert len(every) > 50
    assert stats.binomtest(int(every.sum()), len(every)).pvalue > 1e-3


def test_the_key_and_the_seed_decide_everything(public):
    problem, again, other_seed, other_key = (
        draw(public, drawn, small=True) for drawn in (secret(), secret(), secret(1), secret(key=KEY[::-1])))
    assert [crossing(ask) for ask in problem.asks] == [crossing(ask) for ask in again.asks]
    assert np.array_equal(problem.answers.hidden["coin"], again.answers.hidden["coin"])
    for other in (other_seed, other_key):
        assert crossing(problem.asks[0]) != crossing(other.asks[0])
        assert {crossing(ask) for ask in problem.asks[1:]}.isdisjoint(
            crossing(ask) for ask in other.asks[1:] if not is_exhibit(other, ask))


def is_exhibit(problem: Problem, ask: Ask) -> bool:
    return not problem.answers.hidden["windows"][ask.give.world].scored


def test_no_public_world_is_hidden(public, problem):
    told = [panel.headcount.tobytes() for panel in (*public.training, public.exhibit.truth)]
    hidden = [window.truth.headcount.tobytes() for window in problem.answers.hidden["windows"] if window.scored]
    assert len(set(told) | set(hidden)) == worlds.TRAINING + 1 + worlds.HIDDEN
    assert public.exhibit in problem.answers.hidden["windows"]
    assert public.exhibit.truth.headcount.tobytes() not in told[:-1]


def test_public_worlds_are_the_same_each_time(public):
    again = worlds.load()
    assert np.array_equal(again.training[-1].headcount, public.training[-1].headcount)
    assert np.array_equal(again.exhibit.truth.displaced, public.exhibit.truth.displaced)


@pytest.mark.parametrize("name", ["simulated", pytest.param("us-states", marks=pytest.mark.data)])
def test_a_small_problem_is_small(public, request, name):
    loaded: Callable[[str], Vintages] | None = request.getfixturevalue("loaded") if name != "simulated" else None
    drawn = draw(loaded(name) if loaded else public, secret(), small=True)
    scored = [window for window in drawn.answers.hidden["windows"] if window.scored]
    assert len(scored) == SMALL
    assert drawn.asks[0].give.headcount.shape[0] == (1 if loaded else SMALL)
