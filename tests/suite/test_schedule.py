import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.suite import schedule
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job
from fourfold.suite.method import Budget
from fourfold.suite.pack import Pack
from fourfold.suite.schedule import Need, Queue, Running, Share

ONE = Need(1, 0)


def job(seed: int, method: str = "m", digest: str = "d", dataset: str = "a", epsilon: float = math.inf, task: str = "t",
        draw: str = "", **declared: float) -> Job:
    cell = Cell(task, "1", dataset, "sum", draw or str(seed), method, digest, (), Budget(epsilon=epsilon), seed)
    return Job(cell, Pack(method, "M", "m.py", digest, "", {"task": task, **declared}, {}, (), {}))


def sixty(seed: int) -> np.ndarray:
    """Durations as measured of a campaign: log-normal, median 0.6 s, sigma 1, between 0.05 and 5 s."""
    return np.clip(np.random.default_rng(seed).lognormal(np.log(0.6), 1.0, 60), 0.05, 5.0)


def lower_bound(durations: np.ndarray, slots: int) -> float:
    falling = np.sort(durations)[::-1]
    return max(durations.sum() / slots, falling[0], falling[slots - 1] + falling[slots])


def simulated(durations: np.ndarray, estimates: np.ndarray, slots: int) -> float:
    return schedule.makespan([(ONE, e, d) for e, d in zip(estimates, durations, strict=True)], [Share(slots)])


def test_longest_first_is_within_a_few_per_cent_of_the_lower_bound_where_arrival_order_loses_a_quarter() -> None:
    arrival, longest, guessed = [], [], []
    for seed in range(60):
        durations = sixty(seed)
        bound, rng = lower_bound(durations, 8), np.random.default_rng(1000 + seed)
        order = [each.cell.seed for each in schedule.longest_first(
            [job(index) for index in range(60)], lambda cell, durations=durations: durations[cell.seed])]
        estimates = durations * rng.lognormal(0, 0.3, 60)
        arrival.append(simulated(durations, durations, 8) / bound)
        longest.append(simulated(durations[order], durations[order], 8) / bound)
        by_estimate = np.argsort(-estimates)
        guessed.append(simulated(durations[by_estimate], estimates[by_estimate], 8) / bound)
    assert np.mean(arrival) > 1.2
    assert np.mean(longest) < 1.02
    assert max(longest) < 1.05
    assert np.mean(guessed) < 1.03


def test_longest_first_with_backfill_packs_fractions_of_gpus_better_than_arrival_order() -> None:
    arrival, longest = [], []
    nodes = [Share(8, (1.0, 1.0)), Share(8, (1.0, 1.0))]
    for seed in range(30):
        rng = np.random.default_rng(seed)
        needs = [Need(1, gpus) for gpus in rng.choice([1, 0.5, 0.25, 0.1], 60)]
        jobs = [(need, second, second) for need, second in zip(needs, sixty(seed), strict=True)]
        bound = max(sum(need.gpus * second for need, second, _ in jobs) / 4, max(second for _, second, _ in jobs))
        arrival.append(schedule.makespan(jobs, nodes) / bound)
        longest.append(schedule.makespan(sorted(jobs, key=lambda each: -each[1]), nodes) / bound)
    assert np.mean(longest) < 1.1
    assert np.mean(arrival) > np.mean(longest) + 0.1


def test_jobs_that_take_about_as_long_stand_together_by_problem() -> None:
    jobs = [job(seed, method, method, draw=str(seed)) for method, seed in itertools.product("abc", range(4))]
    ordered = schedule.longest_first(jobs, lambda cell: 10.0 if cell.method == "c" else 1.0 + cell.seed / 100)
    assert [each.cell.method for each in ordered[:4]] == ["c"] * 4
    assert [each.cell.seed for each in ordered[4:]] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("need", "free", "held"), [
    (Need(2, 0), Share(4, (1.0,)), Share(2, (0.0,))),
    (Need(4.5, 0), Share(4), None),
    (Need(1, 0.5), Share(4, (1.0, 0.5)), Share(1, (0.0, 0.5))),  # The fuller one, so that a whole one stays whole.
    (Need(1, 0.6), Share(4, (0.5, 0.5)), None),  # Two halves are no 0.6 of one.
    (Need(1, 2), Share(4, (1.0, 0.9, 1.0)), Share(1, (1.0, 0.0, 1.0))),
    (Need(1, 2), Share(4, (1.0, 0.9)), None),
    (Need(1, 0.1), Share(1, ((1.0 - 0.1) - 0.8,)), Share(1, (0.1,))),  # 0.09999999999999998
])
def test_the_part_of_a_node_that_a_cell_holds(need: Need, free: Share, held: Share | None) -> None:
    assert schedule.portion(need, free) == held


def test_a_cell_without_gpu_leaves_the_gpus_to_others() -> None:
    assert schedule.place(Need(1, 0), [Share(2, (1.0,)), Share(8)]) == 1
    assert schedule.place(Need(1, 0), [Share(2, (1.0,)), Share(0)]) == 0
    assert schedule.place(Need(1, 1), [Share(2), Share(2)]) is None


