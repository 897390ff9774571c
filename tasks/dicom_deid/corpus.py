"""Drawing a corpus: who is in it, what their studies are, and each file twice, with an identity and without."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.headers import CLASSES, MAKERS, Document, Visit, pick
from fourfold.tasks.dicom_deid.key import Corpus, Instance, Key, Person
from fourfold.tasks.dicom_deid.numbers import Numbers
from fourfold.tasks.dicom_deid.pages import Bases, Page
from fourfold.tasks.dicom_deid.people import EPOCH, Names, people
from fourfold.tasks.dicom_deid.slots import Identity, Notes, spellings

MODALITIES = ("CT", "MR", "US", "CR", "DX", "XA", "NM", "SC")
OPTIONAL = ("nested", "private", "binary", "overlay", "meta", "preamble", "pixels")
"""Loci that a file may have or not; the others follow from its header, its modality or its patient."""


def draw(
    rng: np.random.Generator, coin_rng: np.random.Generator, bases: Bases, patients: int = 60, small: bool = False
) -> Corpus:
    """Draw a corpus of some ``patients`` people, of twice as many who may be in it, by fair coins of ``coin_rng``.

    bases: an image of a modality without identity. small: images of a quarter of the size, and no more than two files
    a study. The same generators give the same bytes. ``Corpus.reference`` has the paths of ``given``, those that
    name a patient too, so that the two can be laid side by side.
    """
    roster = people(rng, 2 * patients)
    coin = coins(coin_rng, len(roster))
    place = np.where(coin, np.cumsum(coin) - 1, -1).astype(np.int64)
    included = [person for person, chosen in zip(roster, coin, strict=True) if chosen]
    numbers = Numbers(rng)
    whose = identities(rng, included, numbers)
    given, reference = {}, {}
    notes, instances = Notes(), []
    for who, studies in zip(whose, planned(rng, included, small), strict=True):
        for documents, visit in visits(rng, numbers, studies):
            own = replace(who, numbers={**who.numbers, "accession": visit.accession})
            for at, document in enumerate(documents):
                page = Page(own, visit, document, at)
                picture = page.picture(bases, small)
                given[page.path], reference[page.path] = page.written(picture, notes), page.written(picture, None)
                size = picture.size if picture else (0, 0, 0)
                instances.append(
                    Instance(page.path, who.patient, visit.number, document.modality, document.number, size)
                )
    key = Key(included, instances, notes.planted, notes.kept, notes.dated, roster, coin, place)
    return Corpus(given, reference, key)


def coins(rng: np.random.Generator, n: int) -> npt.NDArray[np.bool_]:
    """(n,) fair coins, of people in a roster: whether each is in the corpus."""
    return rng.random(n) < 0.5


def identities(rng: np.random.Generator, included: Sequence[Person], numbers: Numbers) -> list[Identity]:
    """The people with what belongs to their files: a doctor, a hospital, a device, and what replaces them."""
    names = Names(rng)
    names.taken |= {part.casefold() for person in included for part in spellings(person)}
    found = []
    for patient, person in enumerate(included):
        staff, _ = names(("de_DE", "en_US")[patient % 2], "FM"[int(rng.integers(2))])
        kind = pick(rng, ("General Hospital", "Medical Center", "Klinikum", "Radiology Partners"))
        own = {
            "institution": numbers.draw(f"{town(names)} {kind} ###"),
            "device": numbers.draw("SN########"),
            "station": numbers.draw("@@ROOM######"),
            "url": numbers.draw("https://pacs.example/wado/@@########"),
        }
        found.append(
            Identity(
                person=person,
                patient=patient,
                pseudonym=f"SUBJ{patient:05d}",
                names=spellings(person),
                numbers={**person.numbers, **own},
                staff=staff.latin,
                shift=-int(rng.integers(500, 3000)),
                salt=rng.bytes(16),
            )
        )
    return found


def town(names: Names) -> str:
    """A town that is nobody's name."""
    while True:
        name = str(names.faker("en_US").city()).split()[-1]
        if name.casefold() not in names.taken:
            return name


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
        plans[one][0], plans[other][0] = shared, [replace(document, second=True) for document in shared]
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
    """The documents of one study, its report last if it has one; of ``turn`` its modality and a locus that is sure."""
    modality, maker = MODALITIES[turn % len(MODALITIES)], pick(rng, tuple(MAKERS))
    reported = rng.random() < 0.25 or turn % 9 == 0
    documents = []
    for at, each in enumerate([modality] * size + ["SR"] * reported):
        loci = {locus for locus in OPTIONAL if rng.random() < 0.4} | {OPTIONAL[(turn + at) % len(OPTIONAL)]}
        documents.append(Document(each, int(rng.integers(2**63)), frozenset(loci), maker))
    return [replace(document, series=documents[0].seed) for document in documents]


def visits(
    rng: np.random.Generator, numbers: Numbers, studies: Sequence[Sequence[Document]]
) -> list[tuple[Sequence[Document], Visit]]:
    """When each of a patient's studies was, and its UIDs, which hold that date for four patients of ten."""
    day = EPOCH + timedelta(days=int(rng.integers(0, 300)))
    dated, weight, height = rng.random() < 0.4, float(rng.uniform(45, 110)), float(rng.uniform(1.5, 1.95))
    found = []
    for number, documents in enumerate(studies):
        root = f"1.2.826.0.1.3680043.10.{int(rng.integers(1000, 9999))}.{int(rng.integers(10**8, 10**9))}"
        root += f".{day:%Y%m%d}{8 + number:02d}1530" if dated else f".{int(rng.integers(10**11, 10**12))}"
        visit = Visit(
            number=number,
            day=day,
            study=f"{root}.1",
            series=f"{root}.2",
            frame=f"{root}.4",
            reports=f"{root}.5",
            instances=[f"{root}.3.{int(rng.integers(1000, 10**6))}{at}" for at in range(len(documents))],
            classes=[CLASSES[document.modality] for document in documents],
            accession=numbers.draw("A########"),
            weight=weight,
            height=height,
        )
        found.append((documents, visit))
        day += timedelta(days=int(rng.integers(7, 150)))
    return found
