"""What an outsider supplies, each with its parser and what that owes: a value within its bounds, or its own error.

A target takes any bytes and raises where its parser breaks that promise. ``TARGETS`` has them all, with seeds: valid
inputs from which fuzzers start. What a parser may take in time and memory is for whoever drives a target to limit.
"""

import json
import struct
import warnings
import zipfile
import zlib
from collections import deque
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import dataset_targets  # noqa: F401  adds its own
import numpy as np
import seeds
from promise import TARGETS, fresh, target, told

from fourfold.suite import (
    boundary,
    bundle,
    cards,
    cellfile,
    compact,
    exhibit,
    folder,
    graph,
    guest,
    mechanism_checks,
    pack,
    registry,
    store,
    visit,
)
from fourfold.suite.atomic import StoreError
from fourfold.suite.cell import canonical
from fourfold.suite.cli import configuration, running
from fourfold.suite.method import Budget
from fourfold.suite.metrics import accountant
from fourfold.suite.task import Draw, Want
from fourfold.suite.warm import GuestLost, Reaped
from fourfold.suite.watch import VisitError, Watch
from fourfold.tasks.dicom_deid import renames
from fourfold.tasks.dicom_deid.reading import File

__all__ = ["TARGETS"]

CANARIES = 4
LIMIT = 1 << 20


# Submissions


@target(seeds.archives)
def archive(data: bytes) -> None:
    found = told(lambda: pack.load(data), pack.PackError)
    if found is not None:
        assert sum(map(len, found.files.values())) <= pack.packfiles.LARGEST
        assert pack.load(found.archive()).digest == found.digest
        home = fresh() / "home"
        entry = found.unpack(home)
        assert home in entry.parents
        assert ".." not in entry.parts
        assert pack.packfiles.found(home / found.digest[:32]) == found.files


@target(seeds.members)
def members(data: bytes) -> None:
    """An archive of names and contents: a zip itself is hard to vary and stay one."""
    with BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as made, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in data.split(b"\0\0\0")[:20]:
                name, _, content = part.partition(b"\0\0")
                try:
                    made.writestr(zipfile.ZipInfo(name.decode(errors="replace") or "x"), content)
                except (ValueError, struct.error):
                    return
        archive(buffer.getvalue())


@target(seeds.sources)
def source(data: bytes) -> None:
    path = fresh() / "method.py"
    path.write_bytes(data)
    found = told(lambda: pack.read(path), pack.PackError)
    if found is not None:
        assert found.files == {"method.py": data}
        json.loads(canonical(found.card()))
        assert all(isinstance(value, bool | int | float | str) for value in found.parameters.values())
        assert pack.load(found.archive()).digest == found.digest


@target(seeds.selectors)
def selector(data: bytes) -> None:
    text = data.decode(errors="surrogateescape").replace("/", "_").replace("..", "_")
    found = told(lambda: registry.select(text), registry.UnknownName, pack.PackError)
    if found is not None:
        assert {name for name, _ in found[1]} == set(found[0].parameters)
        assert all(type(value) is type(found[0].parameters[name]) for name, value in found[1])


# Answers


@target(seeds.answers)
def answer(data: bytes) -> None:
    array = told(lambda: boundary.numbers(data), boundary.BoundaryError)
    if array is not None:
        assert array.dtype.kind in "fiub"
        assert array.nbytes <= 8 * len(data)
        float(array.astype(np.float64).sum())  # Every value can be read.
    for want in (Want((3,), 0.0, 1.0), Want((2, 3), 0.0, 1.0, 1.0)):
        checked = told(lambda want=want: visit.check(data, want, "predict"), visit._Refused)  # type: ignore[misc]
        if checked is not None:
            assert checked.shape == want.shape
            assert checked.dtype == np.float64
            assert np.all((checked >= 0) & (checked <= 1))


