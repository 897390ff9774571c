"""Fan charts for a page without script: small multiples as SVG, and one of them in numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from fourfold.leaderboard.numerals import DASH, spelled
from fourfold.leaderboard.paper import ticks
from fourfold.suite.exhibit import QUANTILES

PANELS, ACROSS = 6, 3
"""How many charts are drawn, the largest series of one target and origin, and how many stand in a row."""
WIDTH, HEIGHT, LEFT, HEAD, GAP = 230, 130, 46, 34, 26

Chart = Mapping[str, Any]
Point = tuple[float, float]


def reached(chart: Chart) -> float:
    """How large a series is: the last number known at the origin, or else what happened first."""
    known = [value for value in [*chart["outcome"][::-1], *chart["history"]] if value is not None]
    return float(known[-1]) if known else 0.0


def multiples(charts: Sequence[Chart], first: Chart) -> Markup:
    """The charts of ``first``'s target and origin, the largest series first, as one drawing."""
    alike = [each for each in charts if (each["target"], each["origin"]) == (first["target"], first["origin"])]
    alike = sorted(alike, key=reached, reverse=True)[:PANELS]
    across, down = min(len(alike), ACROSS), -(-len(alike) // ACROSS)
    box = (across * (LEFT + WIDTH + GAP), down * (HEAD + HEIGHT + GAP))
    panels = "".join(
        f'<g transform="translate({LEFT + (LEFT + WIDTH + GAP) * (place % ACROSS)} '
        f'{HEAD + (HEAD + HEIGHT + GAP) * (place // ACROSS)})">{_panel(chart)}</g>'
        for place, chart in enumerate(alike)
    )
    return Markup(
        f'<svg viewBox="0 0 {box[0]} {box[1]}" width="{box[0]}" height="{box[1]}" aria-hidden="true">{panels}</svg>'
    )


def numbers(chart: Chart) -> list[tuple[str, list[str]]]:
    """A chart's periods, each with the count there and, from the origin on, the quantiles."""
    past, lines = len(chart["history"]), []
    for at, period in enumerate(chart["periods"]):
        ahead = at - past
        known = chart["history"][at] if ahead < 0 else chart["outcome"][ahead]
        levels = [_told(chart["quantiles"][level][ahead]) if ahead >= 0 else "" for level in QUANTILES]
        lines.append((period, [_told(known), *levels]))
    return lines


def _told(value: float | None) -> str:
    return DASH if value is None else spelled(float(value))


def _panel(chart: Chart) -> str:
    """One chart, of ``WIDTH`` by ``HEIGHT``, with its heading above and its first and last period below."""
    past, count = len(chart["history"]), len(chart["periods"])
    quantiles = chart["quantiles"]
    drawn = [each for each in (chart["history"], chart["outcome"], *quantiles.values()) if each]
    values = [float(value) for each in drawn for value in each if value is not None] or [0.0]
    low, high = min(values), max(values)
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)

    def places(series: Sequence[float | None], start: int) -> list[Point]:
        return [
            (WIDTH * (start + at + 0.5) / count, HEIGHT * (high - value) / (high - low))
            for at, value in enumerate(series)
            if value is not None
        ]

    ahead = {level: places(quantiles[level], past) for level in QUANTILES}
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places(chart["outcome"], past))
    return (
        f'<text class="title" x="0" y="-18">{escape(chart["series"][:32])}</text>'
        f'<text class="axis" x="0" y="-5">{escape(chart["target"][:20])} from {escape(chart["origin"][:16])}</text>'
        f"{_grid(low, high)}"
        f'<path class="wide" d="{_closed(ahead["0.05"], ahead["0.95"])}"/>'
        f'<path class="narrow" d="{_closed(ahead["0.1"], ahead["0.9"])}"/>'
        f'<path class="median" d="{_open(ahead["0.5"])}"/>'
        f'<path class="history" d="{_open(places(chart["history"], 0))}"/>'
        f'<g class="outcome">{dots}</g>'
        f'<text class="axis" x="0" y="{HEIGHT + 15}">{escape(chart["periods"][0][:12])}</text>'
        f'<text class="axis" x="{WIDTH}" y="{HEIGHT + 15}" text-anchor="end">{escape(chart["periods"][-1][:12])}</text>'
    )


def _grid(low: float, high: float) -> str:
    return "".join(
        f'<path class="grid" d="M0 {y:.1f}H{WIDTH}"/>'
        f'<text class="axis" x="-6" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        for value in ticks(low, high, False)[::2]
        for y in [HEIGHT * (high - value) / (high - low)]
    )


def _short(value: float) -> str:
    """``12k``, ``0.5``: in thousands or millions where it is long."""
    factor, unit = (1e6, "M") if abs(value) >= 1e6 else (1e3, "k") if abs(value) >= 1e3 else (1.0, "")
    return f"{value / factor:.4g}{unit}".replace("-", "−")


def _open(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def _closed(below: Sequence[Point], above: Sequence[Point]) -> str:
    return _open([*below, *reversed(above)]) + "z" if below and above else ""
