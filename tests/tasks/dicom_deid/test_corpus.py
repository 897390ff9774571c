import re
from collections import Counter, defaultdict
from datetime import date
from functools import cache

import numpy as np
import pytest
from scipy.stats import binomtest

from fourfold.tasks.dicom_deid import planes
from fourfold.tasks.dicom_deid.bases import Base
from fourfold.tasks.dicom_deid.corpus import coins, draw
from fourfold.tasks.dicom_deid.key import GROUPS, KINDS, LOCI
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.values import index, same, text


def plain(rng, modality):
    """A grey image of 12 bits with noise; coloured for ultrasound."""
    if modality == "US":
        return Base(modality, rng.integers(40, 90, (2, 200, 240, 3)).astype(np.int32), 8, photometric="RGB")
    return Base(modality, rng.integers(300, 700, (1, 200, 240)).astype(np.int32), 12)


def drawn(seed, patients=16, **options):
    return draw(np.random.default_rng(seed), np.random.default_rng([seed, 1]), plain, patients, **options)


@pytest.fixture(scope="module")
def corpus():
    return drawn(5, 24)


@pytest.fixture(scope="module")
def given(corpus):
    return {path: File(path, data) for path, data in corpus.given.items()}


@pytest.fixture(scope="module")
def reference(corpus):
    return {path: File(path, data) for path, data in corpus.reference.items()}


@cache
def words(file):
    """All that a file says: its elements as text, and its bytes in the encodings that blobs are written in."""
    said = [text(element.value) for _, element in file.elements if element.VR not in ("SQ", "OB", "OW")]
    blobs = [element.value for place, element in file.elements if element.VR in ("OB", "UN") and "7FE0" not in place]
    blobs = [blob for blob in blobs if isinstance(blob, bytes)] + [file.data[:128]]
    return "\n".join([*said, *(blob.decode(code, "ignore") for blob in blobs for code in ("utf-8", "utf-16-le"))])


def stands(form, said):
    return re.search(rf"(?<!\w){re.escape(form)}(?!\w)", said, re.IGNORECASE) is not None


def values(file, place):
    return [text(element.value) for element in index(file).get(place, ())]


def test_every_planted_item_stands_where_the_key_says(corpus, given):
    assert len(corpus.key.planted) > 2000
    for item in corpus.key.planted:
        file = given[item.path]
        assert item.text in item.forms
        if item.where == "filename":
            assert item.text in item.path
        elif item.where == "preamble":
            assert item.text.encode() in file.data[:128]
        elif item.mask is not None:
            assert item.where == "pixels" or planes.legible(file, item)[0] == "contrast", item
        elif item.where != "pixels" and item.locus not in ("binary", "meta"):
            assert any(item.text in value for value in values(file, item.where)), item
        elif item.where != "pixels":
            (element,) = index(file)[item.where]
            value = element.value if isinstance(element.value, bytes) else str(element.value).encode()
            assert any(item.text.encode(code) in value for code in ("utf-8", "utf-16-le")), item


def test_no_planted_item_stands_in_the_reference(corpus, reference):
    people = corpus.key.patients
    for item in corpus.key.planted:
        if item.where in ("filename", "pixels"):
            continue
        if item.kind in ("date", "age"):
            said = " ".join(values(reference[item.path], item.where))
        else:
            said = words(reference[item.path])
        for form in item.forms:
            meant = people[item.patient].trait == "polysemous" and form.title() in people[item.patient].latin
            assert meant or not stands(form, said), (item, form)


def test_a_polysemous_name_is_a_word_of_some_reference(corpus, reference):
    said = "\n".join(words(file) for file in reference.values())
    named = [person for person in corpus.key.roster if person.trait == "polysemous"]
    assert named
    assert any(stands(person.latin[0], said) for person in named)


def test_burned_identity_is_where_the_mask_says_and_not_in_the_reference(corpus, given, reference):
    marks = [item for item in corpus.key.planted if item.where == "pixels"]
    assert len(marks) > 100
    lossless = 0
    for item in marks:
        before, after = (file[item.path].pixels[0] for file in (given, reference))
        frames = slice(None) if item.mask.frame < 0 else slice(item.mask.frame, item.mask.frame + 1)
        rows, columns = item.mask.glyphs.shape
        box = (frames, slice(item.mask.top, item.mask.top + rows), slice(item.mask.left, item.mask.left + columns))
        differs = (before[box] != after[box])[:, item.mask.glyphs]
        assert differs.mean() > 0.5
        lossless += differs.all()
    assert lossless > len(marks) / 3


