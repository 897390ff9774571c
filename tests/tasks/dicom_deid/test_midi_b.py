import csv
import json
import os
import sqlite3
import subprocess
import sys
from hashlib import md5

import numpy as np
import pytest

from fourfold.suite import store
from fourfold.suite.datasets import DatasetError, checksum, state, verify
from fourfold.suite.folder import folder as pack
from fourfold.suite.task import Draw
from fourfold.tasks.dicom_deid import problem, scoring, sources
from fourfold.tasks.dicom_deid.midi import Claims, action_accuracy, by_action, passes
from fourfold.tasks.dicom_deid.midi_b import EACH, Read, claims, corpus, read, sample, scan
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.utility import measure


def answers(path, data) -> dict:
    """What the challenge's database says of one of the small corpus's files."""
    patient, study, number = path[0], path[2], path[4]
    uid = f"1.2.840.99.{patient}.{study}.1.{number}"

    def answer(action: str, tag: str, value: str = "", text: str = "") -> dict:
        return {"action": f"<{action}>", "tag_ds": tag, "value": f"<{value}>", "action_text": f"<{text}>"}

    date, name = str(data["StudyDate"].value), str(data["PatientName"].value).replace("^", " ")
    found = [
        answer("uid_changed", "<(0008,0018)>", uid),
        answer("uid_consistent", "<(0008,0018)>", uid),
        answer("patid_consistent", "<(0010,0020)>", str(data["PatientID"].value)),
        answer("text_removed", "<(0010,0010)>", "", name),
        answer("text_notnull", "<(0010,0010)>"),
        answer("date_shifted", "<(0008,0020)>", date),
        answer("tag_retained", '<(0019,"GEMS_ACQU_01",10)>'),
        answer("text_retained", "<(0040,0275)>[<0000>]<(0032,1060)>", "", "MR heart"),
    ]
    if number == "0":
        box = json.dumps({"text": name, "top_left": [4, 4], "bottom_right": [24, 13]})
        found.append(answer("pixels_hidden", "<(7fe0,0010)>", "", box))
    else:
        found.append(answer("pixels_retained", "<(7fe0,0010)>", "", md5(data["PixelData"].value).hexdigest()))
    return dict(enumerate(found))


@pytest.fixture
def folder(small, tmp_path):
    """A folder of MIDI-B's layout: images by patient and study, an answer database, lists of new IDs."""
    tmp_path /= "medical/midi-b"
    rows, uids, patients = [], {}, {}
    for path, data in small.given.items():
        place = tmp_path / "input" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        given, reference = (File(path, side[path]).parsed[0] for side in (small.given, small.reference))
        rows.append((f"<{given.SOPInstanceUID}>", json.dumps(answers(path, given))))
        uids[given.SOPInstanceUID], patients[given.PatientID] = reference.SOPInstanceUID, reference.PatientID
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("CREATE TABLE answer_data (SOPInstanceUID TEXT, AnswerData TEXT)")
        database.executemany("INSERT INTO answer_data VALUES (?, ?)", rows)
    database.close()
    for name, ids in (("uid_mapping.csv", uids), ("patid_mapping.csv", patients)):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([("id_old", "id_new"), *ids.items()])
    return tmp_path


def whole(folder) -> Read:
    """All that is there."""
    found = scan(folder)
    return read(found, [path for paths in found.patients.values() for path in paths])


def written(small, side: str) -> dict[str, File]:
    return {f"input/{path}": File(f"input/{path}", data) for path, data in getattr(small, side).items()}


def test_checks_claims_and_files_are_read(folder, small):
    found, told = whole(folder), claims(folder)
    assert set(found.files) == {f"input/{path}" for path in small.given}
    assert len(found.checks) == 12 * 9
    assert {check.where for check in found.checks} >= {'(0019,"GEMS_ACQU_01",10)', "(0040,0275)[0].(0032,1060)"}
    assert told.patients["MRN07741"] == "P0"
    hidden = next(check for check in found.checks if check.action == "pixels_hidden")
    assert (hidden.mask.top, hidden.mask.left, hidden.mask.glyphs.shape) == (4, 4, (9, 20))


