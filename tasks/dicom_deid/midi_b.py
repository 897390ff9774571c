"""The studies of the MIDI-B challenge as The Cancer Imaging Archive hands them out: files, and an answer database.

A folder holds DICOM files at any depth, an SQLite file with the table ``answer_data`` (a row an instance: its
``SOPInstanceUID`` and ``AnswerData``, a JSON object of checks), and may hold ``uid_mapping.csv`` and
``patid_mapping.csv`` (``id_old,id_new``) of one who has de-identified them. Values stand in ``< >`` in it.
"""

import csv
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fourfold.tasks.dicom_deid.identifiers import INSTANCE, PATIENT, STUDY
from fourfold.tasks.dicom_deid.key import Corpus, Dated, Instance, Kept, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.midi import ACTIONS, Check, Claims
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.values import Index, first, index

Item = TypeVar("Item", Instance, Planted, Kept, Dated)
_STEP = re.compile(r"<(\([^>]*\))>(?:\[<(\d+)>\])?")
_MAGIC = b"SQLite format 3\0"
_KINDS = {PATIENT: "mrn", "(0010,0010)": "name", "(0008,0050)": "accession"}


@dataclass(frozen=True, eq=False)
class Studies:
    """The studies as a corpus without reference, and what their curators ask for in each file."""

    corpus: Corpus
    checks: Sequence[Check]


@dataclass(frozen=True)
class MidiB:
    """The studies. files: by path beneath the folder; checks: of all of them; claims: of the lists of new IDs there."""

    files: Mapping[str, File]
    checks: Sequence[Check]
    claims: Claims