def test_every_locus_kind_and_group_occurs(corpus):
    assert {item.locus for item in corpus.key.planted} == set(LOCI)
    assert {item.kind for item in corpus.key.planted} == set(KINDS)
    assert {kept.kind for kept in corpus.key.kept} == {
        *("text", "private", "characteristic", "attribute", "graphic", "distractor"),
    }
    assert {one.modality for one in corpus.key.instances} == {"CT", "MR", "US", "CR", "DX", "XA", "NM", "SC", "SR"}
    for group in GROUPS:
        assert len({person.groups[group] for person in corpus.key.roster}) == {"sex": 2, "name_length": 3}.get(
            group, {"script": 10, "origin": 15}.get(group, 5)
        )


def test_every_group_is_planted_in_every_modality_of_locus(corpus):
    patients = {item.patient for item in corpus.key.planted if item.locus in ("direct", "text", "uid")}
    assert patients == set(range(len(corpus.key.patients)))


def test_all_that_must_stay_is_in_given_and_reference(corpus, given, reference):
    for kept in corpus.key.kept:
        if kept.mask is not None:
            continue
        for files in (given, reference):
            found = values(files[kept.path], kept.where)
            if kept.kind == "text":
                assert all(any(stands(word, value) for value in found) for word in kept.words), kept
            else:
                assert any(same(word, value) for word in kept.words for value in found), kept


def test_distractors_are_the_same_in_given_and_reference(corpus, given, reference):
    marks = [kept for kept in corpus.key.kept if kept.kind == "distractor"]
    exact = 0
    for kept in marks:
        before, after = (files[kept.path].pixels[0] for files in (given, reference))
        rows, columns = kept.mask.glyphs.shape
        box = (slice(None), slice(kept.mask.top, kept.mask.top + rows), slice(kept.mask.left, kept.mask.left + columns))
        exact += bool((before[box] == after[box])[:, kept.mask.glyphs].all())
    assert exact > 0.8 * len(marks)  # JPEG baseline spreads what is beside them.


def test_no_age_above_89_stays(corpus, given, reference):
    ages = [kept for kept in corpus.key.kept if kept.where == "(0010,1010)"]
    assert ages
    assert all(int(kept.words[0][:3]) <= 89 for kept in ages)
    assert any(item.kind == "age" and item.where == "(0010,1010)" for item in corpus.key.planted)
    for file in reference.values():
        assert int(values(file, "(0010,1010)")[0][:3]) <= 90


def test_the_reference_keeps_every_interval_of_days(corpus, given, reference):
    shifts = defaultdict(set)
    for dated in corpus.key.dated:
        (before,), (after,) = (values(files[dated.path], dated.where) for files in (given, reference))
        assert before[:8] == dated.day
        assert before[8:] == after[8:]
        shifts[dated.patient].add((date.fromisoformat(after[:8]) - date.fromisoformat(before[:8])).days)
    assert all(len(days) == 1 and 0 not in days for days in shifts.values())
    assert len({days.pop() for days in shifts.values()}) > 0.9 * len(shifts)


def test_references_resolve_in_given_and_in_the_reference(corpus, given, reference):
    for files in (given, reference):
        owners = {values(file, "(0008,0018)")[0]: file for file in files.values()}
        assert len(owners) == len(files)
        pointed = 0
        for file in files.values():
            for place, element in file.elements:
                if place.endswith("(0008,1155)") and "(0008,1110)" not in place:
                    assert owners[str(element.value)].path.split("/")[0] == file.path.split("/")[0]
                    pointed += 1
        assert pointed > len(files) / 4


def test_patients_have_two_studies_or_more_whose_days_differ(corpus):
    studies = defaultdict(set)
    for one in corpus.key.instances:
        studies[one.patient].add(one.study)
    assert set(studies) == set(range(len(corpus.key.patients)))
    assert min(map(len, studies.values())) >= 2
    days = {(d.patient, d.path.split("/")[1]): d.day for d in corpus.key.dated if d.where == "(0008,0020)"}
    assert len({(patient, day) for (patient, _), day in days.items()}) == len(days)


