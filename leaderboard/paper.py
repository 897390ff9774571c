"""The plot for a page without script: the same figure as SVG, set here, because Vega takes 30 ms to set up each one."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, HEIGHT = 700, 380
LEFT, TOP, BOTTOM, INSET = 52, 30, 48, 18

_SHAPES = {
    "circle": '<circle r="4"/>',
    "diamond": '<path d="M0-5.5 5.5 0 0 5.5-5.5 0z"/>',
    "triangle-up": '<path d="M0-5 5 4-5 4z"/>',
    "square": '<path d="M-4-4h8v8h-8z"/>',
}


def svg(points: Sequence[Mapping[str, Any]], axes: Sequence[Mapping[str, Any]]) -> Markup:
    """A figure of points (as ``figure.template`` describes them) on two axes (``title``, ``log``, ``better``)."""
    across, up = (
        _scale(
            [point[end] for point in points for end in (name, f"{name}l", f"{name}h") if point[end] is not None],
            axis["log"],
            reach,
        )
        for name, axis, reach in (("x", axes[0], (INSET, WIDTH - INSET)), ("y", axes[1], (HEIGHT - INSET, INSET)))
    )
    parts = [_axis_across(*across, axes[0]["title"]), _axis_up(*up, axes[1]["title"])]
    for point in points:
        parts.append(_whiskers(point, across[0], up[0]))
    on_front = sorted((point for point in points if point["front"]), key=lambda point: point["x"])
    parts.append(_stairs([(across[0](point["x"]), up[0](point["y"])) for point in on_front], axes[0]["better"]))
    for point in points:
        parts.append(_symbol(point, across[0](point["x"]), up[0](point["y"])))
    box = f"{-LEFT} {-TOP} {WIDTH + LEFT + 10} {HEIGHT + TOP + BOTTOM}"
    return Markup(
        f'<svg viewBox="{box}" width="{WIDTH + LEFT + 10}" height="{HEIGHT + TOP + BOTTOM}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def _scale(values: Sequence[float], log: bool, reach: tuple[int, int]) -> tuple[Callable[[float], float], list[float]]:
    """From value to place, and where the ticks stand."""
    low, high = min(values), max(values)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    bend = math.log10 if log else float
    factor = (reach[1] - reach[0]) / (bend(high) - bend(low))
    return lambda value: reach[0] + (bend(value) - bend(low)) * factor, ticks(low, high, log)


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Round values within [low, high]: powers of ten (halved where there are few), or steps of 1, 2 or 5 times one."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1,) if len(powers) > 3 else (1, 2, 5)
        return [value for power in powers for step in steps if low <= (value := step * 10.0**power) <= high]
    rough = (high - low) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    return [round(step * count, 12) for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _axis_across(place: Callable[[float], float], at: list[float], title: str) -> str:
    marks = "".join(
        f'<path d="M{x:.1f} {HEIGHT}v5"/><text x="{x:.1f}" y="{HEIGHT + 18}">{_tick(value)}</text>'
        for value, x in zip(at, map(place, at), strict=True)
    )
    return (
        f'<g class="axis" text-anchor="middle"><path d="M0 {HEIGHT}H{WIDTH}"/>{marks}'
        f'<text class="title" x="{WIDTH / 2}" y="{HEIGHT + 40}">{escape(title)}</text></g>'
    )


def _axis_up(place: Callable[[float], float], at: list[float], title: str) -> str:
    marks = "".join(
        f'<path class="grid" d="M0 {y:.1f}H{WIDTH}"/><text x="-8" y="{y + 4:.1f}">{_tick(value)}</text>'
        for value, y in zip(at, map(place, at), strict=True)
    )
    return (
        f'<g class="axis" text-anchor="end"><path d="M0 0V{HEIGHT}"/>{marks}'
        f'<text class="title" text-anchor="start" x="{-LEFT + 4}" y="-14">{escape(title)}</text></g>'
    )


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _whiskers(point: Mapping[str, Any], across: Callable[[float], float], up: Callable[[float], float]) -> str:
    path = ""
    if point["xl"] is not None:
        path += f"M{across(point['xl']):.1f} {up(point['y']):.1f}H{across(point['xh']):.1f}"
    if point["yl"] is not None:
        path += f"M{across(point['x']):.1f} {up(point['yl']):.1f}V{up(point['yh']):.1f}"
    return f'<path class="range" d="{path}"/>' if path else ""


def _stairs(places: Sequence[tuple[float, float]], x_better: str) -> str:
    path = "".join(
        f"{f'M{x:.1f} {y:.1f}' if at == 0 else f'V{y:.1f}H{x:.1f}' if x_better == 'higher' else f'H{x:.1f}V{y:.1f}'}"
        for at, (x, y) in enumerate(places)
    )
    return f'<path class="front" d="{path}"/>' if len(places) > 1 else ""


def _symbol(point: Mapping[str, Any], x: float, y: float) -> str:
    kind = "point on" if point["front"] else "point"
    label = f'<text x="7" y="-7">{escape(point["label"])}</text>' if point["label"] else ""
    return f'<g class="{kind}" transform="translate({x:.1f} {y:.1f})">{_SHAPES[point["mark"]]}{label}</g>'
