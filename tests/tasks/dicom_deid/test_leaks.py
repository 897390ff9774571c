"""Each planted item is found wherever a method leaves or hides it, and nothing that a method writes ends the search."""

import base64
import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from fourfold.tasks.dicom_deid import leaks
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import GROUPS, LOCI, Corpus, Instance, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.reading import File

PEOPLE = (
    ("Long", "Hope", "ISO_IR 100"),
    ("Иванов", "Сергей", "ISO_IR 144"),
    ("王", "小明", "GB18030"),
    ("Li", "An", "ISO_IR 192"),
)
GLYPHS = np.random.default_rng(7).random((10, 40)) < 0.4
MASK = Mask(6, 8, GLYPHS)
BLOB = b"\x01\x02\x00\x00PATIENT %b END\x00\x03"


def person(number: int) -> Person:
    family, given, _ = PEOPLE[number]
    name = (family, given)
    return Person(f"{family}^{given}", name, name, "x", "x", "F", 40, "19800517", {"mrn": f"MRN77{number}0931"})


def forms(family: str, given: str) -> tuple[str, ...]:
    return (f"{family}^{given}", f"{given} {family}", f"{family} {given}", f"{family}{given}", family, given)


class Writer:
    """Writes the files of one patient, with the identity or without, and notes what it plants."""

    def __init__(self, patient: int, known: bool, planted: list[Planted]) -> None:
        self.patient, self.known, self.planted = patient, known, planted
        self.family, self.given, self.charset = PEOPLE[patient]
        self.name = f"{self.family}^{self.given}"
        self.path = f"p{patient}/{self.family}_{self.given}.dcm" if patient == 0 else f"p{patient}/im.dcm"

    def plant(self, kind: str, locus: str, where: str, text: str, known_as: tuple[str, ...], instead: str) -> str:
        if self.known:
            self.planted.append(Planted(self.path, self.patient, kind, locus, where, text, (text, *known_as)))
        return text if self.known else instead

    def named(self, locus: str, where: str, template: str) -> str:
        text = f"{self.given} {self.family}"
        return template.replace("{}", self.plant("name", locus, where, text, forms(self.family, self.given), ""))

    def file(self) -> bytes:
        patient, uid = self.patient, f"1.2.826.0.1.77.{self.patient}.20240301"
        data = Dataset()
        data.SpecificCharacterSet = self.charset
        data.SOPClassUID, data.Modality = "1.2.840.10008.5.1.4.1.1.4", "MR"
        data.SOPInstanceUID = self.plant("uid", "uid", "(0008,0018)", uid, (), f"2.25.{patient + 1}1")
        data.StudyDate = self.plant(
            "date", "direct", "(0008,0020)", "20240301", ("2024-03-01", "1 March 2024"), "20200810"
        )
        data.ContentDate = "20240301"  # Of a shifted study it could be the date by chance.
        data.StudyDescription = self.named("text", "(0008,1030)", "long axis of {} in view")
        data.PatientName = self.plant("name", "direct", "(0010,0010)", self.name, forms(self.family, self.given), "A^B")
        data.PatientID = self.plant(
            "mrn", "direct", "(0010,0020)", f"MRN77{patient}0931", (f"77{patient}0931",), f"S{patient}"
        )
        item, inner = Dataset(), Dataset()
        inner.RequestedProcedureDescription = self.named(
            "nested", "(0040,0275)[0].(0040,0275)[0].(0032,1060)", "for {}"
        )
        item.RequestAttributesSequence = [inner]
        data.RequestAttributesSequence = [item]
        block = data.private_block(0x19, "GEMS_ACQU_01", create=True)
        block.add_new(0x10, "LO", self.named("private", '(0019,"GEMS_ACQU_01",10)', "of {}") or "x")
        block.add_new(0x11, "OB", BLOB % self.named("binary", '(0019,"GEMS_ACQU_01",11)', "{}").encode())
        data.add_new(0x60001500, "LO", self.named("overlay", "(6000,1500)", "Lesion {}"))
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, data.SOPClassUID
        meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        meta.SourceApplicationEntityTitle = (
            self.named("meta", "(0002,0016)", "{}").encode("ascii", "ignore").decode()[:16]
        )
        if not meta.SourceApplicationEntityTitle.strip() and self.known:
            self.planted.pop()  # It has no place for other letters.
        data.file_meta = meta
        data.preamble = self.named("preamble", "preamble", "\0\0{}").encode().ljust(128, b"\0")
        self.pixels(data)
        if patient == 0:
            self.named("filename", "filename", "{}")
        buffer = BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def pixels(self, data: Dataset) -> None:
        rng = np.random.default_rng(self.patient)
        image = rng.normal(300, 10, (48, 64)).astype(np.uint16)
        if self.known:
            image[6:16, 8:48][GLYPHS] = 900
            text, known = f"{self.given} {self.family}", forms(self.family, self.given)
            self.planted.append(Planted(self.path, self.patient, "name", "pixels", "pixels", text, known, MASK))
        data.Rows, data.Columns, data.SamplesPerPixel = 48, 64, 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelData = image.tobytes()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    planted: list[Planted] = []
    given, reference, instances = {}, {}, []
    for patient in range(len(PEOPLE)):
        known = Writer(patient, True, planted)
        given[known.path] = known.file()
        reference[known.path] = Writer(patient, False, []).file()
        instances.append(Instance(known.path, patient, 0, "MR", size=(1, 48, 64)))
    return Corpus(given, reference, Key([person(number) for number in range(len(PEOPLE))], instances, planted, [], []))


