"""What dicom-deid asks of a method: groups of whole patients to de-identify, one folder after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite import folder
from fourfold.suite.folder import Folder
from fourfold.suite.task import Answers, Ask, Draw, FolderWant, Problem
from fourfold.tasks.dicom_deid import anonymity, clinical, corpus, midi, midi_b, phantoms, renames, robustness
from fourfold.tasks.dicom_deid.downstream import Classifier
from fourfold.tasks.dicom_deid.key import Corpus
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.wanted import Wanted

PATIENTS, SMALL = 60, 6
"""Patients of a corpus, about: coins decide."""
GROUP = 10
"""Patients that a method is given at a time."""
EDITION = "2024c"
"""Of PS3.15, whose Basic Application Level Confidentiality Profile is asked for."""
OPTIONS = (
    "Clean Pixel Data Option",
    "Clean Graphics Option",
    "Clean Structured Content Option",
    "Clean Descriptors Option",
    "Retain Longitudinal Temporal Information Modified Dates Option",
    "Retain Patient Characteristics Option",
    "Retain Safe Private Option",
)
"""With these options, as PS3.16 CID 7050 calls them."""
ROOM = 64 << 20
"""Bytes that an answer may have beyond four times those given."""


@dataclass(frozen=True, eq=False)
class Studies:
    """Whole patients, as a folder of files (see ``suite.folder``), and the policy to de-identify them by.

    paths: (n,) names of files. data, ends: their bytes, one after another, and where each ends. odd: nothing here.
    edition: of PS3.15. options: of its profile, by the names of PS3.16 CID 7050.
    """

    paths: tuple[str, ...]
    data: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    odd: tuple[str, ...] = ()
    edition: str = EDITION
    options: tuple[str, ...] = OPTIONS


def asked(drawn: Corpus, variants: Mapping[str, str], actions: Sequence[midi.Check] | None = None) -> Problem:
    """The problem of a corpus: an ask for each group of patients, which may fail without ending the others.

    variants: by path, the unusual encoding of a file. actions: what MIDI-B's curators ask for; None: as they would.
    """
    grouped = groups(drawn)
    asks = []
    for paths in grouped:
        given = folder.folder({path: drawn.given[path] for path in paths})
        want = FolderWant(4 * len(given.data) + ROOM, len(paths))
        asks.append(Ask("deidentify", Studies(given.paths, given.data, given.ends), want, may_fail=True))
    return Problem(asks, Answers({"known": Known(drawn, grouped, variants, actions)}))


def groups(drawn: Corpus) -> list[list[str]]:
    """The paths of each group, in the order of their patients; a file of nobody's goes with the first."""
    whose = {instance.path: instance.patient for instance in drawn.key.instances}
    found: dict[int, list[str]] = {}
    for path in sorted(drawn.given):
        found.setdefault(max(0, whose.get(path, 0)) // GROUP, []).append(path)
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class Known:
    """A corpus, and what is worked out of it once for all methods that are asked the same.

    groups: the paths of each ask. variants: by path, the unusual encoding of a file. actions: as in ``asked``.
    """

    corpus: Corpus
    groups: Sequence[Sequence[str]]
    variants: Mapping[str, str]
    actions: Sequence[midi.Check] | None = None

    @cached_property
    def given(self) -> dict[str, File]:
        """The files that methods get, by path."""
        return {path: File(path, data) for path, data in self.corpus.given.items()}

    @cached_property
    def reference(self) -> dict[str, File]:
        """Those that a perfect one would write."""
        return {path: File(path, data) for path, data in self.corpus.reference.items()}

    @cached_property
    def wanted(self) -> Wanted:
        """What is looked for in outputs."""
        return Wanted(self.corpus.key, self.given, self.reference)

    @cached_property
    def classifier(self) -> Classifier:
        """What tells the modalities of the images apart."""
        instances = self.corpus.key.instances
        files, modalities = [self.given[one.path] for one in instances], [one.modality for one in instances]
        return Classifier(files, modalities, [one.patient for one in instances])

    @cached_property
    def checks(self) -> list[midi.Check]:
        """The actions that MIDI-B's rule asks for."""
        if self.actions is not None:
            return list(self.actions)
        return midi.checks(self.corpus.key, self.given, self.reference)

    @cached_property
    def reidentified(self) -> float | None:
        """How well the images as given tell patients apart."""
        return anonymity.image_reidentification(list(self.corpus.key.instances), self.given)


@dataclass(frozen=True)
class Written:
    """What came back of all groups. files: by given path, each under its own new one; extra: files that answer to none;
    odd: what lay there and is no file."""

    files: Mapping[str, File]
    extra: Sequence[File]
    odd: Sequence[str]


def gathered(answers: Sequence[Folder | None], known: Known) -> Written:
    """Lay each group's answer beside what it was given: a file counts for its own group alone."""
    files: dict[str, File] = {}
    extra: list[File] = []
    odd: list[str] = []
    for answer, paths in zip(answers, known.groups, strict=True):
        came = {path: bytes(data) for path, data in answer or ()}
        found = renames.answered(paths, came)
        files |= {path: File(found.names[path], data, known.given[path]) for path, data in found.files.items()}
        extra += [File(path, came[path]) for path in found.extra]
        odd += answer.odd if answer else ()
    return Written(files, extra, odd)


def draw(data: Any, secret: Draw, *, small: bool = False) -> Problem:
    """Draw studies from the seed, of whom fair coins decide who is in them; ``small``: of some three patients.

    data: what ``sources.load`` gave. Of studies that others planted identities in, so many patients are drawn, and some
    files of each: there is no list of people whom to tell from them.
    """
    if isinstance(data, midi_b.Studies):
        sampled = midi_b.sample(data, secret.rng("corpus"), SMALL if small else PATIENTS)
        return asked(midi_b.corpus(sampled), {}, sampled.checks)
    bases = phantoms.phantom if isinstance(data, str) else partial(clinical.varied_from, data)
    patients = SMALL if small else PATIENTS
    drawn = corpus.draw(secret.rng("corpus"), secret.rng("coins"), bases, patients, small)
    if data == "robustness":
        rough = robustness.roughen(drawn, secret.rng("variants"))
        return asked(rough.corpus, rough.variants)
    return asked(drawn, {})
