"""``merge`` and ``compact``: results folders put together, and made small."""

from pathlib import Path
from typing import Any

import click

from fourfold.suite.cli import CONFLICT, OK, options, tell


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="RESULTS...", type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The results folder to merge into.",
)
@options.json_output
def merge(sources: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Unite results folders.

    Each cell that the folder OUT lacks is copied into it, and so is each method. A cell in both with other
    deterministic metrics is a conflict: it is listed, nothing is overwritten, and the exit code is 3.
    """
    from fourfold.suite import merge as merging

    merged = merging.merge(sources, out)
    for skipped in merged.skipped:
        tell(f"skipped {skipped.path}: {skipped.why}", "fourfold merge")
    if as_json:
        options.say_json(
            {
                "copied": merged.copied,
                "present": merged.present,
                "archives": merged.archives,
                "conflicts": [vars(each) for each in merged.conflicts],
                "differs": [vars(each) for each in merged.differs],
                "skipped": [{"path": each.path, "why": each.why} for each in merged.skipped],
            }
        )
        return CONFLICT if merged.conflicts else OK
    for differs in merged.differs:
        options.say(f"{differs.cell[:12]} ended as {differs.left} and as {differs.right}; the first stays")
    for conflict in merged.conflicts:
        where = f"{conflict.cell[:12]} {conflict.metric} {conflict.group}".strip()
        options.say(f"conflict: {where}: {_numbers(conflict.left)} in {out}, {_numbers(conflict.right)} in another")
    fought = len({each.cell for each in merged.conflicts})
    options.say(f"{merged.copied} cells copied to {out}, {merged.present} were in both, {fought} in conflict")
    return CONFLICT if merged.conflicts else OK


def _numbers(side: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in side.items()) or "no such row"


@click.command()
@options.results_read
def compact(results: Path) -> None:
    """Make one file of many.

    RESULTS: the folder. What a reader sees does not change.
    """
    from fourfold.suite import compact as compacting
    from fourfold.suite.atomic import StoreError

    if not results.is_dir():
        raise StoreError(f"there are no results in {results}: `fourfold run --results {results}` makes some")
    done = compacting.compact(results)
    for skipped in done.skipped:
        tell(f"skipped {skipped.path}: {skipped.why}", "fourfold compact")
    options.say(f"{done.cells} cells in {done.folder}" if done.folder else f"no cells in {results}")
