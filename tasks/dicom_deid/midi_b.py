"""The studies of the MIDI-B challenge as The Cancer Imaging Archive hands them out: files, and an answer database.

A folder holds DICOM files at any depth, an SQLite file with the table ``answer_data`` (a row an instance: its
``SOPInstanceUID`` and ``AnswerData``, a JSON object of checks), and may hold ``uid_mapping.csv`` and
``patid_mapping.csv`` (``id_old,id_new``) of one who has de-identified them. Values stand in ``< >`` in it.
"""

import csv
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.tasks.dicom_deid.identifiers import PATIENT, STUDY
from fourfold.tasks.dicom_deid.key import Corpus, Dated, Instance, Kept, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.midi import ACTIONS, Check, Claims
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.values import Index, first, index

EACH = 5
"""Files of a patient in a draw, at most: about as many as where studies are drawn, so that risks and costs compare."""
_STEP = re.compile(r"<(\([^>]*\))>(?:\[<(\d+)>\])?")
_MAGIC = b"SQLite format 3\0"
_KINDS = {PATIENT: "mrn", "(0010,0010)": "name", "(0008,0050)": "accession"}


@dataclass(frozen=True)
class Studies:
    """Where such studies lie, and whose each file is: a download has tens of thousands, of which a draw reads a few.

    patients: the paths of each patient's files beneath the folder; rows: of each file that the database has answers on,
    their row in it.
    """

    folder: Path
    database: Path
    patients: Mapping[str, Sequence[str]]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Read:
    """Some of the studies. files: by path beneath the folder; checks: what their curators ask for in each."""

    files: Mapping[str, File]
    checks: Sequence[Check]


def scan(folder: Path) -> Studies:
    """Find the studies in such a folder: of each file the header is read, of the database every answer.

    Raises ValueError where it is none, saying what is missing or cannot be read.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    databases = [path for path in paths if _head(path, 0, 16) == _MAGIC]
    if len(databases) != 1:
        raise ValueError(f"{folder} holds {len(databases)} SQLite files: one is needed, MIDI-B's answer database")
    patients: dict[str, list[str]] = {}
    instances: dict[str, str] = {}
    for path in paths:
        if _head(path, 128, 4) == b"DICM":
            patient, instance = _named(path)
            instances[instance] = name = path.relative_to(folder).as_posix()
            patients.setdefault(patient, []).append(name)
    if not patients:
        raise ValueError(f"{folder} holds no DICOM file")
    rows = {}
    for row, uid, answers in _select(databases[0], "SELECT rowid, SOPInstanceUID, AnswerData FROM answer_data"):
        name = instances.get(_bare(uid), "")
        if not name:
            raise ValueError(f"{databases[0]} has answers on instance {uid}, which is not among the files")
        if name in rows:
            raise ValueError(f"{databases[0]} has answers on instance {uid} twice: one row an instance is needed")
        rows[name] = row
        _checks(name, answers, {})
    return Studies(folder, databases[0], patients, rows)


def read(studies: Studies, paths: Iterable[str]) -> Read:
    """Read some of the files, and what is asked for in them. Raises ValueError as ``scan`` does."""
    files, checks = {}, list[Check]()
    for path in paths:
        files[path] = File(path, (studies.folder / path).read_bytes())
        if path in studies.rows:
            query = f"SELECT AnswerData FROM answer_data WHERE rowid = {studies.rows[path]:d}"
            ((answers,),) = _select(studies.database, query)
            checks += _checks(path, answers, {place.upper(): place for place in index(files[path])})
    return Read(files, checks)


def claims(folder: Path) -> Claims:
    """The lists of new IDs in a folder, of one who has de-identified the studies; empty where there are none."""
    return Claims(*(_mapping(folder, name) for name in ("uid_mapping.csv", "patid_mapping.csv")))


def sample(studies: Studies, rng: np.random.Generator, patients: int) -> Read:
    """At most so many of the patients, drawn, and of each at most ``EACH`` files, drawn."""
    ids = sorted(studies.patients)
    chosen = [ids[number] for number in np.sort(rng.permutation(len(ids))[:patients])]
    return read(studies, [path for each in chosen for path in _some(studies.patients[each], rng)])


def _some(paths: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [paths[number] for number in np.sort(rng.permutation(len(paths))[:EACH])]


def corpus(studies: Read) -> Corpus:
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


def _select(database: Path, query: str) -> Iterator[Any]:
    """The rows of a query. Raises ValueError where the database has none such."""
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            yield from connection.execute(query)
    except sqlite3.Error as error:
        raise ValueError(f"{database} is no answer database of MIDI-B: {error}") from error


def _checks(path: str, answers: str, spelled: Mapping[str, str]) -> list[Check]:
    """What is asked for in one file. spelled: its places, by how they look in capitals.

    Raises ValueError where an answer is not as MIDI-B writes them.
    """
    try:
        return [_check(path, answer, spelled) for answer in json.loads(answers).values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"the answers on {path} cannot be read: {error!r}") from error


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
        if not (0 <= left < right and 0 <= top < bottom):
            raise ValueError(f"a box from {box['top_left']} to {box['bottom_right']} holds no pixels")
        return Check(path, action, where, box["text"], Mask(top, left, np.ones((bottom - top, right - left), bool)))
    if not place and action != "pixels_retained":  # It would be taken for an element that is not there.
        raise ValueError(f"{answer.get('tag_ds')!r} names no element to {action}")
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


def _named(path: Path) -> tuple[str, str]:
    """Whose a file is, by their patient ID, and its SOP Instance UID. Raises ValueError where it cannot be read."""
    from pydicom import dcmread

    try:
        found = dcmread(path, stop_before_pixels=True, specific_tags=["PatientID", "SOPInstanceUID"])
        instance = str(found.get("SOPInstanceUID") or "")
    except Exception as error:  # Of a damaged file, pydicom raises anything.
        raise ValueError(f"{path} cannot be read as DICOM: {error}") from error
    if not instance:
        raise ValueError(f"{path} cannot be read as DICOM: it has no SOP Instance UID")
    return str(found.get("PatientID") or ""), instance


def _head(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _size(file: File) -> tuple[int, int, int]:
    pixels, _ = file.pixels
    return (0, 0, 0) if pixels is None else (pixels.shape[0], pixels.shape[1], pixels.shape[2])
