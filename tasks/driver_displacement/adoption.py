"""Laws by which driverless vehicles take up the work there is for them: pure functions of the years since launch.

Each share runs from 0 at the launch towards 1, and is 0 before it. Worlds differ in their law, so that no method wins
by knowing the form of one.
"""

import numpy as np

from fourfold.tasks.driver_displacement.panel import Floats


def bass(years: Floats, p: Floats, q: Floats) -> Floats:
    """Share of adopters where innovators come at the rate p a year and imitators at q times the share there is.

    Bass 1969, "A new product growth for model consumer durables", equation 9.
    """
    fallen = np.exp(-(p + q) * np.maximum(years, 0))
    return (1 - fallen) / (1 + q / p * fallen)


def half_time(p: Floats, q: Floats) -> Floats:
    """Years after which the share of `bass` is a half."""
    return np.log(2 + q / p) / (p + q)


def logistic(years: Floats, half: Floats, rate: Floats) -> Floats:
    """Logistic growth, some ``half`` years to a half, less what it has at the launch and scaled back to 1.

    Griliches 1957, "Hybrid corn: an exploration in the economics of technological change". Started from nothing it is
    `bass` with other parameters, so that as a law of its own it comes in `waves`.
    """
    return _from_launch(1 / (1 + np.exp(-rate * (np.maximum(years, 0) - half))), 1 / (1 + np.exp(rate * half)))


def waves(years: Floats, first: Floats, second: Floats, rate: Floats, share: Floats | float) -> Floats:
    """Two logistic waves and a plateau between: a ``share`` half there in ``first`` years, the rest in ``second``.

    Meyer 1994, "Bi-logistic growth"; here, the work that needs fair weather and the work in all weather.
    """
    return share * logistic(years, first, rate) + (1 - share) * logistic(years, second, rate)


def gompertz(years: Floats, half: Floats, rate: Floats) -> Floats:
    """Gompertz growth, fastest at 1/e where `logistic` is at a half; some ``half`` years to a half, scaled likewise.

    Winsor 1932, "The Gompertz curve as a growth curve"; Chow 1967 for the adoption of computers.
    """
    lead = np.log(2) * np.exp(rate * half)
    return _from_launch(np.exp(-lead * np.exp(-rate * np.maximum(years, 0))), np.exp(-lead))


def _from_launch(share: Floats, at_launch: Floats) -> Floats:
    return (share - at_launch) / (1 - at_launch)


def paused(years: Floats, start: Floats | float, length: Floats | float) -> Floats:
    """Years of growth where it stands still for ``length`` years, ``start`` years after the launch, then goes on.

    The saddle between early adopters and the main market: Goldenberg, Libai and Muller 2002, "Riding the saddle".
    """
    return years - np.clip(years - start, 0, length)


def withdrawn(share: Floats, since: Floats, rate: float) -> Floats:
    """What is left of a share ``since`` years after a halt, as the vehicles retire at ``rate`` a year unreplaced.

    Before the halt, where ``since`` is negative, it is the share itself.
    """
    return share * np.exp(-rate * np.maximum(since, 0))
