"""What is known at an origin: its vintage, up to there, less what is late."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.tasks.driver_displacement.origins import Plan, Vintages, chosen, until, windows
from fourfold.tasks.driver_displacement.panel import Panel

T = 10
PERIODS = tuple(f"2020-{month:02}" for month in range(1, T + 1))


def panel(n: int = 3, start: float = 100.0) -> Panel:
    table = start + np.arange(n * T, dtype=np.float64).reshape(n, T)
    return Panel(
        tuple("abcdefgh"[:n]), PERIODS, 12, table, table / 10, {"trips": table * 2}, {"month": table % 12},
        {"share": table[:, 0]}, {"kind": np.array(["x"] * n)},
    )


def vintages(**changes: object) -> Vintages:
    plan = Plan(2, {"before": ("2020-04", "2020-06"), "after": ("2020-08",)})
    given = {"panels": (panel(), panel(start=500)), "until": ("2020-06",), "late": np.array([0, 1, 2]), "plan": plan}
    return Vintages(**(given | changes))  # type: ignore[arg-type]


def test_an_origin_sees_its_vintage_up_to_there_and_the_last_is_the_truth():
    data = vintages()
    first, second, third = windows(data)
    assert [(each.origin, each.horizon, each.era) for each in (first, second, third)] == [
        (3, 2, "before"), (5, 2, "before"), (7, 2, "after")]
    for window, source in ((first, 0), (second, 0), (third, 1)):
        seen = window.seen
        assert seen.periods == PERIODS[: window.origin + 1]
        assert np.array_equal(seen.headcount[0], data.panels[source].headcount[0, : window.origin + 1])
        assert np.array_equal(seen.past["trips"][0], data.panels[source].past["trips"][0, : window.origin + 1])
        assert np.array_equal(window.truth.headcount, data.panels[1].headcount)


def test_what_is_late_is_not_there_yet():
    seen = windows(vintages())[0].seen
    assert np.isnan(seen.headcount).tolist() == [[False] * 4, [False] * 3 + [True], [False] * 2 + [True] * 2]
    assert np.array_equal(np.isnan(seen.past["trips"]), np.isnan(seen.headcount))
    assert np.isfinite(seen.known["month"]).all()


def test_slow_facts_are_those_of_the_period_before():
    slow = {"income": panel().headcount}
    first, _, third = windows(vintages(slow=slow))
    assert np.array_equal(first.seen.static["income"], slow["income"][:, 2])
    assert np.array_equal(third.seen.static["income"], slow["income"][:, 6])


def test_series_that_come_and_go_are_forecast_while_they_are_there():
    table = np.full((5, T), 20.0)
    table[1, :4] = np.nan  # new: too few reports at the first origin
    table[2] = 5.0  # small
    table[3, 5:] = 0.0  # closed before the second
    table[4, 5] = np.nan  # silent at the second
    come_and_go = replace(panel(5), headcount=table)
    plan = Plan(2, {"": ("2020-05", "2020-06", "2020-08")}, reports=2, size=10)
    found = windows(vintages(panels=(come_and_go,), until=(), late=np.zeros(5, np.int64), plan=plan))
    assert [window.seen.series for window in found] == [("a", "d", "e"), ("a", "b"), ("a", "b", "e")]
    assert [window.truth.series for window in found] == [window.seen.series for window in found]
    assert sorted(found[0].truth.groups["size"]) == ["high", "low", "middle"]


@pytest.mark.parametrize(("change", "said"), [
    ({"until": ()}, "2 vintages need 1 dates, not 0"),
    ({"panels": (panel(), panel(2))}, "different series or periods"),
])
def test_vintages_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        vintages(**change)


def test_a_horizon_beyond_the_dataset_is_refused():
    with pytest.raises(ValueError, match="2 periods from 2020-09 end after 2020-10"):
        windows(vintages(plan=Plan(2, {"": ("2020-09",)})))


@given(st.integers(0, T - 1), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_whatever_came_later_is_not_seen(origin, late):
    lateness = np.array(late)
    before = until(panel(), origin, lateness)
    later = np.arange(T)[None, :] > origin - lateness[:, None]
    whole = panel()
    changed = replace(
        whole, headcount=np.where(later, 7.0, whole.headcount),
        past={"trips": np.where(later, 7.0, whole.past["trips"])},
        displaced=np.where(np.arange(T) > origin, 7.0, whole.displaced),
    )
    after = until(changed, origin, lateness)
    for name in ("headcount", "displaced"):
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
    assert np.array_equal(before.past["trips"], after.past["trips"], equal_nan=True)


def test_chosen_series_keep_what_is_theirs():
    part = chosen(panel(), np.array([2, 0]))
    assert part.series == ("c", "a")
    assert part.headcount[0, 0] == panel().headcount[2, 0]
    assert part.static["share"].tolist() == panel().headcount[[2, 0], 0].tolist()
