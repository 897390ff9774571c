"""The hard set says the same as the corpus it was made of, in bytes that differ as they are said to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

from fourfold.tasks.dicom_deid import corpus, hard_encodings, leaks, phantoms
from fourfold.tasks.dicom_deid.key import Corpus, Instance, Key, Planted
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.robustness import BLOB, VARIANTS, Case, Rough, handled, roughen
from fourfold.tasks.dicom_deid.wanted import Wanted


@pytest.fixture(scope="module")
def plain() -> Corpus:
    rngs = np.random.default_rng(5), np.random.default_rng(6)
    return corpus.draw(*rngs, phantoms.phantom, patients=10, small=True)


@pytest.fixture(scope="module")
def rough(plain: Corpus) -> Rough:
    return roughen(plain, np.random.default_rng(7))


def files(contents: Mapping[str, bytes]) -> dict[str, File]:
    return {path: File(path, data) for path, data in contents.items()}


def of(rough: Rough, variant: str) -> list[str]:
    found = [path for path, name in rough.variants.items() if name == variant]
    assert found, f"no file is {variant}"
    return found


def test_every_variant_is_there_and_every_file_is_in_one(plain: Corpus, rough: Rough) -> None:
    assert set(rough.variants.values()) == {*VARIANTS, "dicomdir"}
    assert set(rough.variants) == set(rough.corpus.given) == set(rough.corpus.reference)
    assert [each.path for each in rough.corpus.key.instances] == list(rough.corpus.given)
    assert set(rough.variants) >= set(plain.given)


def test_what_is_planted_is_in_every_file_given_and_in_none_of_the_reference(rough: Rough) -> None:
    key, given, reference = rough.corpus.key, files(rough.corpus.given), files(rough.corpus.reference)
    wanted = Wanted(key, given, reference)
    copied = leaks.find(wanted, {path: File(path, file.data, file) for path, file in given.items()})
    missed = Counter(
        (rough.variants[item.path], item.locus)
        for item, found in zip(key.planted, copied.leaked, strict=True)
        if not found
    )
    assert not missed
    renamed = {path: File(f"{place}.dcm", file.data) for place, (path, file) in enumerate(reference.items())}
    perfect = leaks.find(wanted, renamed)
    assert not perfect.leaked.any()
    assert not perfect.failed
    assert all(score.value == 0.0 for score in handled(key, rough.variants, copied.leaked, set()))
    assert all(score.value == 1.0 for score in handled(key, rough.variants, perfect.leaked, set()))


def test_twins_differ_in_the_identity_alone(rough: Rough) -> None:
    twins: dict[int, list[Instance]] = {}
    for one in rough.corpus.key.instances:
        if one.document >= 0:
            twins.setdefault(one.document, []).append(one)
    places: dict[str, Counter[tuple[str, str, str]]] = {}
    for item in rough.corpus.key.planted:
        if item.kind != "age" and item.locus != "pixels":
            places.setdefault(item.path, Counter())[item.kind, item.locus, item.where] += 1
    assert len(twins) > 4
    for one, other in twins.values():
        assert rough.variants[one.path] == rough.variants[other.path]
        assert places[one.path] == places[other.path]
        assert one.size == other.size


@pytest.mark.parametrize("mrn", ["MRN1234", "MRN123456789"])
def test_the_private_megabyte_of_twins_hides_the_same_kind_of_identity(plain: Corpus, mrn: str) -> None:
    told = [Planted("a", 0, kind, "direct", "", text, (text,)) for kind, text in (("name", "Yamada"), ("mrn", mrn))]
    data = next(iter(plain.given.values()))
    twin = Case(data, data, Instance("a", 0, 0, "CT", 3), tuple(told), (), ())
    other = replace(twin, planted=(replace(told[0], text="Yamada^Taro^Jiro"), told[1]))
    kinds = []
    for case in (twin, other, replace(other, instance=Instance("a", 0, 0, "CT"))):
        written = VARIANTS["private-blob"](case, [case], np.random.default_rng(0))
        assert written is not None
        kinds.append(written.planted[-1].kind)
    assert kinds == ["mrn", "mrn", "name"]


def test_pixels_are_those_they_were(plain: Corpus, rough: Rough) -> None:
    before = files(plain.given)
    for path, file in files(rough.corpus.given).items():
        if rough.variants[path] in ("dicomdir", "truncated") or before[path].pixels[0] is None:
            continue
        expected = before[path].pixels[0]
        assert file.pixels[0] is not None, (rough.variants[path], file.pixels[1])
        assert (file.pixels[0] == expected).all(), rough.variants[path]


def test_each_transfer_syntax_is_the_one_that_is_named(rough: Rough) -> None:
    for variant, uid in (("implicit", "1.2"), ("big-endian", "1.2.2"), ("deflated", "1.2.1.99")):
        for path in of(rough, variant):
            for data in (rough.corpus.given[path], rough.corpus.reference[path]):
                assert dcmread(BytesIO(data)).file_meta.TransferSyntaxUID == f"1.2.840.10008.{uid}"


def test_a_file_without_preamble_begins_with_its_meta_information(rough: Rough) -> None:
    for path in of(rough, "no-preamble"):
        assert rough.corpus.given[path][:4] == b"\x02\0\0\0"


def test_sequences_end_by_delimiters_and_wrong_ones_where_it_says_so(rough: Rough) -> None:
    for variant, right in (("undefined-lengths", True), ("bad-delimiters", False)):
        for path in of(rough, variant):
            data = rough.corpus.given[path]
            assert (b"\xfe\xff\xdd\xe0\x08\0\0\0" in data) == (not right)
            sequences = [each for _, each in File(path, data).elements if each.VR == "SQ" and each.value]
            assert sequences
            assert all(each.is_undefined_length for each in sequences)


def test_text_is_the_same_in_another_character_set(plain: Corpus, rough: Rough) -> None:
    for path in of(rough, "character-sets"):
        before, after = (dict(File(path, each.given[path]).elements) for each in (plain, rough.corpus))
        assert after["(0008,0005)"].value == "GB18030"
        assert str(after["(0010,0010)"].value) == str(before["(0010,0010)"].value)
        assert str(after["(0008,1030)"].value) == str(before["(0008,1030)"].value)


def test_what_is_missing_is_in_no_file_and_not_in_the_key(rough: Rough) -> None:
    paths = of(rough, "missing-type-2")
    for path in paths:
        assert not set(hard_encodings.TYPE_2) & set(dcmread(BytesIO(rough.corpus.given[path])).dir())
    assert not [item for item in rough.corpus.key.planted if item.path in paths and item.where == "(0010,0030)"]


def test_cut_pixels_cannot_be_decoded_and_a_hundred_frames_can(rough: Rough) -> None:
    for path in of(rough, "truncated"):
        assert File(path, rough.corpus.given[path]).pixels[0] is None
    sizes = {each.path: each.size for each in rough.corpus.key.instances}
    for path in of(rough, "hundred-frames"):
        pixels = File(path, rough.corpus.given[path]).pixels[0]
        assert pixels is not None
        assert pixels.shape[:3] == sizes[path]
        assert len(pixels) == 100
        masks = [item.mask for item in rough.corpus.key.planted if item.path == path and item.mask]
        assert all(mask.frame == -1 for mask in masks)


def test_a_private_megabyte_hides_an_identity(rough: Rough) -> None:
    where = '(0077,"FOURFOLD DUMP",10)'
    for path in of(rough, "private-blob"):
        (item,) = (item for item in rough.corpus.key.planted if item.path == path and item.where == where)
        value = dict(File(path, rough.corpus.given[path]).elements)[where].value
        assert BLOB <= len(value) < BLOB + 200
        assert item.text.encode() in value
        assert where not in dict(File(path, rough.corpus.reference[path]).elements)


def test_a_duplicate_has_the_uid_of_another_file_of_the_patient(rough: Rough) -> None:
    patients = {each.path: each.patient for each in rough.corpus.key.instances}
    for contents in (rough.corpus.given, rough.corpus.reference):
        uids = {
            path: dcmread(BytesIO(data), force=True).get("SOPInstanceUID")
            for path, data in contents.items()
            if rough.variants[path] != "dicomdir"
        }
        for path in of(rough, "duplicate-uid"):
            alike = [other for other, uid in uids.items() if uid == uids[path] and other != path]
            assert alike
            assert {patients[other] for other in alike} == {patients[path]}


def test_a_dicomdir_lists_the_files_beside_it_as_pydicom_reads_it(rough: Rough, tmp_path: Path) -> None:
    for path in of(rough, "dicomdir"):
        folder = path.split("/")[0]
        beside = {each for each in rough.corpus.given if each.startswith(f"{folder}/") and each != path}
        for each in (*beside, path):
            (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each).write_bytes(rough.corpus.given[each])
        found = FileSet(tmp_path / path)
        listed = {Path(each.path).relative_to(tmp_path).as_posix() for each in found}
        assert listed == beside
        items = [item for item in rough.corpus.key.planted if item.path == path]
        assert {"name", "mrn", "date", "uid"} <= {item.kind for item in items}


def test_the_same_seed_gives_the_same_bytes(plain: Corpus, rough: Rough) -> None:
    again = roughen(plain, np.random.default_rng(7))
    assert again.variants == rough.variants
    assert again.corpus.given == rough.corpus.given
    assert roughen(plain, np.random.default_rng(8)).variants != rough.variants


def test_a_file_is_handled_if_it_came_back_and_nothing_in_it_leaked() -> None:
    instances = [Instance(f"{place}", 0, 0, "CT") for place in range(4)]
    planted = [Planted(f"{place}", 0, "name", "text", "(0010,0010)", "A", ("A",)) for place in (0, 0, 1, 2, 3)]
    key = Key((), instances, planted, (), ())
    variants = {"0": "implicit", "1": "implicit", "2": "deflated", "3": "truncated"}
    found = {each.group: each for each in handled(key, variants, np.array([False, True, False, False, False]), {"2"})}
    assert {group: score.value for group, score in found.items()} == {
        "": 0.5,
        "variant=implicit": 0.5,
        "variant=deflated": 0.0,
        "variant=truncated": 1.0,
    }
    assert found["variant=implicit"].n == 2
    assert found[""].low is not None
    assert found[""].low < 0.5 < found[""].high  # type: ignore[operator]
