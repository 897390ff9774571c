"""The best method known to us: pooled regressions on past movement, moved to where they missed before."""

from typing import Any

import numpy as np

from fourfold.baselines.driver_displacement.ours_combined import Candidate, calibrated
from fourfold.baselines.driver_displacement.ours_displaced import Diffusion, Past, Windows, effects
from fourfold.baselines.driver_displacement.ours_headcount import Kinds, filled, forecast
from fourfold.baselines.driver_displacement.ours_recalibrated import cells
from fourfold.baselines.driver_displacement.ours_total import grown, totals
from fourfold.baselines.driver_displacement.reconciled import ReconciledETS, summing
from fourfold.baselines.driver_displacement.stock import Floats, displaced_stock, no_less_than_none
from fourfold.suite import Budget, Method
from fourfold.tasks.driver_displacement.naive import naive

SIBLINGS = 10  # series of one kind from which on their sum is a better guide than each


class Ours(Method):
    """Regressions pooled over series on trend, season and the pace of adoption, recalibrated on earlier origins.

    Head-counts are a share of the total of their kind: shares are smoothed, with known sampling errors as part of the
    width, and the total goes on as it did, a random walk with drift. Those with few of their kind are forecast by
    reconciled ETS and Naive too, each by its past loss. Where earlier forecasts missed, for a kind in states of about
    the same share of minorities, the next are moved. Jobs lost follow earlier states, at the pace that adoption shows
    since the last label.
    """

    task = "driver-displacement"
    version = "5"
    author = "fourfold"
    licence = "Apache-2.0"

    def fit(self, train: Any, budget: Budget) -> None:
        """Learn from the public worlds how jobs are lost; of head-counts each origin tells enough."""
        self.train = train
        if "displaced" in train.targets:
            self.diffusion = Diffusion()
            self.diffusion.fit(public_windows(train), train.quantiles)

    def predict(self, query: Any) -> Floats:
        """Return the quantiles, (n, targets, h, q)."""
        alike = numerous(kinds(query.series)[1])
        share = np.zeros(len(alike))
        if "minority_share" in query.static_names:
            share = query.static[:, query.static_names.index("minority_share")]
        made = self.candidates(query, alike)
        parts = [calibrated(query.headcount, made, cells(alike, share), query.season, query.quantiles)]
        if "displaced" in query.targets:
            stock = displaced_stock(self.train, query)[:, : -query.label_lag]
            parts.append(self.diffusion.predict(past(query, stock, query.headcount, query.past, query.known)))
        return no_less_than_none(np.stack(parts, axis=1))

    def candidates(self, query: Any, alike: Kinds) -> list[Candidate]:
        """What may forecast head-counts: shares of their kinds' totals alone where series move with their kind."""
        headcount, horizon, season, levels = query.headcount, query.horizon, query.season, query.quantiles
        noise = np.sqrt(np.maximum(headcount, 1.0))
        if "moe" in query.past_names:
            noise = query.past[query.past_names.index("moe")] / 1.645  # margins of error are at 90 %
        totalled = totals(filled(headcount), alike)

        def shared(end: int) -> Floats:
            total = totalled[:, :end]
            still = total[:, -1:] / total  # of a head-count, to what the same share of the last total is
            made = forecast(headcount[:, :end] * still, noise[:, :end] * still, alike, horizon, season, levels)
            return grown(made, total, season, levels)

        made: list[Candidate] = [shared]
        if not alike.astype(bool).any():
            smoothing, sums = ReconciledETS(Budget()), summing(query.series)
            made.append(lambda end: smoothing.target(headcount[:, :end], sums, query, season))
            made.append(lambda end: naive(headcount[:, :end], horizon, levels))
        return made


def kinds(series: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The place and the kind of driver that series are named by, such as CA and truck; without both, the name."""
    parts = [name.split(" ", 1) for name in series]
    return np.array([part[0] for part in parts]), np.array([part[-1] for part in parts])


def numerous(kind: np.ndarray) -> np.ndarray:
    """The kind of each series, (n,); '' where there are too few of it to move with their sum."""
    names, member, count = np.unique(kind, return_inverse=True, return_counts=True)
    return np.where(count >= SIBLINGS, names, "")[member]


def past(of: Any, lost: Floats, headcount: Floats, covariates: Floats, known: Floats) -> Past:
    """What `Diffusion` needs, of a query, or of a part of a world to learn from; of: either, for its names."""
    adoption = covariates[of.past_names.index("adoption")]
    age = known[of.known_names.index("launched")].astype(np.int64)
    return Past(lost, headcount, adoption, age, *kinds(of.series))


def public_windows(train: Any) -> Windows:
    """Windows of the public worlds, of every second origin from the middle of their histories on."""
    made = []
    for world, lost in enumerate(train.displaced):
        for origin in range(lost.shape[1] // 2, lost.shape[1] - train.horizon, 2):
            end, label = origin + 1, origin + 1 - train.label_lag
            seen = past(train, lost[:, :label], train.headcount[world][:, :end], train.past[world][:, :, :end],
                        train.known[world][:, :, : end + train.horizon])
            change = lost[:, end : end + train.horizon] - lost[:, label - 1, None]
            weight = seen.jobs / max(np.abs(change).sum(), 1.0)
            made.append((*effects(seen, train.horizon), change / seen.jobs[:, None], weight, np.full(len(lost), world)))
    return Windows(*(np.concatenate(column) for column in zip(*made, strict=True)))
