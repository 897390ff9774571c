"""What a board draws of the forecasts: history, outcome and quantiles of each series at each origin."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.errors import targets_of
from fourfold.tasks.driver_displacement.panel import QUANTILES, Floats
from fourfold.tasks.driver_displacement.window import Window

PAST = 24
"""Periods of history in a chart, at most."""
DRAWN = (0.05, 0.1, 0.5, 0.9, 0.95)
"""The quantiles in a chart: the median, and the ends of the intervals of 80 and 90 %."""


def fans(hidden: Mapping[str, Any], answers: Sequence[npt.NDArray[Any] | None]) -> dict[str, Any]:
    """Fan charts as JSON: of every window of a real dataset, and of a simulated one those that are only shown.

    A hidden world's outcome is never in them. hidden and answers: as `scoring.score` has them; a window without an
    answer has no chart. Numbers are whole jobs, None where unknown. ``periods`` names those of history and outcome.
    """
    shown = [
        (window, answer)
        for window, answer in zip(hidden["windows"], answers[1:], strict=True)
        if answer is not None and (window.world is None or not window.scored)
    ]
    charts = [chart for window, answer in shown for chart in _charts(window, np.sort(answer, axis=-1))]
    return {"kind": "fans", "title": "Forecasts and what happened", "charts": charts}


def _charts(window: Window, answer: Floats) -> Iterator[dict[str, Any]]:
    """One chart for each series and target."""
    end = window.origin + 1
    for place, target in enumerate(targets_of(window)):
        truth = window.truth.headcount if target == "headcount" else window.truth.displaced
        assert truth is not None
        history = (window.seen.headcount if target == "headcount" else truth[:, :end])[:, -PAST:]
        outcome = truth[:, end : end + window.horizon]
        periods = list(window.truth.periods[end - history.shape[1] : end + window.horizon])
        for row, series in enumerate(window.truth.series):
            yield {
                "series": series,
                "target": target,
                "origin": window.truth.periods[window.origin],
                "periods": periods,
                "history": _whole(history[row]),
                "outcome": _whole(outcome[row]),
                "quantiles": {str(q): _whole(answer[row, place, :, QUANTILES.index(q)]) for q in DRAWN},
            }


def _whole(values: Floats) -> list[int | None]:
    return [None if np.isnan(value) else round(value) for value in values.tolist()]
