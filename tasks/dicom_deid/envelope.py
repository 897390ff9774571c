"""What stands around a dataset in its file: the preamble, the meta information, and the file's name."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fourfold.tasks.dicom_deid.slots import Filler, Identity

if TYPE_CHECKING:
    from pydicom.dataset import FileMetaDataset

IMPLEMENTATION = "1.2.826.0.1.3680043.10.1492.1"
"""The implementation class UID of every file, so that pydicom's own does not date them."""
PRIVATE_CREATOR = "1.2.826.0.1.3680043.10.1492.2"


def meta(to: Filler, sop_class: str, uid: str, identified: bool) -> "FileMetaDataset":
    """The meta information (PS3.10, 7.1): the instance; if ``identified``, who sent it, and private information."""
    from pydicom.dataset import FileMetaDataset

    found = FileMetaDataset()
    inner = replace(to, dataset=found, locus="meta")
    inner.put("MediaStorageSOPClassUID", sop_class)
    inner.uid("MediaStorageSOPInstanceUID", uid, "meta")
    inner.put("ImplementationClassUID", IMPLEMENTATION)
    inner.put("ImplementationVersionName", "FOURFOLD")
    if identified:
        inner.plant("SourceApplicationEntityTitle", "device", to.who.numbers["station"])
        if to.given:
            name, number = "^".join(to.who.person.latin), to.who.numbers["mrn"]
            data = f"sent for {name} {number}".encode()
            inner.put("PrivateInformationCreatorUID", PRIVATE_CREATOR)
            inner.put("PrivateInformation", data + b"\0" * (len(data) % 2))
            for kind, text in (("name", name), ("mrn", number)):
                inner.note(kind, "meta", inner.where("PrivateInformation"), text)
    return found


def preamble(to: Filler, identified: bool) -> bytes:
    """The 128 bytes before a file: nothing, or if ``identified`` a label that an archive left there."""
    if not identified or not to.given:
        return b"\0" * 128
    name, number = " ".join(plain(to.who)), to.who.numbers["mrn"]
    label = f"ARCHIVE {number} {name}"
    to.note("mrn", "preamble", "preamble", number)
    if len(label) > 128:
        label = f"ARCHIVE {number}"
    else:
        to.note("name", "preamble", "preamble", name)
    return label.encode().ljust(128, b"\0")


def filename(who: Identity, at: int, identified: bool) -> str:
    """The name of a patient's file; if ``identified`` it tells who that is."""
    return f"{'_'.join(plain(who))}_{who.numbers['mrn']}_IM{at:04d}.dcm" if identified else f"IM{at:04d}.dcm"


def named(to: Filler, identified: bool) -> None:
    """Note what the file's name tells."""
    if identified:
        to.note("name", "filename", "filename", "_".join(plain(to.who)))
        to.note("mrn", "filename", "filename", to.who.numbers["mrn"])


def plain(who: Identity) -> tuple[str, ...]:
    """Family and given name in ASCII letters."""
    from anyascii import anyascii

    return tuple(re.sub("[^A-Za-z-]+", "", anyascii(part)) for part in who.person.latin)
