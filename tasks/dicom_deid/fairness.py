"""For whom identities leak: between groups of patients, and between the twins of one document.

A patient's items leak together, so intervals are of patients and not of items. Few patients make a group, and the few
whom all leaks come from may not be among them: resampling those who are says too little, so one more is drawn with them
who leaks all, or nothing. No interval claims more than its patients can tell.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics.bootstrap import Floats
from fourfold.suite.task import Score
from fourfold.tasks.dicom_deid.key import GROUPS, Key

REPLICATES = 10_000
"""Draws of weights behind an interval: the gap of thirteen scripts asks for the 6,000th part of them."""
LATIN = "Latin"
"""The script against which the twins of a document are compared."""


@dataclass(frozen=True, eq=False)
class Share:
    """The share of some patients' items that leaked. n: how many items. least, most: (b,) as ``limits`` has them."""

    value: float
    least: Floats
    most: Floats
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Limits, each of which fails with a probability of (1 - level) / 2 at most."""
        tail = (1 - level) / 2
        low, high = np.quantile(self.least, tail), np.quantile(self.most, 1 - tail)
        return min(float(low), self.value), max(float(high), self.value)


Shares = Mapping[str, Share]
Numbers = npt.NDArray[Any]


def scores(leaked: npt.NDArray[np.bool_], key: Key, rng: np.random.Generator) -> list[Score]:
    """Leak rate and pixel recall of each group, the worst and the gap, and the gap between the twins of a document.

    leaked: (n,) bool, in the order of ``key.planted``. Raises ValueError where it is of another length.
    """
    if leaked.shape != (len(key.planted),):
        raise ValueError(f"leaked is {leaked.shape}, where the key has {len(key.planted):,} planted items: give each")
    pixels = np.array([item.locus == "pixels" for item in key.planted], bool)
    every = {attribute: shares(leaked, key, attribute, rng) for attribute in GROUPS}
    burned = {attribute: shares(leaked, key, attribute, rng, pixels) for attribute in GROUPS}
    return [
        *(_score("group_leak_rate", share, f"{a}={value}") for a in GROUPS for value, share in every[a].items()),
        *_worst("worst_group_leak", every),
        *_gaps("leak_gap", every),
        *(_recall(_score("pixel_recall", each, f"{a}={value}")) for a in GROUPS for value, each in burned[a].items()),
        *(_recall(score) for score in _worst("worst_pixel_recall", burned)),
        *swaps(leaked, key, rng),
    ]


def shares(
    leaked: npt.NDArray[np.bool_],
    key: Key,
    attribute: str,
    rng: np.random.Generator,
    which: npt.NDArray[np.bool_] | None = None,
) -> dict[str, Share]:
    """What share of items leaked, by a person's value of an attribute, in alphabetical order; groups without items left
    out. which: (n,) bool, the items that count; None: every one."""
    counts = np.ones(len(leaked)) if which is None else which.astype(np.float64)
    of = np.array([item.patient for item in key.planted], dtype=np.int64)
    items = np.bincount(of, weights=counts, minlength=len(key.patients))
    hits = np.bincount(of, weights=counts * leaked, minlength=len(key.patients))
    values = np.array([person.groups[attribute] for person in key.patients])
    found = {str(value): (values == value) & (items > 0) for value in np.unique(values)}
    return {value: share(hits[those], items[those], rng) for value, those in found.items() if those.any()}


def share(hits: Numbers, items: Numbers, rng: np.random.Generator) -> Share:
    """The share of leaked items of patients (k,)."""
    return Share(float(hits.sum() / items.sum()), *limits(hits, items, 0, rng), round(items.sum()))


def limits(sums: Numbers, sizes: Numbers, lowest: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draws of a lower and an upper limit, (b,) each, of the ratio of sums to sizes of clusters (k,) drawn from many.

    A cluster's own ratio lies between ``lowest`` and 1. The quantiles of the draws are limits: of the clusters' mean
    under random weights (Dirichlet's, all 1) with one more that is at that end (Gaffke 2005; Learned-Miller and Thomas
    2019, arXiv:1905.06208). Of ratios that are 0 or 1 they are Clopper and Pearson's. For no distribution of
    ratios of clusters of one size are they known to fail, where a bootstrap of a few that are mostly alike does.
    """
    weights = rng.standard_exponential((REPLICATES, len(sizes) + 1))
    further = weights[:, -1] * sizes.mean()
    total, drawn = weights[:, :-1] @ sizes + further, weights[:, :-1] @ sums
    return (drawn + lowest * further) / total, (drawn + further) / total


