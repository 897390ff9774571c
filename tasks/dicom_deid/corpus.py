"""Drawing a corpus: who is in it, what their studies are, and each file twice, with an identity and without."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from fourfold.tasks.dicom_deid import headers, wording
from fourfold.tasks.dicom_deid.bases import Base
from fourfold.tasks.dicom_deid.headers import CLASSES, Document, Visit
from fourfold.tasks.dicom_deid.key import Corpus, Instance, Key, Person
from fourfold.tasks.dicom_deid.numbers import Numbers
from fourfold.tasks.dicom_deid.people import EPOCH, Names, people
from fourfold.tasks.dicom_deid.slots import Filler, Identity, Notes, spellings

if TYPE_CHECKING:
    from pydicom import Dataset

MODALITIES = ("CT", "MR", "US", "CR", "DX", "XA", "NM", "SC")
OPTIONAL = ("nested", "private", "binary", "overlay", "meta", "preamble", "pixels")
"""Loci that a file may have or not; the others follow from its header, its modality or its patient."""
IMPLEMENTATION = "1.2.826.0.1.3680043.10.1492.1"
"""The implementation class UID of every file; one of the root that Medical Connections gives away."""

Bases = Callable[[np.random.Generator, str], Base]


def draw(
    rng: np.random.Generator, coin_rng: np.random.Generator, bases: Bases, patients: int = 60, small: bool = False
) -> Corpus:
    """Draw a corpus of some ``patients`` people, of twice as many who may be in it, by fair coins of ``coin_rng``.

    bases: an image of a modality without identity. small: images of a quarter of the size, and no more than two files
    a study. The same generators give the same bytes. ``Corpus.reference`` has the paths of ``given``, those that
    name a patient too, so that the two can be laid side by side.
    """
    roster = people(rng, 2 * patients)
    coin = coin_rng.random(len(roster)) < 0.5
    place = np.where(coin, np.cumsum(coin) - 1, -1).astype(np.int64)
    included = [person for person, chosen in zip(roster, coin, strict=True) if chosen]
    whose = identities(rng, included)
    plans = planned(rng, included, small)
    given, reference = {}, {}
    notes, instances = Notes(), []
    for who, studies in zip(whose, plans, strict=True):
        for number, (documents, visit) in enumerate(visits(rng, who, studies)):
            numbers = dict(who.numbers, accession=f"A{who.numbers['accession'][1:-1]}{number}")
            own = replace(who, numbers=numbers)
            for at, document in enumerate(documents):
                path = f"p{who.patient:02d}/s{number}/{filename(own, document, at)}"
                nudge = int(rng.integers(2**32))
                given[path], reference[path], instance = written(own, visit, document, at, path, notes, bases, nudge)
                instances.append(instance)
    key = Key(included, instances, notes.planted, notes.kept, notes.dated, roster, coin, place)
    return Corpus(given, reference, key)


def identities(rng: np.random.Generator, included: Sequence[Person]) -> list[Identity]:
    """The people with what belongs to their files: a doctor, a hospital, a device, and what replaces them."""
    names, numbers = Names(rng), Numbers(rng)
    for person in included:
        names.taken |= {part.casefold() for part in (*person.native, *person.latin)}
    found = []
    for patient, person in enumerate(included):
        staff, _ = names(("de_DE", "en_US")[patient % 2], "FM"[int(rng.integers(2))])
        town = names.faker("en_US").city().split()[-1]
        kind = headers.pick(rng, ("General Hospital", "Medical Center", "Klinikum", "Radiology Partners"))
        own = {
            "institution": numbers.draw(f"{town} {kind} ###"),
            "device": numbers.draw("SN########"),
            "station": numbers.draw("@@ROOM######"),
            "accession": numbers.draw("A########"),
            "url": numbers.draw("https://pacs.example/wado/@@########"),
        }
        shift = -int(rng.integers(500, 3000))
        found.append(
            Identity(
                person, patient, f"SUBJ{patient:05d}", spellings(person), {**person.numbers, **own}, staff.latin,
                shift, rng.bytes(16),
            )  # fmt: skip
        )
    return found


def planned(rng: np.random.Generator, included: Sequence[Person], small: bool) -> list[list[list[Document]]]:
    """The documents of each study of each patient. A study of two patients in three is one of another's as well."""
    count = 0
    plans: list[list[list[Document]]] = []
    for _ in included:
        studies = []
        for _ in range(2 + int(rng.random() < 0.2)):
            size = int(rng.integers(1, 3 if small else 4))
            studies.append(study_plan(rng, count, size))
            count += 1
        plans.append(studies)
    number = 0
    for one, other in twins(rng, included):
        shared = [replace(document, number=number + at) for at, document in enumerate(plans[one][0])]
        plans[one][0] = plans[other][0] = shared
        number += len(shared)
    return plans


