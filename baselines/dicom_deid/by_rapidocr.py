"""Burned-in text blacked out by RapidOCR, by two rules that users of text readers choose between."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fourfold.baselines.dicom_deid.places import each
from fourfold.baselines.dicom_deid.samples import Image, decoded, images, store
from fourfold.baselines.dicom_deid.text_boxes import Quad, Reader, box
from fourfold.suite import Method

MARGIN = 2
"""Pixels around a text that go with it."""


def black_out(old: Path, new: Path, texts: Callable[[Image], list[Quad]]) -> None:
    """Copy a file with the texts of each frame black, and the header as it is."""
    from pydicom import dcmread

    dataset = dcmread(old, force=True)
    if "PixelData" not in dataset:
        shutil.copyfile(old, new)
        return
    samples = decoded(dataset)
    found = [texts(image) for image in images(dataset, samples)]
    if not any(found):
        shutil.copyfile(old, new)
        return
    black = samples.max() if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else samples.min()
    for frame, quads in zip(samples, found, strict=True):
        for quad in quads:
            frame[box(quad, frame.shape, MARGIN)] = black
    store(dataset, samples)
    dataset.save_as(new)


class RapidOCRRead(Method):
    """Blacks out what RapidOCR reads with its default confidence of a half; headers stay as they are.

    Text that it finds and cannot read, such as names in scripts it was not taught, stays.
    """

    task = "dicom-deid"
    version = "1"
    author = "RapidAI, by fourfold"
    licence = "Apache-2.0"

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Black out the texts of each image."""
        self.reader = getattr(self, "reader", None) or Reader(int(self.budget.cpus))
        each(source, target, lambda old, new: black_out(old, new, self.texts))

    def texts(self, image: Image) -> list[Quad]:
        """Where it reads something."""
        return [quad for quad, _, _ in self.reader.read(image)]


class RapidOCRDetected(RapidOCRRead):
    """Blacks out whatever RapidOCR takes for text, read or not; headers stay as they are.

    Markings that must stay, such as L and R, go as well.
    """

    def texts(self, image: Image) -> list[Quad]:
        """Where it takes something for text."""
        return self.reader.detect(image)
