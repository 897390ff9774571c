"""presidio-image-redactor, as its documentation shows it, without what it would download."""

from pathlib import Path
from typing import Any

import numpy as np

from fourfold.baselines.dicom_deid.places import each
from fourfold.suite import Method


class Presidio(Method):
    """The library presidio-image-redactor 0.0.62, of pixels alone: what the header tells, and patterns.

    Two of its parts are no Python packages and are replaced: the language model, by a blank one that knows no names,
    and tesseract, by RapidOCR, which often sees no space between two words, and then finds neither. Headers stay, and
    files without pixels; those that it fails on, such as loops, are left out.
    """

    task = "dicom-deid"
    version = "1"
    author = "Microsoft, by fourfold"
    licence = "MIT"
    requirements = ("presidio-image-redactor==0.0.62", "rapidocr-onnxruntime==1.4.4")

    def deidentify(self, source: str, target: str, policy: Any) -> None:
        """Redact each image."""
        import pydicom

        self.engine = getattr(self, "engine", None) or engine(int(self.budget.cpus))

        def one(old: Path, new: Path) -> None:
            dataset = pydicom.dcmread(old)
            redacted = self.engine.redact(dataset) if "PixelData" in dataset else dataset
            redacted.save_as(new)

        each(source, target, one)


def engine(threads: int) -> Any:
    """The redactor, with RapidOCR for a reader and without a language model."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_image_redactor import OCR, DicomImageRedactorEngine, ImageAnalyzerEngine
    from rapidocr_onnxruntime import RapidOCR

    reader = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    class Lines(OCR):
        def perform_ocr(self, image: Any, **_: Any) -> dict[str, list[Any]]:
            found, _ = reader(np.asarray(image.convert("RGB")))
            return words(found or [])

    return DicomImageRedactorEngine(ImageAnalyzerEngine(AnalyzerEngine(nlp_engine=Blank()), ocr=Lines()))


def words(lines: list[Any]) -> dict[str, list[Any]]:
    """Lines as tesseract would tell them: a row a word, whose box is the line's share that its letters take."""
    rows: dict[str, list[Any]] = {name: [] for name in ("left", "top", "width", "height", "conf", "text")}
    for quad, text, sure in lines:
        corners = np.array(quad)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        start = 0
        for word in str(text).split():
            start = str(text).index(word, start)
            share = (right - left) / max(len(str(text)), 1)
            values = (left + start * share, top, len(word) * share, bottom - top, 100 * float(sure))
            for name, value in zip(rows, values, strict=False):
                rows[name].append(int(value))
            rows["text"].append(word)
            start += len(word)
    return rows
