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

_BLOCK = 1 << 15
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
    cell = np.repeat(np.arange(losses.size, dtype=np.int32), losses.ravel())
    blocks = [_block(rng, cell[at : at + _BLOCK], unemployment, wage) for at in range(0, max(len(cell), 1), _BLOCK)]
    columns = {name: np.concatenate([block[name] for block in blocks], axis=-1) for name in blocks[0]}
    return Workers(returned=_returned(losses.sum(axis=1), returns), **columns)


def _block(
    rng: np.random.Generator, cell: npt.NDArray[np.int32], unemployment: Floats, wage: Floats
) -> dict[str, npt.NDArray[Any]]:
    """Every column of `Workers` but ``returned`` for workers who lost their jobs in these cells of (n, T)."""
    place, lost = np.divmod(cell, unemployment.shape[1])
    bits = luck.bits(rng, 5, len(cell))
    occupation = place % len(OCCUPATIONS)
    woman = luck.chance(bits[0], _at(place, WOMEN_SHARE))
    age = np.clip(_at(occupation, _MEDIAN_AGE) + 13 * luck.normal(bits[1]), 19, 75)
    person = reemployment.Person(
        occupation=occupation,
        age=np.floor(age),
        wage=_yearly_wage(_at(cell, wage), place, woman, luck.normal(bits[2])),
        unemployment=_at(cell, unemployment),
    )
    odds = np.log(MINORITY_SHARE / (1 - MINORITY_SHARE))[:, None] + _MINORITY_ODDS
    return {
        "place": place.astype(np.int16),
        "lost": lost.astype(np.int16),
        "recorded": luck.chance(bits[3], RECORDED),
        "sex": woman.astype(np.int8),
        "minority": luck.chance(bits[4], _at(place, 1 / (1 + np.exp(-odds)))).astype(np.int8),
        "age": person.age.astype(np.int8),
        "wage": person.wage,
        **vars(reemployment.outcomes(rng, person)),
    }


def _at(index: npt.NDArray[np.integer], table: Floats) -> Singles:
    return table.astype(np.float32).take(index)


def _yearly_wage(weekly: Singles, place: npt.NDArray[np.integer], woman: Flags, deviate: Singles) -> Singles:
    """Dollars a year around the median of the place; women earn less, so that the median of all is kept."""
    men = 1 / (WOMEN_SHARE * _WOMEN_PAY + 1 - WOMEN_SHARE)
    factor = _at(2 * place + woman, np.stack([men, men * _WOMEN_PAY], axis=-1))
    return 52 * weekly * factor * np.exp(np.float32(0.35) * deviate)


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
