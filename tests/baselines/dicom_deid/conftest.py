"""Small folders of DICOM files of made-up people, and baselines run on them in real guests."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.suite import folder
from fourfold.suite.environment import interpreter
from fourfold.suite.folder import Folder
from fourfold.suite.method import Budget
from fourfold.suite.pack import read
from fourfold.suite.task import Ask, FolderWant
from fourfold.suite.visit import visit
from fourfold.suite.warm import Parents

BASELINES = Path(__file__).parents[3] / "baselines" / "dicom_deid"
EDITION = "2024c"
OPTIONS = (
    "Clean Pixel Data Option", "Clean Graphics Option", "Clean Structured Content Option", "Clean Descriptors Option",
    "Retain Longitudinal Temporal Information Modified Dates Option", "Retain Patient Characteristics Option",
    "Retain Safe Private Option",
)
ROOT = "1.2.826.0.1.3680043.10.1492.77"


@dataclass(frozen=True)
class Studies(Folder):
    """A folder and the policy."""

    edition: str = EDITION
    options: tuple[str, ...] = OPTIONS


def instance(name: str, patient: str, day: str, number: int, pixels: npt.NDArray[np.uint8] | None = None) -> Dataset:
    """One image of a patient, with the identity where it is found in practice."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", f"{ROOT}.{patient[-1]}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{patient[-1]}.{day}", f"{ROOT}.{patient[-1]}.{day}.9"
    dataset.Modality, dataset.ConversionType, dataset.SeriesNumber, dataset.InstanceNumber = "OT", "WSD", 1, number
    dataset.StudyDate = dataset.ContentDate = day
    dataset.StudyTime, dataset.StudyID = "101500", "1"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = name, patient, "19310210"
    dataset.PatientSex, dataset.PatientAge = "F", "093Y"
    dataset.ReferringPhysicianName, dataset.AccessionNumber = "Okafor^Chidi", "A7654321"
    dataset.InstitutionName, dataset.Manufacturer = "Fairview General Hospital", "ACME"
    family, given = str(name).split("=")[0].split("^")[:2]
    dataset.StudyDescription = f"Chest AP portable for {given} {family}"
    dataset.ImageComments = f"Long axis view normal since {day[:4]}-{day[4:6]}-{day[6:]}. Call +1 555 123 4567."
    request = Dataset()
    request.ScheduledProcedureStepDescription = f"Lung nodule, {family}"
    request.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    dataset.RequestAttributesSequence = Sequence([request])
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "800")
    block.add_new(0x08, "CS", family.upper())
    return _pictured(dataset, np.full((96, 160), 40, np.uint8) if pixels is None else pixels)


def _pictured(dataset: Dataset, pixels: npt.NDArray[np.uint8]) -> Dataset:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    return dataset


def written(dataset: Dataset) -> bytes:
    """The file of a dataset."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, f"{ROOT}.1"
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def lettered(text: str) -> npt.NDArray[np.uint8]:
    """An image with a bright text near its top, and noise."""
    from PIL import Image, ImageDraw, ImageFont

    grain = np.random.default_rng(0).integers(30, 60, (256, 384), dtype=np.uint8)
    image = Image.fromarray(grain)
    ImageDraw.Draw(image).text((20, 20), text, fill=255, font=ImageFont.load_default(20))
    return np.asarray(image)


@pytest.fixture
def small() -> dict[str, bytes]:
    """Two patients: one with two studies forty days apart, and one with one."""
    made = {
        "p0/s0/IM0.dcm": instance("Nakamura^Yuki=中村^由紀", "MRN0001", "20240115", 1),
        "p0/s1/IM0.dcm": instance("Nakamura^Yuki=中村^由紀", "MRN0001", "20240224", 2),
        "p1/s0/IM0.dcm": instance("Kowalczyk^Zofia", "MRN0002", "20240301", 3),
    }
    return {path: written(dataset) for path, dataset in made.items()}


@pytest.fixture(scope="session")
def parents() -> Iterator[Parents]:
    with Parents() as parents:
        yield parents


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node")


Run = Callable[..., dict[str, bytes]]


@pytest.fixture
def run(parents: Parents, environments: Path, tmp_path: Path) -> Run:
    """Run ``module:Class`` in a guest, in an environment of its own where it asks for one, and return its files."""

    def run(spec: str, files: Mapping[str, bytes], parameters: dict[str, object] | None = None) -> dict[str, bytes]:
        module, _, klass = spec.partition(":")
        pack = read(BASELINES / f"{module}.py", klass, package="fourfold.baselines.dicom_deid")
        wanted = pack.get("requirements")
        for requirement in wanted:
            if not _obtainable(requirement, tmp_path):
                pytest.skip(f"pip finds no {requirement} here")
        python = interpreter(wanted, environments)
        given = folder.folder(files)
        studies = Studies(given.paths, given.data, given.ends)
        ask = Ask("deidentify", studies, FolderWant(1 << 28, len(files)), may_fail=True)
        budget = Budget(time_limit=240.0, memory_limit=4 << 30)
        parent = parents.get(pack.preload, 1, python)
        seen = visit(parent, str(pack.unpack(tmp_path / "method")), klass, parameters or {}, budget, [ask])
        assert seen.status == "ok", f"{seen.reason}\n{seen.log}"
        return {path: bytes(data) for path, data in seen.answers[0]}

    return run


def _obtainable(requirement: str, folder: Path) -> bool:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "1", "-d", str(folder)]
    return subprocess.run([*command, requirement], check=False, capture_output=True).returncode == 0


@pytest.fixture
def needs_ocr() -> None:
    """Skip where the reader of text is not installed."""
    if importlib.util.find_spec("rapidocr_onnxruntime") is None:
        pytest.skip("rapidocr-onnxruntime is not installed: pip install fourfold[dicom]")


@pytest.fixture
def parsed() -> Callable[[Mapping[str, bytes]], dict[str, Dataset]]:
    """Read the DICOM files among these."""

    def parsed(files: Mapping[str, bytes]) -> dict[str, Dataset]:
        return {path: dcmread(BytesIO(data)) for path, data in files.items() if path.endswith(".dcm")}

    return parsed


@pytest.fixture
def one() -> Callable[..., bytes]:
    """Write one file of Zofia Kowalczyk's, with a text in its pixels and elements changed."""

    def one(text: str = "", **changes: object) -> bytes:
        dataset = instance("Kowalczyk^Zofia", "MRN0002", "20240301", 3, lettered(text) if text else None)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        return written(dataset)

    return one
