"""How good the forecasts are: against the references, in their own unit, and for calibration."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import forecast
from fourfold.suite.task import Score
from fourfold.tasks.driver_displacement.errors import DECILES, LEVELS, Errors
from fourfold.tasks.driver_displacement.fairness import STATE
from fourfold.tasks.driver_displacement.resampling import Bools, Table, absolute, log_ratio

ByTarget = Sequence[Sequence[Errors]]


def scores(table: Table, by_target: ByTarget) -> Iterator[Score]:
    """Every accuracy score, from the errors of each target, the main one last, in each of the table's windows."""
    yield from _relative(table, by_target)
    yield from _states(table, by_target[-1])
    yield from _own_unit(table, by_target)
    yield from _calibration(table, by_target)


def _relative(table: Table, by_target: ByTarget) -> Iterator[Score]:
    """Losses relative to the references: geometric means over windows, of all and by era, target and horizon."""
    main = by_target[-1]
    ratio, seasonal = ([_log_relative(each, other) for each in main] for other in ("reference", "seasonal"))
    n = _known(main, table.headline)
    yield table.score("relative_loss", ratio, n, made=np.exp, keep=True)
    yield table.score("relative_loss_seasonal", seasonal, n, made=np.exp)
    for group, part in table.eras():
        yield table.score("relative_loss", ratio, _known(main, part), group, np.exp, part=part)
        yield table.score("relative_loss_seasonal", seasonal, _known(main, part), group, np.exp, part=part)
    for found in by_target if len(by_target) > 1 else ():
        values = [_log_relative(each) for each in found]
        yield table.score("relative_loss", values, _known(found, table.headline), f"target={found[0].target}", np.exp)
    horizon = table.windows[0].horizon
    for step in dict.fromkeys((1, (horizon + 1) // 2, horizon)):
        values = [_log_relative(each, step=step) for each in main]
        yield table.score("relative_loss", values, _known(main, table.headline, step), f"horizon={step}", np.exp)


def _log_relative(each: Errors, other: str = "reference", step: int | None = None) -> float:
    part = _steps(step)
    losses = forecast.known_sum(each.loss[:, part]), forecast.known_sum(getattr(each, other)[:, part])
    return float(log_ratio(*losses))


def _states(table: Table, main: Sequence[Errors]) -> Iterator[Score]:
    """Relative loss and coverage of each state, where series are of states."""
    of_windows = [window.truth.groups.get(STATE, np.array([])) for window in table.windows]
    states = np.array(sorted({state for names in of_windows for state in names.tolist()} - {""}))
    sums = np.zeros((len(main), len(states), 4))
    for into, names, each in zip(sums, of_windows, main, strict=True):
        if len(names):
            known = ~np.isnan(each.outcome)
            columns = np.stack([each.loss, each.reference, forecast.inside(each.outcome, *each.ends(80)), known])
            into[:] = (names == states[:, None]) @ np.where(known, columns, 0.0).sum(axis=2).T
    n = sums[table.headline, :, 3].sum(axis=0)
    loss, reference, covered, known = np.moveaxis(np.where(sums[..., 3:] > 0, sums, np.nan), -1, 0)
    ratio, coverage = log_ratio(loss, reference), covered / known
    for which, state in enumerate(states):
        yield table.score("relative_loss", ratio[:, which], int(n[which]), f"state={state}", np.exp)
        yield table.score("coverage_80", coverage[:, which], int(n[which]), f"state={state}")


def _own_unit(table: Table, by_target: ByTarget) -> Iterator[Score]:
    """Losses of head-counts over their sum and over each series' scale; losses of displacement per 1,000 jobs."""
    heads, main = by_target[0], by_target[-1]
    values: dict[str, npt.ArrayLike] = {"wql": [_weighted(each) for each in heads]}
    values |= dict(zip(("sql", "mase", "msis"), _scaled(table, heads), strict=True))
    if main[0].target == "displaced":
        values["loss_per_1000"] = [1000 * _weighted(each) for each in main]
    for metric, of_windows in values.items():
        found = main if metric == "loss_per_1000" else heads
        yield table.score(metric, of_windows, _known(found, table.headline))
        for group, part in table.eras():
            yield table.score(metric, of_windows, _known(found, part), group, part=part)


def _weighted(each: Errors) -> float:
    given = each.quantiles[..., DECILES]
    return forecast.weighted_quantile_loss(each.outcome, given, LEVELS[DECILES], size=np.abs(each.jobs))


def _scaled(table: Table, heads: Sequence[Errors]) -> list[tuple[float, ...]]:
    """SQL, MASE and MSIS of each window: three tuples of one value a window."""
    found = []
    for window, each in zip(table.windows, heads, strict=True):
        scale, _ = forecast.floored(forecast.seasonal_scale(window.seen.headcount, window.seen.season))
        found.append((
            forecast.scaled_quantile_loss(each.outcome, each.quantiles[..., DECILES], LEVELS[DECILES], scale),
            forecast.mase(each.outcome, each.median, scale),
            forecast.msis(each.outcome, *each.ends(80), 0.2, scale),
        ))
    return list(zip(*found, strict=True))


def _calibration(table: Table, by_target: ByTarget) -> Iterator[Score]:
    """Coverage, bias and the distance of the PIT from uniform: of all and by era, coverage and bias by target."""
    main = by_target[-1]
    parts: list[tuple[str, Sequence[Errors], Bools]] = [("", main, table.headline)]
    parts += [(group, main, part) for group, part in table.eras()]
    if len(by_target) > 1:
        parts += [(f"target={found[0].target}", found, table.headline) for found in by_target]
    for group, found, part in parts:
        n = _known(found, part)
        for nominal in (80, 90):
            covered = [forecast.coverage(each.outcome, *each.ends(nominal)) for each in found]
            yield table.score(f"coverage_{nominal}", covered, n, group, part=part)
        off = [forecast.bias(each.outcome, each.median, np.abs(each.jobs)) for each in found]
        yield table.score("bias", off, n, group, part=part)
    n = _known(main, table.headline)
    for nominal, group in ((80, ""), (90, "interval=90")):
        off = [forecast.coverage(each.outcome, *each.ends(nominal)) - nominal / 100 for each in main]
        yield absolute(table.score("coverage_error", off, n), group)
    yield _pit(table, main, n)


def _pit(table: Table, main: Sequence[Errors], n: int) -> Score:
    cdfs = [forecast.known_mean(forecast.pit_cdf(each.outcome, each.quantiles, LEVELS), axis=(0, 1)) for each in main]
    found = table.score("pit_deviation", cdfs, n, made=lambda cdf: forecast.pit_deviation(cdf, LEVELS))
    if found.value is None or found.low is None or found.high is None:
        return found
    # Noise adds to the deviation: resamples may all lie above it.
    return Score(found.metric, found.value, min(found.low, found.value), max(found.high, found.value), n)


def _known(found: Sequence[Errors], part: Bools, step: int | None = None) -> int:
    """How many outcomes are known in part of the windows, of all horizons or of one."""
    of_part = [each.outcome[:, _steps(step)] for each, chosen in zip(found, part.tolist(), strict=True) if chosen]
    return sum(int((~np.isnan(outcome)).sum()) for outcome in of_part)


def _steps(step: int | None) -> slice:
    return slice(None) if step is None else slice(step - 1, step)