def test_a_perfect_method_passes_all_and_doing_nothing_what_is_to_stay(folder, small):
    found, told = whole(folder), claims(folder)
    perfect = passes(found.checks, found.files, written(small, "reference"), told)
    copied = passes(found.checks, found.files, written(small, "given"), Claims({}, {}))
    # Of a box alone only its spread is known, and the background that a perfect method leaves has some.
    shares = by_action(found.checks, perfect)
    assert {action for action, share in shares.items() if share < 1} <= {"pixels_hidden"}
    retained = by_action(found.checks, copied)
    assert retained["pixels_retained"] == retained["text_retained"] == retained["tag_retained"] == 1.0
    assert retained["text_removed"] == retained["uid_changed"] == retained["date_shifted"] == 0.0
    assert action_accuracy(passes(found.checks, found.files, {}, told)) == 0.0


def test_the_checks_make_a_key_by_which_utility_is_measured(folder, small):
    made = corpus(whole(folder))
    assert len(made.key.patients) == 3
    assert {(one.patient, one.study) for one in made.key.instances} == {(p, s) for p in range(3) for s in range(2)}
    assert {item.locus for item in made.key.planted} == {"direct", "uid", "pixels"}
    given = {path: File(path, data) for path, data in made.given.items()}
    found = measure(made.key, given, written(small, "reference")).shares
    assert found["text_kept"] == found["intervals_kept"] == found["pixels_equal"] == 1.0
    assert found["private_kept"] is None
    assert found["utility"] == 1.0


def test_what_is_no_such_folder_is_refused_with_the_reason(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="0 SQLite files"):
        scan(tmp_path / "empty")
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("INSERT INTO answer_data VALUES ('<1.2.3>', '{}')")
    database.close()
    with pytest.raises(ValueError, match=r"1\.2\.3>, which is not among the files"):
        scan(folder)
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("DELETE FROM answer_data WHERE SOPInstanceUID = '<1.2.3>'")
        database.execute('UPDATE answer_data SET AnswerData = \'{"0": {"action": "<shuffle>"}}\'')
    database.close()
    with pytest.raises(ValueError, match="'shuffle' is no action"):
        scan(folder)


def box(*corners: list[int]) -> str:
    return json.dumps({"text": "x", "top_left": corners[0], "bottom_right": corners[1]})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tag_ds": None}, "None names no element to text_removed"),
        ({"tag_ds": "PatientName"}, "'PatientName' names no element"),
        ({"action": "<pixels_hidden>", "action_text": box([24, 13], [4, 4])}, "holds no pixels"),
        ({"action": "<pixels_hidden>", "action_text": box([5, 5], [5, 5])}, "holds no pixels"),
        ({"action": "<pixels_hidden>", "action_text": box([-5, 0], [5, 5])}, "holds no pixels"),
    ],
)
def test_an_answer_that_nobody_could_pass_or_everybody_would_is_refused(folder, changes, reason):
    answer = {"action": "<text_removed>", "tag_ds": "<(0010,0010)>", "action_text": "<Davidson>", **changes}
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("UPDATE answer_data SET AnswerData = ?", [json.dumps({"0": answer})])
    database.close()
    with pytest.raises(ValueError, match=reason):
        scan(folder)


def test_answers_that_are_there_twice_or_without_end_are_refused(folder):
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("INSERT INTO answer_data SELECT * FROM answer_data LIMIT 1")
    database.close()
    with pytest.raises(ValueError, match="twice"):
        scan(folder)
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("UPDATE answer_data SET AnswerData = ?", ["[" * 100_000])
    database.close()
    with pytest.raises(ValueError, match="cannot be read: RecursionError"):
        scan(folder)


def test_a_sample_is_of_some_patients_numbered_anew(folder):
    everything = whole(folder)
    found = sample(scan(folder), np.random.default_rng(0), 2)
    made = corpus(found)
    assert len(made.key.patients) == 2
    assert {one.patient for one in made.key.instances} == {item.patient for item in made.key.planted} == {0, 1}
    assert {one.path for one in made.key.instances} == set(made.given) == {check.path for check in found.checks}
    for one in made.key.instances:
        assert made.given[one.path] == everything.files[one.path].data
        assert made.key.patients[one.patient].numbers["mrn"] == f"MRN{one.path[6]}7741"
    asked = [(check.path, check.action, check.where, check.text) for check in found.checks]
    assert asked == [(check.path, check.action, check.where, check.text)
                     for check in everything.checks if check.path in made.given]
    assert set(sample(scan(folder), np.random.default_rng(0), 60).files) == set(everything.files)


