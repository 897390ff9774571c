"""The drivers who lost a job to automation: who they are, and what each would do with and without training."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement import luck, reemployment
from fourfold.tasks.driver_displacement.panel import Floats
from fourfold.tasks.driver_displacement.states import HEAVY_SHARE, MINORITY_SHARE, OCCUPATIONS, WOMEN_SHARE

RECORDED = 0.9
"""The share of displaced workers whom the registry holds; public."""

_TRUCK_PAY, _LONG_OVER_SHORT = 843, 43_090 / 33_778
_LIGHT_PAY = _TRUCK_PAY / (HEAVY_SHARE * _LONG_OVER_SHORT + 1 - HEAVY_SHARE)
WEEKLY_PAY: Floats = np.array([_LIGHT_PAY * _LONG_OVER_SHORT, _LIGHT_PAY, 614, 674])
"""(4,) median dollars a week of full-time drivers by occupation: CPS 2019, table 39; truck drivers are parted into
heavy and light as Uber ATG 2018 has the pay of long and short hauls."""
_WOMEN_PAY = np.array([0.767, 0.767, 0.833, 0.870])
"""Women's pay over men's, CPS 2019, table 39."""
_MEDIAN_AGE = np.array([46.4, 46.4, 46.3, 53.7])
"""CPS 2019, table 18b."""
_MINORITY_ODDS = np.array([0.112, 0.112, 1.034, 0.295])
"""Log-odds that a driver is of a minority over those of a resident of the state: with them 41.5 % of truck, 66.2 % of
taxi and 45.1 % of bus drivers are, the sums of black, Asian and Hispanic in CPS 2019, table 11."""

_BLOCK = 1 << 16
"""Workers drawn at once: few enough to stay in a processor's cache."""

Flags = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Workers:
    """m workers, one for each driving job lost to automation: the driver laid off, or who would have been hired for it.

    They are sorted by place, then by period. place: (m,) int16 their series; lost, returned: (m,) int16 the periods in
    which the job was lost and in which they drive again (-1: not yet), the longest out of work being first to return.
    recorded: (m,) bool, the registry holds them. sex, minority: (m,) int8, 1 = a woman, 1 = of a minority; age: (m,)
    int8 years when the job was lost. wage: (m,) float32 dollars a year before.

    What each would do untrained (row 0) and trained (row 1), with the same luck: weeks: (2, m) float32 until employed
    again; earnings: (2, m) float32 present value in dollars, see `reemployment`; unemployment_insurance: (2, m) float32
    dollars drawn; kept: (2, m) float32 earnings five years on over those before.
    """

    place: npt.NDArray[np.int16]
    lost: npt.NDArray[np.int16]
    returned: npt.NDArray[np.int16]
    recorded: Flags
    sex: npt.NDArray[np.int8]
    minority: npt.NDArray[np.int8]
    age: npt.NDArray[np.int8]
    wage: Singles
    weeks: Singles
    earnings: Singles
    unemployment_insurance: Singles
    kept: Singles


def draw(rng: np.random.Generator, displaced: Floats, unemployment: Floats, wage: Floats) -> Workers:
    """Draw the workers behind a stock of jobs lost (n, T) in whole jobs, of 51 states by four occupations.

    At every place and period those lost so far less those returned so far are ``displaced``. unemployment: (n, T) per
    cent, wage: (n, T) median dollars a week, when and where the job was lost.
    """
    change = np.diff(displaced.astype(np.int64), axis=1, prepend=0)
    losses, returns = np.maximum(change, 0), np.maximum(-change, 0)
    upto, m = np.cumsum(losses), int(losses.sum())
    columns: dict[str, npt.NDArray[Any]] = {}
    for at in range(0, max(m, 1), _BLOCK):
        counts = np.diff(np.clip(upto, at, at + _BLOCK), prepend=at).reshape(losses.shape)
        for name, part in _block(rng, counts, unemployment, wage).items():
            if name not in columns:
                columns[name] = np.empty((*part.shape[:-1], m), part.dtype)
            columns[name][..., at : at + _BLOCK] = part
    return Workers(returned=_returned(losses.sum(axis=1), returns), **columns)


def _block(
    rng: np.random.Generator, counts: npt.NDArray[np.int64], unemployment: Floats, wage: Floats
) -> dict[str, npt.NDArray[Any]]:
    """Every column of `Workers` but ``returned`` for so many who lost a job at each place and period, (n, T)."""
    at_place = counts.sum(axis=1)
    odds = np.log(MINORITY_SHARE / (1 - MINORITY_SHARE))[:, None] + _MINORITY_ODDS
    bits = luck.bits(rng, 5, int(at_place.sum()))
    woman = luck.chance(bits[0], _each(WOMEN_SHARE, at_place))
    age = _each(np.broadcast_to(_MEDIAN_AGE, WOMEN_SHARE.shape), at_place) + 13 * luck.normal(bits[1])
    person = reemployment.Person(
        occupation=np.repeat(np.arange(len(at_place)) % len(OCCUPATIONS), at_place),
        age=np.floor(np.clip(age, 19, 75)),
        wage=52 * _each(wage, counts) * _pay(woman, at_place) * np.exp(np.float32(0.35) * luck.normal(bits[2])),
        unemployment=_each(unemployment, counts),
    )
    return {
        "place": np.repeat(np.arange(len(at_place), dtype=np.int16), at_place),
        "lost": np.repeat(np.tile(np.arange(counts.shape[1], dtype=np.int16), len(at_place)), counts.ravel()),
        "recorded": luck.chance(bits[3], RECORDED),
        "sex": woman.astype(np.int8),
        "minority": luck.chance(bits[4], _each(1 / (1 + np.exp(-odds)), at_place)).astype(np.int8),
        "age": person.age.astype(np.int8),
        "wage": person.wage,
        **vars(reemployment.outcomes(rng, person)),
    }


def _each(table: Floats, counts: npt.NDArray[np.int64]) -> Singles:
    """Repeat each value of a table, of places or of places and periods, for so many workers."""
    return np.repeat(table.astype(np.float32).ravel(), counts.ravel())


def _pay(woman: Flags, at_place: npt.NDArray[np.int64]) -> Singles:
    """Pay (m,) over the median of the place: women earn less, so that the mean of all is kept."""
    men = 1 / (WOMEN_SHARE * _WOMEN_PAY + 1 - WOMEN_SHARE)
    return _each(men, at_place) - woman.astype(np.float32) * _each(men * (1 - _WOMEN_PAY), at_place)


def _returned(lost: npt.NDArray[np.int64], returns: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """When each worker drives again, -1 for not yet: of those lost (n,) at a place, the first, as many as returned.

    No one returns before having been lost, since at no period have more returned than were lost.
    """
    back = returns.sum(axis=1)
    first = np.cumsum(lost) - lost
    position = np.arange(back.sum()) - np.repeat(np.cumsum(back) - back, back) + np.repeat(first, back)
    returned = np.full(lost.sum(), -1, dtype=np.int16)
    returned[position] = np.repeat(np.tile(np.arange(returns.shape[1]), len(lost)), returns.ravel())
    return returned
