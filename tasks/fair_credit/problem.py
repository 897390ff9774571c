"""What fair-credit asks of a method: folds, canaries and queries drawn from a dataset."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.task import Answers, Ask, Draw, Problem, Want
from fourfold.tasks.fair_credit import FOLDS
from fourfold.tasks.fair_credit.data import UNKNOWN, CreditData, compared

CANARY_SHARE = 0.01
"""Canaries are at most this share of the training records; about half of them, drawn by coin, are trained on."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Train:
    """The applicants a method learns from; n of them, d features.

    features: (n, d) float64, finite, within bounds; no protected attribute is among them. columns: their d names.
    bounds: (d, 2), the public range of each feature, which a private method may use without spending anything.
    label: (n,) int8, 1 = default. group: (n,) int8, an index into group_names, the two whose treatment the headline
    compares; -1 for everybody else, and where it is not known.
    """

    features: Floats
    columns: tuple[str, ...]
    bounds: Floats
    label: npt.NDArray[np.int8]
    group: npt.NDArray[np.int8]
    group_names: tuple[str, ...]
    n: int
    private: tuple[str, ...] = ("features", "label", "group")
    """The fields with a row an applicant, in the order in which a curator's functions take them."""


@dataclass(frozen=True)
class Query:
    """The applicants whose probability of default is asked: ``Train`` without labels; group is None if blind."""

    features: Floats
    columns: tuple[str, ...]
    bounds: Floats
    group: npt.NDArray[np.int8] | None
    group_names: tuple[str, ...]
    private: tuple[str, ...]
    """The fields with a row an applicant."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A dataset with the number of each row's first twin: rows whose features are equal share one."""

    data: CreditData
    twin: npt.NDArray[np.int64]


def with_twins(data: CreditData) -> Loaded:
    """Number the rows so that duplicates can be kept in one fold."""
    rows = np.ascontiguousarray(data.features).view(np.dtype((np.void, data.features.shape[1] * 8)))[:, 0]
    return Loaded(data, np.unique(rows, return_inverse=True)[1].astype(np.int64))


def folds(loaded: Loaded, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """Split the rows into FOLDS, stratified by label and protected attribute, twins together; (n,) fold numbers."""
    data = loaded.data
    stratum = data.label.astype(np.int64) * 128 + data.groups[data.protected].code
    _, first = np.unique(loaded.twin, return_index=True)
    order = np.lexsort((rng.random(len(first)), stratum[first]))
    fold = np.empty(len(first), np.int8)
    fold[order] = np.arange(len(first)) % FOLDS
    return fold[loaded.twin]


def draw(loaded: Loaded, secret: Draw, aware: bool, most: int | None = None) -> Problem:
    """One fold to test on, the next to choose a threshold on, the rest, with its canaries, to learn from.

    Five seeds in a row test every applicant once; the next five do so over another split. The queries are test and
    validation applicants with all canaries mixed in, in random order. Where it is known how applicants would have been
    in the other group, as many as half of those tested are asked for both ways. They are learned from: side by side,
    the two tell the group, and would tell who is tested from who is to choose the threshold. ``most`` cuts the dataset
    to that many rows.
    """
    data = loaded.data
    fold = folds(loaded, secret.rng(f"folds {secret.seed // FOLDS}", every_seed=True))
    if most is not None:
        fold = np.where(secret.rng("cut").permutation(len(fold)) < most, fold, -1).astype(np.int8)
    place = secret.seed % FOLDS
    test, validation = np.flatnonzero(fold == place), np.flatnonzero(fold == (place + 1) % FOLDS)
    pool = secret.rng("order").permutation(
        np.flatnonzero((fold >= 0) & (fold != place) & (fold != (place + 1) % FOLDS))
    )

    canary, pool = np.split(pool, [int(len(pool) * CANARY_SHARE)])
    coin = secret.rng("coins").random(len(canary)) < 0.5
    train = secret.rng("mix").permutation(np.concatenate([pool, canary[coin]]))
    label = np.where(np.isin(train, canary), 1 - data.label[train], data.label[train]).astype(np.int8)

    both = pool[: 0 if data.counterfactual is None else len(test) // 2]
    asked, code = np.concatenate([test, validation, canary, both]), compared(data)
    features, group = data.features[asked], code[asked]
    if data.counterfactual is not None:
        features = np.concatenate([features, data.counterfactual[both]])
        group = np.concatenate([group, np.where(code[both] == UNKNOWN, UNKNOWN, 1 - code[both])])
    order = secret.rng("queries").permutation(len(features))
    asks = (
        Ask(
            "fit",
            Train(data.features[train], data.columns, data.bounds, label, code[train], data.compared, len(train)),
        ),
        Ask(
            "predict",
            Query(
                features[order],
                data.columns,
                data.bounds,
                group[order] if aware else None,
                data.compared,
                ("features", "group") if aware else ("features",),
            ),
            Want((len(order),), 0.0, 1.0),
        ),
    )
    hidden: dict[str, Any] = {
        "data": data,
        "order": order,
        "test": test,
        "validation": validation,
        "canary": canary,
        "coin": coin,
        "both": both,
    }
    by_row, query = np.argsort(train), np.argsort(order)[len(test) + len(validation) :][: len(canary)]
    learnt = by_row[np.searchsorted(train, canary[coin], sorter=by_row)]
    return Problem(asks, Answers(hidden), members=np.stack([learnt, query[coin]], axis=1))