def found(
    corpus: Corpus, written: dict[str, bytes], extra=(), odd=(), names: dict[str, str] | None = None
) -> leaks.Leaks:
    def files(contents: dict[str, bytes]) -> dict[str, File]:
        return {path: File((names or {}).get(path, path), bytes(data)) for path, data in contents.items()}

    given, reference = (
        {path: File(path, data) for path, data in each.items()} for each in (corpus.given, corpus.reference)
    )
    return leaks.find(corpus.key, given, reference, files(written), [File(*each) for each in extra], odd)


def renamed(corpus: Corpus) -> dict[str, str]:
    return {path: f"out/{number}.dcm" for number, path in enumerate(corpus.given)}


def clean(corpus: Corpus, path: str = "", data: bytes = b"") -> dict[str, bytes]:
    """What a perfect method returns, but for one file."""
    return {**corpus.reference, **({path: data} if path else {})}


def changed(data: bytes, change: Callable[[Dataset], None]) -> bytes:
    dataset = dcmread(BytesIO(data))
    change(dataset)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def of(corpus: Corpus, patient: int) -> np.ndarray:
    return np.array([item.patient == patient for item in corpus.key.planted])


def path_of(corpus: Corpus, patient: int) -> str:
    return corpus.key.instances[patient].path


def test_what_was_given_leaks_every_item_where_it_was_planted(corpus):
    result = found(corpus, dict(corpus.given))
    assert result.leaked.all()
    assert result.breached(corpus.key).all()
    assert not result.failed
    for item, places in zip(corpus.key.planted, result.found, strict=True):
        assert item.where in [each.place for each in places]
        assert all(each.path == item.path for each in places)
    assert {item.locus for item in corpus.key.planted} == set(LOCI) - {"protocol", "report"}


def test_a_perfect_output_leaks_nothing(corpus):
    result = found(corpus, dict(corpus.reference), names=renamed(corpus))
    assert not result.leaked.any()
    assert not result.breached(corpus.key).any()


def test_a_perfect_output_written_anew_leaks_nothing(corpus):
    written = {path: changed(data, lambda each: None) + b"\0\0" for path, data in corpus.reference.items()}
    assert not found(corpus, written, names=renamed(corpus)).leaked.any()


