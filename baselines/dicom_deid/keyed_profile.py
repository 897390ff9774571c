"""Our own: the Basic Profile with its options, by a secret key."""

import secrets
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydicom import FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from fourfold.baselines.dicom_deid.cleaning import Cleaning
from fourfold.baselines.dicom_deid.file_names import FileNames, write_mapping
from fourfold.baselines.dicom_deid.identity import Identity
from fourfold.baselines.dicom_deid.people_known import Known
from fourfold.baselines.dicom_deid.planes import DATA, GROUPS, in_order, redact_planes
from fourfold.baselines.dicom_deid.profile import CLEAN_GRAPHICS, CLEAN_PIXELS, CODES, SHIFTED_DATES
from fourfold.baselines.dicom_deid.redaction import redact
from fourfold.baselines.dicom_deid.scrubber import Scrubber
from fourfold.baselines.dicom_deid.surrogates import Surrogates
from fourfold.baselines.dicom_deid.text_boxes import Reader
from fourfold.suite import Method


class KeyedProfile(Method):
    """PS3.15's Basic Profile with the policy's options, by a key that is drawn anew and thrown away.

    UIDs, patient IDs and dates are mapped by HMAC; free text is searched for what the headers of all files of the
    patient tell, for what has the shape of an identifier, and for words that look like names and are no vocabulary's.
    """

    task = "dicom-deid"
    version = "6"
    author = "fourfold"
    licence = "Apache-2.0"
    pixels: bool = True

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Read all, learn who they are, and write each file cleaned under a name that tells nothing."""
        if not hasattr(self, "surrogates"):
            self.surrogates, self.known = Surrogates(secrets.token_bytes(32)), Known()
        read = {path: dataset for path in sorted(Path(source).rglob("*")) if (dataset := readable(path)) is not None}
        self.known.learn(list(read.values()))
        for patient, dates in self.known.dates.items():
            self.surrogates.settle(patient, dates)
        names, written = FileNames(self.scrubber(self.known.anyone, ""), self.surrogates), dict[str, str]()
        for path, dataset in read.items():
            old = path.relative_to(source).as_posix()
            new = names.renamed(PurePosixPath(old)).as_posix()
            try:
                self.write(dataset, Path(target, new), names, policy.options)
                written[old] = new
            except Exception as error:  # What cannot be cleaned is left out; the others are not.
                Path(target, new).unlink(missing_ok=True)
                print(f"a file of {dataset.get('Modality')} is left out: {type(error).__name__}: {error}", flush=True)
        write_mapping(Path(target), written)

    @cached_property
    def reader(self) -> Reader:
        """What finds text in pixels."""
        return Reader(int(self.budget.cpus))

    def write(self, dataset: FileDataset, new: Path, names: FileNames, options: Any) -> None:
        """Write one file cleaned."""
        patient = self.known.patient(dataset)
        scrubber = self.scrubber(self.known.of[patient], patient)
        if self.pixels and CLEAN_PIXELS in options and "PixelData" in dataset:
            redact(dataset, self.reader, scrubber)
        if self.pixels and CLEAN_GRAPHICS in options:
            redact_planes(dataset, self.reader, scrubber)
        Cleaning(patient, scrubber, self.surrogates, options).clean(dataset)
        for record in dataset.get("DirectoryRecordSequence", ()):
            if "ReferencedFileID" in record:
                record.ReferencedFileID = [names.part(part) for part in parts(record.ReferencedFileID)]
        described(dataset, options)
        new.parent.mkdir(parents=True, exist_ok=True)
        standing_alone(dataset, self.surrogates).save_as(new, enforce_file_format=True)

    def scrubber(self, known: Identity, patient: str) -> Scrubber:
        """What cleans the texts of a patient."""
        return Scrubber(known, self.surrogates.days(patient), self.surrogates.uid, self.known.common)


def parts(value: Any) -> list[str]:
    """The values of an element that may have several."""
    return [value] if isinstance(value, str) else list(value)


def readable(path: Path) -> FileDataset | None:
    """A file's elements, or None where it is no DICOM object."""
    try:
        dataset = dcmread(path, force=True)
        return dataset if "SOPClassUID" in dataset or "MediaStorageSOPClassUID" in dataset.file_meta else None
    except Exception:
        return None


def described(dataset: FileDataset, options: Any) -> None:
    """Say what was done (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1.1.9)."""
    done = [(CODES[option], option) for option in ("Basic Application Confidentiality Profile", *options)
            if option in CODES]
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "fourfold keyed profile"
    dataset.DeidentificationMethodCodeSequence = Sequence([coded(Code(code, "DCM", said)) for code, said in done])
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if SHIFTED_DATES in options else "REMOVED"


def coded(code: Code) -> Any:
    """A code as a sequence's item."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def standing_alone(dataset: FileDataset, surrogates: Surrogates) -> FileDataset:
    """The dataset with meta information and a preamble of its own."""
    old, meta = dataset.file_meta, FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or old.get("MediaStorageSOPClassUID")
    mapped = dataset.get("SOPInstanceUID") or surrogates.uid(str(old.get("MediaStorageSOPInstanceUID")))
    meta.MediaStorageSOPInstanceUID = UID(str(mapped))
    plain = ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
    syntax = UID(old.get("TransferSyntaxUID") or plain)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    if not dataset.original_encoding[1]:
        words = [f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")]
        for name in (*words, *(["PixelData"] if dataset.get("BitsAllocated") == 16 else [])):
            if name in dataset:
                dataset[name].value = np.frombuffer(dataset[name].value, ">u2").astype("<u2").tobytes()
        for group in GROUPS:
            if (group, DATA) in dataset:
                dataset[group, DATA].value = in_order(dataset, dataset[group, DATA].value).tobytes()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.set_original_encoding(False, True)
    return dataset
