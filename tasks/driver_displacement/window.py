"""What crosses to a method of this task: what may be learnt from, and one origin at a time to forecast from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.panel import Floats, Panel

LABEL_LAG = 4
"""Periods after which a displaced worker is known to be one."""


@dataclass(frozen=True)
class Train:
    """What a method may learn from before it forecasts. n series; k past, l known and s static covariates.

    headcount: (w, n, T) whole histories: of w public worlds where the dataset is simulated, else one, up to the first
    origin; NaN where nothing was published. displaced: (w, n, T) jobs lost to automation so far, NaN if nobody knows.
    past: (w, k, n, T) and known: (w, l, n, T) covariates, named by ``past_names`` and ``known_names``; static: (n, s).
    periods: T names. season: periods after which a pattern repeats.

    The private records are workers who lost a driving job to automation in the worlds to be forecast, as far as each
    world's origin knows of them: world: (m,) the ``Query.world`` they live in; place: (m,) their series; lost: (m,) and
    returned: (m,) the periods, as places in that world's history, in which the job was lost and in which they drove
    again (-1: not yet). sex, minority, age: (m,) int8, 1 = a woman, 1 = of a minority, and whole years. A registry
    misses a share ``1 - recorded`` of them, which is public. m = n is 0, and ``private`` empty, where the dataset has
    no workers.
    """

    series: tuple[str, ...]
    periods: tuple[str, ...]
    season: int
    headcount: Floats
    displaced: Floats
    past: Floats
    past_names: tuple[str, ...]
    known: Floats
    known_names: tuple[str, ...]
    static: Floats
    static_names: tuple[str, ...]
    quantiles: Floats
    targets: tuple[str, ...]
    horizon: int
    label_lag: int
    recorded: float
    world: npt.NDArray[np.int16]
    place: npt.NDArray[np.int16]
    lost: npt.NDArray[np.int16]
    returned: npt.NDArray[np.int16]
    sex: npt.NDArray[np.int8]
    minority: npt.NDArray[np.int8]
    age: npt.NDArray[np.int8]
    n: int
    private: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """One origin: all that was known there of the n series, T periods back; h periods ahead are to be forecast.

    headcount: (n, T) as then published, NaN where it was not; past: (k, n, T); known: (l, n, T + h); static: (n, s).
    periods: T + h names. world: which world's it is, as in ``Train.world``; -1 where there is but one. The answer is
    (n, len(targets), h, len(quantiles)) float64, in the order of ``Train.targets`` and ``quantiles``.
    """

    series: tuple[str, ...]
    periods: tuple[str, ...]
    season: int
    headcount: Floats
    past: Floats
    past_names: tuple[str, ...]
    known: Floats
    known_names: tuple[str, ...]
    static: Floats
    static_names: tuple[str, ...]
    quantiles: Floats
    targets: tuple[str, ...]
    horizon: int
    label_lag: int
    world: int


@dataclass(frozen=True, eq=False)
class Window:
    """One origin as the suite keeps it. Never crosses.

    seen: the panel as it was published at the origin, T periods; truth: whole, by its last vintage. origin: the place
    in ``truth.periods`` of the last period seen; horizon: how many after it are forecast. era: what part of the dataset
    it is scored under (``before``, ``covid``, ``after``; '' where there is one). scored: False for one that is only
    shown. world: the ``simulator.World`` it is of, None where the dataset is real.
    """

    seen: Panel
    truth: Panel
    origin: int
    horizon: int
    era: str = ""
    scored: bool = True
    world: object = None
