"""Jobs lost to automation: late states follow early ones, at the pace that adoption shows since the last label."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.baselines.driver_displacement.stock import Floats

Texts = npt.NDArray[np.str_]
MEMORY = 12  # periods over which jobs lost are compared to adoption
RIDGE, ROUNDS = 0.1, 8
FOLDS = 4  # of worlds, so that residuals are of worlds that were not learnt from


@dataclass(frozen=True)
class Past:
    """What is known at one origin, t. lost: (n, t + 1 - lag) jobs; headcount, adoption: (n, t + 1).

    age: (n, t + 1 + h) periods since the launch of service, which is known ahead; place, kind: (n,) the state and the
    occupation of each series.
    """

    lost: Floats
    headcount: Floats
    adoption: Floats
    age: npt.NDArray[np.int64]
    place: Texts
    kind: Texts

    @property
    def lag(self) -> int:
        """Periods of which no label is known yet."""
        return self.adoption.shape[1] - self.lost.shape[1]

    @property
    def jobs(self) -> Floats:
        """Jobs there would be, (n,)."""
        return np.maximum(self.headcount[:, -4:].mean(axis=1) + self.lost[:, -1], 1.0)


def curves(past: Past) -> Floats:
    """Share of jobs lost by age since launch, (n, ages), the mean over the places of a kind that have reached it.

    Beyond the age that four have reached it goes on as it did last.
    """
    share = past.lost / past.jobs[:, None]
    gained, age = np.diff(share, axis=1), past.age[:, 1 : share.shape[1]]
    ages = int(past.age.max()) + 1
    found = np.zeros((len(share), ages))
    for kind in np.unique(past.kind):
        of_kind = past.kind == kind
        rows = age[of_kind].ravel()
        weight = np.repeat(past.jobs[of_kind], age.shape[1])
        reached = np.bincount(rows, minlength=ages)
        total = np.bincount(rows, weight, minlength=ages)
        slope = np.bincount(rows, gained[of_kind].ravel() * weight, minlength=ages) / np.maximum(total, 1e-9)
        last = int(np.flatnonzero(reached >= 4).max(initial=0))
        slope[last + 1 :] = slope[max(1, last - 3) : last + 1].mean() if last else 0.0
        slope[0] = 0.0
        found[of_kind] = np.cumsum(slope)
    return found


def effects(past: Past, horizon: int) -> tuple[Floats, Floats]:
    """What may add to the jobs lost since the last label, (n, horizon, effects) as shares of jobs, and its scale.

    Own speed and its change; what earlier places lost at the same age; and both corrected by how far adoption since the
    last label differs from them in the world, the occupation, the state and the series itself.
    """
    now, before, earlier = (past.lost[:, -1 - 4 * back] for back in range(3))
    jobs, lag = past.jobs, past.lag
    speed, was = (now - before) / jobs, (before - earlier) / jobs
    latest = 2 * (now - past.lost[:, -3]) / jobs
    level = past.adoption[:, -4:].mean(axis=1)
    # Noise in adoption is proportional to it, so recent quarters weigh by its inverse.
    known = past.adoption[:, past.lost.shape[1] - MEMORY : past.lost.shape[1]]
    weight = 0.85 ** np.arange(MEMORY)[::-1] / np.maximum(known, 0.003)
    per_adoption = (past.lost[:, -MEMORY:] * weight).sum(axis=1) / np.maximum((known * weight).sum(axis=1), 1e-9)

    ages = past.age[:, past.lost.shape[1] - 1 :]
    usual = np.take_along_axis(curves(past), ages, axis=1)
    ratio = np.clip((now / jobs + 0.002) / (usual[:, 0] + 0.002), 0.2, 4)
    followed = (usual - usual[:, :1]) * ratio[:, None]
    path = 0.5 * np.maximum(followed, 0) + np.outer(0.7 * speed + 0.3 * latest, np.arange(ages.shape[1]) / 8)
    at_origin, ahead = path[:, lag, None], path[:, lag + 1 :] - path[:, lag, None]

    years = (lag + np.arange(1, horizon + 1)) / 4
    made = [speed[:, None] * years, latest[:, None] * years, (speed - was)[:, None] * years**2,
            (speed * level)[:, None] * years**2, followed[:, lag + 1 :], (now / jobs)[:, None] * years]
    supposed = now[:, None] + jobs[:, None] * path[:, 1 : lag + 1]
    off = per_adoption[:, None] * past.adoption[:, -lag:] - supposed
    later = np.arange(1, lag + 1) / np.arange(1, lag + 1).sum()
    for group in (np.zeros(len(jobs)), past.kind, past.place):
        by_level, by_slope = (surprise(off @ change, supposed, now, group)[:, None] for change in (
            later, np.where(np.arange(lag) < lag // 2, -0.5, 0.5)))
        made += [at_origin * by_level, ahead * by_level, ahead * by_slope]
    own = np.clip(off @ later / (np.abs(supposed).mean(axis=1) + 3), -0.8, 2)
    made.append(np.repeat((supposed[:, -1] / jobs * own)[:, None], horizon, axis=1))
    size = (0.1 * now + 0.02 * per_adoption + 2) / jobs
    scale = (0.5 * np.abs(speed) + size)[:, None] * years + 0.5 * np.abs(followed[:, lag + 1 :])
    return np.stack([np.broadcast_to(each, scale.shape) for each in made], axis=-1), scale


def surprise(off: Floats, supposed: Floats, now: Floats, group: npt.NDArray[np.generic]) -> Floats:
    """By how much the members of each series' group move more than supposed, relative to what was supposed, (n,)."""
    _, member = np.unique(group, return_inverse=True)
    moved = np.abs(supposed[:, -1] - now) + 0.05 * np.abs(supposed[:, -1]) + 1
    return np.clip(np.bincount(member, off) / np.bincount(member, moved), -2, 3)[member]


