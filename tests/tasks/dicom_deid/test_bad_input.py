"""Whatever a method writes is scored as what it is, with the reason, and ends nothing."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from fourfold.suite import exhibit, folder
from fourfold.suite.folder import Folder
from fourfold.suite.task import Draw, Problem
from fourfold.tasks.dicom_deid import corpus, phantoms, problem, scoring
from fourfold.tasks.dicom_deid.key import Corpus

ROUND, EMPTY = 1.0, 0.0


@dataclass(frozen=True)
class Told:
    """What is told of a cell: its scores without a group, and for each leak or failed file that is listed, a line."""

    scores: dict[str, float | None]
    lines: list[dict[str, str]]

    def reasons(self) -> set[str]:
        """Why files failed."""
        return {line["snippet"][0] for line in self.lines if line["kind"] == "file"}


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    return corpus.draw(np.random.default_rng(21), np.random.default_rng(22), phantoms.phantom, 6, small=True)


@pytest.fixture(scope="module")
def asked(drawn: Corpus) -> Problem:
    return problem.asked(drawn, {})


Scored = Callable[..., Told]


@pytest.fixture(scope="module")
def told(asked: Problem) -> Scored:
    """Score files that came back, of the one group that there is, as ``told({path: bytes})``."""

    def told(files: dict[str, bytes] | None, odd: tuple[str, ...] = ()) -> Told:
        answers: list[Folder | None] = [folder.folder(files, odd) if files is not None else None]
        found = scoring.score(asked.answers.hidden, answers, Draw(b"k" * 32, "dicom-deid", "phantom", 0))
        scores = {score.metric: score.value for score in found.scores if not score.group}
        return Told(scores, exhibit.decode(found.exhibits["leaks"])["leaks"])

    return told


def changed(data: bytes, change: Callable[[Dataset], None]) -> bytes:
    dataset, buffer = dcmread(BytesIO(data)), BytesIO()
    change(dataset)
    dataset.save_as(buffer)
    return buffer.getvalue()


def enlarge(dataset: Dataset) -> None:
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = 100_000


def opaque(drawn: Corpus) -> dict[str, bytes]:
    """What a perfect method writes: the reference, under names that tell nothing, and the list of these."""
    renamed = {path: f"out/{number:04d}.dcm" for number, path in enumerate(drawn.reference)}
    rows = "".join(f"{old},{new}\n" for old, new in renamed.items())
    files = {renamed[path]: data for path, data in drawn.reference.items()}
    return files | {"mapping.csv": f"old,new\n{rows}".encode()}


def test_a_perfect_output_under_other_names_leaks_nothing_and_keeps_all(drawn, told):
    found = told(opaque(drawn)).scores
    assert found["patient_leak_rate"] == found["files_failed"] == found["item_leak_rate"] == EMPTY
    assert found["utility"] == found["leaks_little"] == ROUND


@pytest.mark.parametrize(("files", "reason"), [
    (None, "it did not come back"), ({}, "it did not come back"),
    (b"", "it is empty"), (b"PK no image", "it is no DICOM object: it names no SOP class, no study and no modality"),
    (b"\0" * 128 + b"DICM", "it is no DICOM object: it names no SOP class, no study and no modality"),
])  # fmt: skip
def test_who_returns_nothing_that_is_dicom_fails_every_check_of_everybody(drawn, told, files, reason):
    found = told(dict.fromkeys(drawn.given, files) if isinstance(files, bytes) else files)
    assert found.scores["patient_leak_rate"] == found.scores["files_failed"] == found.scores["item_leak_rate"] == ROUND
    assert found.scores["utility"] == found.scores["midi_action_accuracy"] == EMPTY
    assert found.reasons() == {reason}


def test_half_of_the_files_is_a_breach_of_those_whose_are_missing(drawn, told):
    whole = opaque(drawn)
    lost = {one.path for one in drawn.key.instances if one.patient < 2}
    kept = [(path, name) for path, name in (line.split(",") for line in whole["mapping.csv"].decode().split()[1:])]
    rows = "".join(f"{old},{new}\n" for old, new in kept if old not in lost)
    files = {new: whole[new] for old, new in kept if old not in lost} | {"mapping.csv": f"old,new\n{rows}".encode()}
    found = told(files)
    assert found.scores["patient_leak_rate"] == pytest.approx(2 / len(drawn.key.patients))
    assert found.scores["files_failed"] == pytest.approx(len(lost) / len(drawn.given))
    assert found.reasons() == {"it did not come back"}


def test_files_that_are_renamed_without_a_list_did_not_come_back(drawn, told):
    files = opaque(drawn)
    del files["mapping.csv"]
    found = told(files)
    assert found.scores["files_failed"] == ROUND
    assert found.scores["utility"] == EMPTY


def test_a_list_that_is_no_bijection_is_not_followed(drawn, told):
    files = opaque(drawn)
    files["mapping.csv"] = b"old,new\n" + b"".join(f"{path},out/0000.dcm\n".encode() for path in drawn.given)
    assert told(files).scores["files_failed"] == ROUND


def test_a_symbolic_link_is_no_file_and_is_said_to_be_one(drawn, told):
    files = dict(drawn.reference)
    linked = drawn.key.instances[0].path
    del files[linked]
    found = told(files, odd=(f"{linked}: symbolic link",))
    assert found.scores["files_failed"] == pytest.approx(1 / len(drawn.given))
    assert found.reasons() == {"it is no file that is read: symbolic link"}


def test_a_bomb_is_not_decoded_and_said_to_be_too_large(drawn, told):
    burned = next(one.path for one in drawn.key.instances if one.size[0])
    found = told({**drawn.reference, burned: changed(drawn.reference[burned], enlarge)})
    assert found.scores["files_failed"] == pytest.approx(1 / len(drawn.given))
    assert any("where 268,435,456 are read" in reason for reason in found.reasons())


def hidden(drawn: Corpus, how: str) -> dict[str, bytes]:
    """A perfect output in which the first patient's identity is hidden."""
    files = opaque(drawn)
    given = next(data for path, data in drawn.given.items() if path == drawn.key.instances[0].path)
    people = drawn.key.patients
    plain = {one.path for one in drawn.key.instances if one.patient and people[one.patient].trait == "plain"}
    at = max(number for number, path in enumerate(drawn.given) if path in plain)  # Big is a toe, too, in any text.
    own, other = "out/0000.dcm", f"out/{at:04d}.dcm"
    family, first = drawn.key.patients[0].native
    packed = gzip.compress(given)

    def blob(dataset: Dataset) -> None:
        block = dataset.private_block(0x21, "X", create=True)
        block.add_new(1, "OB", packed + b"\0" * (len(packed) % 2))

    if how == "appended":
        return files | {own: files[own] + given}
    if how == "in a private blob":
        return files | {own: changed(files[own], blob)}
    if how == "in another patient's file":
        return files | {other: files[other] + given}
    if how == "in a file too many":
        return files | {"notes.bin": given}
    renamed = f"out/{first} {family} 0.dcm"
    mapping = files["mapping.csv"].decode().replace(own, renamed).encode()
    return {path: data for path, data in files.items() if path != own} | {renamed: files[own], "mapping.csv": mapping}


