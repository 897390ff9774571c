import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.driver_displacement import simulator, workers
from fourfold.tasks.driver_displacement.states import EMPLOYMENT
from fourfold.tasks.driver_displacement.workers import RECORDED, Workers

N = EMPLOYMENT.size


def stock(people: Workers, periods: int) -> np.ndarray:
    """Lost less returned so far, (n, T)."""
    flow = np.zeros((N, periods))
    np.add.at(flow, (people.place, people.lost), 1)
    back = people.returned >= 0
    np.add.at(flow, (people.place[back], people.returned[back]), -1)
    return np.cumsum(flow, axis=1)


def among(displaced: np.ndarray, seed: int = 0) -> Workers:
    wage = np.broadcast_to(workers.WEEKLY_PAY[np.arange(N) % 4][:, None], displaced.shape).astype(float)
    return workers.draw(np.random.default_rng(seed), displaced, np.full(displaced.shape, 5.0), wage)


@pytest.fixture(scope="module")
def many() -> Workers:
    """A tenth of the drivers of every state, all at once: some half a million."""
    return among(np.rint(EMPLOYMENT.reshape(-1, 1) / 10))


@pytest.mark.parametrize("seed", range(3))
def test_workers_are_the_jobs_lost_at_every_place_and_time(seed):
    world = simulator.world(np.random.default_rng(seed))
    assert np.array_equal(stock(world.workers, 80), world.panel.displaced)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 0.5))
def test_whatever_the_stock_its_workers_make_it_up(seed, density):
    rng = np.random.default_rng(seed)
    displaced = np.where(rng.random((N, 7)) < density, rng.integers(0, 9, (N, 7)), 0).astype(float)
    people = among(displaced, seed)

    assert np.array_equal(stock(people, 7), displaced)
    back = people.returned >= 0
    assert (people.returned[back] > people.lost[back]).all()
    assert (np.diff(people.place.astype(int) * 7 + people.lost) >= 0).all()


def test_the_longest_out_of_work_return_first():
    displaced = np.zeros((N, 5))
    displaced[3] = [2, 3, 1, 1, 0]
    people = among(displaced)
    assert people.lost.tolist() == [0, 0, 1]
    assert people.returned.tolist() == [2, 2, 4]


def test_nobody_displaced_is_nobody():
    people = among(np.zeros((N, 4)))
    assert people.place.shape == (0,)
    assert people.earnings.shape == (2, 0)


def test_columns_are_of_the_promised_kind(many):
    m = len(many.place)
    for name in ("place", "lost", "returned"):
        assert getattr(many, name).dtype == np.int16
    for name in ("sex", "minority", "age"):
        assert getattr(many, name).dtype == np.int8
    assert many.recorded.dtype == np.bool_
    assert (many.wage.dtype, many.wage.shape) == (np.float32, (m,))
    for name in ("weeks", "earnings", "unemployment_insurance", "kept"):
        column = getattr(many, name)
        assert (column.dtype, column.shape) == (np.float32, (2, m)), name
        assert np.isfinite(column).all(), name
        assert (column >= 0).all(), name


def test_who_they_are_agrees_with_the_surveys(many):
    """CPS 2019, tables 11, 18b and 39, by occupation: heavy and light trucks, taxis, buses."""
    of = [many.place % 4 == occupation for occupation in range(4)]
    assert [many.sex[each].mean() for each in of] == pytest.approx([0.068, 0.068, 0.161, 0.454], abs=0.01)
    assert [many.minority[each].mean() for each in of] == pytest.approx([0.415, 0.415, 0.662, 0.451], abs=0.01)
    assert [np.median(many.age[each]) for each in of] == pytest.approx([46.4, 46.4, 46.3, 53.7], abs=1.01)
    trucks = of[0] | of[1]
    women = many.sex == 1
    assert np.median(many.wage[trucks]) / 52 == pytest.approx(843, rel=0.02)
    assert np.median(many.wage[of[2]]) / 52 == pytest.approx(614, rel=0.02)
    assert np.median(many.wage[of[3]]) / 52 == pytest.approx(674, rel=0.02)
    assert np.median(many.wage[of[3] & women]) / np.median(many.wage[of[3] & ~women]) == pytest.approx(0.87, abs=0.01)
    assert many.age.min() >= 19
    assert many.age.max() <= 75


def test_the_registry_misses_its_share_of_everybody(many):
    assert many.recorded.mean() == pytest.approx(RECORDED, abs=0.002)
    for column in (many.sex, many.minority, many.place % 4, many.age > 50):
        assert np.corrcoef(column, many.recorded)[0, 1] == pytest.approx(0, abs=0.01)


def test_unemployment_where_the_job_was_lost_makes_search_longer():
    displaced = np.zeros((N, 1))
    displaced[:8] = 20_000
    unemployment = np.where(np.arange(N)[:, None] < 4, 3.0, 9.0)
    people = workers.draw(np.random.default_rng(0), displaced, unemployment, np.full((N, 1), 800.0))
    slack = people.place >= 4
    assert np.median(people.weeks[0, slack]) > 1.15 * np.median(people.weeks[0, ~slack])
    assert people.kept[0, slack].mean() < people.kept[0, ~slack].mean() - 0.1
