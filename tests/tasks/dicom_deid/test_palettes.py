"""A palette shows the same colours in either byte order."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid.palettes import coloured
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.residual import grey, seen

RAMP = np.arange(256) * 200


def written(big: bool) -> bytes:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PixelRepresentation = 16, 16, 1, 0
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored, data.HighBit = "PALETTE COLOR", 8, 8, 7
    for times, name in enumerate(("Red", "Green", "Blue")):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        words = (RAMP // (1 + times)).astype(">u2" if big else "<u2")
        setattr(data, f"{name}PaletteColorLookupTableData", words.tobytes())
    data.add_new(0x7FE00010, "OB", np.arange(256, dtype=np.uint8).tobytes())
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("big", [False, True])
def test_a_palette_says_its_colours_in_either_byte_order(big):
    colours = coloured(np.arange(256), dcmread(BytesIO(written(big))))
    assert np.array_equal(colours, np.stack([RAMP, RAMP // 2, RAMP // 3], axis=1))


def test_what_a_palette_shows_is_seen_alike_in_either_byte_order():
    little, big = (seen(File("x.dcm", written(each)))[1] for each in (False, True))
    assert np.array_equal(little, big)
    assert little[0, -1, -1] == grey(np.array([[[[RAMP[-1], RAMP[-1] // 2, RAMP[-1] // 3]]]])).item()