@target(seeds.records)
def record(data: bytes) -> None:
    found = told(lambda: boundary.fields(data), boundary.BoundaryError)
    for value in (found or {}).values():
        plain = value is None or isinstance(value, bool | int | float | str)
        texts = isinstance(value, tuple) and all(isinstance(each, str) for each in value)
        array = isinstance(value, np.ndarray) and value.dtype.kind in "fiubU"
        assert plain or texts or array, f"{type(value)} of {getattr(value, 'dtype', None)}"
    if found is not None:
        told(lambda: folder.read(found), folder.FolderError)
        told(lambda: mechanism_checks.read(found, CANARIES), ValueError)


@target(seeds.folders)
def answered_folder(data: bytes) -> None:
    """Fields as a record has them, from JSON: of Arrow's own bytes hardly any change is one of these."""
    fields = arrays(data)
    found = told(lambda: folder.read(fields), folder.FolderError) if fields is not None else None
    if found is not None:
        assert sum(len(each) for _, each in found) == len(found.data)
        assert all(".." not in path.split("/") and not path.startswith("/") for path in found.paths)
        renames.answered(["a.dcm", "b/c.dcm"], {path: bytes(each) for path, each in found})


@target(seeds.notes)
def evidence(data: bytes) -> None:
    fields = arrays(data)
    found = told(lambda: mechanism_checks.read(fields, CANARIES), ValueError) if fields is not None else None
    if found is not None:
        again = mechanism_checks.rehearsal(found)
        assert again is None or again.witness >= 0
        made = told(lambda: mechanism_checks.verdicts(found, [found, found], [[], [], []]), ValueError)
        assert made is None or set(made) == set(mechanism_checks.CHECKS)


def arrays(data: bytes) -> dict[str, Any] | None:
    """The fields that some JSON describes: a list of numbers is an array, one of texts a tuple. None: it is none."""
    try:
        given = json.loads(data)
        return {
            name: tuple(value) if isinstance(value, list) and value and isinstance(value[0], str)
            else np.array(value, np.uint8 if name == "data" else None) if isinstance(value, list) else value
            for name, value in given.items()
        }
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


@target(seeds.frames)
def frame(data: bytes) -> None:
    """What a guest sends, frame by frame, and has closed its pipe after."""
    watch = Watch.__new__(Watch)
    watch._incoming, watch._outgoing, watch._reaped = bytearray(data), deque(), Reaped(0, 0.0, 0)
    due = (guest.READY, guest.ANSWER, guest.LEDGER, guest.EVIDENCE, guest.STATE)
    for tag in due:
        body = told(partial(watch.frame, tag, LIMIT), VisitError, visit.FaultError, GuestLost)
        if body is None:
            return
        assert len(body) <= LIMIT


@target(seeds.ledgers, tries=3)
def ledger(data: bytes) -> None:
    found = told(lambda: visit.mechanisms(data), VisitError)
    if found:
        spent = told(lambda: accountant.accounted_epsilon(found, 1e-5), ValueError)
        assert spent is None or spent.epsilon >= 0


@target(seeds.graphs, tries=15)
def model_graph(data: bytes) -> None:
    found = told(lambda: graph.read(data), graph.GraphError)
    if found is not None:
        assert len(found.nodes) <= graph.MAX_NODES
        assert found.elements <= graph.MAX_ELEMENTS


@target(seeds.dicoms, tries=30)
def dicom(data: bytes) -> None:
    file = File("x.dcm", data)
    parsed, why = file.parsed
    assert (parsed is None) == bool(why)
    for one in file.stretches:
        assert 0 <= one.start <= one.end <= len(one.data)
    assert all(isinstance(place, str) for place, _ in file.elements)
    assert file.index is not None
    assert all(isinstance(each, list) for each in file.texts.values())
    pixels, why = file.pixels
    assert (pixels is None) == bool(why)
    assert pixels is None or pixels.ndim in (3, 4)


@cache
def studies() -> tuple[Any, Any, Draw]:
    """A few patients to de-identify: the task, what it asks, and its secret."""
    task, secret = registry.task("dicom-deid"), Draw(bytes(16), "dicom-deid", "phantom", 0)
    return task, task.draw(task.load("phantom", Path()), secret, {}, small=True), secret


