"""``merge`` and ``compact``: results folders put together, and made small."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import CONFLICT, OK, options, tell

if TYPE_CHECKING:
    from fourfold.suite.merge import Merged


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RESULTS...", type=options.Place())
@click.option("--out", "-o", required=True, type=options.Place(), help="The results folder, or URL, to merge into.")
@options.json_output
def merge(sources: tuple[Path | str, ...], out: Path | str, as_json: bool) -> int:
    """Unite results folders.

    Each cell that the folder OUT lacks is copied into it, and so is each method. A cell in both with other
    deterministic metrics is a conflict: it is listed, nothing is overwritten, and the exit code is 3.
    """
    from fourfold.suite import merge as merging
    from fourfold.suite.remote import push

    remote = options.fetched(out) if isinstance(out, str) else None
    merged = merging.merge(map(options.readable, sources), remote.mirror if remote else Path(out))
    if remote:
        push(remote)
        merged.conflicts += remote.clashes.conflicts
        merged.differs += remote.clashes.differs
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
    for line in disagreements(merged, out):
        options.say(line)
    fought = len({each.cell for each in merged.conflicts})
    options.say(f"{merged.copied} cells copied to {out}, {merged.present} were in both, {fought} in conflict")
    return CONFLICT if merged.conflicts else OK


def disagreements(merged: "Merged", out: Path | str) -> Iterator[str]:
    """A line on each cell that ended otherwise than in ``out``, and on each number that is another there."""
    for differs in merged.differs:
        yield f"{differs.cell[:12]} ended as {differs.left} and as {differs.right}; the first stays"
    for conflict in merged.conflicts:
        where = f"{conflict.cell[:12]} {conflict.metric} {conflict.group}".strip()
        yield f"conflict: {where}: {_numbers(conflict.left)} in {out}, {_numbers(conflict.right)} in another"


def _numbers(side: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in side.items()) or "no such row"


@click.command()
@click.argument("folder", required=False, metavar="[RESULTS]", type=options.Place())
@options.place
def compact(folder: Path | str | None, results: Path | str) -> None:
    """Make one file of many.

    RESULTS: the folder. What a reader sees does not change.
    """
    from fourfold.suite import compact as compacting
    from fourfold.suite.atomic import StoreError

    results = folder or results
    if isinstance(results, str):
        raise click.UsageError(
            f"{results} is compacted in a folder, as nothing there keeps other machines out meanwhile: "
            f"fourfold merge {results} --out FOLDER; fourfold compact FOLDER; fourfold merge FOLDER --out another URL"
        )
    if not results.is_dir():
        raise StoreError(f"there are no results in {results}: `fourfold run --results {results}` makes some")
    done = compacting.compact(options.readable(results))
    for skipped in done.skipped:
        tell(f"skipped {skipped.path}: {skipped.why}", "fourfold compact")
    options.say(f"{done.cells} cells in {done.folder}" if done.folder else f"no cells in {results}")
