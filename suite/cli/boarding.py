"""``board`` and ``compare``: what the results come to."""

from pathlib import Path

import click

from fourfold.suite.cli import options, tell


@click.command()
@options.results_read
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    help="The folder to write to.  [default: board, in the results folder]",
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

    RESULTS: the folder. Written as pages that need no network, or as text.
    """
    from fourfold.leaderboard import aggregate, pages

    made = aggregate(results)
    for path, why in made.skipped:
        tell(f"skipped {path}: {why}", "fourfold board")
    if form == "html" and not as_json:
        written = pages.render(made, out or results / "board")
        options.say(f"{written[0]}: {made.cells} cells, {len(written)} pages")


@click.command()
@options.json_output
def compare(as_json: bool) -> None:
    """Compare."""