def test_a_file_name_that_was_kept_leaks(corpus):
    result = found(corpus, dict(corpus.reference))
    assert {item.locus for item, leaked in zip(corpus.key.planted, result.leaked, strict=True) if leaked} == {
        "filename"
    }


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_item_is_found_in_any_encoding_of_elements(corpus, syntax):
    def encode(data: bytes) -> bytes:
        dataset, buffer = dcmread(BytesIO(data)), BytesIO()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
        return buffer.getvalue()

    result = found(corpus, {path: encode(data) for path, data in corpus.given.items()})
    missed = [item for item, leaked in zip(corpus.key.planted, result.leaked, strict=True) if not leaked]
    assert not missed


def test_a_word_of_the_study_is_no_leak_and_the_same_name_beside_it_is(corpus):
    path = path_of(corpus, 0)
    twice = changed(corpus.reference[path], lambda each: setattr(each, "StudyDescription", "long axis for Mrs. Long"))
    leaked = found(corpus, clean(corpus, path, twice), names=renamed(corpus))
    assert [item.where for item, each in zip(corpus.key.planted, leaked.leaked, strict=True) if each] == ["(0008,1030)"]


def test_a_date_is_a_leak_where_it_stood_or_in_text_and_not_in_another_date(corpus):
    path = path_of(corpus, 1)

    def dates(**values: str) -> list[str]:
        written = changed(corpus.reference[path], lambda each: [setattr(each, *pair) for pair in values.items()])
        result = found(corpus, clean(corpus, path, written), names=renamed(corpus))
        return [item.kind for item, leaked in zip(corpus.key.planted, result.leaked, strict=True) if leaked]

    assert dates(StudyDate="20240301") == ["date"]
    assert dates(SeriesDescription="of 1 March 2024") == ["date"]
    assert dates(AcquisitionDate="20240301") == []
    other = changed(
        corpus.reference[path_of(corpus, 2)], lambda each: setattr(each, "SeriesDescription", "1 March 2024")
    )
    result = found(corpus, clean(corpus, path_of(corpus, 2), other), names=renamed(corpus))
    assert {item.patient for item, leaked in zip(corpus.key.planted, result.leaked, strict=True) if leaked} == {2}


def identity(corpus: Corpus, patient: int) -> str:
    family, given, _ = PEOPLE[patient]
    return f"{given} {family} MRN77{patient}0931"


def block(dataset: Dataset):
    return dataset.private_block(0x21, "X", create=True)


