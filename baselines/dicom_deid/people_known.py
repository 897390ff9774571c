"""Whose each file is, and what the headers of all their files tell of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement

from fourfold.baselines.dicom_deid.identity import WORD, Identity, folded
from fourfold.baselines.dicom_deid.profile import TABLE
from fourfold.baselines.dicom_deid.scrubber import dates_in
from fourfold.baselines.dicom_deid.surrogates import day_of

COMMON = 3
"""Patients in whose texts a word must stand to tell none of them apart."""
_TELLING = frozenset(["X", "Z", "D"])
_FREE = frozenset(["LO", "LT", "ST", "UT", "SH", "UC"])


def elements(dataset: Dataset) -> Iterator[DataElement]:
    """All elements of a dataset that can be read, nested ones too."""
    for tag in list(dataset.keys()):
        with suppress(Exception):  # A value that its VR does not allow tells nothing.
            element = dataset[tag]
            yield element
            if element.VR == "SQ":
                for item in element.value or ():
                    yield from elements(item)


class Known:
    """What was learnt of all patients so far."""

    def __init__(self) -> None:
        self.of: dict[str, Identity] = defaultdict(Identity)
        self.anyone = Identity()
        self.common: set[str] = set()
        self.dates: dict[str, set[date]] = defaultdict(set)
        self._studies: dict[str, str] = {}
        self._seen_of: dict[str, set[str]] = defaultdict(set)

    def learn(self, datasets: Sequence[Dataset]) -> None:
        """Read whose these are, who that is, and which words they share."""
        for dataset in datasets:
            if dataset.get("PatientID"):
                self._studies[str(dataset.get("StudyInstanceUID"))] = str(dataset.PatientID)
        for dataset in datasets:
            patient = self.patient(dataset)
            for element in elements(dataset):
                self._learn(element, patient)
        for identity in self.of.values():
            self.anyone.update(identity)
        self.common = {word for word, patients in self._seen_of.items() if len(patients) >= COMMON} - self.anyone.names

    def patient(self, dataset: Dataset) -> str:
        """By what a patient is known: the patient ID, that of another file of the study, or else the study's UID."""
        own, study = str(dataset.get("PatientID") or ""), str(dataset.get("StudyInstanceUID") or "")
        return own or self._studies.get(study) or study

    def _learn(self, element: DataElement, patient: str) -> None:
        if element.tag.is_private or element.VR == "SQ" or not element.value:
            return
        identity = self.of[patient]
        values = element.value if element.VM > 1 else [element.value]
        if element.VR in ("DA", "DT"):
            self.dates[patient].update(day for value in values if (day := day_of(str(value))) is not None)
        if element.VR in _FREE:
            self.dates[patient].update(day for value in values for day in dates_in(str(value)))
        if element.VR == "PN":
            for value in values:
                identity.add_name(str(value))
        elif element.VR in _FREE or element.VR in ("AE", "UR"):
            if TABLE.get(keyword_for_tag(element.tag)) in _TELLING:
                for value in values:
                    identity.add_literal(str(value))
            else:
                for value in values:
                    for word in WORD.findall(str(value)):
                        self._seen_of[folded(word)].add(patient)


