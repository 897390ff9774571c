"""What a forecast is for: places in training are given out on it, and the simulated workers show what that brought.

Every method's quantiles meet the same allocator, and each worker is known both trained and untrained with the same
luck, so that the regret of an allocation is exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.suite.task import Score
from fourfold.tasks.driver_displacement import reemployment
from fourfold.tasks.driver_displacement.allocation import Counts, allocate, by_headcount
from fourfold.tasks.driver_displacement.panel import QUANTILES, Floats
from fourfold.tasks.driver_displacement.resampling import Table, window_weights
from fourfold.tasks.driver_displacement.simulator import World
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Window

__all__ = ["allocate", "policy_scores"]

PLACES_SHARE = 0.3
"""Places of a window over its newly displaced: as scarce in every world, and no method sees how many."""
ATTRIBUTES = ("minority", "income", "occupation")
"""By what series are grouped; workers are by sex besides."""
REPLICATES = 1000
"""Bootstrap replicates of worlds."""

_SHARES = ("reemployed_26w", "reemployed_52w", "earnings_kept_5y", "unemployment_insurance")
_NET, _SEED = len(_SHARES), len(_SHARES) + 1


@dataclass(frozen=True, eq=False)
class _Stakes:
    """What training can do for the newly displaced of a window, by series.

    displaced, women: (n,) how many they are, and how many of them women. untrained: (n, 6) sums over them of each of
    `_SHARES`, of the net gain and of the seed formula where none is trained, both 0; change: (n, 6) what is added where
    all are. women_gain: (n,) the net gain of the women, were all trained. at_work: (n,) drivers at the origin. names,
    within: the groups, and which series are in each, (g, n).
    """

    displaced: Counts
    women: Counts
    untrained: Floats
    change: Floats
    women_gain: Floats
    at_work: Floats
    names: tuple[str, ...]
    within: npt.NDArray[np.bool_]

    @property
    def places(self) -> int:
        """Places there are to give."""
        return round(PLACES_SHARE * int(self.displaced.sum()))

    @property
    def gain(self) -> Floats:
        """(n,) mean net gain of a worker trained; of all workers where nobody is newly displaced.

        A gain of 0 would tell the allocator where nobody will be, which is for the forecast to say.
        """
        net, of_all = self.change[:, _NET], self.change[:, _NET].sum() / max(int(self.displaced.sum()), 1)
        return np.where(self.displaced > 0, net / np.maximum(self.displaced, 1), of_all)

    def trained(self, places: Counts) -> Floats:
        """(n,) the share of the newly displaced who get one of so many places (n,)."""
        return np.minimum(places, self.displaced) / np.maximum(self.displaced, 1)


def policy_scores(
    windows: Sequence[Window], forecasts: Sequence[Floats | None], rng: np.random.Generator
) -> list[Score]:
    """Score the forecasts, one a window, by what comes of giving places out on them; nothing where no world is known.

    forecasts: (n, h, q) quantiles of the jobs lost so far, None where the method failed. Newly displaced are those who
    lost a job after the last label known at the origin and by the end of the horizon, and do not drive again by then.
    Places for which nobody is expected are shared by head-count, so that a forecast of nothing, as Persist's or that of
    a method that failed, gives all of them so. Within a series the newly displaced draw lots. Windows that are not
    scored, or in which nobody is newly displaced, count for nothing.

    Raises ValueError where there is not one forecast a window.
    """
    kept: list[Window] = []
    stakes, places = [], []
    for window, forecast in zip(windows, forecasts, strict=True):
        if window.scored and isinstance(window.world, World):
            at_stake = _stakes(window, window.world)
            if at_stake.places:
                kept.append(window)
                stakes.append(at_stake)
                places.append(_places(at_stake, window, forecast))
    if not kept:
        return []
    table = Table(kept, window_weights(kept, rng, REPLICATES))
    return [*_overall(table, stakes, places), *_by_group(table, stakes, places)]


def _places(stakes: _Stakes, window: Window, forecast: Floats | None) -> Counts:
    """Places (n,) given out on a forecast."""
    given = np.zeros(len(stakes.displaced), dtype=np.int64)
    if forecast is not None:
        known = np.asarray(window.truth.displaced)[:, window.origin - LABEL_LAG, None]
        newly = np.maximum(np.sort(forecast[:, -1], axis=-1) - known, 0)
        given = allocate(newly, np.array(QUANTILES), stakes.gain, stakes.places)
    return given + by_headcount(stakes.at_work, stakes.gain > 0, stakes.places - int(given.sum()))


def _stakes(window: Window, world: World) -> _Stakes:
    workers, n, end = world.workers, len(window.truth.series), window.origin + window.horizon
    newly = (workers.lost > window.origin - LABEL_LAG) & (workers.lost <= end)
    newly &= (workers.returned < 0) | (workers.returned > end)
    place, woman = workers.place[newly], workers.sex[newly] == 1
    weeks, kept = workers.weeks[:, newly], workers.kept[:, newly]
    arms = [weeks <= 26, weeks <= 52, kept, workers.unemployment_insurance[:, newly]]
    net = workers.earnings[1, newly] - workers.earnings[0, newly] - reemployment.COST
    seed = reemployment.COURSE * workers.wage[newly] * (kept[1] - 1)

    def total(column: npt.NDArray[np.generic]) -> Floats:
        return np.bincount(place, column, n).astype(np.float64)

    untrained = np.stack([*(total(arm[0]) for arm in arms), np.zeros(n), np.zeros(n)], axis=-1)
    trained = np.stack([*(total(arm[1]) for arm in arms), total(net), total(seed)], axis=-1)
    groups = window.truth.groups
    names = [(attribute, value) for attribute in ATTRIBUTES for value in np.unique(groups[attribute])]
    return _Stakes(
        displaced=np.bincount(place, minlength=n),
        women=np.bincount(place[woman], minlength=n),
        untrained=untrained,
        change=trained - untrained,
        women_gain=total(net * woman),
        at_work=np.nan_to_num(window.seen.headcount[:, -1]),
        names=tuple(f"{attribute}={value}" for attribute, value in names),
        within=np.stack([groups[attribute] == value for attribute, value in names]),
    )


def _overall(table: Table, stakes: Sequence[_Stakes], places: Sequence[Counts]) -> Iterator[Score]:
    """The regret, and what the allocation did for all the newly displaced."""
    rows = []
    for each, given in zip(stakes, places, strict=True):
        certain = np.repeat(each.displaced[:, None].astype(np.float64), 2, axis=1)
        best = each.trained(allocate(certain, np.array([0.0, 1.0]), each.gain, each.places)) @ each.change[:, _NET]
        total = each.untrained.sum(axis=0) + each.trained(given) @ each.change
        used = np.minimum(given, each.displaced).sum()
        shares = total[: len(_SHARES)] / each.displaced.sum()
        rows.append([_over(best - total[_NET], best), total[_NET] / each.places, _over(total[_SEED], used), *shares])
    n = sum(int(each.displaced.sum()) for each in stakes)
    for metric, column in zip(("regret", "npv_per_place", "seed_gain", *_SHARES), np.transpose(rows), strict=True):
        yield table.score(metric, column, n, keep=metric == "regret")


def _by_group(table: Table, stakes: Sequence[_Stakes], places: Sequence[Counts]) -> Iterator[Score]:
    """Who gets the places, and what these bring each group; to train nobody brings it 0."""
    names = [*stakes[0].names, "sex=female", "sex=male"]
    shares, worth, people = [], [], np.zeros(len(names))
    for each, given in zip(stakes, places, strict=True):
        rate = each.trained(given)
        placed = _grouped(each, rate * each.displaced, float(rate @ each.women))
        newly = _grouped(each, each.displaced.astype(np.float64), float(each.women.sum()))
        net = _grouped(each, rate * each.change[:, _NET], float(rate @ each.women_gain))
        shares.append(np.stack([_over(placed, rate @ each.displaced), newly / each.displaced.sum()], axis=-1))
        worth.append(_over(net, newly))
        people += newly
    for place, name in enumerate(names):
        n = int(people[place])
        yield table.score(
            "places_share", np.stack(shares)[:, place], n, name, lambda pair: _over(pair[..., 0], pair[..., 1])
        )
        yield table.score("npv_per_worker", np.stack(worth)[:, place], n, name)
    worst = table.score(
        "worst_group_npv", np.stack(worth), int(people.min()), made=lambda means: np.nanmin(means, axis=-1)
    )
    yield worst
    yield Score("no_group_worse", None if worst.value is None else float(worst.value >= 0), n=worst.n)


def _grouped(stakes: _Stakes, by_series: Floats, of_women: float) -> Floats:
    """Totals of each group: of values by series (n,), and of that part of them which is women's, then men's."""
    return np.concatenate([stakes.within @ by_series, [of_women, by_series.sum() - of_women]])


def _over(value: npt.ArrayLike, by: npt.ArrayLike) -> Floats:
    """Their quotient; nan where ``by`` is 0."""
    value, by = np.broadcast_arrays(np.asarray(value, dtype=np.float64), np.asarray(by, dtype=np.float64))
    return np.divide(value, by, out=np.full(value.shape, np.nan), where=by != 0)
