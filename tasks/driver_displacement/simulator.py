"""Worlds in which driver jobs are lost to automation, and in which the jobs there would have been are known.

51 states, four occupations of drivers, 80 quarters. The magnitudes are calibrated to the literature and the head-counts
to federal statistics; no path is fitted to a real one, since no displacement of this kind was ever observed whole.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement import adoption, workers
from fourfold.tasks.driver_displacement.economy import (
    PERIODS,
    QUARTERS,
    SEASON,
    SERIES,
    Economy,
    autoregression,
    by_series,
    economy,
)
from fourfold.tasks.driver_displacement.panel import Floats, Panel
from fourfold.tasks.driver_displacement.states import (
    EMPLOYMENT,
    MEDIAN_INCOME,
    MINORITY_SHARE,
    OCCUPATIONS,
    STATES,
    SUN_BELT,
    WOMEN_SHARE,
    terciles,
)

LAWS = ("bass", "logistic", "stalled", "halted")
SPEEDS = ("slow", "medium", "fast")

_SPEED_SHARE = (0.25, 0.5, 0.25)
_PACE = {"slow": 0.42, "medium": 0.62, "fast": 0.98}
"""Years of growth that a year of the calendar brings."""
_CEILING = np.array([[0.20, 0.62], [0.10, 0.40], [0.50, 0.90], [0.05, 0.30]])
"""(4, 2) the least and the most of each occupation's work that vehicles can ever do: assumed, between 10 % of long-haul
hours in the Sun Belt alone and 94 % in all weather (Mohan and Vaishnav 2022), with 20 to 25 % of for-hire jobs lost in
the long run (Waschik et al. 2021)."""
_CEILING_PART = {"slow": (0.0, 0.4), "medium": (0.2, 0.7), "fast": (0.5, 1.0)}
"""Where between the least and the most the ceilings of a world lie."""

_SUPPLY = 4.66
_DEMAND = np.array([3.657, 1.639, 1.639, 1.639])
"""Elasticities of drivers supplied, and of drivers demanded on long and on short hauls, to wages (Uber ATG 2018)."""
_HUB_JOBS = 0.12
"""Light-truck jobs to and from transfer hubs for each heavy one done by a vehicle; assumed, after Viscelli 2018."""
_SAMPLING = 10.0
"""The American Community Survey counts E drivers of a state with a standard error of some 10 sqrt(E)."""


@dataclass(frozen=True, eq=False)
class World:
    """One simulated history of n = 204 series over T = 80 quarters, and what no method is shown of it.

    panel: head-counts as a survey has them, jobs lost to automation so far as they are, covariates and groups.
    law: how vehicles are taken up (one of `LAWS`); speed: how fast (one of `SPEEDS`). counterfactual: (n, T) driver
    jobs there would have been without vehicles; less ``panel.displaced`` it is the true head-count. layoffs, exits:
    (n, T) drivers dismissed, and drivers who left of themselves, in each quarter. workers: one for each job lost.
    """

    panel: Panel
    law: str
    speed: str
    counterfactual: Floats
    layoffs: Floats
    exits: Floats
    workers: workers.Workers


@dataclass(frozen=True)
class _Fleet:
    """launch: (n,) the quarter service begins; share: (n, T) adopted; done: (n, T) share of drivers' work it does."""

    launch: npt.NDArray[np.int64]
    share: Floats
    done: Floats


def worlds(rng: np.random.Generator, count: int) -> list[World]:
    """Draw ``count`` worlds one after the other."""
    return [world(rng) for _ in range(count)]


def world(rng: np.random.Generator) -> World:
    """Draw a world: a law and a speed, the economy, the vehicles, the jobs they cost, and the workers who lost them."""
    law = str(rng.choice(LAWS))
    speed = str(rng.choice(SPEEDS, p=_SPEED_SHARE))
    economic = economy(rng)
    fleet = _fleet(rng, law, speed)
    shift = 1 - (1 - fleet.done) * (1 + 0.3 * fleet.done) ** 0.6
    counterfactual = np.rint(economic.year_round * economic.season)
    displaced = np.minimum(_displaced(economic, fleet, shift), counterfactual)
    layoffs, exits = _flows(rng, economic.year_round - displaced)
    wage = _wage(shift)
    return World(
        panel=_panel(rng, counterfactual, displaced, economic, fleet, wage),
        law=law,
        speed=speed,
        counterfactual=counterfactual,
        layoffs=layoffs,
        exits=exits,
        workers=workers.draw(rng, displaced, economic.unemployment, wage),
    )


