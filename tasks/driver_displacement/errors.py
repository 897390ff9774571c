"""What a forecast of one window got wrong, by series and horizon, beside what the references got wrong there."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fourfold.suite.metrics import forecast
from fourfold.tasks.driver_displacement.panel import QUANTILES, TARGETS, Floats
from fourfold.tasks.driver_displacement.window import Window

LEVELS = np.array(QUANTILES)
DECILES = slice(1, -1)
MEDIAN = QUANTILES.index(0.5)
ENDS = {80: (QUANTILES.index(0.1), QUANTILES.index(0.9)), 90: (QUANTILES.index(0.05), QUANTILES.index(0.95))}
"""Which quantiles bound the central interval of each nominal coverage, in percent."""


@dataclass(frozen=True, eq=False)
class Errors:
    """One target of one window: outcome (n, h), NaN where unknown; quantiles (n, h, q) in ascending order.

    jobs: (n, h), what losses are a share of: the drivers at work, and where displacement is the target those that there
    would be without automation. loss, reference and seasonal: (n, h), the quantile losses over nine deciles of the
    forecast, of Naive or Persist, and of the same by seasons, in jobs.
    """

    target: str
    outcome: Floats
    jobs: Floats
    quantiles: Floats
    loss: Floats
    reference: Floats
    seasonal: Floats

    @property
    def median(self) -> Floats:
        """The forecast's median, (n, h)."""
        return self.quantiles[..., MEDIAN]

    def ends(self, nominal: int) -> tuple[Floats, Floats]:
        """The bounds (n, h) of the central interval that is to cover ``nominal`` percent, 80 or 90."""
        low, high = ENDS[nominal]
        return self.quantiles[..., low], self.quantiles[..., high]

    @cached_property
    def missed(self) -> Floats:
        """Jobs lost beyond the median forecast (n, h): displaced above it, or, where heads are counted, heads below."""
        beyond = self.outcome - self.median
        return np.maximum(beyond if self.target == "displaced" else -beyond, 0.0)


def targets_of(window: Window) -> tuple[str, ...]:
    """What a window asks to be forecast, in order."""
    return TARGETS if window.seen.displaced is not None else TARGETS[:1]


def errors(window: Window, place: int, quantiles: Floats, reference: Floats, seasonal: Floats) -> Errors:
    """The errors of target number ``place``; quantiles, reference and seasonal: (n, targets, h, q)."""
    ahead = slice(window.origin + 1, window.origin + 1 + window.horizon)
    target = targets_of(window)[place]
    outcome = jobs = window.truth.headcount[:, ahead]
    if target == "displaced":
        assert window.truth.displaced is not None
        outcome = window.truth.displaced[:, ahead]
        jobs = jobs + outcome
    losses = (
        forecast.quantile_loss(outcome, each[:, place, :, DECILES], LEVELS[DECILES])
        for each in (quantiles, reference, seasonal)
    )
    return Errors(target, outcome, jobs, quantiles[:, place], *losses)
