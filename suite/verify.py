"""Re-run stored cells with their archived methods and their key, and compare every number that should be the same."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fourfold.suite import campaign, datasets, evaluate, key, local, pack, registry, schedule, store
from fourfold.suite.atomic import StoreError
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Finished, Setting
from fourfold.suite.layout import archive_path
from fourfold.suite.method import Budget
from fourfold.suite.task import Draw

_ENVIRONMENTAL = ("timeout", "out-of-memory", "lost")  # Endings that another machine may bring about.
_NUMBERS = ("value", "low", "high", "n")
Row = dict[str, Any]


class CannotRun(Exception):
    """A cell that cannot be run here; the message says why."""


@dataclass(frozen=True)
class Disagreement:
    """A number of a cell that came out otherwise. what: metric, group and which number."""

    cell: str
    what: str
    stored: str
    found: str


@dataclass
class Report:
    """What a verification came to.

    numbers: how many were compared. impossible: why, by cell. notes: what to bear in mind.
    """

    agreeing: list[str] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    impossible: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    numbers: int = 0

    def plain(self) -> Row:
        """As JSON has it."""
        return asdict(self)


def candidates(results: Path) -> list[str]:
    """The cells that can be verified: those that ended well. Raises StoreError where there is no such folder."""
    store.read(results, ["cell"], cell=[])
    return sorted(cell for cell, status in store.statuses(results).items() if status == "ok")


def read_key(path: Path) -> bytes:
    """The key of somebody's results; never made anew. Raises StoreError or BadKey."""
    if not path.is_file():
        raise StoreError(
            f"there is no key {path}: cells can be re-run only by who has the key they were drawn with; "
            "ask for it and give it with --key"
        )
    return key.read(path)


def verify(results: Path, cells: Sequence[str], secret: bytes, cache: Path, folder: Path) -> Report:
    """Re-run cells, one after the other, in a store beneath ``folder``, and compare."""
    report, jobs, versions = Report(), [], evaluate.versions()
    for cell in cells:
        known = store.provenance(results, cell)
        try:
            jobs.append(_job(store.cell_rows(results, cell).slice(0, 1).to_pylist()[0], known, results, secret, cache))
        except (CannotRun, StoreError, ValueError, ImportError, datasets.DatasetError) as error:
            report.impossible[cell] = str(error)
            continue
        other = [
            f"{name} {version} there, {versions.get(name, 'none')} here"
            for name, version in sorted(known.get("versions", {}).items())
            if versions.get(name) != version
        ]
        if other and (note := f"made with other versions: {', '.join(other)}") not in report.notes:
            report.notes.append(note)
    with campaign.scratch() as scratch:
        setting = Setting(folder / "results", cache, scratch, secret, lambda cell: schedule.UNKNOWN)
        for event in local.serial(jobs, setting) if jobs else ():
            if isinstance(event, Finished):
                _compare(results, event.result, report)
    return report


def _job(row: Row, known: Row, results: Path, secret: bytes, cache: Path) -> Job:
    """A stored cell as a job that gives the same cell. Raises CannotRun, StoreError, UnknownName or DatasetError."""
    task = registry.task(row["task"])
    if task.version != known["task_version"]:
        raise CannotRun(f"made with version {known['task_version']} of {task.name}; here is version {task.version}")
    if row["dataset"] not in task.datasets:
        raise registry.nearest("dataset", row["dataset"], task.datasets)
    dataset = task.datasets[row["dataset"]]
    datasets.require(dataset, cache)
    if datasets.checksum(dataset, cache) != known["dataset_checksum"]:
        raise CannotRun(f"made with another version of the dataset {dataset.name} than is known here")
    if Draw(secret, task.name, dataset.name, row["seed"]).digest != known["draw"]:
        raise CannotRun("drawn with another key; give that one with --key")
    method = _method(row, results)
    given = {
        name: str(value) if not isinstance(value, bool) else str(value).lower()
        for name, value in json.loads(row["parameters"]).items()
    }
    budget = Budget(**known["budget"] | {"epsilon": float(known["budget"]["epsilon"])})
    cell = Cell(
        task.name,
        task.version,
        dataset.name,
        known["dataset_checksum"],
        known["draw"],
        row["method"],
        method.digest,
        pack.set_parameters(method, given),
        budget,
        row["seed"],
    )
    if cell.id != row["cell"]:
        raise CannotRun("made under another protocol, or by another version of fourfold")
    return Job(cell, method)


def _method(row: Row, results: Path) -> pack.Pack:
    path = archive_path(results, row["method_digest"])
    try:
        return pack.load(path.read_bytes())
    except FileNotFoundError:
        raise CannotRun(f"the files of {row['method']} are not in {path}") from None


def _compare(results: Path, found: evaluate.Result, report: Report) -> None:
    """Compare one cell's rows with those in the store; cost is not for comparing."""
    cell = found.cell.id
    if found.status in _ENVIRONMENTAL:
        report.impossible[cell] = f"{found.status}: {found.reason}"
        return
    if found.status != "ok":
        report.disagreements.append(Disagreement(cell, "status", "ok", f"{found.status}: {found.reason}"))
        return
    stored, here = _keyed(store.cell_rows(results, cell).to_pylist()), _keyed(found.rows)
    before = len(report.disagreements)
    for of in sorted(stored.keys() | here.keys()):
        for number in _NUMBERS:
            left, right = stored.get(of, {}).get(number), here.get(of, {}).get(number)
            report.numbers += 1
            if left != right:
                report.disagreements.append(
                    Disagreement(cell, f"{of[0]} {of[1]}".strip() + f" {number}", str(left), str(right))
                )
    if len(report.disagreements) == before:
        report.agreeing.append(cell)


def _keyed(rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    return {(row["metric"], row["group"]): row for row in rows if row["family"] != "cost"}
