"""The fan charts: what a reader sees of a forecast, and nothing of a hidden world."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fourfold.suite.task import Draw
from fourfold.tasks.driver_displacement.fans import fans
from fourfold.tasks.driver_displacement.naive import reference
from fourfold.tasks.driver_displacement.panel import Panel
from fourfold.tasks.driver_displacement.problem import draw
from fourfold.tasks.driver_displacement.window import Window
from fourfold.tasks.driver_displacement.worlds import PublicWorlds

DRAW = Draw(b"0123456789abcdef", "driver-displacement", "made", 1)


@pytest.fixture
def window():
    head = np.arange(80.0).reshape(2, 40) + 0.4
    head[0, 20] = np.nan
    truth = Panel(("a", "b"), tuple(f"p{place}" for place in range(40)), 1, head, None, {}, {}, {}, {})
    seen = replace(truth, periods=truth.periods[:30], headcount=head[:, :30])
    return Window(seen, truth, origin=29, horizon=3)


def test_a_chart_holds_history_outcome_and_quantiles_in_whole_jobs(window):
    answer = np.tile(np.arange(11.0), (2, 1, 3, 1)) + 0.7
    answer[0, 0, 0] = answer[0, 0, 0, ::-1]
    found = fans({"windows": (window,)}, [None, answer])
    assert found["kind"] == "fans"
    assert json.loads(json.dumps(found)) == found
    first, second = found["charts"]
    assert (first["series"], first["target"], first["origin"]) == ("a", "headcount", "p29")
    assert first["periods"] == [f"p{place}" for place in range(6, 33)]
    assert first["history"] == [None if place == 20 else place for place in range(6, 30)]
    assert first["outcome"] == [30, 31, 32]
    assert first["quantiles"] == {level: [value] * 3 for level, value in
                                  (("0.05", 1), ("0.1", 2), ("0.5", 6), ("0.9", 10), ("0.95", 11))}
    assert second["history"][0] == 46


def test_a_window_without_an_answer_has_no_chart(window):
    answer = np.ones((2, 1, 3, 11))
    found = fans({"windows": (window, replace(window, origin=28))}, [None, None, answer])
    assert {chart["origin"] for chart in found["charts"]} == {"p28"}


def test_of_simulated_worlds_only_the_one_that_is_not_scored_is_shown(public: PublicWorlds):
    hidden = draw(public, DRAW).answers.hidden
    charts = fans(hidden, [None, *map(reference, hidden["windows"])])["charts"]
    assert len(charts) == 2 * len(public.exhibit.truth.series)
    (shown,) = {chart["origin"] for chart in charts}
    origin = public.exhibit.origin
    assert shown == public.exhibit.truth.periods[origin]
    lost = public.exhibit.truth.displaced[:, origin + 1 : origin + 9]
    assert [chart["outcome"] for chart in charts if chart["target"] == "displaced"] == lost.tolist()
