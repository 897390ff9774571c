"""Ranks, fronts and sums against answers known beforehand, and the properties that any of them must have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from fourfold.leaderboard import ranking
from fourfold.suite.metrics import bootstrap

unhurried = settings(deadline=None)  # a busy machine is no failure
fields = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 7), st.integers(2, 60)), elements=st.integers(-3, 3).map(float)
)


def test_methods_far_apart_have_one_rank_each_and_those_that_overlap_share() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    other = np.random.default_rng(1).normal(0, 1, 1000)
    replicates = np.stack([10 + noise, 5 + noise, 5 + other, 0 * noise])
    ranks = ranking.rank_intervals(ranking.beats_by_replicates(replicates, True), np.ones(4, bool))
    assert ranks.tolist() == [[1, 1], [2, 3], [2, 3], [4, 4]]


def test_what_resampling_shares_does_not_blur_a_paired_difference() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    paired = np.stack([noise + 0.1, noise])
    assert ranking.beats_by_replicates(paired, True).tolist() == [[False, True], [False, False]]
    assert ranking.beats_by_replicates(paired, False).tolist() == [[False, False], [True, False]]


@unhurried
@given(fields, st.booleans())
def test_ranks_are_those_of_the_suites_own_function(replicates: np.ndarray, higher: bool) -> None:
    ranks = ranking.rank_intervals(ranking.beats_by_replicates(replicates, higher), np.ones(len(replicates), bool))
    assert [tuple(rank) for rank in ranks.tolist()] == bootstrap.rank_intervals(replicates, higher)


@unhurried
@given(fields, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(replicates: np.ndarray, random: object) -> None:
    order = np.random.default_rng(random.getrandbits(32)).permutation(len(replicates))  # type: ignore[attr-defined]
    everybody = np.ones(len(replicates), bool)
    straight = ranking.rank_intervals(ranking.beats_by_replicates(replicates, True), everybody)
    shuffled = ranking.rank_intervals(ranking.beats_by_replicates(replicates[order], True), everybody)
    assert (straight[order] == shuffled).all()


@unhurried
@given(fields)
def test_identical_methods_tie(replicates: np.ndarray) -> None:
    twins = np.concatenate([replicates, replicates[:1]])
    ranks = ranking.rank_intervals(ranking.beats_by_replicates(twins, True), np.ones(len(twins), bool))
    assert ranks[0].tolist() == ranks[-1].tolist()
    assert ranks[0, 1] > ranks[0, 0]


@unhurried
@given(fields, st.data())
def test_narrowing_the_field_is_the_same_as_ranking_what_is_left(replicates: np.ndarray, data: st.DataObject) -> None:
    rows = len(replicates)
    eligible = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    tracks = np.array(data.draw(st.lists(st.sampled_from(["blind", "aware"]), min_size=rows, max_size=rows)), object)
    beats = ranking.beats_by_replicates(replicates, True)
    ranks = ranking.rank_intervals(beats, eligible, tracks)
    assert (ranks[~eligible] == 0).all()
    for track in ("blind", "aware"):
        left = eligible & (tracks == track)
        alone = ranking.rank_intervals(ranking.beats_by_replicates(replicates[left], True), np.ones(left.sum(), bool))
        assert (ranks[left] == alone).all()


@unhurried
@given(fields, st.data())
def test_a_budget_is_shared_by_all_who_keep_it(replicates: np.ndarray, data: st.DataObject) -> None:
    count = len(replicates)
    epsilons = np.array(data.draw(st.lists(st.sampled_from([1.0, 3.0, np.inf]), min_size=count, max_size=count)))
    beats, everybody = ranking.beats_by_replicates(replicates, True), np.ones(count, bool)
    ranks = ranking.rank_intervals(beats, everybody, None, epsilons)
    for epsilon in set(epsilons):
        alone = ranking.rank_intervals(beats, epsilons <= epsilon)
        own = epsilons == epsilon
        np.testing.assert_array_equal(ranks[own], alone[own])


def test_a_row_with_an_undefined_resample_beats_nothing() -> None:
    beats = ranking.beats_by_replicates(np.array([[9.0, np.nan], [1.0, 1.0], [0.0, 0.0]]), True)
    assert beats.tolist() == [[False] * 3, [False, False, True], [False] * 3]


@unhurried
@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 6)), elements=st.integers(-99, 99).map(float))
)
def test_without_resamples_a_pair_is_told_apart_as_by_a_paired_t_test(values: np.ndarray) -> None:
    beats = ranking.beats_by_seeds(values, True)
    for i in range(len(values)):
        for j in range(len(values)):
            gap = values[i] - values[j]
            known = (
                gap.mean() > 0
                if np.ptp(gap) == 0
                else bool((test := stats.ttest_rel(values[i], values[j])).pvalue < 0.05 and test.statistic > 0)
            )
            assert beats[i, j] == known


def test_one_seed_without_resamples_tells_nothing_apart() -> None:
    assert not ranking.beats_by_seeds(np.array([[1.0], [0.0]]), True).any()


def test_the_front_of_a_known_field() -> None:
    cost, benefit = np.array([1.0, 2, 3, 3, 2, np.nan]), np.array([0.1, 0.3, 0.2, 0.4, 0.3, 9])
    assert ranking.front(cost, benefit, "lower", "higher").tolist() == [True, True, False, True, True, False]


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20)


@unhurried
@given(points, st.sampled_from(["lower", "higher"]), st.sampled_from(["lower", "higher"]))
def test_the_front_holds_exactly_what_nothing_dominates(
    field: list[tuple[int, int]], x_better: str, y_better: str
) -> None:
    x, y = np.array(field, float).T
    a, b = (x if x_better == "higher" else -x), (y if y_better == "higher" else -y)
    free = [not any((a >= a[i]) & (b >= b[i]) & ((a > a[i]) | (b > b[i]))) for i in range(len(field))]
    assert ranking.front(x, y, x_better, y_better).tolist() == free


def test_a_mean_over_seeds_has_students_interval_where_cells_have_none() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    none = np.full(4, np.nan)
    mean, low, high = ranking.mean_intervals(values, none, none)
    expected = stats.t.interval(0.95, 3, loc=2.5, scale=stats.sem(values))
    assert (mean, low, high) == pytest.approx((2.5, *expected))


def test_a_mean_over_seeds_is_never_surer_than_its_cells() -> None:
    same = np.full(4, 0.5)
    mean, low, high = ranking.mean_intervals(same, same - 0.2, same + 0.1)
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - 0.2 / 2, 0.5 + 0.1 / 2))


def test_one_value_without_an_interval_has_none() -> None:
    nan = np.array([np.nan, np.nan])
    mean, low, high = ranking.mean_intervals(np.array([0.3, np.nan]), nan, nan)
    assert mean == 0.3
    assert np.isnan([low, high]).all()


def test_errors_of_one_sign_do_not_average_out() -> None:
    gap = np.abs(np.random.default_rng(5).normal(size=(400, 5)))  # of equal groups: the true gap is 0
    low, high = np.maximum(gap - 1.96, 0), gap + 1.96
    _, lowest, _ = ranking.mean_intervals(gap, low, high, np.zeros(400, bool))
    assert np.mean(lowest <= 0) > 0.95
    assert np.mean(ranking.mean_intervals(gap, low, high)[1] <= 0) < 0.5


def test_errors_common_to_all_seeds_do_not_average_out() -> None:
    same = np.full(4, 0.5)
    assert ranking.mean_intervals(same, same - 0.2, same + 0.1, False) == pytest.approx((0.5, 0.3, 0.6))
    mean, low, high = ranking.mean_intervals(np.array([0.1, 0.2]), *np.full((2, 2), np.nan), False)
    assert mean == pytest.approx(0.15)
    assert np.isnan([low, high]).all()


def test_scoring_the_same_records_again_does_not_narrow_an_interval() -> None:
    rng, covered = np.random.default_rng(6), {1: 0, 4: 0}
    for _ in range(300):
        values = np.tile(rng.normal(size=5), 4) + 0.1 * rng.normal(size=20)  # four splits of the same records
        for repeats in covered:
            _, low, high = ranking.mean_intervals(values, values - 1.96, values + 1.96, repeats=repeats)
            covered[repeats] += low <= 0 <= high
    assert covered[1] < 250 < 275 <= covered[4]
