"""What a cell carries to be seen and not measured: charts and pictures, as compressed JSON that a reader checks.

``fans``: ``{"kind": "fans", "title", "charts": [{"series", "target", "origin", "periods", "history", "outcome",
"quantiles": {"0.05": [..], "0.1": [..], "0.5": [..], "0.9": [..], "0.95": [..]}}]}``. ``periods`` names those of the
history and then those of the outcome, to which the quantiles belong; a number is null where nothing is known.

``sheet``: ``{"kind": "sheet", "title", "note", "images": [{"png", "caption"}]}``, a picture as PNG in base64; what is
to be compared, such as before and after, stands side by side in one. ``note`` says what is marked in them, and how.

``leaks``: ``{"kind": "leaks", "title", "note", "total", "leaks": [{"file", "where", "kind", "form", "locus", "snippet":
[before, found, after]}]}``: what was found that should not be there, in which file and where in it; of what kind it is
and where it was planted; in what form it was found; and the text around it. ``total`` counts those not shown too.
"""

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

METRIC = "exhibit"
"""The metric of a row that holds an exhibit; its group is the exhibit's name."""
LARGEST = 2_000_000
"""Bytes of an exhibit as it is stored."""
UNPACKED = 16_000_000
"""Bytes of an exhibit's JSON, unless a reader allows others."""
QUANTILES = ("0.05", "0.1", "0.5", "0.9", "0.95")
CHARTS, PERIODS, IMAGES, LEAKS, TEXT = 5000, 500, 64, 200, 300
"""The most charts in an exhibit, periods in a chart, images in a sheet, leaks in a list, and characters in a text."""
SIDE, PIXELS = 2048, 1 << 20
"""The most pixels on a side of a picture, and in it: a small PNG can unfold to any size."""

_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


def encode(exhibit: Mapping[str, Any]) -> bytes:
    """An exhibit as bytes; equal exhibits are equal bytes. Raises ValueError where ``decode`` would not take it."""
    text = json.dumps(exhibit, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    data = zlib.compress(text.encode(), 9)
    decode(data)
    return data


def decode(data: bytes, limit: int = UNPACKED) -> dict[str, Any]:
    """The exhibit in some bytes that anybody may have written: of a known kind, every part of it checked, others left.

    limit: the bytes that it may unpack to. Raises ValueError, which says what is wrong.
    """
    if len(data) > LARGEST:
        raise ValueError(f"an exhibit of {len(data):,} bytes, where {LARGEST:,} are allowed: show less in one")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, limit)
        if not unpacker.eof:
            raise ValueError(f"an exhibit that unpacks to more than {limit:,} bytes, or is cut short")
        found = json.loads(text)
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"an exhibit that is no compressed JSON ({error})") from error
    kind = _mapping(found, "an exhibit").get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"an exhibit of the kind {str(kind)[:TEXT]!r}; known are {', '.join(_KINDS)}")
    return {"kind": kind, "title": _text(found.get("title"), "its title"), **_KINDS[kind](found)}