def _fleet(rng: np.random.Generator, law: str, speed: str) -> _Fleet:
    """Draw when service begins in each state and how it is taken up there.

    Service comes to the Sun Belt up to a year after the first launch, elsewhere 5 to 14 quarters after it. Years of
    growth run at an uneven pace, so that no path keeps to its law exactly.
    """
    n = len(SERIES)
    lag = np.where(SUN_BELT, rng.integers(0, 5, len(STATES)), rng.integers(5, 15, len(STATES)))
    launch = rng.integers(16, 25) + by_series(lag)
    pace = _PACE[speed] * np.exp(
        autoregression(rng, 1, 0.8, 0.12) + by_series(autoregression(rng, len(STATES), 0.8, 0.12))
    )
    years = np.cumsum(np.where(np.arange(QUARTERS) >= launch[:, None], pace / SEASON, 0.0), axis=1)
    share = _share(rng, law, years)
    low, high = _CEILING_PART[speed]
    ceiling = _CEILING[:, 0] + (_CEILING[:, 1] - _CEILING[:, 0]) * rng.uniform(low, high, len(OCCUPATIONS))
    local = np.exp(rng.normal(0, 0.15, n))
    return _Fleet(launch, share, np.clip(np.tile(ceiling, len(STATES)) * local, 0, 0.95)[:, None] * share)


def _share(rng: np.random.Generator, law: str, years: Floats) -> Floats:
    """(n, T) share adopted after so many years of growth, by the law of the world and parameters of each series.

    Those of Bass are drawn anew for each occupation of a world and a little for each series; the other laws reach their
    half when Bass would, so that worlds differ in form more than in size.
    """
    states = len(STATES)
    vary = np.exp(rng.normal(0, 0.1, len(SERIES)))
    p = (np.tile(np.exp(rng.uniform(np.log(0.002), np.log(0.010), len(OCCUPATIONS))), states) * vary)[:, None]
    q = (np.tile(rng.uniform(0.25, 0.55, len(OCCUPATIONS)), states) * vary)[:, None]
    half = adoption.half_time(p, q)
    if law == "bass":
        return adoption.bass(years, p, q)
    if law == "logistic":
        return adoption.waves(years, 0.7 * half, 1.5 * half, 2 * (p + q), rng.uniform(0.3, 0.6))
    if law == "stalled":
        start, length = rng.uniform(2.0, 5.0), rng.uniform(1.5, 4.0)
        return adoption.gompertz(adoption.paused(years, start, length), half, 2 / half)
    return _halted(rng, years, p, q)


def _halted(rng: np.random.Generator, years: Floats, p: Floats, q: Floats) -> Floats:
    """Growth as by Bass until some states forbid it; there the vehicles then retire unreplaced."""
    forbids = by_series(rng.random(len(STATES)) < rng.uniform(0.4, 1.0))
    halt = by_series(rng.integers(40, 70) + rng.integers(0, 3, len(STATES)))
    quarter = np.arange(QUARTERS)
    at_halt = np.take_along_axis(years, halt[:, None], axis=1)
    frozen = np.where(forbids[:, None], np.minimum(years, at_halt), years)
    since = np.where(forbids[:, None], (quarter - halt[:, None]) / SEASON, -1.0)
    return adoption.withdrawn(adoption.bass(frozen, p, q), since, rng.uniform(0.05, 0.4))


