"""How an image was made, as its modality's module asks: nobody's identity, and all of it may stay."""

from typing import Any

from fourfold.tasks.dicom_deid.slots import Filler

_PLANE = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [-120, -120, 0], "SliceThickness": "3"}
_MODULES: dict[str, dict[str, Any]] = {
    "CT": {
        **_PLANE, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "KVP": "120", "AcquisitionNumber": "1",
        "PixelSpacing": [0.7, 0.7], "BodyPartExamined": "CHEST", "PatientPosition": "HFS",
    },
    "MR": {
        **_PLANE, "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"], "ScanningSequence": "SE", "SequenceVariant": "SK",
        "ScanOptions": "PFP", "MRAcquisitionType": "2D", "RepetitionTime": "600", "EchoTime": "12",
        "EchoTrainLength": "1", "PixelSpacing": [0.9, 0.9], "BodyPartExamined": "BRAIN", "PatientPosition": "HFS",
        "MagneticFieldStrength": "1.5",
    },
    "US": {"ImageType": ["ORIGINAL", "PRIMARY"], "BodyPartExamined": "ABDOMEN"},
    "CR": {"ViewPosition": "AP", "BodyPartExamined": "CHEST", "KVP": "90", "PlateType": ""},
    "DX": {
        "ImageType": ["ORIGINAL", "PRIMARY"], "PresentationIntentType": "FOR PRESENTATION", "ImageLaterality": "U",
        "BodyPartExamined": "CHEST", "PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1,
        "RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US", "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00", "BurnedInAnnotation": "YES", "PatientOrientation": ["L", "F"],
        "ImagerPixelSpacing": [0.15, 0.15], "DetectorType": "SCINTILLATOR", "KVP": "110", "ViewPosition": "PA",
    },
    "XA": {
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"], "PixelIntensityRelationship": "LOG", "KVP": "80",
        "RadiationSetting": "GR", "BodyPartExamined": "HEART", "PositionerPrimaryAngle": "30",
        "PositionerSecondaryAngle": "20", "PositionerMotion": "STATIC",
    },
    "NM": {
        "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"], "BodyPartExamined": "WHOLEBODY",
        "CountsAccumulated": "900000", "PatientPosition": "HFS", "ActualFrameDuration": "60000",
    },
    "SC": {"ConversionType": "WSD", "SecondaryCaptureDeviceManufacturer": "ACME Imaging", "BurnedInAnnotation": "YES"},
}  # fmt: skip


def acquisition(to: Filler, modality: str, signed: bool, frames: int) -> None:
    """Write the elements that a modality's images have beside the pixels'."""
    for keyword, value in _MODULES[modality].items():
        to.put(keyword, value)
    to.put("Laterality", "")
    if modality == "CT":
        to.put("RescaleIntercept", "0" if signed else "-1024")
        to.put("RescaleSlope", "1")
        to.put("RescaleType", "HU")
    if frames > 1:
        timed = modality in ("US", "XA")
        to.put("FrameIncrementPointer", 0x00181063 if timed else 0x00540010)
        if timed:
            to.put("FrameTime", "33.3")
        elif modality == "NM":
            to.put("FrameIncrementPointer", [0x00540010, 0x00540020])
            to.put("EnergyWindowVector", [1] * frames)
            to.put("DetectorVector", list(range(1, frames + 1)))
            to.put("NumberOfEnergyWindows", 1)
            to.put("NumberOfDetectors", frames)
