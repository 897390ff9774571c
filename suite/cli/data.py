"""``data``: what datasets there are in the cache, fetching them, and reading every byte of them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import OK, USAGE, options, tell
from fourfold.suite.cli.completion import Name

if TYPE_CHECKING:
    from fourfold.suite.datasets import Dataset, Progress

_named = click.argument("names", nargs=-1, metavar="[TASK] [DATASET]...", type=Name("dataset"))


@click.group()
def data() -> None:
    """List, fetch and verify datasets."""


@data.command()
@_named
@options.json_output
@options.data
def ls(names: tuple[str, ...], as_json: bool, cache: Path) -> None:
    """List datasets and whether they are in the cache."""
    from fourfold.suite import datasets

    rows: list[dict[str, Any]] = [
        {
            "dataset": each.name,
            "task": task,
            "state": datasets.state(each, cache),
            "size": sum(file.size for file in each.files),
            "licence": each.licence,
            "title": each.title,
            "by_hand": each.by_hand,
        }
        for task, each in _chosen(names)
    ]
    if as_json:
        options.say_json({"cache": cache, "datasets": rows})
        return
    shown = ("dataset", "task", "state", "licence", "title")
    options.say(options.columns([[name.upper() for name in shown], *([row[name] for name in shown] for row in rows)]))
    options.say(f"\ncache: {cache}")


@data.command()
@_named
@options.data
def fetch(names: tuple[str, ...], cache: Path) -> int:
    """Bring datasets into the cache: those named, or all that may be fetched."""
    from fourfold.suite import datasets

    code = OK
    for _, dataset in _chosen(names):
        if not dataset.files or (not names and dataset.by_hand):
            if names:
                options.say(f"{dataset.name}: embedded; there is nothing to fetch")
            continue
        try:
            brought = datasets.fetch(dataset, cache, _progress())
        except datasets.DatasetError as error:
            tell(f"{error}", "fourfold data fetch")
            code = USAGE
            continue
        options.say(
            f"{dataset.name}: {', '.join(str(path) for path in brought) if brought else 'it was there, and whole'}"
        )
    return code


@data.command()
@_named
@options.json_output
@options.data
def verify(names: tuple[str, ...], as_json: bool, cache: Path) -> int:
    """Read every byte of the datasets in the cache: of those named, or of all that are there."""
    from fourfold.suite import datasets

    chosen = [dataset for _, dataset in _chosen(names) if names or datasets.state(dataset, cache) != "absent"]
    wrong = {dataset.name: datasets.verify(dataset, cache) for dataset in chosen}
    if as_json:
        options.say_json({"cache": cache, "wrong": wrong})
    else:
        for name, faults in wrong.items():
            options.say(f"{name}: {'whole' if not faults else 'not whole'}")
            for fault in faults:
                tell(fault, "fourfold data verify")
    return USAGE if any(wrong.values()) else OK


def _chosen(names: Sequence[str]) -> "list[tuple[str, Dataset]]":
    """The datasets named, each with its task; a task's name limits where they are looked for. None named: all."""
    from fourfold.suite import registry

    tasks = [name for name in names if name in registry.task_names()]
    wanted = [name for name in names if name not in tasks]
    known = [
        (task, dataset) for task in tasks or registry.task_names() for dataset in registry.task(task).datasets.values()
    ]
    for name in wanted:
        if name not in {dataset.name for _, dataset in known}:
            raise registry.nearest("dataset", name, {*(dataset.name for _, dataset in known), *registry.task_names()})
    return [(task, dataset) for task, dataset in known if not wanted or dataset.name in wanted]


def _progress() -> "Progress":
    """Report a transfer: live in a terminal, else a line a file."""
    begun: set[str] = set()
    live = sys.stderr.isatty()

    def report(path: str, done: int, total: int | None) -> None:
        of = f" of {total / 2**20:.1f}" if total else ""
        if live:
            click.echo(f"\r{path}: {done / 2**20:.1f}{of} MiB", nl=done == total, err=True)
        elif path not in begun:
            begun.add(path)
            click.echo(f"{path}:{of[3:] and f' {of[4:]} MiB'} coming", err=True)

    return report
