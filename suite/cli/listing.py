"""``ls``: what there is. It reads names and files, and imports no method, no Ray and nothing that computes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from fourfold.suite.cli import options

Row = dict[str, Any]


@click.command()
@click.argument("what", required=False, type=click.Choice(["tasks", "datasets", "methods", "runs"]))
@options.json_output
@options.data
def ls(what: str | None, as_json: bool, cache: Path) -> None:
    """List tasks, datasets, methods (by default all three), or runs: the results folders here and one level down."""
    listings: dict[str, Callable[[], list[Row]]] = {
        "tasks": _tasks,
        "datasets": lambda: _datasets(cache),
        "methods": _methods,
        "runs": _runs,
    }
    found = {name: listings[name]() for name in ([what] if what else ["tasks", "datasets", "methods"])}
    if as_json:
        options.say_json(found[what] if what else found)
        return
    for number, (name, rows) in enumerate(found.items()):
        if number:
            options.say()
        options.say(_table(rows, _SHOWN[name]) if rows else f"no {name}")


_SHOWN = {
    "tasks": ("task", "version", "embedded", "title"),
    "datasets": ("dataset", "task", "state", "licence", "title"),
    "methods": ("method", "task", "parameters", "says"),
    "runs": ("results", "cells", "last"),
}


def _table(rows: Sequence[Row], names: Sequence[str]) -> str:
    return options.columns([[name.upper() for name in names], *([_shown(row[name]) for name in names] for row in rows)])


def _shown(value: Any) -> str:
    return ",".join(f"{name}={each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def _tasks() -> list[Row]:
    from fourfold.suite import registry

    rows = []
    for name in registry.task_names():
        try:
            task = registry.task(name)
            rows.append(
                {
                    "task": name,
                    "version": task.version,
                    "title": task.title,
                    "embedded": task.embedded,
                    "headline": task.headline,
                    "datasets": sorted(task.datasets),
                }
            )
        except Exception as error:  # A plug-in's own trouble must not hide the others.
            rows.append(
                {
                    "task": name,
                    "version": "",
                    "title": f"cannot be loaded: {type(error).__name__}: {error}",
                    "embedded": "",
                    "headline": "",
                    "datasets": [],
                }
            )
    return rows


def _datasets(cache: Path) -> list[Row]:
    from fourfold.suite import datasets, registry

    rows = []
    for name in registry.task_names():
        try:
            known = registry.task(name).datasets
        except Exception:  # Said among the tasks.
            continue
        rows += [
            {
                "dataset": each,
                "task": name,
                "state": datasets.state(dataset, cache),
                "licence": dataset.licence,
                "title": dataset.title,
                "source": dataset.source,
            }
            for each, dataset in known.items()
        ]
    return rows


def _methods() -> list[Row]:
    from fourfold.suite import registry

    rows = []
    for name in registry.method_names():
        try:
            pack = registry.installed(name)
        except (ValueError, ImportError) as error:
            rows.append({"method": name, "task": "", "parameters": {}, "says": f"cannot be read: {error}"})
            continue
        card = pack.card()
        rows.append(
            {
                "method": name,
                "task": pack.task,
                "parameters": dict(pack.parameters),
                "says": (pack.doc.splitlines() or [""])[0],
                "doc": pack.doc,
                "digest": pack.digest,
                **{each: card[each] for each in ("version", "author", "licence", "private", "requirements")},
            }
        )
    return rows


def _runs() -> list[Row]:
    from datetime import datetime

    from fourfold.suite import store

    folders = [Path(), *sorted(each for each in Path().iterdir() if each.is_dir() and not each.is_symlink())]
    rows = []
    for folder in folders:
        parts = [folder / name for name in ("cells", "compacted") if (folder / name).is_dir()]
        if parts and (folder / "cards").is_dir():
            last = max(each.stat().st_mtime for part in parts for each in [part, *part.iterdir()])
            rows.append(
                {
                    "results": str(folder),
                    "cells": len(store.done(folder)),
                    "last": datetime.fromtimestamp(last).isoformat(" ", "minutes"),
                }
            )
    return rows
