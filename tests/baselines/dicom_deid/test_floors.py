"""The methods that mark the ends of the scale, run in real guests."""

import numpy as np
import pytest


def test_no_op_returns_every_byte(run, small):
    assert run("no_op:NoOp", small) == small


def test_drop_all_returns_nothing(run, small):
    assert run("drop_all:DropAll", small) == {}


def test_blank_all_leaves_no_text_and_no_pixel(run, small, parsed):
    found = run("blank_all:BlankAll", small)
    assert found.keys() == small.keys()
    given = parsed(small)
    for path, dataset in parsed(found).items():
        assert not dataset.PatientName
        assert not dataset.StudyDate
        assert not dataset.pixel_array.any()
        assert dataset.pixel_array.shape == given[path].pixel_array.shape
        assert not [element for element in dataset if element.tag.is_private]
        for secret in (b"Nakamura", b"Zofia", b"MRN000", "由紀".encode(), b"Okafor", b"Fairview", b"555 123"):
            assert secret not in found[path]


@pytest.mark.parametrize(("bits", "frames"), [(8, 3), (16, 1), (16, 3)])
def test_what_blank_all_writes_can_be_decoded(run, one, parsed, bits, frames):
    samples = np.arange(frames * 20 * 30).reshape(frames, 20, 30).astype(f"<u{bits // 8}")
    shape = {"NumberOfFrames": frames, "Rows": 20, "Columns": 30, "PixelData": samples.tobytes()}
    depth = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    blanked = parsed(run("blank_all:BlankAll", {"a.dcm": one(**shape, **depth)}))["a.dcm"].pixel_array
    assert np.array_equal(blanked, np.zeros_like(samples).squeeze())


def test_blank_all_keeps_what_belongs_together(run, small, parsed):
    found, given = parsed(run("blank_all:BlankAll", small)), parsed(small)
    for dataset in found.values():
        assert dataset.RequestAttributesSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert {dataset.SOPInstanceUID for dataset in found.values()}.isdisjoint(
        dataset.SOPInstanceUID for dataset in given.values())
    assert len({dataset.StudyInstanceUID for dataset in found.values()}) == 3