HIDING = {
    "appended after the pixels": lambda clean, given, text: clean + given,
    "in a private blob": lambda clean, given, text: changed(
        clean, lambda each: block(each).add_new(1, "OB", given + b"\0" * (len(given) % 2))
    ),
    "in an unknown element": lambda clean, given, text: changed(
        clean, lambda each: block(each).add_new(1, "UN", (text + "  ").encode())
    ),
    "as UTF-16 in a blob": lambda clean, given, text: changed(
        clean, lambda each: block(each).add_new(1, "OB", text.encode("utf-16-le"))
    ),
    "in the preamble": lambda clean, given, text: text.encode().ljust(128, b"\0") + clean[128:],
    "gzipped": lambda clean, given, text: clean + gzip.compress(given),
    "bzipped": lambda clean, given, text: clean + bz2.compress(given),
    "xz": lambda clean, given, text: clean + lzma.compress(given),
    "gzipped twice": lambda clean, given, text: clean + gzip.compress(gzip.compress(given)),
    "zlib in a blob": lambda clean, given, text: changed(
        clean, lambda each: block(each).add_new(1, "OB", zlib.compress(given) + b"\0")
    ),
    "in base64": lambda clean, given, text: changed(
        clean, lambda each: setattr(each, "ImageComments", base64.b64encode(b"xy" + text.encode()).decode())
    ),
    "in hex": lambda clean, given, text: changed(
        clean, lambda each: setattr(each, "ImageComments", text.encode().hex().upper())
    ),
    "backwards": lambda clean, given, text: clean + text[::-1].encode(),
    "in the pixels' bytes": lambda clean, given, text: changed(
        clean, lambda each: setattr(each, "PixelData", (b"\0" + text.encode() + b"\0" + each.PixelData)[: 2 * 48 * 64])
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", HIDING)
@pytest.mark.parametrize("patient", range(3))
def test_an_identity_that_was_hidden_is_found(corpus, how, patient):
    path = path_of(corpus, patient)
    written = HIDING[how](corpus.reference[path], corpus.given[path], identity(corpus, patient))
    result = found(corpus, clean(corpus, path, written), names=renamed(corpus))
    assert result.leaked[of(corpus, patient)].any(), how
    assert not result.leaked[~of(corpus, patient)].any()
    assert result.breached(corpus.key).tolist() == [number == patient for number in range(len(PEOPLE))]


@pytest.mark.parametrize("patient", [0, 1])
def test_an_identity_in_another_patients_file_a_name_or_a_file_too_many_is_found(corpus, patient):
    text, other = identity(corpus, patient), path_of(corpus, 3)
    within = changed(corpus.reference[other], lambda each: setattr(each, "ImageComments", text))
    within = within if patient == 0 else corpus.reference[other] + text.encode()
    names = renamed(corpus)
    for result in (
        found(corpus, clean(corpus, other, within), names=names),
        found(corpus, clean(corpus), names={**names, other: f"x/{text}.dcm"}),
        found(corpus, clean(corpus), extra=[("more.txt", text.encode())], names=names),
        found(corpus, clean(corpus), odd=[f"{text}: symbolic link"], names=names),
    ):
        assert result.leaked[of(corpus, patient)].any()
        assert not result.leaked[~of(corpus, patient)].any()


def test_a_given_name_alone_says_nothing_in_somebody_elses_file(corpus):
    other = path_of(corpus, 1)
    written = changed(corpus.reference[other], lambda each: setattr(each, "PatientName", "Hope^Miller"))
    assert not found(corpus, clean(corpus, other, written), names=renamed(corpus)).leaked.any()


@pytest.mark.parametrize(("data", "why"), [
    (b"", "it is empty"), (b"PK hello", "no DICOM"), (b"\0" * 4096, "no DICOM"),
    (b"\0" * 128 + b"DICM", "no DICOM"), (b"\0" * 128 + b"DICM" + b"\xff" * 600, "DICOM"),
    (np.random.default_rng(0).bytes(5000), "DICOM"),
])  # fmt: skip
def test_what_cannot_be_read_fails_with_the_reason_and_is_a_breach(corpus, data, why):
    result = found(corpus, clean(corpus, path_of(corpus, 2), data), names=renamed(corpus))
    assert not result.leaked.any()
    assert list(result.failed) == [2]
    ((path, reason),) = result.failed[2]
    assert path == path_of(corpus, 2)
    assert why in reason
    assert result.breached(corpus.key).tolist() == [False, False, True, False]


def test_a_missing_file_and_a_link_are_told_apart(corpus):
    written = {
        path: data for path, data in corpus.reference.items() if path not in (path_of(corpus, 1), path_of(corpus, 2))
    }
    result = found(corpus, written, odd=[f"{path_of(corpus, 1)}: symbolic link"], names=renamed(corpus))
    assert result.failed[1] == [(path_of(corpus, 1), "it is no file that is read: symbolic link")]
    assert result.failed[2] == [(path_of(corpus, 2), "it did not come back")]


def test_nothing_returned_is_a_breach_of_everybody(corpus):
    result = found(corpus, {})
    assert not result.leaked.any()
    assert result.breached(corpus.key).all()


def bomb(data: bytes) -> bytes:
    def enlarge(dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65535
        dataset.NumberOfFrames = 100000

    return changed(data, enlarge)


def deflated(data: bytes) -> bytes:
    """64 MiB of zeros, as a deflated file."""
    whole = changed(data, lambda each: setattr(each.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian))
    meta = whole[: 144 + int.from_bytes(whole[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return meta + b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(64)) + packer.flush()


def nested(data: bytes, depth: int = 3000) -> bytes:
    opened = (b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * depth
    return data + opened


def cyclic_lengths(data: bytes) -> bytes:
    return data + b"\x10\x00\x10\x00PN\xff\xff" + b"\x10\x00\x20\x00UT\0\0\xfe\xff\xff\xff" + b"x" * 40


HOSTILE = {
    "a decompression bomb": bomb, "a deflated bomb": deflated, "deep nesting": nested, "huge lengths": cyclic_lengths,
    "cut in the middle": lambda data: data[: len(data) // 2], "cut in the meta information": lambda data: data[:150],
    "wrong VRs": lambda data: data.replace(b"PN", b"FD").replace(b"LO", b"US").replace(b"CS", b"AT"),
    "no VRs": lambda data: data.replace(b"PN", b"??").replace(b"UI", b"\0\0"),
    "an unknown character set": lambda data: data.replace(b"ISO_IR 100", b"ISO_IR 999"),
    "gzip of nothing": lambda data: data + b"\x1f\x8b\x08" * 2000, "zeros": lambda data: data + b"\0" * (1 << 24),
 "many elements": lambda data: data + b"\x09\x00\x01\x10LO\0\0" * (1 << 17),
 "zip": lambda data: data + b"PK\x03\x04" * 500,
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_nothing_that_is_written_ends_the_search(corpus, how):
    written = clean(corpus, path_of(corpus, 0), HOSTILE[how](corpus.reference[path_of(corpus, 0)]))
    result = found(corpus, written, names=renamed(corpus))
    assert not result.leaked[~of(corpus, 0)].any()
    given = found(
        corpus, clean(corpus, path_of(corpus, 0), HOSTILE[how](corpus.given[path_of(corpus, 0)])), names=renamed(corpus)
    )
    if not how.startswith("cut") and how != "a deflated bomb":
        assert given.leaked[of(corpus, 0)].any()


def test_pixels_that_cannot_be_decoded_fail_with_the_reason(corpus):
    result = found(
        corpus, clean(corpus, path_of(corpus, 0), bomb(corpus.reference[path_of(corpus, 0)])), names=renamed(corpus)
    )
    assert "where 268,435,456 are read" in result.failed[0][0][1]
    cut = changed(corpus.reference[path_of(corpus, 0)], lambda each: setattr(each, "PixelData", each.PixelData[:100]))
    result = found(corpus, clean(corpus, path_of(corpus, 0), cut), names=renamed(corpus))
    assert "cannot be decoded" in result.failed[0][0][1]


def test_one_output_for_all_leaks_whom_it_shows(corpus):
    one = corpus.given[path_of(corpus, 0)]
    result = found(corpus, dict.fromkeys(corpus.given, one), names=renamed(corpus))
    assert result.leaked[of(corpus, 0) & np.array([item.locus != "filename" for item in corpus.key.planted])].all()
    others = [corpus.key.planted[number] for number in np.flatnonzero(result.leaked & ~of(corpus, 0))]
    assert {(item.kind, item.locus) for item in others} == {("date", "direct"), ("name", "pixels")}  # These are alike.


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    return draw(np.random.default_rng(11), np.random.default_rng(12), phantom, patients=14, small=True)


def test_of_a_drawn_corpus_copies_leak_every_item_of_every_group(drawn):
    result = found(drawn, dict(drawn.given))
    missed = [item for item, leaked in zip(drawn.key.planted, result.leaked, strict=True) if not leaked]
    assert not missed
    assert {item.locus for item in drawn.key.planted} == set(LOCI)
    assert all({person.groups[name] for person in drawn.key.patients} for name in GROUPS)


def test_of_a_drawn_corpus_the_reference_leaks_nothing(drawn):
    written = {path: data + b"\0\0" for path, data in drawn.reference.items()}  # So that each is searched.
    result = found(drawn, written, names=renamed(drawn))
    told = [(item, places) for item, places in zip(drawn.key.planted, result.found, strict=True) if places]
    assert not told
    assert not result.failed