def twins(rng: np.random.Generator, included: Sequence[Person]) -> list[tuple[int, int]]:
    """Pairs of patients whose scripts differ: two patients of three are in one, where enough scripts are there."""
    waiting = [int(patient) for patient in rng.permutation(len(included))]
    pairs: list[tuple[int, int]] = []
    while len(waiting) > 1 and len(pairs) * 3 < len(included):
        one = waiting.pop()
        other = next((two for two in waiting if included[two].script != included[one].script), None)
        if other is not None:
            waiting.remove(other)
            pairs.append((one, other))
    return pairs


def study_plan(rng: np.random.Generator, turn: int, size: int) -> list[Document]:
    """The documents of one study; of ``turn`` the modality and one locus that is certain."""
    modality = MODALITIES[turn % len(MODALITIES)]
    maker = headers.pick(rng, tuple(headers.MAKERS))
    documents = []
    for at in range(size):
        loci = {locus for locus in OPTIONAL if rng.random() < 0.4} | {OPTIONAL[(turn + at) % len(OPTIONAL)]}
        documents.append(Document(modality, int(rng.integers(2**63)), frozenset(loci), maker))
    return documents


def visits(
    rng: np.random.Generator, who: Identity, studies: Sequence[Sequence[Document]]
) -> list[tuple[Sequence[Document], Visit]]:
    """When each study was, and its UIDs, with the date in those of some patients."""
    day = EPOCH + timedelta(days=int(rng.integers(0, 300)))
    dated, weight, height = bool(rng.random() < 0.4), float(rng.uniform(45, 110)), float(rng.uniform(1.5, 1.95))
    found = []
    previous = ""
    for number, documents in enumerate(studies):
        root = f"1.2.826.0.1.3680043.10.{int(rng.integers(1000, 9999))}.{int(rng.integers(10**8, 10**9))}"
        root += f".{day:%Y%m%d}{8 + number:02d}1530" if dated else f".{int(rng.integers(10**11, 10**12))}"
        instances = [f"{root}.3.{int(rng.integers(1000, 10**6))}{at}" for at in range(len(documents))]
        found.append(
            (documents, Visit(number, day, f"{root}.1", f"{root}.2", f"{root}.4", instances, previous, weight, height))
        )
        previous = f"{root}.1"
        day += timedelta(days=int(rng.integers(7, 150)))
    return found


def filename(who: Identity, document: Document, at: int) -> str:
    """The name of a file: of every seventh patient's it tells who that is."""
    return f"IM{at:04d}.dcm"


def written(
    who: Identity, visit: Visit, document: Document, at: int, path: str, notes: Notes, bases: Bases, nudge: int
) -> tuple[bytes, bytes, Instance]:
    """One file with the identity, which is noted, and without."""
    base = bases(np.random.default_rng([document.seed, 1]), document.modality)
    given = _file(who, visit, document, at, path, notes, base, nudge)
    reference = _file(who, visit, document, at, path, None, base, nudge)
    frames, rows, columns = base.pixels.shape[:3]
    size = (frames, rows, columns)
    return given, reference, Instance(path, who.patient, visit.number, document.modality, document.number, size)


def _file(
    who: Identity, visit: Visit, document: Document, at: int, path: str, notes: Notes | None, base: Base, nudge: int
) -> bytes:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    rng = np.random.default_rng(document.seed)
    dataset = Dataset()
    to = Filler(dataset, who, path, visit.day, notes, rng)
    style = int(rng.integers(4))
    texts = [*who.names, *who.numbers.values(), *who.staff]
    dataset.SpecificCharacterSet = headers.character_set(texts, who.person.script, style)
    headers.patient(to, visit)
    headers.study(to, visit, headers.pick(rng, wording.STUDIES[document.modality]), visit.number + 1)
    headers.series(to, visit, document.modality)
    headers.equipment(to, document.maker)
    headers.instance(to, visit, document.modality, at)
    headers.descriptions(to)
    _pixels(dataset, base, nudge)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CLASSES[document.modality]
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "FOURFOLD"
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _pixels(dataset: "Dataset", base: Base, nudge: int) -> None:
    pixels = base.pixels.copy()
    pixels.reshape(-1)[nudge % pixels.size] ^= 1
    wide = base.bits > 8
    dataset.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    dataset.PhotometricInterpretation = base.photometric
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    if pixels.shape[0] > 1:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[1:3]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16 if wide else 8, base.bits, base.bits - 1
    dataset.PixelRepresentation = int(base.signed)
    data = pixels.astype(("<i2" if base.signed else "<u2") if wide else "u1").tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if wide else "OB"
