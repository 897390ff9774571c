"""Files of four patients in as many character sets, their identities planted in every locus that a header has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid import leaks
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus, Instance, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.leaks import Leaks
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.wanted import Wanted

PEOPLE = (
    ("Long", "Hope", "ISO_IR 100"),
    ("Иванов", "Сергей", "ISO_IR 144"),
    ("王", "小明", "GB18030"),
    ("Li", "An", "ISO_IR 192"),
)
GLYPHS = np.random.default_rng(7).random((len(PEOPLE), 10, 40)) < 0.4
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
            mask = Mask(6, 8, GLYPHS[self.patient])
            image[6:16, 8:48][mask.glyphs] = 900
            text, known = f"{self.given} {self.family}", forms(self.family, self.given)
            self.planted.append(Planted(self.path, self.patient, "name", "pixels", "pixels", text, known, mask))
        data.Rows, data.Columns, data.SamplesPerPixel = 48, 64, 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelData = image.tobytes()


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """A file of each patient."""
    planted: list[Planted] = []
    given, reference, instances = {}, {}, []
    for patient in range(len(PEOPLE)):
        known = Writer(patient, True, planted)
        given[known.path] = known.file()
        reference[known.path] = Writer(patient, False, []).file()
        instances.append(Instance(known.path, patient, 0, "MR", size=(1, 48, 64)))
    return Corpus(given, reference, Key([person(number) for number in range(len(PEOPLE))], instances, planted, [], []))




@dataclass(frozen=True, eq=False)
class Studies:
    """A corpus, and what outputs of it are looked at by."""

    corpus: Corpus
    wanted: Wanted

    def found(
        self, written: Mapping[str, bytes], extra: tuple[tuple[str, bytes], ...] = (), odd: tuple[str, ...] = (),
        names: Mapping[str, str] | None = None, beside: bool = True,
    ) -> Leaks:
        """Search outputs, by given path, as a method writes them that renames all of them, or otherwise by ``names``.

        beside: what an output has in common with what was given is read once, as a campaign does it.
        """
        renamed = {path: f"out/{number}.dcm" for number, path in enumerate(self.corpus.given)}
        files = {
            path: File((renamed if names is None else names).get(path, path), bytes(data), given if beside else None)
            for path, data in written.items() for given in (self.wanted.given[path],)
        }
        return leaks.find(self.wanted, files, [File(*each) for each in extra], odd)

    def clean(self, patient: int = -1, data: bytes = b"") -> dict[str, bytes]:
        """What a perfect method returns, but for one patient's file."""
        return {**self.corpus.reference, **({self.path(patient): data} if patient >= 0 else {})}

    def path(self, patient: int) -> str:
        return self.corpus.key.instances[patient].path

    def given(self, patient: int) -> bytes:
        return self.corpus.given[self.path(patient)]

    def reference(self, patient: int) -> bytes:
        return self.corpus.reference[self.path(patient)]

    def of(self, patient: int) -> np.ndarray:
        return np.array([item.patient == patient for item in self.corpus.key.planted])

    def identity(self, patient: int) -> str:
        family, given, _ = PEOPLE[patient]
        return f"{given} {family} MRN77{patient}0931"

    def leaked(self, result: Leaks) -> list[Planted]:
        return [item for item, leaked in zip(self.corpus.key.planted, result.leaked, strict=True) if leaked]


def looked_at(corpus: Corpus) -> Studies:
    sides = ({path: File(path, data) for path, data in side.items()} for side in (corpus.given, corpus.reference))
    return Studies(corpus, Wanted(corpus.key, *sides))


@pytest.fixture(scope="session")
def studies(corpus: Corpus) -> Studies:
    return looked_at(corpus)


@pytest.fixture(scope="session")
def drawn() -> Studies:
    """Studies as they are drawn for a campaign."""
    return looked_at(draw(np.random.default_rng(11), np.random.default_rng(12), phantom, patients=14, small=True))


@pytest.fixture(scope="session")
def changed() -> Callable[[bytes, Callable[[Dataset], None]], bytes]:
    """Write a file anew with a change."""

    def changed(data: bytes, change: Callable[[Dataset], None]) -> bytes:
        dataset = dcmread(BytesIO(data))
        change(dataset)
        buffer = BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    return changed
