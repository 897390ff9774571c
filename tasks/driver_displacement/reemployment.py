"""What a displaced driver would earn without training and with it, with the same luck either way.

Search is fitted to displaced workers of the United States (McCall 1996), the loss of earnings to Davis and von Wachter
2011, and the effect of training assumed between published ones: closed forms, evaluated for all workers at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.tasks.driver_displacement import luck

Singles = npt.NDArray[np.float32]

WEEKS = 52.18
"""Weeks in a year."""
DISCOUNT = 0.05
HORIZON = 20.0
"""Years over which earnings count, at 5 % a year as in Davis and von Wachter 2011; fewer where retirement is nearer."""
RETIREMENT = 67.0

SHAPE = 0.823
"""Of the Weibull law of weeks without work, fitted to the 3,343 spells of McCall 1996 by maximum likelihood."""
_LOG_SCALE, _BY_DECADE, _BY_INSURED, _BY_LOG_WAGE = 2.341, 0.142, 1.295, -0.258
"""Of its scale in weeks, by the same fit: at age 40, uninsured, mean log wage; a decade older; insured; log wage."""
_BY_POINT, _MCCALL_UNEMPLOYMENT = 0.04, 7.5
"""More log weeks for a point of unemployment; assumed. The mean of McCall's states, from which it counts."""
_MEAN_LOG_WAGE = 10.59
"""Of displaced drivers, who stand where McCall's workers stand by their own mean."""

_INSURED = np.array([0.68, 0.68, 0.20, 0.68], dtype=np.float32)
"""Share who draw unemployment insurance: 68 % in McCall 1995; taxi drivers are mostly self-employed (assumed)."""
_BENEFIT, _MAXIMUM, _BENEFIT_WEEKS = 0.44, 480.0, 26.0
"""Of the weekly wage (McCall 1995, mean replacement rate), at most $480 a week, for 26 weeks; these two are assumed."""

_SCAR, _SCAR_BY_POINT, _RECOVERY = 0.145, 0.056, 15.0
"""Share of earnings lost at first after re-employment where unemployment is 5 %, more for each point, and the years in
which it falls to 1/e. With the weeks out of work these cost 1.4 years of earnings below 6 % of unemployment and 2.8
above 8 % (Davis and von Wachter 2011)."""

COURSE = 13 / WEEKS
"""Years that a course takes: a quarter."""
COST = 5_200.0
"""Dollars for a place that is used: $4,000, and 30 % for what raising them costs; assumed."""
_LOCK_IN = 0.4
"""Search during the course over search without it: those in training search less (Lechner and Wunsch 2009); assumed."""
_COMPLETION = 0.75
_SEARCH = 1.25
"""Search after a completed course over search without one; assumed."""
_GAIN, _FADE = 0.09, 10.0
"""Share of former pay gained by a completed course, gone in equal steps after 10 years (Hyman 2018); the first assumed,
between several hundred dollars a quarter (Heinrich et al. 2013) and $10,000 a year (Hyman 2018)."""
_TRANSFER = np.array([1.0, 1.25, 1.5, 1.1], dtype=np.float32)
"""The gain of each occupation over that of heavy trucks; assumed."""


@dataclass(frozen=True)
class Person:
    """m workers as they lose their jobs. occupation: one of four; age: years; wage: $ a year; unemployment: %."""

    occupation: npt.NDArray[np.integer]
    age: Singles
    wage: Singles
    unemployment: Singles


@dataclass(frozen=True)
class Outcome:
    """Untrained and trained, (2, m) each, as `workers.Workers` has them."""

    weeks: Singles
    earnings: Singles
    unemployment_insurance: Singles
    kept: Singles


def outcomes(rng: np.random.Generator, person: Person) -> Outcome:
    """Draw the luck of each worker once, and what it makes of them untrained and trained."""
    bits = luck.bits(rng, 4, len(person.age))
    insured = luck.chance(bits[0], _INSURED.take(person.occupation))
    completes = luck.chance(bits[1], _COMPLETION)
    hazard = luck.exponential(bits[2])
    scar = _scar(person, luck.normal(bits[3]))
    gain = completes * _gain(person)
    scale = search_scale(person, insured)
    weeks = np.stack([weeks_untrained(hazard, scale), weeks_trained(hazard, scale, completes)])
    benefit = np.minimum(_BENEFIT * person.wage / WEEKS, _MAXIMUM) * insured
    present = earnings(person, weeks, scar)
    present[1] += added(person, weeks[1], gain)
    return Outcome(
        weeks=weeks,
        earnings=present,
        unemployment_insurance=benefit * np.minimum(weeks, np.float32(_BENEFIT_WEEKS)),
        kept=np.stack([kept(weeks[0], scar), kept(weeks[1], scar, gain)]),
    )


