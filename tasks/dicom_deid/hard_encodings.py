"""Ways to write a file that archives are full of and that tools trip over: the same elements, in other bytes.

Each function takes the bytes of a file, and returns others, or None where the file cannot be written so.
"""

from io import BytesIO
from typing import TYPE_CHECKING

from fourfold.tasks.dicom_deid.reading import File

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
FRAMES, LARGEST_FRAME = 100, 1 << 17
"""How many frames one becomes, and the most bytes that it may have."""
TYPE_2 = ("StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "PatientSex", "StudyID",
          "SeriesNumber", "InstanceNumber", "Manufacturer")  # fmt: skip
"""Attributes that must be there, if only empty (PS3.3, C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1), and often are not."""
_DELIMITER, _WRONG = b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\x08\0\0\0"


def without_preamble(data: bytes) -> bytes | None:
    """The file from its meta information on, as before PS3.10 had a preamble and a prefix."""
    return data[132:] if data[128:132] == b"DICM" else None


def implicit(data: bytes) -> bytes | None:
    """Implicit VR, little endian."""
    dataset = _native(data)
    return None if dataset is None else _written(dataset, IMPLICIT)


def big_endian(data: bytes) -> bytes | None:
    """Explicit VR, big endian, retired in 2006. Words are swapped here, as pydicom leaves those of OW as they are."""
    dataset = _native(data)
    if dataset is None:
        return None
    if "PixelData" in dataset and dataset.BitsAllocated == 8:
        dataset["PixelData"].VR = "OB"
    for element in dataset.iterall():
        if element.VR == "OW" and isinstance(element.value, bytes):
            element.value = _swapped(element.value)
    return _written(dataset, BIG_ENDIAN)


def _swapped(words: bytes) -> bytes:
    import numpy as np

    return np.frombuffer(words + b"\0" * (len(words) % 2), "<u2").byteswap().tobytes()


def deflated(data: bytes) -> bytes | None:
    """Everything behind the meta information compressed (PS3.5, A.5)."""
    dataset = _native(data)
    return None if dataset is None else _written(dataset, DEFLATED)


def undefined_lengths(data: bytes) -> bytes | None:
    """Sequences and items that do not say how long they are; None where there is no sequence."""
    dataset = _read(data)
    return _written(dataset, dataset.file_meta.TransferSyntaxUID) if _undefined(dataset) else None


def bad_delimiters(data: bytes) -> bytes | None:
    """The same, where what ends a sequence claims to be eight bytes long, and is not."""
    found = undefined_lengths(data)
    if found is None:
        return None
    pixels = next((one.start for one in File("", found).stretches if one.place == "(7FE0,0010)"), len(found))
    return found[:pixels].replace(_DELIMITER, _WRONG) + found[pixels:]


def _undefined(dataset: "Dataset") -> int:
    """Let every sequence end by a delimiter; how many there are."""
    count = 0
    for element in dataset:
        if element.VR == "SQ" and element.value:
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                count += _undefined(item)
            count += 1
    return count


def other_character_set(data: bytes) -> bytes | None:
    """Text in GB18030, which has every character, and items of sequences by turns in that and in UTF-8."""
    dataset = _read(data)
    dataset.decode()
    _spelled(dataset, "GB18030", "ISO_IR 192")
    return _written(dataset, dataset.file_meta.TransferSyntaxUID)


def _spelled(dataset: "Dataset", own: str, nested: str) -> None:
    from pydicom.valuerep import PersonName

    for element in dataset:
        if element.VR == "PN" and element.value:
            names = [PersonName(str(name)) for name in ([element.value] if element.VM == 1 else element.value)]
            element.value = names[0] if len(names) == 1 else names
        elif element.VR == "SQ":
            for item in element.value:
                _spelled(item, nested, own)
    dataset.SpecificCharacterSet = own


def without_type_2(data: bytes) -> bytes | None:
    """Without any of TYPE_2."""
    dataset = _read(data)
    for keyword in TYPE_2:
        if keyword in dataset:
            del dataset[keyword]
    return _written(dataset, dataset.file_meta.TransferSyntaxUID)


def truncated(data: bytes) -> bytes | None:
    """Cut short in the middle of uncompressed pixels, as by a disk that was full."""
    if _native(data) is None:
        return None
    pixels = [one for one in File("", data).stretches if one.place == "(7FE0,0010)"]
    return data[: (pixels[0].start + pixels[0].end) // 2] if pixels else None


def many_frames(data: bytes) -> bytes | None:
    """One uncompressed frame, FRAMES times."""
    dataset = _native(data)
    if dataset is None or "PixelData" not in dataset or int(dataset.get("NumberOfFrames") or 1) != 1:
        return None
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    if size > LARGEST_FRAME or len(dataset.PixelData) != size + size % 2:
        return None
    dataset.NumberOfFrames = FRAMES
    dataset.PixelData = dataset.PixelData[:size] * FRAMES
    return _written(dataset, dataset.file_meta.TransferSyntaxUID)


def instance_uid(data: bytes) -> str:
    """The SOP instance UID of a file."""
    return str(_read(data).SOPInstanceUID)


def with_instance_uid(data: bytes, uid: str) -> bytes:
    """With another SOP instance UID, in the meta information too."""
    from pydicom.uid import UID

    dataset = _read(data)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    return _written(dataset, dataset.file_meta.TransferSyntaxUID)


def with_private(data: bytes, group: int, creator: str, element: int, value: bytes) -> bytes:
    """With a private element of bytes."""
    dataset = _read(data)
    dataset.private_block(group, creator, create=True).add_new(element, "OB", value)
    return _written(dataset, dataset.file_meta.TransferSyntaxUID)


def _read(data: bytes) -> "FileDataset":
    from pydicom import dcmread

    return dcmread(BytesIO(data))


def _native(data: bytes) -> "FileDataset | None":
    """The file, if its pixels are not compressed and it is not either."""
    dataset = _read(data)
    return dataset if dataset.file_meta.TransferSyntaxUID == EXPLICIT else None


def _written(dataset: "FileDataset", syntax: str) -> bytes:
    """The bytes of a file in a transfer syntax, whose pixels are encoded for it."""
    from pydicom import dcmwrite
    from pydicom.uid import UID

    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    into = BytesIO()
    dcmwrite(into, dataset, enforce_file_format=True)
    return into.getvalue()
