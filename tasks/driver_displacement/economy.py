"""The driver jobs there would be without automation, quarter by quarter, and the unemployment that goes with them."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement.panel import Floats
from fourfold.tasks.driver_displacement.states import EMPLOYMENT, OCCUPATIONS, STATES

QUARTERS = 80
SEASON = 4
Value = TypeVar("Value", bound=np.generic)

PERIODS = tuple(f"{2016 + quarter // SEASON}Q{quarter % SEASON + 1}" for quarter in range(QUARTERS))
SERIES = tuple(f"{state} {occupation}" for state in STATES for occupation in OCCUPATIONS)
_BASE = 6
"""The quarter at which head-counts are those of `EMPLOYMENT`: the middle of 2016 to 2018."""

_GROWTH = np.array([0.010, 0.015, 0.012, 0.002])
"""Mean yearly growth of each occupation; assumed, near 1.3 % a year of truck drivers in the ACS of 2005 to 2018."""
_GROWTH_SD = np.array([0.004, 0.005, 0.008, 0.004])
_SEASONAL = np.array([0.012, 0.020, 0.015, 0.030])


@dataclass(frozen=True)
class Economy:
    """year_round: (n, T) driver jobs without their season; season: (n, T) its factor; unemployment: (n, T) per cent."""

    year_round: Floats
    season: Floats
    unemployment: Floats


def by_series(of_state: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """Repeat a value of each state, (51, ...), for each of its occupations: (204, ...)."""
    return np.repeat(of_state, len(OCCUPATIONS), axis=0)


def autoregression(rng: np.random.Generator, rows: int, persistence: float, innovation: float) -> Floats:
    """Stationary AR(1) paths (rows, T)."""
    path = rng.normal(scale=innovation, size=(rows, QUARTERS))
    path[:, 0] /= np.sqrt(1 - persistence**2)
    for quarter in range(1, QUARTERS):
        path[:, quarter] += persistence * path[:, quarter - 1]
    return path


def economy(rng: np.random.Generator) -> Economy:
    """Draw the trend of each occupation, national, regional and local shocks, and a season.

    Shocks are assumed of a size that moves unemployment by 1 to 2 points around 5 %, as Okun's law has it.
    """
    years = (np.arange(QUARTERS) - _BASE) / SEASON
    states = len(STATES)
    growth = np.tile(rng.normal(_GROWTH, _GROWTH_SD), states) + by_series(rng.normal(0, 0.004, states))
    nation = autoregression(rng, 1, 0.9, 0.008)
    state = autoregression(rng, states, 0.95, 0.005)
    local = autoregression(rng, len(SERIES), 0.9, 0.004)
    shocks = nation + by_series(state) + local
    season = rng.normal(size=(len(OCCUPATIONS), SEASON))
    season = _SEASONAL[:, None] * (season - season.mean(axis=1, keepdims=True))
    unemployment = 5 * np.exp(-9 * nation - 6 * state + autoregression(rng, states, 0.8, 0.03))
    return Economy(
        year_round=EMPLOYMENT.reshape(-1, 1) * np.exp(growth[:, None] * years + shocks),
        season=np.tile(np.exp(season), (states, QUARTERS // SEASON)),
        unemployment=by_series(unemployment),
    )
