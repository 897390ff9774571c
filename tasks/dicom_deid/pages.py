"""One file, written with an identity and once more without, by the same steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from fourfold.tasks.dicom_deid import graphics, headers, private_blocks, wording
from fourfold.tasks.dicom_deid.acquisition import acquisition
from fourfold.tasks.dicom_deid.bases import Base, Samples
from fourfold.tasks.dicom_deid.burning import Burned, burn, identity_lines
from fourfold.tasks.dicom_deid.encoding import Style, encode, style_of
from fourfold.tasks.dicom_deid.envelope import filename, meta, named, preamble
from fourfold.tasks.dicom_deid.headers import Document, Visit, pick
from fourfold.tasks.dicom_deid.nested import nested, references
from fourfold.tasks.dicom_deid.reports import report
from fourfold.tasks.dicom_deid.slots import Filler, Identity, Notes

if TYPE_CHECKING:
    from pydicom import Dataset

NAMED = 6
"""Of so many patients the files of one are named after them, those apart that are twins of another's."""


EXPLICIT = "1.2.840.10008.1.2.1"
"""The transfer syntax of what has no pixels."""

Bases = Callable[[np.random.Generator, str], Base]
"""Gives an image of a modality without identity."""


@dataclass(frozen=True)
class Picture:
    """An image, what was burned into it, and the elements in which it is stored with the identity and without."""

    base: Base
    burned: Burned
    given: "Dataset"
    reference: "Dataset"

    @property
    def size(self) -> tuple[int, int, int]:
        """Its (frames, rows, columns)."""
        frames, rows, columns = self.base.pixels.shape[:3]
        return frames, rows, columns


def encoded(pixels: Samples, style: Style) -> "Dataset":
    """The elements that store an image."""
    from pydicom import Dataset

    stored = Dataset()
    encode(stored, pixels, style)
    return stored


@dataclass(frozen=True)
class Page:
    """A document as it is written for a patient. at: its place among the files of a study."""

    who: Identity
    visit: Visit
    document: Document
    at: int

    @property
    def names_patient(self) -> bool:
        """Whether the file's name tells whose it is. No twin's does: of the two, one alone may be such a patient's."""
        return self.who.patient % NAMED == 1 and self.document.number < 0

    @property
    def path(self) -> str:
        """Where it lies, in a folder for each patient and study."""
        return f"p{self.who.patient:02d}/s{self.visit.number}/{filename(self.who, self.at, self.names_patient)}"

    def picture(self, bases: Bases, small: bool) -> "Picture | None":
        """Its image with all that is burned in, none for a report.

        The second of two twins is moved by two columns, so that no two images are equal.
        """
        document = self.document
        if document.modality == "SR":
            return None
        drawn, laid_out, stored = (np.random.default_rng([document.seed, part]) for part in (1, 2, 3))
        base = bases(drawn, document.modality)
        step = 2 if small and min(base.pixels.shape[1:3]) >= 256 else 1
        pixels = base.pixels[:, ::step, ::step]
        pixels = pixels[:, :, : pixels.shape[2] // 2 * 2]
        base = replace(base, pixels=np.roll(pixels, 2 * document.second, axis=2))
        day, institution = f"{self.visit.day:%Y%m%d}", self.who.numbers["institution"]
        lines = identity_lines(self.who.person, day, self.visit.accession, institution, laid_out)
        burned = burn(base, lines if "pixels" in document.loci else (), laid_out)
        style = style_of(base, stored)
        given = encoded(burned.given, style)
        return Picture(base, burned, given, encoded(burned.reference, style) if burned.identity else given)

    def written(self, picture: Picture | None, notes: Notes | None) -> bytes:
        """The file's bytes: with the identity, which is noted, or as a reference if ``notes`` is None."""
        from pydicom import Dataset
        from pydicom.uid import UID

        dataset = Dataset()
        rng = np.random.default_rng(self.document.seed)
        to = Filler(dataset, self.who, self.path, self.visit.day, notes, rng)
        self.header(to)
        if picture is None:
            report(to, self.visit)
        else:
            self.image(to, picture)
        loci = self.document.loci
        file_meta = meta(to, dataset.SOPClassUID, self.visit.instances[self.at], "meta" in loci)
        file_meta.TransferSyntaxUID = picture.given.file_meta.TransferSyntaxUID if picture else UID(EXPLICIT)
        dataset.file_meta = file_meta
        dataset.preamble = preamble(to, "preamble" in loci)
        named(to, self.names_patient)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def header(self, to: Filler) -> None:
        """All elements that images and reports have in common."""
        modality, loci, maker = self.document.modality, self.document.loci, self.document.maker
        texts = [*self.who.names, *self.who.numbers.values(), *self.who.staff]
        to.put("SpecificCharacterSet", headers.character_set(texts, self.who.person.script, int(to.rng.integers(4))))
        headers.patient(to, self.visit)
        headers.study(to, self.visit, pick(to.rng, wording.STUDIES[modality]), self.visit.number + 1)
        headers.series(to, self.visit, modality)
        headers.equipment(to, maker)
        headers.instance(to, self.visit, modality, self.at)
        private_blocks.safe(to, maker, self.document.series)
        if "private" in loci:
            private_blocks.identified(to, maker)
        if "binary" in loci:
            private_blocks.binary(to, maker)

    def image(self, to: Filler, picture: Picture) -> None:
        """The elements of an image, and its pixels with what is burned into them."""
        headers.descriptions(to)
        references(to, self.visit, self.at)
        loci = self.document.loci
        if "nested" in loci:
            nested(to)
        frames, rows, columns = picture.size
        acquisition(to, self.document.modality, picture.base.signed, frames, self.document.series, self.at)
        if "overlay" in loci:
            if to.rng.random() < 0.6:
                graphics.overlay(to, rows, columns)
            else:
                graphics.annotation(to)
        burned = picture.burned
        for mark in burned.identity:
            to.note(mark.kind, "pixels", "pixels", mark.text, mask=mark.mask)
        for mark in burned.distractors:
            to.noted_kept("distractor", "pixels", (mark.text,), mark.mask)
        to.dataset.update(picture.given if to.given else picture.reference)

