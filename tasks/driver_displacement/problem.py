"""What driver-displacement asks of a method: one fit, then a forecast from every origin in turn."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fourfold.suite.task import Answers, Ask, Draw, Problem, Want
from fourfold.tasks.driver_displacement.origins import Vintages, windows
from fourfold.tasks.driver_displacement.panel import QUANTILES, TARGETS, Floats, Panel
from fourfold.tasks.driver_displacement.records import NOBODY, Records, cleared, draw_canaries, recorded
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Query, Train, Window
from fourfold.tasks.driver_displacement.workers import RECORDED
from fourfold.tasks.driver_displacement.worlds import HIDDEN, PublicWorlds, hidden_windows

MOST = 1e12
"""Jobs that a quantile may name: more than a hundred for everybody alive, and no sum of them overflows."""
SMALL = 2
"""Origins, hidden worlds and worlds to train on of a small problem."""


def draw(data: Vintages | PublicWorlds, secret: Draw, *, small: bool = False) -> Problem:
    """A real dataset's problem, which its origins decide alone, or that of worlds that the seed draws.

    The method learns from ``Train`` once and is asked for a forecast from each origin, in ascending order; what one ask
    gives it holds nothing that was published after its origin. A forecast may fail: then it is scored as Naive.
    Hidden are the windows; and the canaries, as [window, place] each, with their coins.
    """
    if isinstance(data, PublicWorlds):
        return _simulated(data, secret, small)
    found = windows(data)[: SMALL if small else None]
    first = found[0].seen
    fit = _train([first], found[0], ("headcount",), NOBODY)
    asks = [Ask("fit", fit), *(_predict(window, ("headcount",), -1) for window in found)]
    hidden = {"windows": found, "coin": np.zeros(0, bool), "canary": np.zeros((0, 2), np.int64)}
    return Problem(asks, Answers(hidden))


def _simulated(data: PublicWorlds, secret: Draw, small: bool) -> Problem:
    """Hidden worlds and the exhibit, by origin; the records of those who lost a job in them, and canaries among them.

    A canary is a worker who is recorded to have lost a job in a place of a hidden world where nobody else is; a secret
    coin puts each in or leaves it out. None is in the exhibit, whose forecasts are published.
    """
    public = data.training[: SMALL if small else None]
    drawn = hidden_windows(secret.rng("worlds"), SMALL if small else HIDDEN)
    found = tuple(sorted((*drawn, data.exhibit), key=lambda window: window.origin))
    real = recorded(found)
    canary, workers = draw_canaries(found, real, secret.rng("canaries"))
    coin, real = secret.rng("coins").random(len(canary)) < 0.5, cleared(real, canary)
    everybody = real.joined(workers.chosen(np.flatnonzero(coin)))
    mixed = secret.rng("mix").permutation(everybody.n)
    fit = _train(public, found[0], TARGETS, everybody.chosen(mixed))
    asks = [Ask("fit", fit), *(_predict(window, TARGETS, world) for world, window in enumerate(found))]
    members = np.stack([np.argsort(mixed)[real.n :], canary[coin, 1]], axis=1)
    return Problem(asks, Answers({"windows": found, "coin": coin, "canary": canary}), members=members)


def _train(panels: Sequence[Panel], first: Window, targets: tuple[str, ...], workers: Records) -> Train:
    """Whole panels to learn from, and the private records, where there are any."""
    one = panels[0]
    unknown = np.full(one.headcount.shape, np.nan)
    return Train(
        series=one.series, periods=one.periods, season=one.season,
        headcount=np.stack([panel.headcount for panel in panels]),
        displaced=np.stack([unknown if panel.displaced is None else panel.displaced for panel in panels]),
        past=np.stack([_stacked(panel.past, one.headcount.shape) for panel in panels]), past_names=tuple(one.past),
        known=np.stack([_stacked(panel.known, one.headcount.shape) for panel in panels]), known_names=tuple(one.known),
        static=_columns(one), static_names=tuple(one.static),
        quantiles=np.array(QUANTILES), targets=targets, horizon=first.horizon, label_lag=LABEL_LAG,
        recorded=RECORDED if workers.n else 1.0, **vars(workers), n=workers.n,
        private=tuple(vars(workers)) if workers.n else (),
    )


def _predict(window: Window, targets: tuple[str, ...], world: int) -> Ask:
    """The ask of one origin: head-counts from 0 to MOST; displacement may be less than none."""
    seen, end = window.seen, window.origin + 1 + window.horizon
    n = len(seen.series)
    query = Query(
        series=seen.series, periods=window.truth.periods[:end], season=seen.season, headcount=seen.headcount,
        past=_stacked(seen.past, seen.headcount.shape), past_names=tuple(seen.past),
        known=_stacked({name: window.truth.known[name][:, :end] for name in seen.known}, (n, end)),
        known_names=tuple(seen.known), static=_columns(seen), static_names=tuple(seen.static),
        quantiles=np.array(QUANTILES), targets=targets, horizon=window.horizon, label_lag=LABEL_LAG, world=world,
    )
    low = np.array([0.0 if target == "headcount" else -MOST for target in targets]).reshape(1, -1, 1, 1)
    shape = (n, len(targets), window.horizon, len(QUANTILES))
    return Ask("predict", query, Want(shape, low, MOST, counts=math.prod(shape[:-1])), may_fail=True)


def _stacked(tables: Mapping[str, Floats], shape: tuple[int, ...]) -> Floats:
    """(k, n, T), also where k is 0."""
    return np.stack(list(tables.values())) if tables else np.empty((0, *shape))


def _columns(panel: Panel) -> Floats:
    """Static covariates as (n, s)."""
    return np.stack(list(panel.static.values()), axis=1) if panel.static else np.empty((len(panel.series), 0))