@pytest.mark.parametrize("how", [
    "appended", "in a private blob", "in another patient's file", "in a file too many", "in the file name",
])  # fmt: skip
def test_an_identity_that_is_hidden_is_a_breach_of_that_patient_and_shown(drawn, told, how):
    found = told(hidden(drawn, how))
    assert found.scores["patient_leak_rate"] == pytest.approx(1 / len(drawn.key.patients))
    assert found.scores["files_failed"] == EMPTY
    assert found.lines
    json.dumps(found.lines)


def test_one_output_for_all_shows_whom_it_is_of_and_keeps_nothing_of_the_others(drawn, told):
    report = next(one for one in drawn.key.instances if one.modality == "SR")
    found = told(dict.fromkeys(drawn.given, drawn.given[report.path]))
    shown = {line["file"] for line in found.lines if line["kind"] == "mrn"}
    assert shown
    assert found.scores["patient_leak_rate"] >= 1 / len(drawn.key.patients)
    assert found.scores["maps_injective"] == found.scores["uids_intact"] == found.scores["intervals_kept"] == EMPTY
    assert found.scores["pixels_equal"] == EMPTY


def test_a_method_that_shifts_each_image_a_little_leaks_what_is_burned_in(drawn, told):
    """The text is no longer where its mask lies, and is as legible as before."""

    def shifted(data: bytes) -> bytes:
        dataset = dcmread(BytesIO(data))
        if "PixelData" not in dataset or dataset.file_meta.TransferSyntaxUID.is_compressed:
            return data
        if dataset.PhotometricInterpretation.startswith("YBR") or dataset.get("NumberOfFrames", 1) > 1:
            return data
        if dataset.SamplesPerPixel > 1:
            return data
        samples = np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}")[: dataset.Rows * dataset.Columns]
        dataset.PixelData = np.roll(samples.reshape(dataset.Rows, dataset.Columns), (9, 6), (0, 1)).tobytes()
        buffer = BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    moved = {path: shifted(data) for path, data in drawn.given.items()}
    masked = {item.path for item in drawn.key.planted if item.locus == "pixels"}
    changed_paths = [path for path in masked if moved[path] != drawn.given[path]]
    assert changed_paths
    # Headers of the reference, pixels of the output: nothing else can leak.
    files = {path: drawn.reference[path] for path in drawn.given} | {path: moved[path] for path in changed_paths}
    found = told(files)
    pixels = {line["file"] for line in found.lines if line["locus"] == "pixels"}
    assert pixels <= set(changed_paths)
    assert len(pixels) >= 0.8 * len(changed_paths)  # Of faint type of six pixels, moved over bone, not all is found.
