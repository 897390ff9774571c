"""Tile maps of the United States: a metric by state, a small map a method, coloured around the value in its middle."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from fourfold.leaderboard.board import Ranked
from fourfold.leaderboard.numerals import DASH, interval, spelled

PANELS = 12
"""Methods that have a map, the best first."""
FEWEST = 20
"""States that must have a value: fewer make no map."""
TILE = 20

_ROWS = (
    "AK .  .  .  .  .  .  .  .  .  ME",
    ".  .  .  .  .  .  .  .  .  VT NH",
    "WA ID MT ND MN IL WI MI NY RI MA",
    "OR NV WY SD IA IN OH PA NJ CT .",
    "CA UT CO NE MO KY WV VA MD DE .",
    ".  AZ NM KS AR TN NC SC DC .  .",
    ".  .  .  OK LA MS AL GA .  .  .",
    "HI .  .  TX .  .  .  .  FL .  PR",
)
TILES = {
    code: (across, down) for down, line in enumerate(_ROWS) for across, code in enumerate(line.split()) if code != "."
}
"""Where the states, DC and Puerto Rico stand, (across, down): near their neighbours, all of one size."""


class Scale(NamedTuple):
    """How far a value is from the middle, in [-1, 1]; the middle in words; a legend's values, and its ends in words."""

    place: Callable[[float], float]
    middle: str
    legend: tuple[float, ...]
    ends: tuple[str, str]


def _ratio(value: float) -> float:
    """Doubled or halved is the end of the scale."""
    return max(-1.0, min(1.0, math.log2(value))) if value > 0 else -1.0


def _coverage(aim: float) -> Scale:
    """A fifth of all outcomes too many or too few is the end of the scale; above the middle is too little coverage."""

    def place(value: float) -> float:
        return max(-1.0, min(1.0, (aim - value) / 0.2))

    legend = tuple(round(aim + error, 3) for error in (0.2, 0.1, 0.0, -0.1, -0.2) if aim + error <= 1)
    return Scale(place, spelled(aim), legend, ("too wide", "too narrow"))


SCALES = {"coverage_80": _coverage(0.8), "coverage_90": _coverage(0.9)}
"""Metrics that have an aim of their own; the headline, if it is a loss relative to another's, has the aim 1."""
RATIO = Scale(_ratio, "as good as what it is relative to, 1", (0.5, 0.71, 1.0, 1.41, 2.0), ("or less", "or more"))


def views(ranked: Ranked, links: Sequence[str]) -> list[dict[str, Any]]:
    """The maps of a standing: of its headline, where that is a relative loss, and of coverage. links: of methods."""
    headline = ranked.headline
    scales = {headline["name"]: RATIO} if "relative" in headline["name"] and headline["better"] == "lower" else {}
    found = (_view(ranked, links, name, scale) for name, scale in (scales | SCALES).items())
    return [view for view in found if view]


def _view(ranked: Ranked, links: Sequence[str], name: str, scale: Scale) -> dict[str, Any] | None:
    columns = {code: ranked.standing.column(name, f"state={code}") for code in sorted(TILES)}
    known = {code: column for code, column in columns.items() if column is not None}
    rows = [row for row in ranked.order if ranked.sound[row]]
    if len(known) < FEWEST or not rows:
        return None
    drawn, title = rows[:PANELS], str(ranked.metric(name)["title"])
    values = [{code: _told(ranked, row, column) for code, column in known.items()} for row in drawn]
    overall = ranked.standing.column(name)
    return {
        "title": title,
        "middle": scale.middle,
        "legend": _legend(scale),
        "left_out": len(rows) - len(drawn),
        "panels": [
            {
                "title": ranked.titles[row],
                "href": links[row],
                "told": "" if overall is None else f"all: {spelled(float(ranked.summary.mean[row, overall]))}",
                "svg": _svg(told, scale, f"{title} of {ranked.titles[row]} by state"),
            }
            for row, told in zip(drawn, values, strict=True)
        ],
        "table": [(code, [told[code][1] for told in values]) for code in known],
    }


def _told(ranked: Ranked, row: int, column: int) -> tuple[float, str, str]:
    """A value, in words, and its interval in words."""
    value, low, high = (
        float(each[row, column]) for each in (ranked.summary.mean, ranked.summary.low, ranked.summary.high)
    )
    return value, spelled(value), interval(low, high)


def _legend(scale: Scale) -> list[tuple[str, str, str]]:
    """Of each value its colour, as ``_colour`` gives it, and the value; the ends say what they are."""
    words = [scale.ends[0], *[""] * (len(scale.legend) - 2), scale.ends[1]]
    pairs = zip(scale.legend, words, strict=True)
    return [(*_colour(scale.place(value)), f"{spelled(value)} {word}".strip()) for value, word in pairs]


def _colour(place: float) -> tuple[str, str]:
    """The side of the middle, and how much of its colour."""
    return ("over" if place > 0 else "under"), f"{0.85 * abs(place):.2f}"


def _svg(told: dict[str, tuple[float, str, str]], scale: Scale, label: str) -> Markup:
    """One map; a state without a value is dashed."""
    parts = []
    for code, (across, down) in TILES.items():
        value, text, between = told.get(code, (math.nan, DASH, ""))
        side, part = ("unknown", "0") if math.isnan(value) else _colour(scale.place(value))
        about = f"{code}: {text}" + (f" ({between})" if between else "")
        deep = ' class="deep"' if float(part) > 0.5 else ""
        parts.append(
            f'<g transform="translate({across * TILE} {down * TILE})"><title>{about}</title>'
            f'<rect class="{side}" width="18.5" height="18.5" fill-opacity="{part}"/>'
            f'<text{deep} x="9.2" y="12">{code}</text></g>'
        )
    extremes = _extremes(told)
    box = f"-1 -1 {TILE * 11} {TILE * 8}"
    return Markup(f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}{extremes}">{"".join(parts)}</svg>')


def _extremes(told: dict[str, tuple[float, str, str]]) -> str:
    """The lowest and the highest in words."""
    known: Sequence[tuple[float, str, str]] = sorted(
        (value, code, text) for code, (value, text, _) in told.items() if not math.isnan(value)
    )
    if not known:
        return ": no state has a value"
    (_, low, least), (_, high, most) = known[0], known[-1]
    return f": lowest in {low}, {least}, highest in {high}, {most}; the table below has all"
