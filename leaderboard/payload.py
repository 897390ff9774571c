"""What a dataset page carries for its script: the summary as columns, who beats whom as bits, resamples as bytes."""

import json
import math
from base64 import b64encode
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from fourfold.leaderboard.board import Ranked
from fourfold.leaderboard.ranking import CONFIDENCE
from fourfold.leaderboard.summary import worst

LARGEST = 24_000
"""Values (rows times columns) that a page carries; what is beyond stands on the methods' own pages."""
RESAMPLED = 80_000
"""Bootstrap values that a page carries for the comparison of two rows."""


def columns_carried(ranked: Ranked, shown: list[int]) -> list[int]:
    """The columns that a page can show: those of the table first, then by how many records they speak of."""
    names = ranked.standing.columns
    rest = sorted(
        set(range(len(names))) - set(shown),
        key=lambda place: (names[place][1].count("="), ":" in names[place][1], bool(names[place][1]), place),
    )
    return [*shown, *rest][: max(len(shown), LARGEST // max(len(ranked.titles), 1))]


def payload(ranked: Ranked, shown: list[int], links: list[str]) -> dict[str, Any]:
    """Everything that the page's script needs of one standing; rows in the table's order, columns as carried.

    value, low, high: (columns, rows) as 64-bit floats, NaN where unknown. seeds: (columns of the table, rows, seeds
    asked) as 32-bit floats. beats: row-major bits, most significant first. resamples: (rows, count) as 16-bit fractions
    of [low, high]. All of these as base64, little-endian. student: t quantiles by number of seeds.
    """
    order, standing, summary = ranked.order, ranked.standing, ranked.summary
    columns = columns_carried(ranked, shown)
    about = [ranked.metric(standing.columns[column][0]) for column in columns]
    return {
        "rows": [_row(ranked, row, links[row]) for row in order],
        "columns": [
            {
                "title": ranked.title(column),
                "unit": metric["unit"],
                "better": metric["better"],
                "family": metric["family"],
                "metric": metric["name"],
                "group": standing.columns[column][1],
                "worst": worst(metric["name"], metric) is not None,
                "averages": bool(summary.averages[column]),
                "names": metric["names"],
            }
            for column, metric in zip(columns, about, strict=True)
        ],
        "shown": len(shown),
        "headline": next(
            (
                place
                for place, column in enumerate(columns)
                if standing.columns[column] == (ranked.headline["name"], "")
            ),
            None,
        ),
        "value": _packed(summary.mean[np.ix_(order, columns)].T, "<f8"),
        "low": _packed(summary.low[np.ix_(order, columns)].T, "<f8"),
        "high": _packed(summary.high[np.ix_(order, columns)].T, "<f8"),
        "seeds": _packed(np.stack([_by_seed(ranked, column)[order] for column in shown] or [np.empty(0)]), "<f4"),
        "asked": standing.asked,
        "student": [None, None, *_student(standing.asked)],
        "beats": b64encode(np.packbits(summary.beats[np.ix_(order, order)]).tobytes()).decode(),
        "resamples": _resamples(ranked),
    }


def _row(ranked: Ranked, row: int, link: str) -> dict[str, Any]:
    state, why = ranked.states[row]
    epsilon = ranked.standing.rows[row].epsilon
    return {
        "title": ranked.titles[row],
        "href": link,
        "track": str(ranked.tracks[row]),
        "state": state,
        "why": why,
        "epsilon": epsilon if math.isfinite(epsilon) else None,
    }


def _by_seed(ranked: Ranked, column: int) -> npt.NDArray[np.float64]:
    standing = ranked.standing
    ok, value = standing.ok[:, : standing.asked], standing.value[:, column, : standing.asked]
    return np.where(ok, value, np.nan)


def _student(seeds: int) -> list[float]:
    return [round(float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)), 6) for count in range(2, seeds + 1)]


def _packed(values: npt.NDArray[Any], kind: str) -> str:
    """Numbers as little-endian bytes in base64, NaN where nothing is known."""
    return b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def _resamples(ranked: Ranked) -> dict[str, Any] | None:
    replicates = ranked.summary.replicates
    if replicates is None:
        return None
    kept = replicates[ranked.order, : max(40, RESAMPLED // max(len(replicates), 1))].astype(np.float64)
    low, high = float(np.nanmin(kept, initial=0)), float(np.nanmax(kept, initial=1e-9))
    parts = np.nan_to_num((kept - low) / (high - low), nan=0) * 65535
    return {
        "count": kept.shape[1],
        "low": low,
        "high": high,
        "data": _packed(np.round(parts), "<u2"),
    }


def embedded(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or opens another."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
