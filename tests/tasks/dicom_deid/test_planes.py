"""Whether what was drawn in an overlay's plane is found there again, and only then."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from fourfold.suite.task import Draw
from fourfold.tasks.dicom_deid import planes, problem
from fourfold.tasks.dicom_deid.reading import File

PLANE = 0x60003000


@pytest.fixture(scope="module")
def drawn():
    """A file with a name in an overlay's plane, the item, and what a perfect method would have written."""
    known = problem.draw("phantom", Draw(b"planes", "dicom-deid", "phantom", 1), small=True).answers.hidden["known"]
    item = next(item for item in known.corpus.key.planted if item.where == "(6000,3000)")
    return known.given[item.path], item, known.reference[item.path]


def written(given, change, rows=None):
    """The file with its plane changed, and no longer so many rows high."""
    dataset = dcmread(BytesIO(given.data))
    plane = next(planes.planes(dataset)).copy()
    plane = change(plane)
    dataset[0x60000010].value, dataset[0x60000011].value = plane.shape
    data = np.packbits(plane.reshape(-1), bitorder="little").tobytes()
    dataset[PLANE].value = data + b"\0" * (len(data) % 2)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return File(given.path, buffer.getvalue(), given)


def test_it_is_there_as_given_and_not_in_the_reference(drawn):
    given, item, reference = drawn
    assert (item.kind, item.locus, item.burned) == ("name", "overlay", None)
    assert planes.legible(given, item)[0] == "contrast"
    assert planes.legible(reference, item) == ("", "")


def test_the_outline_of_the_lesion_stays_in_the_reference(drawn):
    given, _, reference = drawn
    before, after = (next(planes.planes(file.parsed[0])) for file in (given, reference))
    assert after.any()
    assert not (after & ~before).any()


def test_an_inverted_plane_still_says_it(drawn):
    given, item, _ = drawn
    assert planes.legible(written(given, np.logical_not), item)[0] == "contrast"


@pytest.mark.parametrize("fill", [False, True])
def test_a_box_over_it_hides_it(drawn, fill):
    given, item, _ = drawn

    def box(plane):
        rows, columns = item.mask.glyphs.shape
        plane[item.mask.top : item.mask.top + rows, item.mask.left : item.mask.left + columns] = fill
        return plane

    assert planes.legible(written(given, box), item) == ("", "")


def test_in_a_plane_of_another_size_it_is_read(drawn):
    pytest.importorskip("rapidocr_onnxruntime", reason="rapidocr-onnxruntime, which reads it, is not installed")
    given, item, _ = drawn
    twice = written(given, lambda plane: np.kron(plane, np.ones((2, 2), bool)))
    latin = replace(item, forms=(item.text, *item.text.split()))
    assert planes.legible(twice, latin)[0].startswith("OCR")


def test_a_plane_that_claims_more_than_it_has_is_none(drawn):
    dataset = dcmread(BytesIO(drawn[0].data))
    dataset[0x60000010].value, dataset[0x60000011].value = 65535, 65535
    assert not list(planes.planes(dataset))
