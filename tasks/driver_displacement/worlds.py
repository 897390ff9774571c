"""The simulated worlds of a problem: those that everybody may learn from, and those that a secret draws."""

from dataclasses import dataclass, replace

import numpy as np

from fourfold.tasks.driver_displacement.origins import until
from fourfold.tasks.driver_displacement.panel import Panel
from fourfold.tasks.driver_displacement.simulator import World, world
from fourfold.tasks.driver_displacement.window import LABEL_LAG, Window

ORIGINS = (47, 51, 55, 59, 63)
"""Quarters, of 80, from which a world may be forecast."""
HORIZON = 8
HIDDEN, TRAINING = 6, 8
"""Worlds that a problem hides, and worlds to learn from."""
_PUBLIC = 20_260_101
"""The seed of all worlds that are the same for everybody."""


@dataclass(frozen=True, eq=False)
class PublicWorlds:
    """What is the same in every problem: panels to learn from, and a world that is shown and not scored."""

    training: tuple[Panel, ...]
    exhibit: Window


def load() -> PublicWorlds:
    """Draw the worlds that are public."""
    *training, shown = np.random.default_rng(_PUBLIC).spawn(TRAINING + 1)
    exhibit = origin_of(world(shown), ORIGINS[2], scored=False)
    return PublicWorlds(tuple(world(rng).panel for rng in training), exhibit)


def hidden_windows(rng: np.random.Generator, count: int = HIDDEN) -> tuple[Window, ...]:
    """Draw worlds, and for each the origin it is forecast from."""
    return tuple(origin_of(world(each), int(each.choice(ORIGINS))) for each in rng.spawn(count))


def origin_of(of: World, origin: int, *, scored: bool = True) -> Window:
    """One origin of a world. The jobs lost in the last LABEL_LAG periods are not known there."""
    seen, lost = until(of.panel, origin), of.panel.displaced
    assert lost is not None
    known = np.where(np.arange(origin + 1) > origin - LABEL_LAG, np.nan, lost[:, : origin + 1])
    return Window(replace(seen, displaced=known), of.panel, origin, HORIZON, scored=scored, world=of)
