import datetime
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus, Dated, Instance, Kept, Key, Mask, Person, Planted
from fourfold.tasks.dicom_deid.phantoms import phantom
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.utility import PARTS, Utility, measure

NAMES = (("Douglas", "Davidson"), ("Li", "Na"), ("Hope", "Long"))
GLYPHS = np.zeros((9, 20), dtype=bool)
GLYPHS[1:8, 1:19:3] = True
MARKER = np.zeros((9, 7), dtype=bool)
MARKER[1:8, 2] = MARKER[7, 2:6] = True
IDENTITY, LEFT = Mask(4, 4, GLYPHS), Mask(50, 50, MARKER)
DESCRIPTION, PRIVATE, NESTED = "(0008,1030)", '(0019,"GEMS_ACQU_01",10)', "(0040,0275)[0].(0032,1060)"


def described(name: str, given: bool) -> str:
    return f"MR heart, liver in view{' for ' + name if given else ''}"


def saved(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def pixels(patient: int, study: int, number: int, given: bool) -> np.ndarray:
    rng = np.random.default_rng((patient, study, number))
    image = (200 + 40 * np.sin(np.arange(64) / 9)[:, None] + rng.normal(0, 4, (64, 64))).astype(np.int16)
    image[LEFT.top : LEFT.top + 9, LEFT.left : LEFT.left + 7][MARKER] = 900
    if given and number == 0:
        image[IDENTITY.top : IDENTITY.top + 9, IDENTITY.left : IDENTITY.left + 20][GLYPHS] = 900
    return image


def one(patient: int, study: int, number: int, given: bool) -> Dataset:
    """An MR image of a patient; of two in a study the second refers to the first."""
    prefix = "1.2.840.99" if given else "2.25.77"
    shift = datetime.timedelta(days=0 if given else -100 - patient)
    day = datetime.date(2019, 3, 1) + datetime.timedelta(days=40 * study + patient) + shift
    name = "^".join(reversed(NAMES[patient])) if given else f"Pseudonym^{patient}"
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"{prefix}.{patient}.{study}.1.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{prefix}.{patient}.{study}", f"{prefix}.{patient}.{study}.1"
    data.FrameOfReferenceUID = f"{prefix}.{patient}.{study}.2"
    data.PatientName, data.PatientID = name, f"MRN{patient}7741" if given else f"P{patient}"
    data.PatientBirthDate, data.PatientSex, data.Modality = "", "F", "MR"
    data.StudyDate = data.ContentDate = f"{day:%Y%m%d}"
    data.StudyTime, data.ReferringPhysicianName, data.StudyID, data.AccessionNumber = "", "", "", ""
    data.SeriesNumber, data.ImageType = 1, ["ORIGINAL", "PRIMARY"]
    data.ScanningSequence, data.SequenceVariant = "SE", "NONE"
    data.PixelSpacing, data.ImagePositionPatient = [1, 1], [0, 0, 0]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.StudyDescription = described(" ".join(NAMES[patient]), given)
    data.private_block(0x19, "GEMS_ACQU_01", create=True).add_new(0x10, "DS", "1.5")
    request = Dataset()
    request.RequestedProcedureDescription = described(" ".join(NAMES[patient]), given)
    data.RequestAttributesSequence = Sequence([request])
    if number:
        image = Dataset()
        image.ReferencedSOPClassUID = data.SOPClassUID
        image.ReferencedSOPInstanceUID = f"{prefix}.{patient}.{study}.1.0"
        data.ReferencedImageSequence = Sequence([image])
    samples = pixels(patient, study, number, given)
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 64, 64, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.PixelData = samples.tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def noted(path: str, patient: int, study: int, number: int) -> tuple[list[Planted], list[Kept], list[Dated]]:
    name, data = " ".join(NAMES[patient]), one(patient, study, number, given=True)
    planted = [
        Planted(path, patient, "name", "direct", "(0010,0010)", str(data.PatientName), (name,)),
        Planted(path, patient, "mrn", "direct", "(0010,0020)", data.PatientID, (data.PatientID,)),
        Planted(path, patient, "name", "text", DESCRIPTION, name, (name,)),
        Planted(path, patient, "name", "nested", NESTED, name, (name,)),
        Planted(path, patient, "date", "direct", "(0008,0020)", data.StudyDate, (data.StudyDate,)),
        Planted(path, patient, "date", "direct", "(0008,0023)", data.ContentDate, (data.ContentDate,)),
    ]
    if number == 0:
        planted.append(Planted(path, patient, "name", "pixels", "pixels", name, (name,), IDENTITY))
    kept = [
        *(Kept(path, patient, "text", where, ("MR", "heart", "liver")) for where in (DESCRIPTION, NESTED)),
        Kept(path, patient, "private", PRIVATE, ("1.5",)),
        Kept(path, patient, "characteristic", "(0010,0040)", ("F",)),
        Kept(path, patient, "attribute", "(0018,0020)", ("SE",)),
        Kept(path, patient, "distractor", "pixels", ("L",), LEFT),
    ]
    dated = [Dated(path, patient, where, data.StudyDate) for where in ("(0008,0020)", "(0008,0023)")]
    return planted, kept, dated


@pytest.fixture(scope="session")
def small() -> Corpus:
    """Three patients of two studies of two MR images: an identity burned into the first, a marker into both."""
    given, reference, instances, notes = {}, {}, [], ([], [], [])
    for patient in range(3):
        for study in range(2):
            for number in range(2):
                path = f"{patient}/{study}/{number}.dcm"
                given[path], reference[path] = (saved(one(patient, study, number, which)) for which in (True, False))
                instances.append(Instance(path, patient, study, "MR", size=(1, 64, 64)))
                for notes_of, new in zip(notes, noted(path, patient, study, number), strict=True):
                    notes_of.extend(new)
    people = [Person("^".join(name[::-1]), name, name, "en_US", "Latin", "F", 40, "19790101", {}) for name in NAMES]
    return Corpus(given, reference, Key(people, instances, *notes))


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Studies as they are drawn for a campaign."""
    return draw(np.random.default_rng(4), np.random.default_rng(5), phantom, patients=6, small=True)


def files_of(data: Mapping[str, bytes]) -> dict[str, File]:
    return {path: File(path, content) for path, content in data.items()}


@pytest.fixture(scope="session")
def files() -> Callable[[Mapping[str, bytes]], dict[str, File]]:
    """Files by path, of their bytes."""
    return files_of


@pytest.fixture(name="saved", scope="session")
def saved_as_it_is() -> Callable[[Dataset], bytes]:
    """The bytes of a dataset, valid or not."""

    def saved(dataset: Dataset) -> bytes:
        buffer = BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()

    return saved


@pytest.fixture(scope="session")
def changed(saved: Callable[[Dataset], bytes]) -> Callable[..., dict[str, bytes]]:
    """What a method would have written that is perfect but for a change, of each path and dataset."""

    def changed(corpus: Corpus, change: Callable[[str, Dataset], None], of: str = "reference") -> dict[str, bytes]:
        written = {}
        for path, data in getattr(corpus, of).items():
            dataset = dcmread(BytesIO(data))
            change(path, dataset)
            written[path] = saved(dataset)
        return written

    return changed


@pytest.fixture(scope="session")
def scored() -> Callable[[Corpus, Mapping[str, bytes]], Utility]:
    """The utility of what was written."""
    return lambda corpus, written: measure(corpus.key, files_of(corpus.given), files_of(written))


@pytest.fixture(scope="session")
def shares(scored: Callable[..., Utility], changed: Callable[..., dict[str, bytes]]) -> Callable[..., dict[str, Any]]:
    """The share of each part that is kept where a perfect method made a change."""
    return lambda corpus, change, of="reference": scored(corpus, changed(corpus, change, of)).shares


@pytest.fixture(scope="session")
def lost() -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Of shares those parts of utility that are not whole."""
    return lambda found: {part: found[part] for part in PARTS if found[part] != 1.0}
