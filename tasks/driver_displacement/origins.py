"""Rolling origins: from which periods a dataset is forecast, and what of it was known at each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.panel import Floats, Panel
from fourfold.tasks.driver_displacement.states import terciles
from fourfold.tasks.driver_displacement.window import Window


@dataclass(frozen=True)
class Plan:
    """Where a dataset is forecast from.

    horizon: periods ahead. eras: the origins of each era, as names of periods, all in ascending order.
    reports, size: where series come and go, those are forecast that were there at the origin, had been reported for at
    least so many periods, and with a mean of at least so many over them.
    """

    horizon: int
    eras: Mapping[str, tuple[str, ...]]
    reports: int = 0
    size: float = 0.0


@dataclass(frozen=True, eq=False)
class Vintages:
    """A real dataset: one panel, as it was published time after time.

    panels: in the order of publication, over the same series and periods; the last is the truth. until: for each but
    the last, the last origin at which it is what there is to see, as the name of a period.
    late: (n,) periods by which a series is published later than the others. slow: (n, T) facts that change slowly, by
    name; at an origin the value of the period before it is a static covariate.
    """

    panels: tuple[Panel, ...]
    until: tuple[str, ...]
    late: npt.NDArray[np.int64]
    plan: Plan
    slow: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.until) != len(self.panels) - 1:
            raise ValueError(f"{len(self.panels)} vintages need {len(self.panels) - 1} dates, not {len(self.until)}")
        if len({(panel.series, panel.periods) for panel in self.panels}) != 1:
            raise ValueError("vintages are of different series or periods")


def windows(data: Vintages) -> tuple[Window, ...]:
    """Every origin of a dataset, in ascending order. Raises ValueError where a horizon ends after the dataset."""
    return tuple(_window(data, origin, era) for era, origins in data.plan.eras.items() for origin in origins)


def until(panel: Panel, origin: int, late: npt.NDArray[np.int64] | None = None) -> Panel:
    """What there was of a panel at an origin: its periods up to there, and of late series those that were out."""
    end = origin + 1
    out = np.zeros(len(panel.series), np.int64) if late is None else late
    unseen = np.arange(end)[None, :] > origin - out[:, None]

    def seen(table: Floats) -> Floats:
        return np.where(unseen, np.nan, table[:, :end])

    return replace(
        panel,
        periods=panel.periods[:end],
        headcount=seen(panel.headcount),
        displaced=None if panel.displaced is None else panel.displaced[:, :end],
        past={name: seen(table) for name, table in panel.past.items()},
        known={name: table[:, :end] for name, table in panel.known.items()},
    )


def chosen(panel: Panel, rows: npt.NDArray[np.int64]) -> Panel:
    """The panel of these series alone."""
    return replace(
        panel,
        series=tuple(panel.series[row] for row in rows),
        headcount=panel.headcount[rows],
        displaced=None if panel.displaced is None else panel.displaced[rows],
        past={name: table[rows] for name, table in panel.past.items()},
        known={name: table[rows] for name, table in panel.known.items()},
        static={name: column[rows] for name, column in panel.static.items()},
        groups={name: column[rows] for name, column in panel.groups.items()},
    )


def _window(data: Vintages, name: str, era: str) -> Window:
    truth, plan = data.panels[-1], data.plan
    origin = truth.periods.index(name)
    if origin + plan.horizon >= len(truth.periods):
        raise ValueError(f"{plan.horizon} periods from {name} end after {truth.periods[-1]}, where the dataset does")
    published = sum(name > last for last in data.until)
    static = {name: table[:, origin - 1] for name, table in data.slow.items()}
    seen = until(replace(data.panels[published], static=static), origin, data.late)
    truth = replace(truth, static=static)
    if plan.reports:
        seen, truth = _there(seen, truth, plan)
    return Window(seen, truth, origin, plan.horizon, era)


def _there(seen: Panel, truth: Panel, plan: Plan) -> tuple[Panel, Panel]:
    """The series that are forecast at an origin where series come and go, in groups by their size there."""
    reported = np.isfinite(seen.headcount).sum(axis=1)
    mean = np.nansum(seen.headcount, axis=1) / np.maximum(reported, 1)
    rows = np.flatnonzero((reported >= plan.reports) & (mean >= plan.size) & (seen.headcount[:, -1] > 0))
    seen, truth = chosen(seen, rows), chosen(truth, rows)
    groups = {"size": terciles(seen.headcount[:, -1])}
    return replace(seen, groups={**seen.groups, **groups}), replace(truth, groups={**truth.groups, **groups})
