"""DICOMDIR files: a directory of a patient's files that names the patient once more (PS3.3, annex F)."""

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from fourfold.tasks.dicom_deid.envelope import IMPLEMENTATION

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

KEYS = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": ("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID", "StudyID"),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "IMAGE": ("InstanceNumber",),
}
"""What a record holds of the file that it speaks of, by its type (PS3.3, F.5)."""
_MEDIA, _EXPLICIT = "1.2.840.10008.1.3.10", "1.2.840.10008.1.2.1"


def directory(files: Mapping[str, bytes], uid: str) -> tuple[bytes, list[tuple[str, str, str]]]:
    """A directory of one patient's files; and what it repeats: of each element the path, its place there and here.

    files: by path relative to the directory. uid: of the directory itself.
    """
    from pydicom import Dataset, dcmread

    records: list[Dataset] = []
    parents: list[int] = []
    repeated: list[tuple[str, str, str]] = []
    known: dict[tuple[str, ...], int] = {}
    for path, data in files.items():
        of = dcmread(BytesIO(data), stop_before_pixels=True, force=True)
        names = ("", str(of.StudyInstanceUID), str(of.SeriesInstanceUID), path)
        for depth, kind in enumerate(KEYS):
            level = names[: depth + 1]
            if level not in known:
                known[level] = len(records)
                parents.append(known[names[:depth]] if depth else -1)
                records.append(_record(kind, of, path))
                place = f"(0004,1220)[{known[level]}]."
                repeated += [(path, _place(of, key), place + _place(of, key)) for key in KEYS[kind] if key in of]
                if kind == "IMAGE":
                    repeated.append((path, "(0008,0018)", f"{place}(0004,1511)"))
    return _linked(records, parents, uid), repeated


def _place(of: "Dataset", keyword: str) -> str:
    tag = of[keyword].tag
    return f"({tag.group:04X},{tag.element:04X})"


def _record(kind: str, of: "FileDataset", path: str) -> "Dataset":
    from pydicom import Dataset

    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.RecordInUseFlag, record.DirectoryRecordType = 0xFFFF, kind
    if kind == "IMAGE":
        record.ReferencedFileID = path.split("/")
        record.ReferencedSOPClassUIDInFile, record.ReferencedSOPInstanceUIDInFile = of.SOPClassUID, of.SOPInstanceUID
        record.ReferencedTransferSyntaxUIDInFile = of.file_meta.TransferSyntaxUID
    record.SpecificCharacterSet = "ISO_IR 192"
    for key in KEYS[kind]:
        if key in of:
            value: Any = of[key].value
            setattr(record, key, str(value) if of[key].VR == "PN" else value)
    return record


def _linked(records: "list[Dataset]", parents: list[int], uid: str) -> bytes:
    """The file, its records linked by their offsets: each to the next of its parent, and to its own first."""
    from pydicom import Dataset, dcmread, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    dataset, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(_MEDIA), UID(uid)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = UID(_EXPLICIT), UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "FOURFOLD"
    dataset.file_meta, dataset.FileSetID, dataset.FileSetConsistencyFlag = meta, "STUDIES", 0
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.DirectoryRecordSequence = records
    first = BytesIO()
    dcmwrite(first, dataset, enforce_file_format=True)
    at = [item.seq_item_tell for item in dcmread(BytesIO(first.getvalue())).DirectoryRecordSequence]
    for number, record in enumerate(records):
        later = [other for other in range(number + 1, len(records)) if parents[other] == parents[number]]
        below = [other for other in range(number + 1, len(records)) if parents[other] == number]
        record.OffsetOfTheNextDirectoryRecord = at[later[0]] if later else 0
        record.OffsetOfReferencedLowerLevelDirectoryEntity = at[below[0]] if below else 0
    roots = [place for place, parent in zip(at, parents, strict=True) if parent < 0]
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = roots[0]
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = roots[-1]
    second = BytesIO()
    dcmwrite(second, dataset, enforce_file_format=True)
    return second.getvalue()
