"""How driver-displacement scores what a method forecast, window by window; where it failed, the references stand in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite import exhibit
from fourfold.suite.metrics import forecast
from fourfold.suite.task import Draw, Score, Scored
from fourfold.tasks.driver_displacement import accuracy, fairness, fans, policy
from fourfold.tasks.driver_displacement.errors import errors, targets_of
from fourfold.tasks.driver_displacement.measures import METRICS
from fourfold.tasks.driver_displacement.naive import reference, seasonal_reference
from fourfold.tasks.driver_displacement.panel import TARGETS, Floats
from fourfold.tasks.driver_displacement.resampling import Table, window_weights
from fourfold.tasks.driver_displacement.window import Window

REPLICATES = 1000
"""Bootstrap replicates of worlds and origins, for intervals."""

_LIMITS = {
    metric.name: (-np.inf if metric.low is None else metric.low, np.inf if metric.high is None else metric.high)
    for metric in METRICS
}

Answered = Sequence[npt.NDArray[Any] | None]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """The scored windows, and of each one forecast (n, targets, h, q) with its quantiles in order.

    references: those of Naive and Persist, which stand in where the method ``failed``. crossed: how many of the
    ``given`` forecasts of one number had to be re-sorted.
    """

    windows: Sequence[Window]
    quantiles: Sequence[Floats]
    references: Sequence[Floats]
    failed: int
    crossed: int
    given: int


def score(hidden: Mapping[str, Any], answers: Answered, draw: Draw) -> Scored:
    """Score the answers: fit's None, then a window each, (n, targets, h, q) or None where the method failed there.

    hidden: ``windows``, in the order of the asks; ``coin`` (m,), canary i was among the records; ``canary`` (m, 2), its
    window and its series. Replicate b rests on the same windows for every method, and for every seed, as the seeds of a
    real dataset share their windows.
    """
    made = settle(hidden["windows"], answers[1:])
    seasonal = [seasonal_reference(window) for window in made.windows]
    each = list(zip(made.windows, made.quantiles, made.references, seasonal, strict=True))
    targets = range(len(targets_of(made.windows[0])))
    by_target = [[errors(window, target, *forecasts) for window, *forecasts in each] for target in targets]

    table = Table(made.windows, window_weights(made.windows, draw.rng("windows", every_seed=True), REPLICATES))
    kept = [place for place, of_headline in enumerate(table.headline) if of_headline]
    compared = [made.windows[place] for place in kept], [by_target[-1][place] for place in kept], table.weights[:, kept]
    lost = [quantiles[:, -1] for quantiles in made.quantiles]
    scores = [
        *accuracy.scores(table, by_target),
        *_mended(made),
        *fairness.scores(*compared, draw.rng("places", every_seed=True)),
        *policy.policy_scores(made.windows, lost, draw.rng("policy", every_seed=True)),
    ]
    shown = {"fans": exhibit.encode(fans.fans(hidden, answers))}
    ranged = [_ranged(each) for each in scores]
    return Scored(ranged, hidden["coin"], membership(hidden["canary"], answers[1:]), exhibits=shown)


def settle(windows: Sequence[Window], answers: Answered) -> Forecasts:
    """Put the quantiles of each scored window in order, and the references where the method has no answer."""
    scored = [(window, answer) for window, answer in zip(windows, answers, strict=True) if window.scored]
    references = [reference(window) for window, _ in scored]
    quantiles, crossed, given = [], 0, 0
    for (_, answer), standing in zip(scored, references, strict=True):
        ordered, wrong = (standing, 0) if answer is None else forecast.uncrossed(answer)
        quantiles.append(ordered)
        crossed, given = crossed + wrong, given + (0 if answer is None else ordered[..., 0].size)
    failed = sum(answer is None for _, answer in scored)
    return Forecasts([window for window, _ in scored], quantiles, references, failed, crossed, given)


def membership(canary: npt.NDArray[np.int64], answers: Answered) -> Floats:
    """How likely the forecasts make it that each canary (window, series) was recorded: the jobs lost in its cell.

    The mean over quantiles and periods ahead, of which number h counts 1/h, as what is forecast further blurs; all of
    them, so that no period left constant hides a worker in the others. On a scale that is linear below one job and
    logarithmic above, as wide quantiles say little of one worker. Where the method has no answer it is 0, whatever the
    coin.
    """
    target = TARGETS.index("displaced")
    found = ((answers[window], series) for window, series in canary)
    return np.array([0.0 if answer is None else _stock(answer[series, target]) for answer, series in found])


def _stock(quantiles: Floats) -> float:
    """One number for the jobs lost that quantiles (h, q) tell of."""
    return float(np.average(np.arcsinh(quantiles).mean(axis=-1), weights=1 / np.arange(1, len(quantiles) + 1)))


def _ranged(score: Score) -> Score:
    """The score with an interval within what its metric can be."""
    if score.low is None or score.high is None:
        return score
    low, high = np.clip([score.low, score.high], *_LIMITS[score.metric])
    return replace(score, low=float(low), high=float(high))


def _mended(made: Forecasts) -> Iterator[Score]:
    """What had to be mended or left out, counted."""
    yield Score("windows_failed", float(made.failed), n=len(made.windows))
    yield Score("crossed", float(made.crossed), n=made.given)
    unknown, outcomes = 0, 0
    for window in made.windows:
        ahead = window.truth.headcount[:, window.origin + 1 : window.origin + 1 + window.horizon]
        unknown, outcomes = unknown + int(np.isnan(ahead).sum()), outcomes + ahead.size
    histories = [(window.seen.headcount, window.seen.season) for window in made.windows]
    scales = np.concatenate([forecast.seasonal_scale(history, season) for history, season in histories])
    yield Score("scale_floored", float(forecast.floored(scales)[1]), n=len(scales))
    yield Score("scale_undefined", float(np.isnan(scales).sum()), n=len(scales))
    yield Score("outcomes_unknown", float(unknown), n=outcomes)