def _worst(metric: str, found: Mapping[str, Shares]) -> Iterator[Score]:
    """The greatest share by each attribute and of all, with intervals for the true greatest.

    ``high`` is the greatest upper limit, which covers whenever that of the true worst does; ``low`` the greatest lower
    limit, each at 0.05 / (2 groups), as any of them may fail.
    """
    for group, family in _families(found):
        worst = max(family, key=lambda share: share.value, default=None)
        if worst is None:
            yield Score(metric, None, group=group)
            continue
        tails = 1 - 0.05 / len(family)
        low, high = max(each.interval(tails)[0] for each in family), max(each.interval()[1] for each in family)
        yield Score(metric, worst.value, min(low, worst.value), high, worst.n, group)


def _gaps(metric: str, found: Mapping[str, Shares]) -> Iterator[Score]:
    """The greatest share less the least by each attribute, and the greatest of these, with intervals as in ``_worst``.

    A pair's limits come from those of its two shares, which rest on different patients (Newcombe 1998, method 10; Zou
    and Donner 2008, equation 4).
    """
    pairs = {attribute: [*permutations(of.values(), 2)] for attribute, of in found.items()}
    for group, family in [*pairs.items(), ("", [pair for each in pairs.values() for pair in each])]:
        if not family:
            yield Score(metric, None, group=group)
            continue
        value, n = max((first.value - second.value, first.n + second.n) for first, second in family)
        every = [share for pair in family for share in pair]
        surely, likely = (
            {share: share.interval(level) for share in dict.fromkeys(every)} for level in (1 - 0.05 / len(family), 0.95)
        )
        low = max(_difference(*pair, surely)[0] for pair in family)
        high = max(_difference(*pair, likely)[1] for pair in family)
        yield Score(metric, value, min(max(low, 0.0), value), min(high, 1.0), n, group)


def _difference(first: Share, second: Share, ends: Mapping[Share, tuple[float, float]]) -> tuple[float, float]:
    """Limits of the difference of two independent shares from the limits of each."""
    gap, (low, high), (least, most) = first.value - second.value, ends[first], ends[second]
    below = math.hypot(first.value - low, most - second.value)
    above = math.hypot(high - first.value, second.value - least)
    return gap - below, gap + above


def _families(found: Mapping[str, Shares]) -> Iterator[tuple[str, Sequence[Share]]]:
    for attribute, of in found.items():
        yield attribute, list(of.values())
    yield "", [share for of in found.values() for share in of.values()]


def _score(metric: str, share: Share, group: str) -> Score:
    return Score(metric, share.value, *share.interval(), share.n, group)


def _recall(score: Score) -> Score:
    """A share that leaked as the share that did not."""
    if score.value is None or score.low is None or score.high is None:
        return score
    return replace(score, value=1 - score.value, low=1 - score.high, high=1 - score.low)


@dataclass(frozen=True)
class Twins:
    """A document: whose it is, and its leak rate by their script."""

    patients: frozenset[int]
    rates: Mapping[str, float]


def swaps(leaked: npt.NDArray[np.bool_], key: Key, rng: np.random.Generator) -> list[Score]:
    """The leak rate of a document's twin less that of its twin in Latin script: the mean over documents, of each script
    and of all. The patients who share documents are one cluster; ``n`` counts documents."""
    twins = _twins(leaked, key)
    scripts = sorted({script for each in twins for script in each.rates} - {LATIN})
    found = [_swap("", twins, scripts, rng)]
    for script in scripts:
        found.append(_swap(f"script={script}-{LATIN}", [each for each in twins if script in each.rates], [script], rng))
    return found


def _twins(leaked: npt.NDArray[np.bool_], key: Key) -> list[Twins]:
    """The documents that have a twin in Latin script and one in another."""
    document = {each.path: each.document for each in key.instances if each.document >= 0}
    flags: dict[int, dict[str, list[bool]]] = {}
    whose: dict[int, set[int]] = {}
    for item, found in zip(key.planted, leaked.tolist(), strict=True):
        if item.path in document:
            of = flags.setdefault(document[item.path], {})
            of.setdefault(key.patients[item.patient].script, []).append(found)
            whose.setdefault(document[item.path], set()).add(item.patient)
    return [
        Twins(frozenset(whose[number]), {script: sum(each) / len(each) for script, each in sorted(of.items())})
        for number, of in sorted(flags.items())
        if LATIN in of and len(of) > 1
    ]


def _swap(group: str, twins: Sequence[Twins], scripts: Sequence[str], rng: np.random.Generator) -> Score:
    if not twins:
        return Score("swap_gap", None, group=group)
    latin = np.array([each.rates[LATIN] for each in twins])
    other = np.array([np.mean([each.rates[script] for script in scripts if script in each.rates]) for each in twins])
    value = float((other - latin).mean())
    pairs = {patients: place for place, patients in enumerate(dict.fromkeys(each.patients for each in twins))}
    of, k = [pairs[each.patients] for each in twins], len(pairs)
    sizes = np.bincount(of, minlength=k).astype(np.float64)
    gap = Share(value, *limits(np.bincount(of, other - latin, k), sizes, -1, rng), len(twins))
    return Score("swap_gap", value, *gap.interval(), gap.n, group)
