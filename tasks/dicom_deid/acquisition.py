"""How an image was made, as its modality's module asks: nobody's identity, and all of it must stay.

No value is one for all studies, or who knows it could take it out and write it back, and a mix-up would not be seen.
"""

from typing import Any

import numpy as np

from fourfold.tasks.dicom_deid.slots import Filler

_PLANE = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
_MODULES: dict[str, dict[str, Any]] = {
    "CT": {
        **_PLANE, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "BodyPartExamined": "CHEST",
    },
    "MR": {
        **_PLANE, "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"], "ScanningSequence": "SE", "SequenceVariant": "SK",
        "ScanOptions": "PFP", "MRAcquisitionType": "2D", "BodyPartExamined": "BRAIN",
    },
    "US": {"ImageType": ["ORIGINAL", "PRIMARY"], "BodyPartExamined": "ABDOMEN"},
    "CR": {"ViewPosition": "AP", "BodyPartExamined": "CHEST", "PlateType": ""},
    "DX": {
        "ImageType": ["ORIGINAL", "PRIMARY"], "PresentationIntentType": "FOR PRESENTATION", "ImageLaterality": "U",
        "BodyPartExamined": "CHEST", "PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1,
        "RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US", "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00", "BurnedInAnnotation": "YES", "PatientOrientation": ["L", "F"],
        "DetectorType": "SCINTILLATOR", "ViewPosition": "PA",
    },
    "XA": {
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"], "PixelIntensityRelationship": "LOG",
        "RadiationSetting": "GR", "BodyPartExamined": "HEART", "PositionerMotion": "STATIC",
    },
    "NM": {
        "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"], "BodyPartExamined": "WHOLEBODY",
    },
    "SC": {"ConversionType": "WSD", "SecondaryCaptureDeviceManufacturer": "ACME Imaging", "BurnedInAnnotation": "YES"},
}  # fmt: skip

_POSITION = {"PatientPosition": ("HFS", "FFS", "HFP")}
_SLICES = {"SliceThickness": ("1", "1.5", "3", "5"), **_POSITION}
_VARIED: dict[str, dict[str, tuple[str, ...]]] = {
    "CT": {**_SLICES, "KVP": ("80", "100", "120", "140"), "AcquisitionNumber": ("1", "2", "3", "4"),
           "WindowCenter": ("40", "60", "-600", "300"), "WindowWidth": ("350", "400", "1500", "1800")},
    "MR": {**_SLICES, "RepetitionTime": ("450", "600", "2500", "4100"), "EchoTime": ("12", "24.5", "90", "102"),
           "EchoTrainLength": ("1", "9", "17"), "MagneticFieldStrength": ("1.5", "3"),
           "WindowCenter": ("300", "450", "620"), "WindowWidth": ("600", "910", "1240")},
    "CR": {"KVP": ("70", "85", "90")},
    "DX": {"KVP": ("60", "81", "110", "125")},
    "XA": {"KVP": ("70", "80", "95"), "PositionerPrimaryAngle": ("-45", "0.5", "30"),
           "PositionerSecondaryAngle": ("-25", "10", "20")},
    "NM": {**_POSITION, "CountsAccumulated": ("480000", "612000", "900000"),
           "ActualFrameDuration": ("20000", "45000", "60000")},
}  # fmt: skip
"""What a series has one of."""
_FRAME_TIMES = ("33.3", "40", "66.7")
_CHANGES = ("BurnedInAnnotation", "LossyImageCompression")
"""What a method that takes text out of pixels has to say anew."""


def acquisition(to: Filler, modality: str, signed: bool, frames: int, series: int, at: int) -> None:
    """Write the elements that a modality's images have beside the pixels'.

    series: the seed of what its images have in common; at: the image's place among them.
    """
    from pydicom.tag import Tag

    rng = np.random.default_rng(series)
    values = _MODULES[modality] | {
        keyword: some[int(rng.integers(len(some)))] for keyword, some in _VARIED.get(modality, {}).items()
    }
    spacing, corner = round(float(rng.uniform(0.5, 0.9)), 3), round(float(rng.uniform(-200, 0)), 1)
    if modality in ("CT", "MR"):
        values["PixelSpacing"] = [spacing, spacing]
        values["ImagePositionPatient"] = [corner, corner, corner + at * float(values["SliceThickness"])]
    if modality == "DX":
        values["ImagerPixelSpacing"] = [spacing / 5, spacing / 5]
    if modality == "CT":
        values |= {"RescaleIntercept": "0" if signed else "-1024", "RescaleSlope": "1", "RescaleType": "HU"}
    if frames > 1 and modality in ("US", "XA"):
        values |= {"FrameIncrementPointer": Tag(0x00181063), "FrameTime": _FRAME_TIMES[int(rng.integers(3))]}
    elif frames > 1 and modality == "NM":
        values |= {"FrameIncrementPointer": [Tag(0x00540010), Tag(0x00540020)], "EnergyWindowVector": [1] * frames,
                   "DetectorVector": list(range(1, frames + 1)), "NumberOfEnergyWindows": 1,
                   "NumberOfDetectors": frames}  # fmt: skip
    elif frames > 1:
        values["FrameIncrementPointer"] = Tag(0x00540010)
    for keyword, value in values.items():
        if value == "" or keyword in _CHANGES:
            to.put(keyword, value)
        elif keyword == "ImageType":  # An image whose pixels were changed may be called derived (PS3.3 C.7.6.1.1.2).
            to.keep(keyword, value, "attribute", also=["DERIVED", *value[1:]])
        else:
            to.keep(keyword, value, "attribute")
    to.put("Laterality", "")
