"""How a board writes numbers. ``table.js`` writes them the same way."""

import math
from collections.abc import Sequence

DASH = "—"


def spelled(value: float) -> str:
    """Three decimals below one, then fewer; thousands apart; a real minus; an em dash for what is not known.

    >>> spelled(0.29), spelled(-3.14159), spelled(12345.6), spelled(0.00042)
    ('0.290', '−3.14', '12,346', '4.2e−4')
    """
    if 0.0005 <= value < 1:  # nearly all of a board
        return f"{value:.3f}"
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        text = "0"
    elif size < 0.0005:
        digits, _, power = f"{size:.1e}".partition("e")
        text = f"{digits}e−{abs(int(power))}"
    else:
        decimals = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
        text = f"{size:,.{decimals}f}"
    return f"−{text}" if value < 0 else text


def named(value: float, names: Sequence[str]) -> str:
    """The name of a value that stands for one of several kinds, counted from 0; any other value as ``spelled``.

    >>> named(2.0, ("none", "claimed", "accounted")), named(2.5, ("none", "claimed", "accounted")), named(2.0, ())
    ('accounted', '2.50', '2.00')
    """
    return names[int(value)] if 0 <= value < len(names) and value == int(value) else spelled(value)


def interval(low: float | None, high: float | None) -> str:
    """``0.275 – 0.314``; '' where either end is unknown or there is nothing between them."""
    if low is None or high is None:
        return ""
    return f"{spelled(low)} – {spelled(high)}" if high - low > 1e-9 * max(1, abs(high)) else ""
