"""Why a row is refuted, in words: which check failed, or which of its epsilons contradict each other."""

from collections.abc import Iterator

import numpy as np

from fourfold.leaderboard.numerals import spelled
from fourfold.leaderboard.standing import Standing
from fourfold.suite.metrics.accountant import AGREEMENT

CHECK = "mechanism_check"
ATTACKS = {"": "canaries among the records", "white-box": "canaries in the curator's sums"}
"""Whose audit it is, by the group of ``epsilon_audited``."""


def refuted(standing: Standing) -> dict[int, str]:
    """Of each refuted row why, over all of its seeds that are."""
    column = standing.column("refuted")
    if column is None:
        return {}
    found = {}
    for row in np.flatnonzero((standing.value[:, column] > 0).any(axis=1)).tolist():
        seeds = np.flatnonzero(standing.value[row, column] > 0)
        found[row] = "; ".join(_reasons(standing, row, seeds)) or "what was measured contradicts the epsilon it keeps"
    return found


def _reasons(standing: Standing, row: int, seeds: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Iterator[str]:
    """What was found on the refuted seeds: each contradiction once, by its worst seed."""

    def of(metric: str, group: str = "") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        column = standing.column(metric, group)
        return np.full(len(seeds), np.nan) if column is None else standing.value[row, column, seeds]

    failed = [group for metric, group in standing.columns if metric == CHECK and (of(CHECK, group) == 0).any()]
    if failed:
        yield f"failed the {' and '.join(sorted(failed))} check{'s' * (len(failed) > 1)}"
    claimed, accounted = of("epsilon_claimed"), of("epsilon_accounted")
    over = accounted - claimed
    if (over > AGREEMENT).any():
        at = int(np.nanargmax(over))
        yield f"its ledger adds up to ε = {spelled(accounted[at])}, above the claimed {spelled(claimed[at])}"
    for group, who in ATTACKS.items():
        audited = of("epsilon_audited", group)
        for word, bound in (("claimed", claimed), ("accounted", accounted)):
            over = audited - bound
            if (over > 0).any():
                at = int(np.nanargmax(over))
                yield f"{who} show ε ≥ {spelled(audited[at])}, above the {word} {spelled(bound[at])}"
                break
