"""Static pages: an index, a page a dataset, a page a method. Each stands alone and asks the network for nothing."""

import hashlib
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.leaderboard import dataset_page, method_page
from fourfold.leaderboard.board import Board
from fourfold.leaderboard.numerals import interval, spelled

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent
_SCRIPTS = ("table.js", "question.js", "plot.js", "compare.js", "start.js")


class MissingExtra(ImportError):
    """The packages that pages are made with are not installed."""


def render(board: Board, out: str | Path) -> list[Path]:
    """Write the pages of a board into the folder ``out``, made where it is not there; return their paths, index first.

    Raises MissingExtra where Jinja, Altair or vl-convert are not installed, OSError where the folder takes no files.
    """
    environment = _environment()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    datasets = {(each.standing.task, each.standing.dataset): page_name(each.standing.task, each.standing.dataset)
                for each in board.standings}  # fmt: skip
    methods: defaultdict[tuple[str, str, str], str] = defaultdict(str)
    for ranked in board.standings:
        for row in ranked.standing.rows:
            key = (ranked.standing.task, row.method, row.digest)
            methods[key] = page_name("method", *key)
    shared = {"made": board.made, "cells": board.cells}
    written = [_write(environment, out / "index.html", "index", shared | _index(board, datasets, methods))]
    for ranked in board.standings:
        links = [methods[ranked.standing.task, row.method, row.digest] for row in ranked.standing.rows]
        path = out / datasets[ranked.standing.task, ranked.standing.dataset]
        written.append(_write(environment, path, "dataset", shared | dataset_page.view(ranked, links)))
    for (task, method, digest), name in methods.items():
        view = method_page.view(board, task, method, digest, datasets)
        written.append(_write(environment, out / name, "method", shared | view))
    return written


def page_name(*parts: str) -> str:
    """A file name that says what the page is of; a digest keeps apart what reads alike."""
    plain = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:32] for part in parts[:3] if part)
    plain = re.sub(r"-[0-9a-f]{32}$", "", plain)
    return f"{plain}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}.html"


def _write(environment: "jinja2.Environment", path: Path, template: str, view: Mapping[str, Any]) -> Path:
    path.write_text(environment.get_template(f"{template}.html.jinja").render(view), encoding="utf-8")
    return path


@cache
def _environment() -> "jinja2.Environment":
    try:
        import altair  # noqa: F401
        import jinja2
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"pages need {error.name}, which is not installed: pip install 'fourfold[board]'") from error
    from markupsafe import Markup

    from fourfold.leaderboard import figure

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    style = (_HERE / "board.css").read_text(encoding="utf-8")
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    environment.globals |= {
        "style": Markup(style), "script": Markup(script), "script_hash": _hash(script),
        "packed_bundle": figure.packed_bundle, "bundle_hash": lambda: _hash(figure.bundle()),
    }  # fmt: skip
    environment.filters |= {"spelled": spelled, "safe_markup": Markup}
    return environment


def _hash(script: str) -> str:
    """A script as a content security policy names it."""
    return "sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _index(board: Board, datasets: Mapping[tuple[str, str], str], methods: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    tasks: dict[str, list[dict[str, Any]]] = {}
    for ranked in board.standings:
        standing = ranked.standing
        column = standing.column(ranked.headline["name"])
        leaders = [
            {"track": track, "rows": [
                {"title": ranked.titles[row], "rank": ranked.rank(row),
                 "href": methods[standing.task, standing.rows[row].method, standing.rows[row].digest],
                 "value": spelled(float(ranked.summary.mean[row, column])),
                 "interval": interval(float(ranked.summary.low[row, column]), float(ranked.summary.high[row, column]))}
                for row in rows]}
            for track, rows in dataset_page.leaders(ranked)
        ] if column is not None else []  # fmt: skip
        tasks.setdefault(standing.task, []).append({
            "dataset": standing.dataset, "href": datasets[standing.task, standing.dataset], "leaders": leaders,
            "ranked": sum(state == "ranked" for state, _ in ranked.states), "rows": len(ranked.titles),
            "seeds": standing.asked, "headline": ranked.headline,
        })  # fmt: skip
    listed = sorted((method, task, digest, href) for (task, method, digest), href in methods.items())
    return {"tasks": tasks, "cards": board.tasks, "skipped": board.skipped, "methods": listed}