def rows(shared: Mapping[str, Any], exhibits: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The store's rows of a cell's exhibits, by name. shared: the columns that all rows of the cell have.

    Raises ValueError where one is larger than ``LARGEST``.
    """
    for name, data in exhibits.items():
        if len(data) > LARGEST:
            raise ValueError(f"exhibit {name!r} has {len(data):,} bytes, where {LARGEST:,} are allowed: show less")
    empty = {"family": "", "value": None, "low": None, "high": None, "n": 0, "replicates": None}
    return [
        {**shared, **empty, "metric": METRIC, "group": name, "exhibit": data} for name, data in sorted(exhibits.items())
    ]


def _fans(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"charts": [_chart(each) for each in _list(found.get("charts"), CHARTS, "its charts")]}


def _chart(found: Any) -> dict[str, Any]:
    chart = _mapping(found, "a chart")
    known: dict[str, Any] = {name: _text(chart.get(name), f"its {name}") for name in ("series", "target", "origin")}
    known["periods"] = [_text(name, "a period") for name in _list(chart.get("periods"), PERIODS, "a chart's periods")]
    known |= {name: _numbers(chart.get(name), f"a chart's {name}") for name in ("history", "outcome")}
    given = _mapping(chart.get("quantiles"), "a chart's quantiles")
    known["quantiles"] = {level: _numbers(given.get(level), f"the quantile {level}") for level in QUANTILES}
    ahead = len(known["outcome"])
    if len(known["periods"]) != len(known["history"]) + ahead or not ahead:
        raise ValueError("a chart's periods are not those of its history and its outcome")
    if any(len(values) != ahead for values in known["quantiles"].values()):
        raise ValueError("a chart's quantiles are not one for each period of its outcome")
    return known


def _sheet(found: Mapping[str, Any]) -> dict[str, Any]:
    images = [_mapping(each, "an image") for each in _list(found.get("images"), IMAGES, "its images")]
    pairs = [(_png(each.get("png")), _text(each.get("caption"), "a caption")) for each in images]
    shown = [{"png": png, "caption": caption} for png, caption in pairs]
    return {"note": _text(found.get("note"), "its note"), "images": shown}


def _png(found: Any) -> str:
    try:
        data = base64.b64decode(found, validate=True) if isinstance(found, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data.startswith(_PNG) or len(data) < 24:
        raise ValueError("an image is no PNG in base64")
    width, height = size(str(found))
    if not (0 < width <= SIDE and 0 < height <= SIDE and width * height <= PIXELS):
        raise ValueError(f"an image of {width} x {height} pixels, where {SIDE} a side and {PIXELS:,} are allowed")
    return str(found)


def size(png: str) -> tuple[int, int]:
    """Width and height in pixels of a sheet's picture."""
    return struct.unpack(">II", base64.b64decode(png[:32])[16:24])


def _leaks(found: Mapping[str, Any]) -> dict[str, Any]:
    listed = [_leak(each) for each in _list(found.get("leaks"), LEAKS, "its leaks")]
    total = found.get("total")
    if isinstance(total, bool) or not isinstance(total, int) or not len(listed) <= total < 10**12:
        raise ValueError("its total is no count of its leaks")
    return {"note": _text(found.get("note"), "its note"), "total": total, "leaks": listed}


def _leak(found: Any) -> dict[str, Any]:
    leak = _mapping(found, "a leak")
    known: dict[str, Any] = {
        name: _text(leak.get(name), f"a leak's {name}") for name in ("file", "where", "kind", "form", "locus")
    }
    known["snippet"] = [_text(part, "a snippet") for part in _list(leak.get("snippet"), 3, "a snippet's parts")]
    if len(known["snippet"]) != 3:
        raise ValueError("a snippet is not what stands before, what was found and what stands after")
    return known


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "fans": _fans,
    "sheet": _sheet,
    "leaks": _leaks,
}


def _mapping(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{what} is no JSON object")
    return found


def _list(found: Any, most: int, what: str) -> list[Any]:
    if not isinstance(found, list) or len(found) > most:
        raise ValueError(f"{what} are no list of at most {most:,}")
    return found


def _text(found: Any, what: str) -> str:
    if not isinstance(found, str) or len(found) > TEXT:
        raise ValueError(f"{what} is no text of at most {TEXT} characters")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is no text: it holds half a character") from None
    return found


def _numbers(found: Any, what: str) -> list[float | None]:
    return [_number(each, what) for each in _list(found, PERIODS, what)]


def _number(found: Any, what: str) -> float | None:
    """A finite number or None; ``True`` is none, and no integer is so large that a page could not draw it."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 1e15:
        raise ValueError(f"{what} holds {str(found)[:40]!r}, which is no number that can be drawn")
    return found
