"""Options that several commands share, and how their answers are written."""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

json_output = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
results = click.option(
    "--results",
    "-r",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The results folder.",
)
key = click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the secret of the draws.  [default: key, in the results folder]",
)


sandboxed = click.option(
    "--require-sandbox",
    "sandboxed",
    is_flag=True,
    help="Refuse where methods cannot be confined by namespaces; see `fourfold doctor`.",
)


def data(command: Command) -> Command:
    """Add ``--data``, the dataset cache; the command gets a folder."""

    @click.option(
        "--data",
        "cache",
        type=click.Path(file_okay=False, path_type=Path),
        help="The dataset cache.  [default: the user's cache folder]",
    )
    @functools.wraps(command)
    def with_cache(cache: Path | None, **given: Any) -> Any:
        from fourfold.suite.datasets import cache_folder

        return command(cache=cache or cache_folder(), **given)

    return with_cache


def results_read(command: Command) -> Command:
    """Add the results folder that a command reads: an argument, or ``--results``."""

    @click.argument("folder", required=False, metavar="[RESULTS]", type=click.Path(file_okay=False, path_type=Path))
    @results
    @functools.wraps(command)
    def with_folder(folder: Path | None, results: Path, **given: Any) -> Any:
        return command(results=folder or results, **given)

    return with_folder


def say(text: str = "") -> None:
    """Write a line of the answer."""
    click.echo(text)


def say_json(value: Any) -> None:
    """Write an answer as JSON, the same for the same answer; what is not a finite number is null."""
    click.echo(json.dumps(_plain(value), indent=1, sort_keys=True, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text in columns, the last as long as it likes; the first row is the heading."""
    rows = [[str(each) for each in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join([each.ljust(width) for each, width in zip(row, widths, strict=True)]).rstrip() for row in rows
    )


def printable(text: str) -> str:
    """A method's words without what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text).strip()