def _displaced(economic: Economy, fleet: _Fleet, shift: Floats) -> Floats:
    """(n, T) jobs lost so far, in whole jobs and none below 0.

    shift: (n, T) fall in demand for drivers at unchanged wages: the work done by vehicles, less what cheaper transport
    adds. Lower wages absorb a part of it, supply / (supply + demand) in elasticities being left as jobs lost. Freight
    that vehicles haul between hubs gives work to light trucks, which makes up for some of theirs.
    """
    lost = economic.year_round * shift * np.tile(_SUPPLY / (_SUPPLY + _DEMAND), len(STATES))[:, None]
    heavy, light = OCCUPATIONS.index("heavy"), OCCUPATIONS.index("light")
    every = len(OCCUPATIONS)
    lost[light::every] -= _HUB_JOBS * (fleet.done * economic.year_round)[heavy::every]
    return np.rint(np.maximum(lost, 0))


def _flows(rng: np.random.Generator, at_work: Floats) -> tuple[Floats, Floats]:
    """Layoffs and exits (n, T): a fall in jobs is met by not replacing those who leave, and beyond that by layoffs.

    2.7 to 4.5 % of an occupation's drivers leave of themselves in a quarter; assumed.
    """
    rate = np.tile(rng.uniform(0.027, 0.045, len(OCCUPATIONS)), len(STATES))[:, None]
    before = np.concatenate([at_work[:, :1], at_work[:, :-1]], axis=1)
    exits = rate * before
    return np.maximum(before - at_work - exits, 0), exits


def _wage(shift: Floats) -> Floats:
    """(n, T) weekly pay in dollars of 2019 that is left where demand has fallen by ``shift``."""
    by_state = (MEDIAN_INCOME / np.median(MEDIAN_INCOME)) ** 0.4
    pay = (by_state[:, None] * workers.WEEKLY_PAY).reshape(-1, 1)
    return pay * (1 - shift / np.tile(_SUPPLY + _DEMAND, len(STATES))[:, None])


def _panel(
    rng: np.random.Generator, counterfactual: Floats, displaced: Floats, economic: Economy, fleet: _Fleet, wage: Floats
) -> Panel:
    """What is published of a world: a survey with half the sampling error of the ACS, and noisy covariates."""
    n = len(SERIES)
    error = autoregression(rng, n, 0.6, 0.8) * (0.5 * _SAMPLING / np.sqrt(EMPLOYMENT.reshape(-1, 1)))
    quarter = np.tile(np.arange(QUARTERS), (n, 1))
    return Panel(
        series=SERIES,
        periods=PERIODS,
        season=SEASON,
        headcount=np.rint((counterfactual - displaced) * np.exp(error)),
        displaced=displaced,
        past={
            "adoption": np.clip(fleet.share * np.exp(autoregression(rng, n, 0.5, 0.1)), 0, 1),
            "unemployment": economic.unemployment,
            "wage": wage * np.exp(rng.normal(0, 0.01, wage.shape)),
        },
        known={
            "quarter": (quarter % SEASON + 1).astype(np.float64),
            "launched": np.maximum(quarter - fleet.launch[:, None] + 1, 0).astype(np.float64),
        },
        static=_static(),
        groups=_groups(),
    )


def _static() -> dict[str, Floats]:
    return {
        "minority_share": by_series(MINORITY_SHARE),
        "median_income": by_series(MEDIAN_INCOME),
        "sun_belt": by_series(SUN_BELT.astype(np.float64)),
        "women_share": WOMEN_SHARE.reshape(-1),
        # They disagree on drivers, so both are offered: Frey and Osborne 2017; Felten, Raj and Seamans 2021.
        "exposure_frey_osborne": np.tile([0.79, 0.69, 0.89, 0.67], len(STATES)),
        "exposure_aioe": np.tile([-1.149057, -1.120501, -0.6322603, -0.605453], len(STATES)),
    }


def _groups() -> dict[str, npt.NDArray[np.str_]]:
    each = len(OCCUPATIONS)
    return {
        "state": np.repeat(STATES, each),
        "occupation": np.tile(OCCUPATIONS, len(STATES)),
        "minority": np.repeat(terciles(MINORITY_SHARE), each),
        "income": np.repeat(terciles(MEDIAN_INCOME), each),
        "sun_belt": np.repeat(np.where(SUN_BELT, "yes", "no"), each),
    }
