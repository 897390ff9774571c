"""``board`` and ``compare``: what the results come to."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fourfold.suite.cli import USAGE, options, tell
from fourfold.suite.cli.completion import Name

if TYPE_CHECKING:
    from fourfold.leaderboard import Board
    from fourfold.leaderboard.text import Difference


@click.command()
@options.results_read
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write to.  [default: for pages, board in the results folder; for text, the terminal]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "csv", "json"]),
    default="html",
    show_default=True,
    help="What to write.",
)
@options.json_output
def board(results: Path, out: Path | None, form: str, as_json: bool) -> None:
    """Rank what is in a results folder.

    RESULTS: the folder. Written as pages that need no network, or as text; --json is --format json.
    """
    made = _read(results, "fourfold board")
    try:
        _write(made, "json" if as_json else form, out, results / "board")
    except OSError as error:
        told = f"cannot write {error.filename or out}: {error.strerror}; give another folder with --out"
        raise click.UsageError(told) from error


def _write(made: "Board", form: str, out: Path | None, beside: Path) -> None:
    """Write a board to the folder ``out``; where none is given, pages to ``beside`` and text to the terminal."""
    from fourfold.leaderboard import pages

    if form == "html":
        written = pages.render(made, out or beside)
        options.say(f"{made.cells} cells, {len(written)} pages: {written[0]}")
    elif out:
        out.mkdir(parents=True, exist_ok=True)
        place = out / f"board.{form}"
        place.write_text(_text(made, form), encoding="utf-8")
        options.say(f"{made.cells} cells: {place}")
    else:
        click.echo(_text(made, form), nl=False)


def _read(results: Path, who: str) -> "Board":
    """The board of a results folder, with a word on each file that was left out."""
    from fourfold.leaderboard import aggregate

    made = aggregate(results)
    for path, why in made.skipped:
        tell(f"skipped {path}: {why}", who)
    return made


def _text(made: "Board", form: str) -> str:
    from fourfold.leaderboard import text

    if form == "json":
        return text.to_json(made) + "\n"
    return text.markdown(made) if form == "md" else text.csv(made)


@click.command()
@click.argument("first", metavar="A", type=Name("method"))
@click.argument("second", metavar="B", type=Name("method"))
@options.results
@options.json_output
def compare(first: str, second: str, results: Path, as_json: bool) -> int | None:
    """Compare two methods.

    A, B: rows as the board names them, such as "scorecard[strength=0.1]" or "dp-logistic ε=3"; the bare name will do
    where only one row has it. Their differences are paired: by resamples for the headline, by seeds for the others.
    """
    from fourfold.leaderboard import text

    made = _read(results, "fourfold compare")
    try:
        found = text.compare(made, first, second)
    except ValueError as error:
        tell(str(error), "fourfold compare")
        return USAGE
    if as_json:
        click.echo(text.comparison_json(found))
        return None
    _show(found.differences)
    for sentence in found.sentences:
        options.say(sentence)
    return None


def _show(differences: "Sequence[Difference]") -> None:
    """A table a dataset, in the terminal's width."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fourfold.leaderboard.numerals import interval, spelled

    console = Console(width=max(80, shutil.get_terminal_size((120, 24)).columns), highlight=False)
    for where in dict.fromkeys((each.task, each.dataset) for each in differences):
        table = Table(title=Text("/".join(where)), title_justify="left", box=box.SIMPLE_HEAD)
        for head in ("metric", "A", "B", "A less B", "95 % interval", "reading"):
            table.add_column(head, justify="left" if head in ("metric", "reading") else "right")
        for each in differences:
            if (each.task, each.dataset) == where:
                values = zip(each.names, (each.first, each.second), strict=True)
                numbers = (*(name or spelled(value) for name, value in values), spelled(each.difference))
                between = interval(each.low, each.high)
                table.add_row(*map(Text, (each.title, *numbers, between, each.reading)))
        console.print(table)