@dataclass(frozen=True)
class Windows:
    """Past windows, a row a series: what each regression needs. weight: (rows,), so that all windows count alike."""

    effect: Floats
    scale: Floats
    lost: Floats
    weight: Floats
    world: npt.NDArray[np.int64]


def least_absolute(windows: Windows) -> Floats:
    """Coefficients (horizon, effects) of least absolute deviations with a light ridge, by reweighted least squares."""
    found = []
    for step in range(windows.lost.shape[1]):
        effect, scale, lost = windows.effect[:, step], windows.scale[:, step], windows.lost[:, step]
        weight = windows.weight / scale
        for _ in range(ROUNDS):
            gram = (effect * weight[:, None]).T @ effect
            best = np.linalg.solve(gram + np.diag(np.diag(gram) * RIDGE + 1e-12), effect.T @ (weight * lost))
            weight = windows.weight / np.maximum(np.abs(lost - effect @ best), 0.1 * scale)
        found.append(best)
    return np.stack(found)


class Diffusion:
    """Regression on public worlds, and quantiles of what it missed in those that it was not fitted to."""

    def fit(self, windows: Windows, levels: Floats) -> None:
        """Learn the coefficients (horizon, effects) and the quantiles (horizon, q), in units of the scale."""
        residual = np.empty_like(windows.lost)
        folds = min(FOLDS, len(np.unique(windows.world)))
        for fold in range(folds):
            held = windows.world % folds == fold
            kept = ~held if folds > 1 else held
            part = least_absolute(Windows(**{name: value[kept] for name, value in vars(windows).items()}))
            residual[held] = windows.lost[held] - np.sum(windows.effect[held] * part, axis=2)
        self.coefficient = least_absolute(windows)
        self.quantiles = np.stack([
            np.quantile(residual[:, step] / windows.scale[:, step], levels, method="inverted_cdf",
                        weights=windows.weight * windows.scale[:, step])
            for step in range(windows.lost.shape[1])])

    def predict(self, past: Past) -> Floats:
        """Quantiles of jobs lost, (n, horizon, q)."""
        effect, scale = effects(past, len(self.coefficient))
        middle = np.einsum("nkj,kj->nk", effect, self.coefficient)
        share = middle[..., None] + scale[..., None] * self.quantiles
        answer: Floats = past.lost[:, -1, None, None] + past.jobs[:, None, None] * share
        return answer