def search_scale(person: Person, insured: npt.NDArray[np.bool_]) -> Singles:
    """Weeks (m,) by which a share 1 - 1/e have work again: the scale of the Weibull law."""
    return np.exp(
        _LOG_SCALE
        + _BY_DECADE * (person.age - 40) / 10
        + _BY_INSURED * insured.astype(np.float32)
        + _BY_LOG_WAGE * (np.log(person.wage) - _MEAN_LOG_WAGE)
        + _BY_POINT * (person.unemployment - _MCCALL_UNEMPLOYMENT)
    )


def weeks_untrained(hazard: Singles, scale: Singles) -> Singles:
    """Weeks without work (m,) at which the cumulative hazard (w / scale)^shape is each worker's ``hazard``."""
    return scale * hazard ** np.float32(1 / SHAPE)


def weeks_trained(hazard: Singles, scale: Singles, completes: npt.NDArray[np.bool_]) -> Singles:
    """The same where search is slower during the course and, if it is completed, faster after it."""
    by_end = _LOCK_IN * (np.float32(COURSE * WEEKS) / scale) ** np.float32(SHAPE)
    during = np.minimum(hazard, by_end) / _LOCK_IN
    after = np.maximum(hazard - by_end, 0) * (1 - (1 - 1 / _SEARCH) * completes.astype(np.float32))
    return scale * (during + after) ** np.float32(1 / SHAPE)


def _scar(person: Person, deviate: Singles) -> Singles:
    """Share of earnings lost at first: more where unemployment is high and the worker old, and uneven."""
    mean = np.maximum(_SCAR + _SCAR_BY_POINT * (person.unemployment - 5), 0.02) * (1 + 0.015 * (person.age - 45))
    return np.minimum(mean * np.exp(np.float32(0.6) * deviate - np.float32(0.18)), np.float32(0.9))


def _gain(person: Person) -> Singles:
    """Share of former pay that a completed course adds at first.

    The old gain less (Jacobson, LaLonde and Sullivan 2005), and more is gained where unemployment was high (Lechner and
    Wunsch 2009); the sizes are assumed.
    """
    by_age = np.clip(1.6 - 0.03 * (person.age - 25), 0.2, 1.6)
    by_unemployment = np.clip(1 + 0.25 * (person.unemployment - 5), 0.25, 2.5)
    return _GAIN * _TRANSFER.take(person.occupation) * by_age * by_unemployment


def earnings(person: Person, weeks: Singles, scar: Singles) -> Singles:
    """Present value (..., m) in dollars of what is earned until the horizon, or retirement where that is nearer.

    Nothing before re-employment at ``weeks`` (..., m); then the former wage, less a scar that heals exponentially from
    the loss of the job on.
    """
    end = _end(person)
    start = np.minimum(weeks / WEEKS, end)
    heal = DISCOUNT + 1 / _RECOVERY
    full = (np.exp(-DISCOUNT * start) - np.exp(-DISCOUNT * end)) / DISCOUNT
    lost = scar * (np.exp(-heal * start) - np.exp(-heal * end)) / heal
    return person.wage * (full - lost)


def added(person: Person, weeks: Singles, gain: Singles) -> Singles:
    """Present value (m,) in dollars of a gain that falls from the course's end to nothing in equal steps."""
    last = np.minimum(_end(person), COURSE + _FADE)
    first = np.minimum(np.maximum(weeks / WEEKS, COURSE), last)
    return person.wage * gain * (_faded_after(first) - _faded_after(last))


def _end(person: Person) -> Singles:
    return np.maximum(np.minimum(RETIREMENT - person.age, HORIZON), 1)


def _faded_after(t: Singles) -> Singles:
    """The present value of 1 - (t - COURSE) / _FADE from t on: its integral under the discount, negative and up to a
    constant."""
    return np.exp(-DISCOUNT * t) * ((1 - (t - COURSE) / _FADE) / DISCOUNT - 1 / (_FADE * DISCOUNT**2))


def kept(weeks: Singles, scar: Singles, gain: Singles | float = 0.0) -> Singles:
    """Earnings (m,) five years after the loss over those before it; 0 for who has found no work by then."""
    years = np.float32(5)
    healed, faded = np.float32(np.exp(-years / _RECOVERY)), np.float32(1 - (years - COURSE) / _FADE)
    return (weeks < years * WEEKS).astype(np.float32) * (1 - scar * healed + gain * faded)
