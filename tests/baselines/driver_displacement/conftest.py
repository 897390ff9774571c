"""Small forecasting problems made up on the spot, by none of the task's code but its records."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fourfold.tasks.driver_displacement.window import Query, Train

QUANTILES = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
SERIES = tuple(f"{state} {kind}" for state in ("CA", "NY", "TX") for kind in ("heavy", "taxi"))
PERIODS, ORIGIN, HORIZON, LAG, RECORDED = 40, 31, 8, 4, 0.9
NOBODY = dict.fromkeys(("world", "place", "lost", "returned"), np.zeros(0, np.int16)) | dict.fromkeys(
    ("sex", "minority", "age"), np.zeros(0, np.int8))


def world(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Six series over forty quarters: heads with a season, and jobs lost to vehicles launched in the tenth."""
    time = np.arange(PERIODS)
    size = np.exp(rng.normal(9, 0.5, len(SERIES)))[:, None]
    season = 1 + 0.05 * np.sin(np.pi / 2 * time)
    noise = np.exp(np.cumsum(rng.normal(0, 0.01, (len(SERIES), PERIODS)), axis=1))
    share = 1 / (1 + np.exp(-(time - 28) / 4)) * (time >= 10)
    lost = np.rint(size * share * rng.uniform(0.1, 0.4, (len(SERIES), 1)))
    return {"headcount": np.rint(size * season * noise) - lost + 0.5 * lost.max(), "displaced": lost,
            "past": (share * np.exp(rng.normal(0, 0.05, lost.shape)))[None],
            "known": np.broadcast_to(np.maximum(time - 9.0, 0), (1, *lost.shape))}


def workers(worlds: list[dict[str, np.ndarray]], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Who is recorded to have lost a job in each world, as far as is known at the origin."""
    rows = []
    for number, each in enumerate(worlds):
        lost = np.diff(each["displaced"][:, : ORIGIN + 1 - LAG], axis=1, prepend=0).astype(int)
        place, period = np.nonzero(lost)
        rows.append(np.repeat(np.stack([np.full(len(place), number), place, period]), lost[place, period], axis=1))
    found = np.concatenate(rows, axis=1)
    found = found[:, rng.random(found.shape[1]) < RECORDED].astype(np.int16)
    m = found.shape[1]
    flags = {name: rng.integers(0, 2, m).astype(np.int8) for name in ("sex", "minority")}
    return dict(zip(("world", "place", "lost"), found, strict=True)) | flags | {
        "returned": np.full(m, -1, np.int16), "age": rng.integers(20, 70, m).astype(np.int8)}


def _static() -> np.ndarray:
    return np.tile([[0.2, 5e4], [0.6, 7e4]], (3, 1))


def simulated(seed: int = 0) -> tuple[Train, list[Query], list[dict[str, np.ndarray]]]:
    """Two public worlds, two to be forecast, and these whole."""
    rng = np.random.default_rng(seed)
    public, secret = ([world(rng) for _ in range(2)] for _ in range(2))
    shared: dict[str, Any] = dict(
        series=SERIES, season=4, past_names=("adoption",), known_names=("launched",), static=_static(),
        static_names=("minority_share", "median_income"), quantiles=QUANTILES, targets=("headcount", "displaced"),
        horizon=HORIZON, label_lag=LAG)
    records = workers(secret, rng)
    periods = tuple(f"{2016 + quarter // 4}Q{quarter % 4 + 1}" for quarter in range(PERIODS))
    train = Train(
        **shared, **records, **{name: np.stack([each[name] for each in public]) for name in public[0]}, periods=periods,
        recorded=RECORDED, n=len(records["world"]), private=tuple(NOBODY))
    queries = [Query(**shared, periods=periods, world=number, headcount=each["headcount"][:, : ORIGIN + 1],
                     past=each["past"][..., : ORIGIN + 1], known=each["known"][..., : ORIGIN + 1 + HORIZON])
               for number, each in enumerate(secret)]
    return train, queries, secret


def real(n: int = 5, periods: int = 30, season: int = 12, seed: int = 0) -> tuple[Train, list[Query], None]:
    """One world of heads alone with a ragged edge, a gap, a late start and a series nobody reports; two origins."""
    rng = np.random.default_rng(seed)
    whole = 1000 * np.exp(np.cumsum(rng.normal(0, 0.03, (n, periods + 3)), axis=1))
    whole[0, 5:7] = np.nan
    whole[1, :8] = np.nan
    whole[2] = 700.0
    whole[3] = np.nan
    angle = np.broadcast_to(np.sin(np.arange(periods + 9) * 2 * np.pi / 12), (1, n, periods + 9))
    shared: dict[str, Any] = dict(
        series=tuple(f"class{place}" for place in range(n)), season=season, past_names=("trips",),
        known_names=("month",), static=np.empty((n, 0)), static_names=(), quantiles=QUANTILES, targets=("headcount",),
        horizon=6, label_lag=LAG)

    def seen(end: int) -> np.ndarray:
        heads = whole[:, :end].copy()
        heads[4, -1] = np.nan
        return heads

    train = Train(
        **shared, **NOBODY, periods=tuple(map(str, range(periods))), headcount=seen(periods)[None],
        displaced=np.full((1, n, periods), np.nan), past=9 * seen(periods)[None, None],
        known=angle[None, ..., :periods], recorded=1.0, n=0, private=())
    queries = [Query(**shared, periods=tuple(map(str, range(end + 6))), world=-1, headcount=seen(end),
                     past=9 * seen(end)[None], known=angle[..., : end + 6]) for end in (periods, periods + 3)]
    return train, queries, None


@pytest.fixture(scope="session")
def problems() -> dict[str, Callable[[], Any]]:
    return {"simulated": simulated, "monthly": real, "annual": lambda: real(n=5, periods=9, season=1)}
