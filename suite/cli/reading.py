"""``status`` and ``show``: what is in a results folder, in numbers and one cell whole."""

import json
import math
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import options, tell

if TYPE_CHECKING:
    from fourfold.suite.store import Results

Row = dict[str, Any]
_TOLD = ("task", "dataset", "method", "parameters", "epsilon")


@click.command()
@options.results_read
@options.json_output
def status(results: Path, as_json: bool) -> None:
    """Count the cells of a results folder by status.

    RESULTS: the folder. Counts by task, dataset and method, and the reason of each failure once a method.
    """
    from fourfold.suite import store

    found = store.read(results, ["cell", *_TOLD, "seed", "status", "reason"])
    answer = _status(found)
    if as_json:
        options.say_json(answer | {"results": results})
        return
    _warn(found, "fourfold status")
    shown = [["TASK", "DATASET", "METHOD", "CELLS", "STATUS"]]
    shown += [
        [row["task"], row["dataset"], _title(row), str(row["cells"]), _counted(row["statuses"])]
        for row in answer["methods"]
    ]
    options.say(options.columns(shown) if answer["cells"] else f"no cells in {results}")
    for row in answer["reasons"]:
        such = f"{row['cells']} {_cells(row['cells'])}, such as {row['example'][:12]}"
        options.say(f"  {row['method']}: {row['status']} ({such}): {_one_line(row['reason'])}")
    options.say(f"{answer['cells']} {_cells(answer['cells'])}: {_counted(answer['statuses']) or 'none'}")


def _status(found: "Results") -> Row:
    """Counts of cells over all, by method, and by reason."""
    # One row a cell: the one that is not ok, where there is one.
    table = found.rows.group_by(found.rows.column_names).aggregate([])
    cells: dict[str, Row] = {}
    for row in sorted(table.to_pylist(), key=lambda row: (row["cell"], row["status"] == "ok")):
        cells.setdefault(row["cell"], row)
    methods: dict[tuple[Any, ...], Counter[str]] = {}
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in cells.values():
        methods.setdefault(tuple(row[name] for name in _TOLD), Counter())[row["status"]] += 1
        if row["status"] != "ok":
            reasons.setdefault((row["method"], row["status"], row["reason"]), []).append(row["cell"])
    return {
        "cells": len(cells),
        "statuses": dict(Counter(row["status"] for row in cells.values())),
        "methods": [
            dict(zip(_TOLD, of, strict=True))
            | {"parameters": json.loads(of[3]), "cells": counted.total(), "statuses": dict(counted)}
            for of, counted in sorted(methods.items())
        ],
        "reasons": [
            {"method": method, "status": status, "reason": reason, "cells": len(ids), "example": ids[0]}
            for (method, status, reason), ids in sorted(reasons.items())
        ],
        "skipped": [{"path": each.path, "why": each.why} for each in found.skipped],
    }


@click.command()
@click.argument("cell", metavar="CELL")
@options.results
@options.json_output
def show(cell: str, results: Path, as_json: bool) -> None:
    """Show one cell whole.

    CELL: its id, or at least six digits of its beginning. Every row, where it came from, what its method printed, and
    the command that reproduces it.
    """
    from fourfold.suite import store

    rows = [
        {name: value for name, value in row.items() if name not in ("replicates", "exhibit")}
        for row in store.cell_rows(results, cell).to_pylist()
    ]
    known = store.provenance(results, cell)
    command, obstacle = _command(rows[0], known, results)
    if as_json:
        options.say_json(
            {"cell": rows[0]["cell"], "rows": rows, "provenance": known, "command": command, "obstacle": obstacle}
        )
        return
    first = rows[0]
    options.say(f"cell     {first['cell']}")
    title = _title(first | {"parameters": json.loads(first["parameters"])})
    options.say(f"what     {first['task']}/{first['dataset']}  {title}  seed {first['seed']}")
    options.say(f"status   {known['status']}")
    if reason := next((row["reason"] for row in rows if row["reason"]), ""):
        options.say(f"reason   {_one_line(reason)}")
    options.say(
        "\n" + options.columns([["FAMILY", "METRIC", "GROUP", "VALUE", "LOW", "HIGH", "N"], *map(_figures, rows)])
    )
    options.say()
    for name, value in sorted(known.items()):
        if name not in ("log", "cell", "status"):
            options.say(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    log = options.printable(known.get("log", ""))
    options.say(f"\nits method printed:\n{log}" if log else "\nits method printed nothing")
    options.say(f"\nreproduce it with:\n{command}" if command else f"\nit cannot be reproduced: {obstacle}")


def _command(row: Row, known: Row, results: Path) -> tuple[str, str]:
    """The command that runs this cell again into another folder; or '' and what stands in its way."""
    from fourfold.suite import registry
    from fourfold.suite.cell import selector
    from fourfold.suite.layout import archive_path

    parameters, name = json.loads(row["parameters"]), ""
    try:
        if registry.installed(row["method"]).digest == row["method_digest"]:
            name = row["method"]
    except ValueError:
        pass
    if not name and not (archive := archive_path(results, row["method_digest"])).exists():
        return "", f"its method is not installed and its files are not in {archive}"
    words = [
        "fourfold",
        "run",
        "--task",
        row["task"],
        "--dataset",
        row["dataset"],
        "--method",
        selector(name or str(archive), parameters),
        "--seed",
        str(row["seed"]),
    ]
    if math.isfinite(row["epsilon"]):
        words += ["--epsilon", f"{row['epsilon']!r}"]
    limit = known.get("budget", {}).get("time_limit")
    words += ["--time-limit", f"{limit:g}"] if limit else []
    words += ["--key", str(results / "key"), "--backend", "serial", "--results", f"{results}-again"]
    return shlex.join(words), ""


def _figures(row: Row) -> list[str]:
    numbers = ["-" if row[name] is None else f"{row[name] + 0:.6g}" for name in ("value", "low", "high")]
    return [row["family"], row["metric"], row["group"], *numbers, str(row["n"])]


def _title(row: Row) -> str:
    from fourfold.suite.cell import selector

    epsilon = f" epsilon={row['epsilon']:g}" if math.isfinite(row["epsilon"]) else ""
    return selector(row["method"], row["parameters"]) + epsilon


def _warn(found: "Results", who: str) -> None:
    for each in found.skipped:
        tell(f"skipped {each.path}: {each.why}", who)


def _counted(statuses: dict[str, int]) -> str:
    return ", ".join(
        f"{count} {name}" for name, count in sorted(statuses.items(), key=lambda pair: (pair[0] != "ok", pair))
    )


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def _one_line(text: str) -> str:
    return " ".join(options.printable(text).split())