def test_of_a_patient_with_many_files_some_are_drawn(folder, small):
    (folder / "input/0/more").mkdir()
    for number in range(2 * EACH):
        (folder / f"input/0/more/{number}.dcm").write_bytes(small.given["0/0/0.dcm"])
    drawn = [set(sample(scan(folder), np.random.default_rng(seed), 60).files) for seed in range(4)]
    assert all(sum(path.startswith("input/0/") for path in each) == EACH for each in drawn)
    assert all(sum(path.startswith("input/1/") for path in each) == 4 for each in drawn)
    assert len({*map(frozenset, drawn)}) > 1


def test_a_patient_weighs_the_same_on_every_seed_that_draws_them(folder, small):
    studies, found = scan(folder), []
    kept = {f"input/{path}": data for path, data in small.given.items() if not path.startswith("2/")}
    for seed in range(2):
        secret = Draw(b"k" * 32, "dicom-deid", "midi-b", seed)
        asked = problem.draw(studies, secret)
        answers = [pack({path: kept[path] for path in ask.give.paths if path in kept}) for ask in asked.asks]
        scores = scoring.score(asked.answers.hidden, answers, secret).scores
        found.append(next(score for score in scores if score.metric == "utility"))
    assert found[0].value == found[1].value == pytest.approx(2 / 3)
    assert np.array_equal(found[0].replicates, found[1].replicates, equal_nan=True)


def test_a_file_that_cannot_be_read_is_named(folder):
    (folder / "input/torn.dcm").write_bytes(bytes(128) + b"DICM\x02\x00\x00\x00UL\x04")
    with pytest.raises(ValueError, match=r"torn\.dcm cannot be read as DICOM"):
        scan(folder)


def test_a_user_who_has_not_brought_the_files_is_told_where_they_belong(folder, tmp_path):
    assert state(sources.MIDI_B, tmp_path) == "present"
    assert verify(sources.MIDI_B, tmp_path) == []
    before = checksum(sources.MIDI_B, tmp_path)
    (folder / "input/0/0/0.dcm").unlink()
    (wrong,) = verify(sources.MIDI_B, tmp_path)
    assert "1.2.840.99.0.0.1.0>, which is not among the files" in wrong
    with pytest.raises(DatasetError, match=r"not among the files.*answer database as medical/midi-b/answers\.db"):
        sources.load("midi-b", tmp_path)
    with sqlite3.connect(folder / "answers.db") as database:
        database.execute("DELETE FROM answer_data WHERE SOPInstanceUID = '<1.2.840.99.0.0.1.0>'")
    database.close()
    assert verify(sources.MIDI_B, tmp_path) == []
    assert checksum(sources.MIDI_B, tmp_path) != before
    (folder / "answers.db").unlink()
    assert state(sources.MIDI_B, tmp_path) == "absent"
    with pytest.raises(DatasetError, match=r"answers\.db: it is not there. Download MIDI-B"):
        sources.load("midi-b", tmp_path)


def test_a_run_scores_a_method_on_the_users_own_download(folder, tmp_path):
    """Doing nothing leaks everybody, and passes the checks of what is to stay."""

    def fourfold(*words: str) -> str:
        settings = {"FOURFOLD_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200"}
        command = [sys.executable, "-P", "-m", "fourfold.suite.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    listed = json.loads(fourfold("data", "ls", "dicom-deid", "--json"))["datasets"]
    assert {row["dataset"]: row["state"] for row in listed}["midi-b"] == "present"
    fourfold("data", "verify", "midi-b")
    run = ("run", "-t", "dicom-deid", "-d", "midi-b", "-m", "no-op", "--seeds", "1", "--backend", "serial")
    fourfold(*run, "--results", "results")
    rows = store.read(tmp_path / "results").rows.to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    found = {(row["metric"], row["group"] or ""): row["value"] for row in rows}
    assert found["patient_leak_rate", ""] == found["item_leak_rate", ""] == 1.0
    assert found["utility", ""] == 1.0
    # Of nine actions an image, those on text, dates and UIDs that were to go are not taken, nor every other on pixels.
    assert found["midi_action_accuracy", ""] == pytest.approx((9 - 3 - 0.5) / 9)
    assert found["leakage_auc", ""] is None
    assert found["cpu_per_instance", ""] > 0
    assert found["cpu_per_megapixel", ""] == pytest.approx(found["cpu_per_instance", ""] / (64 * 64 / 1e6))
