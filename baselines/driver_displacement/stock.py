"""What a method knows of its targets' past at an origin: the jobs lost only through the private worker records."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def displaced_stock(train: Any, query: Any) -> Floats:
    """Jobs lost to automation and not yet found again in the query's world, (n, T), estimated from its workers.

    Recorded workers lost less returned so far, over the share of workers that is recorded; NaN for the last
    ``label_lag`` periods, of which no record tells yet.
    """
    n, periods = query.headcount.shape
    here = train.world == query.world
    back = here & (train.returned >= 0)
    change = np.zeros((n, periods))
    np.add.at(change, (train.place[here], train.lost[here]), 1.0)
    np.add.at(change, (train.place[back], train.returned[back]), -1.0)
    stock = change.cumsum(axis=1) / train.recorded
    stock[:, max(0, periods - train.label_lag) :] = np.nan
    return stock


def histories(train: Any, query: Any) -> Floats:
    """The past of each series and target, (n, targets, T); NaN where it is not known."""
    past = [query.headcount]
    if "displaced" in query.targets:
        past.append(displaced_stock(train, query))
    return np.stack(past, axis=1)


def no_less_than_none(quantiles: npt.ArrayLike) -> Floats:
    """Forecasts (n, targets, h, q) sorted over q, with no head-count under 0."""
    answer = np.sort(np.asarray(quantiles, dtype=np.float64), axis=-1)
    answer[:, 0] = np.maximum(answer[:, 0], 0.0)
    return answer
