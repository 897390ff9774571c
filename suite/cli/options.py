"""Options that several commands share, and how their answers are written."""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import tell

if TYPE_CHECKING:
    from fourfold.suite.remote import Remote

Command = Callable[..., Any]

json_output = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


class Place(click.Path):
    """Where results are: a folder, as a Path, or what a URL names, as text. ``file://`` names a folder."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder or the URL."""
        text = str(value).removeprefix("file://")
        return text if "://" in text else super().convert(text, param, ctx)


place = click.option(
    "--results",
    "-r",
    type=Place(),
    default=Path("results"),
    show_default=True,
    help="The results folder, or an object store's URL, such as s3://bucket/results.",
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
    help="Refuse where methods, and all that they bring, cannot be confined by namespaces; see `fourfold doctor`.",
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


def results(command: Command) -> Command:
    """Add ``--results``, which a command reads; the command gets a folder."""

    @place
    @functools.wraps(command)
    def with_folder(results: Path | str, **given: Any) -> Any:
        return command(results=readable(results), **given)

    return with_folder


def results_read(command: Command) -> Command:
    """Add the results that a command reads, an argument or ``--results``; the command gets a folder."""

    @click.argument("folder", required=False, metavar="[RESULTS]", type=Place())
    @place
    @functools.wraps(command)
    def with_folder(folder: Path | str | None, results: Path | str, **given: Any) -> Any:
        return command(results=readable(folder or results), **given)

    return with_folder


def readable(place: Path | str) -> Path:
    """The folder in which to read results: the one given, or one that now has what is at the URL. Raises StoreError."""
    from fourfold.suite.atomic import StoreError

    if isinstance(place, Path):
        if place.is_dir() and not _holds_results(place):
            raise StoreError(f"{place} is no results folder: give one that `fourfold run --results` wrote")
        return place
    from fourfold.suite.mirror import waiting

    remote = fetched(place)
    if not _holds_results(remote.mirror):
        raise StoreError(f"there are no results at {place}: `fourfold run --results {place}` makes some")
    if late := len(waiting(remote.mirror)):
        tell(f"{late} files of {remote.mirror} are not yet at {place}; the next `fourfold run --results {place}` "
             "puts them there")
    return remote.mirror


def _holds_results(folder: Path) -> bool:
    return any((folder / part).is_dir() for part in ("cells", "compacted"))


def fetched(url: str) -> "Remote":
    """The results at a URL, with what is there now in a folder of this machine. Raises StoreError."""
    import logging

    from fourfold.suite import remote

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # It would add tracebacks to what is told of a lost server.
    found = remote.opened(url)
    remote.fetch(found)
    for note in found.notes:
        tell(note)
    return found


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
