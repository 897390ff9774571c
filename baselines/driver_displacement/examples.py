"""Worlds as a table of examples for models that learn across series, origins and horizons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fourfold.baselines.driver_displacement.stock import Floats, histories

LAGS = (1, 2, 4, 8, 12)
SMALLEST = 0.002
"""The least change from one period to the next that a spread is made of, as a share of the scale."""


@dataclass(frozen=True)
class World:
    """One history to learn or to forecast from: its targets (n, targets, T), covariates, and facts of the series.

    past: (k, n, T); known: (l, n, T and as many periods more as are known); static: (n, s); season, label_lag: as in
    ``Query``.
    """

    targets: Floats
    past: Floats
    known: Floats
    static: Floats
    season: int
    label_lag: int


@dataclass(frozen=True)
class Examples:
    """m examples: features (m, f), and what an answer is made of: base + scale * predicted, (m,); NaN where unknown.

    spread: (m,) by how much a random walk would change until then, as a share of the scale.
    """

    features: Floats
    base: Floats
    scale: Floats
    spread: Floats

    def chosen(self, rows: npt.NDArray[np.int64]) -> Self:
        """Those in these rows."""
        return type(self)(*(column[rows] for column in vars(self).values()))


def asked(train: Any, query: Any) -> World:
    """What there is to forecast from at a query's origin."""
    past = histories(train, query)
    return World(past, query.past, query.known, query.static, query.season, query.label_lag)


def worlds(train: Any) -> list[World]:
    """The whole worlds there are to learn from."""
    targets = np.stack([train.headcount, train.displaced], axis=2)[:, :, : len(train.targets)]
    return [World(targets[w], train.past[w], train.known[w], train.static, train.season, train.label_lag)
            for w in range(len(targets))]


def until(world: World, origin: int) -> World:
    """What of a world there was at an origin."""
    end = origin + 1
    return replace(world, targets=world.targets[..., :end], past=world.past[..., :end], known=world.known[..., :end])


def at_origin(world: World, origin: int, target: int, horizon: int) -> Examples:
    """The examples (n * h) of all series at one origin, for each horizon: nothing after it is read but what is known.

    What is predicted is the change from the last known value, as a share of the last known head-count.
    """
    seen = _filled(world.targets[..., : origin + 1])
    heads, own = seen[:, 0], seen[:, target]
    last = max(origin - (world.label_lag if target else 0), 0)
    scale, base = np.maximum(np.nan_to_num(heads[:, -1]), 1.0), own[:, last]
    changes = np.nan_to_num(np.diff(own[:, max(0, last - 12) : last + 1], axis=1))
    deviation = np.sqrt(np.mean(changes**2, axis=1)) / scale if changes.size else np.zeros(len(scale))
    columns = [np.log(scale), base / scale, deviation]
    columns += [(base - own[:, last - lag]) / scale if lag <= last else np.full(len(scale), np.nan) for lag in LAGS]
    for covariate in _filled(np.moveaxis(world.past[..., : origin + 1], 0, 1)).transpose(1, 0, 2):
        now, before = covariate[:, -1], covariate[:, max(0, origin - world.label_lag)]
        growth = np.clip(now / np.where(before > 0, before, np.nan), 0.1, 10.0)
        columns += [now, growth, growth * base / scale]
    columns += list(world.static.T)
    fixed = np.stack(columns, axis=1)
    ahead = [_ahead(world, own, origin, step, scale, target) for step in range(1, horizon + 1)]
    features = np.concatenate([np.concatenate([fixed, each], axis=1) for each in ahead])
    spread = [np.maximum(deviation, SMALLEST) * np.sqrt(origin - last + step) for step in range(1, horizon + 1)]
    return Examples(features, np.tile(base, horizon), np.tile(scale, horizon), np.concatenate(spread))


def _ahead(world: World, own: Floats, origin: int, step: int, scale: Floats, target: int) -> Floats:
    """What depends on the horizon: it, what the season did a year ago, and covariates known in advance; (n, f)."""
    year = world.season * -(-step // world.season)
    then = origin + step - year
    change = np.full(len(scale), np.nan)
    if target == 0 and origin >= year:
        change = (own[:, then] - own[:, origin - year]) / scale
    return np.stack([np.full(len(scale), float(step)), change, *world.known[:, :, origin + step]], axis=1)


def _filled(table: Floats) -> Floats:
    """The last known value where one is not known; NaN before the first."""
    place = np.where(np.isnan(table), 0, np.arange(table.shape[-1]))
    found: Floats = np.take_along_axis(table, np.maximum.accumulate(place, axis=-1), axis=-1)
    return found


def drawn(
    given: Sequence[World], target: int, horizon: int, most: int, rng: np.random.Generator
) -> tuple[Examples, Floats]:
    """At most ``most`` examples of many origins, and what came: (outcome - base) / scale, (m,)."""
    tables, came = [], []
    for world in given:
        n, _, periods = world.targets.shape
        first = max(min(2 * world.season, periods // 2), (world.label_lag if target else 0) + 1)
        every = max(1, (periods - first) * n * horizon * len(given) // (4 * most))
        for origin in range(periods - 2, first - 1, -every):
            here = min(horizon, periods - 1 - origin)
            table = at_origin(world, origin, target, here)
            change = world.targets[:, target, origin + 1 : origin + 1 + here].T.reshape(-1) - table.base
            rows = np.flatnonzero(~np.isnan(change))
            tables.append(table.chosen(rows))
            came.append(change[rows] / table.scale[rows])
    joined = Examples(*(np.concatenate(each) for each in zip(*(vars(table).values() for table in tables), strict=True)))
    rows = np.sort(rng.permutation(len(joined.base))[:most])
    return joined.chosen(rows), np.concatenate(came)[rows]