@target(seeds.dicoms, tries=0)
def dicom_scoring(data: bytes) -> None:
    """One file of an answer that is otherwise as it should be."""
    task, problem, secret = studies()
    known = problem.answers.hidden["known"]
    files = {**known.corpus.reference, min(known.corpus.reference): data}
    came = [folder.folder({path: files[path] for path in group if path in files}) for group in known.groups]
    scored = task.score(problem, came, {}, Budget(), secret)
    assert {score.metric for score in scored.scores} >= {"patient_leak_rate", "files_failed", "utility"}
    assert all(exhibit.decode(each) for each in scored.exhibits.values())


@target(seeds.mappings)
def mapping(data: bytes) -> None:
    written = {renames.MAPPING: data, "1.dcm": b"", "2.dcm": b""}
    found = renames.answered(["a.dcm", "b/c.dcm"], written)
    assert set(found.files) <= {"a.dcm", "b/c.dcm"}
    assert set(found.names.values()) <= set(written)


# Results folders


@target(seeds.cells)
def cell_file(data: bytes) -> None:
    found = told(lambda: cellfile.decode(data, seeds.CELL), cellfile.ForeignError)
    if found is not None:
        table, provenance = found
        table.validate(full=True)
        assert table["cell"].unique().to_pylist() == [seeds.CELL]
        assert json.loads(provenance)["cell"] == seeds.CELL


@target(seeds.cells, tries=8)
def results(data: bytes) -> None:
    """A file in a results folder, beside a sound one, as every command meets it."""
    root = store.create(fresh() / "results")
    store.place_cell(root, seeds.OTHER, seeds.cell(seeds.OTHER))
    place = store.cell_path(root, seeds.CELL)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    read = told(lambda: store.read(root), StoreError)
    assert read is not None
    assert seeds.OTHER in read.rows["cell"].to_pylist()
    assert read.frame() is not None
    assert store.statuses(root)[seeds.OTHER] == "ok"
    told(lambda: store.provenance(root, seeds.CELL), StoreError)
    told(lambda: store.cell_rows(root, seeds.CELL), StoreError)
    told(lambda: compact.compact(root), StoreError)
    again = told(lambda: store.read(root), StoreError)
    assert again is not None
    assert seeds.OTHER in again.rows["cell"].to_pylist()


@target(seeds.manifests, tries=8)
def compacted(data: bytes) -> None:
    """One of the two files of a compacted folder; the other is sound."""
    root = seeds.compacted_in(fresh() / "results")
    (home,) = (each for each in (root / "compacted").iterdir() if each.is_dir())
    name = "rows.parquet" if data[:1] == b"r" else "cells.parquet"
    (home / name).write_bytes(data[1:])
    store.members.cache_clear()
    told(lambda: bundle.load(home), cellfile.ForeignError)
    read = told(lambda: store.read(root), StoreError)
    assert read is None or read.frame() is not None
    told(lambda: store.statuses(root), StoreError)
    told(lambda: store.provenance(root, seeds.OTHER), StoreError)
    told(lambda: store.cell_rows(root, seeds.OTHER), StoreError)
    told(lambda: compact.compact(root), StoreError)


@target(seeds.cards)
def card(data: bytes) -> None:
    root = fresh()
    (root / "cards").mkdir()
    (root / "cards" / "task-x-1.json").write_bytes(data)
    found = cards.read_cards(root)
    assert len(found.task) + len(found.skipped) == 1


@target(seeds.exhibits)
def shown(data: bytes) -> None:
    found = told(lambda: exhibit.decode(data, LIMIT), ValueError)
    assert found is None or found["kind"] in ("fans", "sheet", "leaks")


@target(seeds.exhibit_texts)
def exhibit_text(data: bytes) -> None:
    """What an exhibit unpacks to."""
    shown(zlib.compress(data, 1))


# Settings


@target(seeds.settings)
def settings(data: bytes) -> None:
    path = fresh() / "fourfold.toml"
    path.write_bytes(data)
    command = configuration.configured(running.run)
    made = told(lambda: command.make_context("run", ["--config", str(path)]), click.UsageError, click.BadParameter,
                click.BadOptionUsage, click.MissingParameter)
    assert made is None or made.params
