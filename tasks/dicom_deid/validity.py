"""Whether an output is still valid DICOM, as the messages of validators that the given file did not have already.

Counting messages would mislead: a method that removes half of the elements removes messages about them.
"""

import re
import shutil
import subprocess
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fourfold.tasks.dicom_deid.reading import File, once
from fourfold.tasks.dicom_deid.values import ITEM, LONG, Index, first, index

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement

UNREADABLE = "cannot be read"
_META = (
    *("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID"),
    *("MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID"),
)
"""Type 1 of the meta information: PS3.10, table 7.1-1."""
_ALWAYS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
"""Type 1 of the modules SOP Common, General Study and General Series: PS3.3, C.12.1, C.7.2.1, C.7.3.1."""
_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "SeriesNumber"),
)
"""Type 2, there but maybe empty, of the modules Patient, General Study and General Series: PS3.3, C.7.1.1 and on."""
_PIXELS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
"""Type 1 of the Image Pixel module: PS3.3, C.7.6.3."""
_PALETTE = tuple(
    f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")
)
_PLANE = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "FrameOfReferenceUID")
_BY_CLASS = {
    "1.2.840.10008.5.1.4.1.1.2": ("ImageType", "RescaleIntercept", "RescaleSlope", *_PLANE),  # CT: PS3.3, C.8.2.1
    "1.2.840.10008.5.1.4.1.1.4": ("ImageType", "ScanningSequence", "SequenceVariant", *_PLANE),  # MR: C.8.3.1
    "1.2.840.10008.5.1.4.1.1.1.1": ("ImageType", "PixelIntensityRelationship", "RescaleSlope"),  # DX: C.8.11.3
    "1.2.840.10008.5.1.4.1.1.7": ("ConversionType",),  # Secondary Capture: C.8.6.1
    "1.2.840.10008.5.1.4.1.1.12.1": ("ImageType", "PixelIntensityRelationship"),  # XA: C.8.7.1
    "1.2.840.10008.5.1.4.1.1.20": ("ImageType", "NumberOfFrames", "FrameIncrementPointer"),  # NM: C.8.4.8
    "1.2.840.10008.5.1.4.1.1.128": ("ImageType", "Units", "RescaleSlope", *_PLANE),  # PET: C.8.9.1
}
"""Type 1 of the modules of one kind of image, by SOP class."""
_REPORT = ("CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime", "InstanceNumber", "ValueType")
"""Type 1 of the SR Document General and Content modules: PS3.3, C.17.2 and C.17.3."""
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_DIRECTORY = "1.2.840.10008.1.3.10"
_TEXTUAL = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UR"))


def introduced(given: File, written: File | None) -> frozenset[str]:
    """The messages of an output that the given file has not; UNREADABLE alone where it is missing or unreadable."""
    if written is None or written.parsed[0] is None:
        return frozenset([UNREADABLE])
    found = _said(written, index(given))
    return found - messages(given) if found else found


@once
def messages(file: File) -> frozenset[str]:
    """What pydicom and the tables above say against a file: each by element, and never with the value itself."""
    return frozenset([UNREADABLE]) if file.parsed[0] is None else _said(file, {})


def _said(file: File, before: Index) -> frozenset[str]:
    """``messages`` of a readable file, but for elements that are the very ones in ``before``."""
    known = index(file)
    return frozenset([*_meta(file, known), *_missing(known), *_values(file, before), *_samples(file, known)])


def dciodvfy(files: Sequence[File], timeout: float = 10.0) -> "list[frozenset[str]] | None":
    """The errors that ``dciodvfy`` of dicom3tools finds in each file; None where it is not on PATH.

    timeout: seconds a file may take, after which its one message is that.
    """
    program = shutil.which("dciodvfy")
    if program is None:
        return None
    with TemporaryDirectory() as folder:
        place = Path(folder, "file.dcm")
        found = []
        for file in files:
            place.write_bytes(file.data)
            found.append(frozenset(_errors(program, place, timeout)))
        return found


