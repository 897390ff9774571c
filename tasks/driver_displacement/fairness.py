"""For whom the forecasts are worst: between groups of places, occupations and sexes."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import forecast
from fourfold.suite.metrics.bootstrap import Floats, percentile_interval
from fourfold.suite.task import Score
from fourfold.tasks.driver_displacement.errors import Errors
from fourfold.tasks.driver_displacement.resampling import absolute, log_ratio
from fourfold.tasks.driver_displacement.window import Window

STATE = "state"
"""The attribute that names places: the units that are resampled, and no group to be compared."""
WOMEN = "women_share"
"""The static covariate that splits each series by sex."""
COMPARED = "minority"
"""The attribute whose gap in coverage stands for all on the board."""
SMALLEST = 10
"""Fewest places of a group for which places are resampled."""
RATES = {"relative_loss": "loss_gap", "coverage_80": "coverage_gap", "under_forecast": "under_forecast_gap"}
"""What is measured of each group, and the name of its gap."""


def scores(
    windows: Sequence[Window], main: Sequence[Errors], weights: Floats, rng: np.random.Generator
) -> Iterator[Score]:
    """The rates of each group, their signed gaps, and the worst group, over windows (w) and the errors of each.

    weights: (r, w), how much each window weighs in each replicate. A gap between groups of places is to say something
    of such places, not of these alone: so places are drawn with replacement too, the same across windows (Owen 2007,
    "The pigeonhole bootstrap", which errs on the wide side).
    """
    names = list(dict.fromkeys(name for window in windows for name in groups(window)))
    if not names:
        return
    sums = _sums(windows, main, names)
    n = np.rint(sums[..., 5].sum(axis=(0, 1))).astype(np.int64)
    value = _over(_rates(sums.sum(axis=1))[None], np.ones((1, len(windows))))[0]
    drawn = _drawn((sums[..., 5].sum(axis=0) > 0).sum(axis=0), sums.shape[1], len(weights), rng)
    again = _over(_rates(np.einsum("rp,wpgk->rwgk", drawn, sums, optimize=True)), weights)
    if len(windows) < 2:  # One window tells nothing of how windows differ.
        again = np.full_like(again, np.nan)
    for place, name in enumerate(names):
        for which, metric in enumerate(RATES):
            yield _score(metric, value[place, which], again[:, place, which], int(n[place]), name)
    yield from _gaps(names, value, again, n)
    yield _worst(value[:, 0], again[..., 0], n)


def groups(window: Window) -> dict[str, Floats]:
    """How much of each series is of each group, (n,): all or nothing but for sex, a share."""
    found: dict[str, Floats] = {}
    for attribute, values in window.truth.groups.items():
        if attribute != STATE:
            for value in sorted(set(values.tolist()) - {""}):
                found[f"{attribute}={value}"] = (values == value).astype(np.float64)
    if WOMEN in window.truth.static:
        women = window.truth.static[WOMEN]
        found |= {"sex=men": 1 - women, "sex=women": women}
    return found


def places(window: Window) -> npt.NDArray[np.str_]:
    """The place each series is of, (n,): its state, or itself where states are not known."""
    return window.truth.groups.get(STATE, np.array(window.truth.series))


def _sums(windows: Sequence[Window], main: Sequence[Errors], names: Sequence[str]) -> Floats:
    """(w, places, groups, 6): sums over known outcomes of loss, reference, jobs, missed, covered and one."""
    of_windows = [places(window).tolist() for window in windows]
    units = {unit: number for number, unit in enumerate(dict.fromkeys(unit for units in of_windows for unit in units))}
    sums = np.zeros((len(windows), len(units), len(names), 6))
    for into, window, of_series, found in zip(sums, windows, of_windows, main, strict=True):
        covered = forecast.inside(found.outcome, *found.ends(80))
        columns = np.stack([found.loss, found.reference, np.abs(found.jobs), found.missed, covered])
        known = ~np.isnan(found.outcome)
        each = np.concatenate([np.where(known, columns, 0.0).sum(axis=2), known.sum(axis=1)[None]])
        of_groups = groups(window)
        share = np.stack([of_groups.get(name, np.zeros(len(of_series))) for name in names])
        np.add.at(into, [units[unit] for unit in of_series], np.einsum("gn,kn->ngk", share, each))
    return sums


def _drawn(of_groups: npt.NDArray[np.int64], count: int, replicates: int, rng: np.random.Generator) -> Floats:
    """How often each of ``count`` places enters each replicate: once, where a group has hardly any to draw from."""
    if of_groups.min() < SMALLEST:
        return np.ones((replicates, count))
    return rng.multinomial(count, np.full(count, 1 / count), size=replicates).astype(np.float64)


def _rates(sums: Floats) -> Floats:
    """Sums (..., 6) to the logarithm of the relative loss, coverage, and losses missed as a share of jobs (..., 3)."""
    loss, reference, jobs, missed, covered, known = np.moveaxis(np.where(sums[..., 5:] > 0, sums, np.nan), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([log_ratio(loss, reference), covered / known, missed / jobs], axis=-1)


def _over(rates: Floats, weights: Floats) -> Floats:
    """Mean over windows of rates (r, w, groups, 3) under weights (r, w), the relative loss back from its logarithm."""
    known = ~np.isnan(rates)
    total = np.einsum("rw,rwgk->rgk", weights, np.where(known, rates, 0.0))
    weight = np.einsum("rw,rwgk->rgk", weights, known.astype(np.float64))
    mean = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    mean[..., 0] = np.exp(mean[..., 0])
    return mean


def _gaps(names: Sequence[str], value: Floats, again: Floats, n: npt.NDArray[np.int64]) -> Iterator[Score]:
    """The signed gap between the two ends of each attribute that has two, in each rate."""
    for attribute in dict.fromkeys(name.partition("=")[0] for name in names):
        ends = _ends([name.partition("=")[2] for name in names if name.startswith(f"{attribute}=")])
        if ends is None:
            continue
        first, second = (names.index(f"{attribute}={end}") for end in ends)
        for which, metric in enumerate(RATES.values()):
            gap = _score(
                metric,
                value[first, which] - value[second, which],
                again[:, first, which] - again[:, second, which],
                int(n[first] + n[second]),
                f"{attribute}={ends[0]}-{ends[1]}",
            )
            yield gap
            if attribute == COMPARED:
                yield absolute(gap)


def _ends(values: Sequence[str]) -> tuple[str, str] | None:
    """Which two values are furthest apart: high and low, or the only two, the later in the alphabet first."""
    if {"high", "low"} <= set(values):
        return "high", "low"
    return (max(values), min(values)) if len(values) == 2 else None


def _worst(value: Floats, again: Floats, n: npt.NDArray[np.int64]) -> Score:
    """The greatest relative loss of a group (groups,), with an interval for the true greatest.

    ``high`` is the groups' greatest upper limit, which covers whenever that of the true worst does; ``low`` their
    greatest lower limit, each at (1 - level)/(2 groups), as any of them may fail.
    """
    if np.isnan(value).all():
        return Score("worst_group_loss", None)
    worst = int(np.nanargmax(value))
    tails = 1 - 0.05 / len(value)
    limits = [(percentile_interval(each, tails)[0], percentile_interval(each)[1]) for each in again.T]
    lows, highs = [low for low, _ in limits if low is not None], [high for _, high in limits if high is not None]
    if len(highs) < len(value):
        return Score("worst_group_loss", float(value[worst]), n=int(n[worst]))
    return Score("worst_group_loss", float(value[worst]), max(lows), max(highs), int(n[worst]))


def _score(metric: str, value: float, again: Floats, n: int, group: str) -> Score:
    if np.isnan(value):
        return Score(metric, None, n=n, group=group)
    return Score(metric, float(value), *percentile_interval(again), n, group)
