"""Static pages: an index, a page a dataset, a page a method. Each stands alone and asks the network for nothing."""

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.leaderboard.board import Board, Ranked, spelled_rank
from fourfold.leaderboard.forks import each_in_a_fork
from fourfold.leaderboard.numerals import interval, spelled

if TYPE_CHECKING:
    import jinja2
    import markupsafe

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "table.js", "question.js", "plot.js", "curves.js", "compare.js", "start.js")
_FANS = ("page.js", "fans.js")

LEADERS = 6
"""The leading methods of a dataset that the index names; half as many where tracks or budgets have their own."""

PAGES = 40
"""Pages that are worth a process."""

Method = tuple[str, str, str]
"""Task, name, digest."""


class MissingExtra(ImportError):
    """The packages that pages are made with are not installed."""


def render(board: Board, out: str | Path) -> list[Path]:
    """Write the pages of a board into the folder ``out``, made where it is not there; return their paths, index first.

    Raises MissingExtra where Jinja or vl-convert are not installed, OSError where the folder takes no files.
    """
    environment = _environment()
    from markupsafe import Markup

    from fourfold.leaderboard import dataset_page, method_page, vega

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    shared = {"made": board.made, "cells": board.cells}

    def write(name: str, template: str, view: Mapping[str, Any]) -> None:
        text = environment.get_template(f"{template}.html.jinja").render({**shared, **view})
        (out / name).write_text(text, encoding="utf-8")

    datasets = {
        (each.standing.task, each.standing.dataset): page_name(each.standing.task, each.standing.dataset)
        for each in board.standings
    }
    found = method_page.places(board)
    methods = {method: page_name(*method) for method in found}
    view_of, script = method_page.viewer(board, datasets), vega.script()
    bundle = {"packed_bundle": Markup(vega.packed(script)), "bundle_hash": _hash(script)}

    def of_dataset(ranked: Ranked, name: str) -> None:
        write(name, "dataset", dataset_page.view(ranked, _links(ranked, methods), board) | bundle)

    def of_method(method: Method, name: str) -> None:
        view = view_of(method, found[method])
        write(name, "method", view | (bundle if view["data"] else {}))

    write("index.html", "index", _index(board, datasets, methods))
    jobs = [partial(of_dataset, *each) for each in zip(board.standings, datasets.values(), strict=True)]
    jobs += [partial(of_method, *each) for each in methods.items()]
    each_in_a_fork([partial(_all, jobs[place :: _forks(len(jobs))]) for place in range(_forks(len(jobs)))])
    return [out / name for name in ("index.html", *datasets.values(), *methods.values())]


def _forks(pages: int) -> int:
    """Processes to write so many pages: what the machine has cores for, and each with enough to do."""
    return min(os.cpu_count() or 1, 1 + pages // PAGES)


def _all(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def page_name(*parts: str) -> str:
    """A file name that says what the page is of; a digest keeps apart what reads alike."""
    plain = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:32] for part in parts[:2])
    return f"{plain}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}.html"


@cache
def _environment() -> "jinja2.Environment":
    try:
        import jinja2
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"pages need {error.name}, which is not installed: pip install 'fourfold[board]'") from error
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style = (_HERE / "board.css").read_text(encoding="utf-8")
    script, fans = ("\n".join((_HERE / name).read_text("utf-8") for name in names) for names in (_SCRIPTS, _FANS))
    environment.filters["prose"] = _prose
    environment.globals |= {"style": Markup(style), "script": Markup(script), "script_hash": _hash(script)}
    environment.globals |= {"fans_script": Markup(fans), "fans_hash": _hash(fans)}
    return environment


def _prose(text: str) -> "markupsafe.Markup":
    """A docstring's text; what stands between double backquotes is code."""
    from markupsafe import Markup, escape

    parts = text.split("``")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def _hash(script: str) -> str:
    """A script as a content security policy names it."""
    return "sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _links(ranked: Ranked, methods: Mapping[Method, str]) -> list[str]:
    """Where the method of each row has its page."""
    return [methods[ranked.standing.task, row.method, row.digest] for row in ranked.standing.rows]


def _index(board: Board, datasets: Mapping[tuple[str, str], str], methods: Mapping[Method, str]) -> dict[str, Any]:
    tasks: dict[str, list[dict[str, Any]]] = {}
    for ranked in board.standings:
        standing = ranked.standing
        tasks.setdefault(standing.task, []).append(
            {
                "dataset": standing.dataset,
                "href": datasets[standing.task, standing.dataset],
                "leaders": _leaders(ranked, _links(ranked, methods)),
                "ranked": int((ranked.ranks[:, 0] > 0).sum()),
                "rows": len(ranked.titles),
                "seeds": standing.asked,
                "headline": ranked.headline,
            }
        )
    listed = [(method, digest, href) for (_, method, digest), href in methods.items()]
    return {"tasks": tasks, "cards": board.tasks, "skipped": board.skipped, "methods": listed}


def _leaders(ranked: Ranked, links: list[str]) -> list[dict[str, str]]:
    """A line each: of every track and budget the first few that lead, the last of them saying how many more do."""
    column = ranked.standing.column(ranked.headline["name"])
    if column is None:
        return []
    mean, low, high = (
        each[:, column].tolist() for each in (ranked.summary.mean, ranked.summary.low, ranked.summary.high)
    )
    most, lines = LEADERS if len(ranked.leaders) == 1 else LEADERS // 2, []
    for lead in ranked.leaders:
        for place, row in enumerate(lead.rows[:most]):
            more = len(lead.rows) - most if place == most - 1 else 0
            lines.append(
                {
                    "title": ranked.titles[row],
                    "rank": spelled_rank(*lead.ranks[row]),
                    "href": links[row],
                    "value": spelled(mean[row]),
                    "among": ranked.among(lead.track, lead.epsilon),
                    "interval": interval(low[row], high[row]),
                    "more": f"and {more} more" if more > 0 else "",
                }
            )
    return lines