def test_file_names_are_opaque_but_for_some_patients(corpus):
    telling = {one.patient for one in corpus.key.instances if not re.fullmatch(r"p\d+/s\d/IM\d{4}\.dcm", one.path)}
    assert 0 < len(telling) < len(corpus.key.patients) / 4
    assert {item.patient for item in corpus.key.planted if item.locus == "filename"} == telling
    assert all(re.fullmatch(r"[\w./-]+", one.path, re.ASCII) for one in corpus.key.instances)


def test_no_two_images_are_equal(corpus, given, reference):
    for files in (given, reference):
        decoded = [files[one.path].pixels[0].tobytes() for one in corpus.key.instances if one.size[0]]
        assert len(set(decoded)) == len(decoded)


def test_twins_differ_in_the_identity_alone(corpus, reference):
    twins = defaultdict(list)
    for one in corpus.key.instances:
        if one.document >= 0:
            twins[one.document].append(one)
    assert 0.2 < sum(map(len, twins.values())) / len(corpus.key.instances) < 0.5
    places = defaultdict(Counter)
    for item in corpus.key.planted:
        places[item.path][item.kind, item.locus, item.where] += item.kind != "age" and item.locus != "pixels"
    free = {"(0008,0005)", "(0010,0010)", "(0010,0020)", "(0010,0040)", "(0010,1010)", "(0010,1020)", "(0010,1030)"}
    for one, other in twins.values():
        scripts = {corpus.key.patients[patient].script for patient in (one.patient, other.patient)}
        assert len(scripts) == 2
        assert (one.modality, one.size) == (other.modality, other.size)
        assert +places[one.path] == +places[other.path]
        assert one.path.split("/")[1:] == other.path.split("/")[1:], "one alone is named after its patient"
        left, right = (unnamed(reference[each.path], free) for each in (one, other))
        assert left == right


def unnamed(file, free):
    """The texts of a reference that hold no date, pseudonym or UID."""
    said = {place: text(element.value) for place, element in file.elements if element.VR in ("LO", "LT", "CS", "ST")}
    return {p: each for p, each in said.items() if p not in free and not re.search(r"\d{4}|SUBJ", each)}


def test_equal_generators_give_equal_bytes():
    one, other, another = drawn(3, 4), drawn(3, 4), drawn(4, 4)
    assert dict(one.given) == dict(other.given)
    assert dict(one.reference) == dict(other.reference)
    assert one.key.planted[0] == other.key.planted[0]
    assert set(one.given.values()).isdisjoint(another.given.values())


def test_the_coins_alone_say_who_is_in(corpus):
    key = corpus.key
    assert [key.roster[at] for at in np.flatnonzero(key.coin)] == list(key.patients)
    assert (key.place[~key.coin] == -1).all()
    assert key.place[key.coin].tolist() == list(range(len(key.patients)))


@pytest.mark.parametrize("seed", range(3))
def test_coins_are_fair(seed):
    tossed = coins(np.random.default_rng(seed), 10_000)
    assert binomtest(int(tossed.sum()), tossed.size).pvalue > 1e-4
    assert binomtest(int((tossed[1:] == tossed[:-1]).sum()), tossed.size - 1).pvalue > 1e-4


def test_other_coins_leave_the_roster_as_it_is():
    one, other = (draw(np.random.default_rng(1), np.random.default_rng(seed), plain, 2, small=True) for seed in (1, 4))
    assert one.key.roster == other.key.roster
    assert one.key.coin.tolist() != other.key.coin.tolist()


def test_files_have_the_older_character_sets_of_their_scripts(corpus, given):
    sets = Counter(values(file, "(0008,0005)")[0] for file in given.values())
    assert sets["ISO_IR 192"] > len(given) / 3
    assert len(sets) >= 7
    for path, file in given.items():
        who = corpus.key.patients[int(path[1:3])]
        assert values(file, "(0010,0010)") == [who.name], (path, values(file, "(0008,0005)"))


def test_every_file_is_read_without_a_warning(corpus, recwarn):
    for data in (*corpus.given.values(), *corpus.reference.values()):
        file = File("", data)
        assert data[128:132] == b"DICM"
        assert file.parsed[0] is not None
        assert file.elements
    assert not [str(each.message) for each in recwarn.list]


def test_a_small_corpus_has_every_locus_too():
    small = drawn(2, 8, small=True)
    assert {item.locus for item in small.key.planted} == set(LOCI)
    assert max(Counter((one.patient, one.study) for one in small.key.instances).values()) <= 3
    assert max(one.size[1] for one in small.key.instances) <= 200