def test_a_shorter_cell_goes_ahead_only_where_the_longest_does_not_wait_for_it() -> None:
    free, running = [Share(1)], [Running(0, Share(1), 10.0)]
    wide = (Need(2, 0), 100.0)
    assert schedule.choose([wide, (ONE, 9.0)], free, running) == (1, 0)
    assert schedule.choose([wide, (ONE, 11.0)], free, running) is None
    assert schedule.choose([wide, (ONE, 11.0), (ONE, 9.0)], free, running) == (2, 0)
    late = [Running(0, Share(1), -3.0)]
    assert schedule.choose([wide, (ONE, 0.1)], free, late) is None
    roomy = [Running(0, Share(2), 10.0)]  # When those 2 are free, 1 is over beside the promised 2.
    assert schedule.choose([wide, (ONE, 11.0)], free, roomy) == (1, 0)
    assert schedule.choose([wide, (ONE, 99.0)], [Share(1), Share(1)], running) == (1, 1)


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0.1, 10)), min_size=1, max_size=25), st.integers(1, 3))
def test_no_cell_starves_and_nothing_is_lost(jobs: list[tuple[int, float]], nodes: int) -> None:
    """It takes no less than the area or the longest cell allow, and no more than one cell after the other."""
    total = schedule.makespan([(Need(cpus, 0), seconds, seconds) for cpus, seconds in jobs], [Share(4)] * nodes)
    area, longest = sum(cpus * seconds for cpus, seconds in jobs) / (4 * nodes), max(seconds for _, seconds in jobs)
    assert max(area, longest) - 1e-6 <= total <= sum(seconds for _, seconds in jobs) + 1e-6


def test_a_wide_cell_starts_though_short_ones_never_end() -> None:
    """Without the promise, a stream of short cells would hold it back until all of them are done."""
    short = [(ONE, 1.0, 1.0)] * 200
    stream = [(ONE, 1.0, 1.0), (Need(2, 0), 50.0, 50.0), *short]
    assert schedule.makespan(stream, [Share(2)]) == pytest.approx(1 + 50 + 100, abs=2)


def test_an_estimate_is_the_median_of_the_cells_most_like_it() -> None:
    rows = [("d1", "m", "t", "a", math.inf, s) for s in (1.0, 100.0, 10.0)]
    rows += [("d1", "m", "t", "a", 3.0, 50.0), ("d0", "m", "t", "b", math.inf, 7.0),
             ("dx", "x", "t", "a", math.inf, 1000.0)]
    frame = pd.DataFrame(rows, columns=["method_digest", "method", "task", "dataset", "epsilon", "seconds"])
    estimate = schedule.estimator(frame)
    assert estimate(job(0, "m", "d1").cell) == pytest.approx(10.0)
    assert estimate(job(0, "m", "d1", epsilon=3.0).cell) == pytest.approx(50.0)
    assert estimate(job(0, "m", "new").cell) == pytest.approx(math.sqrt(10 * 50))  # Of 1, 10, 50, 100.
    assert estimate(job(0, "m", "new", dataset="c").cell) == pytest.approx(10.0)  # Of 1, 7, 10, 50, 100.
    assert estimate(job(0, "y", "new", dataset="c").cell) == pytest.approx(math.sqrt(10 * 50))  # Of the task's six.
    assert estimate(job(0, task="other").cell) == schedule.UNKNOWN
    assert schedule.estimator(frame.iloc[:0])(job(0).cell) == schedule.UNKNOWN


def test_what_remains_is_what_a_list_schedule_takes() -> None:
    assert schedule.remaining([], [], 4) == 0
    assert schedule.remaining([4, 3, 3], [], 2) == 6
    assert schedule.remaining([5], [(10, 4)], 1) == 11
    assert schedule.remaining([], [(10, 16)], 1) == 6  # Late by 6: as long again.
    durations = np.sort(sixty(0))[::-1]
    assert schedule.remaining(durations, [], 8) == pytest.approx(simulated(durations, durations, 8))


def test_drift_tells_by_how_much_estimates_were_wrong() -> None:
    assert schedule.drift([]) == 1
    assert schedule.drift([(1, 2), (9, 18)]) == 2


def test_a_cell_whose_worker_is_lost_goes_first_and_is_given_up_after_three_attempts() -> None:
    queue = Queue([job(seed) for seed in range(3)], lambda cell: 1.0)
    first = queue.take([Share(1)], [])
    assert first is not None
    for _ in range(schedule.ATTEMPTS - 1):
        assert queue.again(first)
        assert queue.take([Share(1)], []).job == first.job  # type: ignore[union-attr]
    assert not queue.again(first)
    assert len(queue) == 2


def test_what_fits_no_idle_node_is_told_apart() -> None:
    queue = Queue([job(0), job(1, gpus=1), job(2, cpus=64)], lambda cell: 1.0)
    assert {each.cell.seed for each in queue.impossible([Share(8), Share(4)])} == {1, 2}
    assert len(queue) == 1