def load(folder: Path) -> MidiB:
    """Read such a folder. Raises ValueError where it is none, saying what is missing or cannot be read."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    databases = [path for path in paths if _head(path, 0, 16) == _MAGIC]
    if len(databases) != 1:
        raise ValueError(f"{folder} holds {len(databases)} SQLite files: one is needed, MIDI-B's answer database")
    files = {}
    for path in paths:
        if _head(path, 128, 4) == b"DICM":
            name = path.relative_to(folder).as_posix()
            files[name] = File(name, path.read_bytes())
    if not files:
        raise ValueError(f"{folder} holds no DICOM file")
    uids, patients = (_mapping(folder, name) for name in ("uid_mapping.csv", "patid_mapping.csv"))
    return MidiB(files, list(_checks(databases[0], files)), Claims(uids, patients))


def studies(folder: Path) -> Studies:
    """Read such a folder, as data alone. Raises ValueError as ``load`` does."""
    found = load(folder)
    return Studies(corpus(found), found.checks)


def sample(studies: Studies, rng: np.random.Generator, patients: int) -> Studies:
    """The studies of at most so many patients, drawn."""
    key = studies.corpus.key
    chosen = np.sort(rng.permutation(len(key.patients))[:patients]).tolist()
    number = {patient: place for place, patient in enumerate(chosen)}
    instances = _theirs(key.instances, number)
    notes = _theirs(key.planted, number), _theirs(key.kept, number), _theirs(key.dated, number)
    paths = {one.path for one in instances}
    given = {path: data for path, data in studies.corpus.given.items() if path in paths}
    people = [key.patients[patient] for patient in chosen]
    checks = [check for check in studies.checks if check.path in paths]
    return Studies(Corpus(given, {}, Key(people, instances, *notes)), checks)


def _theirs(items: Sequence[Item], number: Mapping[int, int]) -> list[Item]:
    """What is of these patients, under their new numbers."""
    return [replace(one, patient=number[one.patient]) for one in items if one.patient in number]


def corpus(studies: MidiB) -> Corpus:
    """The studies, and what their checks say of them as a key: without roster, reference, and forms beside the text."""
    read = {path: index(file) for path, file in studies.files.items()}
    ids = {path: first(known, PATIENT) for path, known in read.items()}
    numbers = {name: number for number, name in enumerate(sorted(set(ids.values())))}
    visits: dict[str, dict[str, int]] = {}
    instances = []
    for path, known in read.items():
        seen = visits.setdefault(ids[path], {})
        study = seen.setdefault(first(known, STUDY), len(seen))
        modality = first(known, "(0008,0060)")
        instances.append(Instance(path, numbers[ids[path]], study, modality, size=_size(studies.files[path])))
    planted: list[Planted] = []
    kept: list[Kept] = []
    dated: list[Dated] = []
    for check in studies.checks:
        patient = numbers[ids[check.path]]
        planted += _planted(check, patient)
        if check.action == "text_retained":
            kept.append(Kept(check.path, patient, "text", check.where, tuple(check.text.split())))
        if check.action == "date_shifted":
            dated.append(Dated(check.path, patient, check.where, check.text[:8]))
    of = {ids[path]: known for path, known in reversed(read.items())}
    people = [_person(name, of[name]) for name in numbers]
    given = {path: file.data for path, file in studies.files.items()}
    return Corpus(given, {}, Key(people, instances, planted, kept, dated))


def _person(number: str, known: Index) -> Person:
    """A patient as their first file describes them; nobody knows where the name is from."""
    name, age = first(known, "(0010,0010)"), first(known, "(0010,1010)")
    family, given = (*name.split("=")[0].split("^"), "", "")[:2]
    years = int(age[:3]) if re.fullmatch(r"\d{3}Y", age) else 0 if re.fullmatch(r"\d{3}[DWM]", age) else -1
    sex, day = first(known, "(0010,0040)") or "unknown", first(known, "(0010,0030)")
    return Person(name, (family, given), (family, given), "unknown", "unknown", sex, years, day, {"mrn": number})


def _checks(database: Path, files: Mapping[str, File]) -> Iterator[Check]:
    """The checks of each instance in the database. Raises ValueError where one is not as MIDI-B writes them."""
    known = {path: index(file) for path, file in files.items()}
    by_uid = {first(places, INSTANCE): path for path, places in known.items()}
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT SOPInstanceUID, AnswerData FROM answer_data").fetchall()
    except sqlite3.Error as error:
        raise ValueError(f"{database} is no answer database of MIDI-B: {error}") from error
    for uid, answers in rows:
        path = by_uid.get(_bare(uid))
        if path is None:
            raise ValueError(f"{database} has answers on instance {uid}, which is not among the files")
        spelled = {place.upper(): place for place in known[path]}
        try:
            for answer in json.loads(answers).values():
                yield _check(path, answer, spelled)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"{database}: the answers on instance {uid} cannot be read: {error!r}") from error


def _check(path: str, answer: Mapping[str, Any], spelled: Mapping[str, str]) -> Check:
    action = _bare(answer["action"])
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is no action: {', '.join(ACTIONS)}")
    steps = _STEP.findall(str(answer.get("tag_ds") or ""))
    place = "".join(f"{tag.upper()}[{int(item)}]." if item else tag.upper() for tag, item in steps)
    where, text = spelled.get(place, place), _bare(answer.get("action_text"))
    if action == "pixels_hidden":
        box = json.loads(text)
        (left, top), (right, bottom) = (map(int, box[corner]) for corner in ("top_left", "bottom_right"))
        return Check(path, action, where, box["text"], Mask(top, left, np.ones((bottom - top, right - left), bool)))
    if action in ("text_retained", "text_removed", "pixels_retained"):
        return Check(path, action, where, text)
    return Check(path, action, where, _bare(answer.get("value")))


def _planted(check: Check, patient: int) -> Iterator[Planted]:
    kind = {"date_shifted": "date", "uid_changed": "uid"}.get(check.action, _KINDS.get(check.where, "name"))
    locus = (
        "pixels" if check.mask is not None else "uid" if kind == "uid"
        else "nested" if "." in check.where else "private" if '"' in check.where else "direct"
    )  # fmt: skip
    if check.action in ("text_removed", "date_shifted", "uid_changed", "pixels_hidden") and check.text:
        where = "pixels" if check.mask is not None else check.where
        yield Planted(check.path, patient, kind, locus, where, check.text, (check.text,), check.mask)


def _mapping(folder: Path, name: str) -> dict[str, str]:
    """The rows of a list of new IDs, empty where there is none. Raises ValueError where it has other columns."""
    found = sorted(folder.rglob(name))
    if not found:
        return {}
    with found[0].open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"id_old", "id_new"} <= set(rows[0]):
        raise ValueError(f"{found[0]} has the columns {', '.join(rows[0])}, where id_old and id_new are needed")
    return {row["id_old"]: row["id_new"] for row in rows}


def _bare(value: Any) -> str:
    """A value without the brackets that MIDI-B's tables put around all of them."""
    text = "" if value is None else str(value).strip()
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _head(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _size(file: File) -> tuple[int, int, int]:
    pixels, _ = file.pixels
    return (0, 0, 0) if pixels is None else (pixels.shape[0], pixels.shape[1], pixels.shape[2])