def _errors(program: str, place: Path, timeout: float) -> Iterator[str]:
    try:
        said = subprocess.run([program, str(place)], capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        yield "dciodvfy did not end"
        return
    if said.returncode < 0:
        yield "dciodvfy crashed"
    for line in (said.stderr + said.stdout).decode("utf-8", "replace").splitlines():
        if line.startswith("Error"):
            yield _without_values(line)


def _without_values(line: str) -> str:
    """An error without what it quotes from the file, so that a new value of an old fault is no new error."""
    line = re.sub(r"(Value invalid for this VR - \([^)]*\)).*", r"\1", line)
    return re.sub(r"\[\d+\] = <.*?>|\"[^\"]*\"|\b\d+(\.\d+)+\b|\d+ dec", "", line).strip()


def _meta(file: File, known: Index) -> Iterator[str]:
    """What is missing before the dataset, and what is there but says otherwise than the dataset does."""
    if file.data[128:132] != b"DICM":
        yield "no preamble and prefix before the meta information"
    for name in _META:
        if not first(known, _place(name)):
            yield f"{name}: missing from the meta information"
    for name in ("SOPClassUID", "SOPInstanceUID"):
        inside, before = first(known, _place(name)), first(known, _place(f"MediaStorage{name}"))
        if inside and before and inside != before:
            yield f"MediaStorage{name}: not the {name} of the dataset"


def _missing(known: Index) -> Iterator[str]:
    """Attributes that the modules of its kind require and that are not there, or empty where they must not be."""
    from pydicom.uid import UID

    kind = first(known, _place("SOPClassUID"))
    if kind == _DIRECTORY or (not kind and _place("DirectoryRecordSequence") in known):
        return
    needed = [*_ALWAYS, *_BY_CLASS.get(kind, ()), *(_REPORT if kind.startswith(_REPORTS) else ())]
    samples = [_place(name) in known for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")]
    if any(samples) or UID(kind).name.endswith("Image Storage"):
        needed += _PIXELS
        needed += ["PlanarConfiguration"] if first(known, _place("SamplesPerPixel")) == "3" else []
        needed += _PALETTE if first(known, _place("PhotometricInterpretation")) == "PALETTE COLOR" else ()
        if not any(samples):
            yield "PixelData: missing"
    for name in needed:
        if _place(name) not in known or known[_place(name)][0].VM == 0:
            yield f"{name}: missing or empty, of type 1"
    for name in _EMPTY:
        if _place(name) not in known:
            yield f"{name}: missing, of type 2"


@lru_cache(1 << 10)
def _place(keyword: str) -> str:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _values(file: File, before: Index) -> Iterator[str]:
    """Values that their VR does not allow, by pydicom's validators, and VRs and numbers of values not the element's."""
    found, _ = file.parsed
    top = [element.tag for place, element in file.elements if "]." not in place and place[:6] != "(0002,"]
    if found is not None and len(found) != len(top):
        for tag in found.keys() - set(top):
            yield f"({tag.group:04X},{tag.element:04X}): its value cannot be read"
    for place, element in file.elements:
        same = place in before and before[place][0] is element
        for wrong in () if same else _faults(element):
            yield f"{ITEM.sub('[]', place)}: {wrong}"


def _faults(element: "DataElement") -> Iterator[str]:
    """What is wrong with the value of one element, or with its VR."""
    from pydicom.multival import MultiValue

    vr, value = element.VR, element.value
    if vr not in _allowed(int(element.tag)):
        yield f"of VR {vr}"
    if element.VM and vr not in ("SQ", "UN") and not _counted(int(element.tag), element.VM):
        yield "a number of values that the dictionary does not allow"
    if vr in _TEXTUAL and value:
        for one in value if isinstance(value, MultiValue) else (value,):
            shown = str(one)
            wrong = _wrong(vr, shown) if len(shown) < LONG else _wrong.__wrapped__(vr, shown)
            if wrong:
                yield wrong


@lru_cache(1 << 14)
def _wrong(vr: str, value: str) -> str:
    """What is wrong with one value of a textual VR, else empty."""
    from pydicom.valuerep import VALIDATORS

    if "\ufffd" in value:
        return "text that its character set does not have"
    return "" if VALIDATORS[vr](vr, value)[0] else f"a value that {vr} does not allow"


@lru_cache(1 << 14)
def _allowed(tag: int) -> Container[str]:
    """The VRs that a public element may have: the dictionary's, and UN; of private ones, all that pydicom knows."""
    from pydicom.datadict import dictionary_VR
    from pydicom.valuerep import VR

    try:
        return ("UN", *dictionary_VR(tag).split(" or "))
    except KeyError:
        return tuple(VR)


@lru_cache(1 << 14)
def _counted(tag: int, values: int) -> bool:
    """Whether a public element may have so many values, such as ``1``, ``1-3``, ``1-n`` or ``2-2n``: those of PS3.6."""
    from pydicom.datadict import dictionary_VM

    try:
        least, _, most = dictionary_VM(tag).partition("-")
    except KeyError:
        return True
    if not most.endswith("n"):
        return int(least) <= values <= int(most or least)
    return values >= int(least) and values % int(most[:-1] or 1) == 0


def _samples(file: File, known: Index) -> Iterator[str]:
    if _place("PixelData") in known and file.pixels[0] is None:
        yield "PixelData: cannot be decoded"
