"""The Basic Profile of PS3.15 Annex E (Table E.1-1, edition 2024c) with the options that keep studies of use.

The table is told by rules, one a VR (``RULES``), and by the attributes that they do not fit, by keyword.
"""

from collections.abc import Container

CLEAN_PIXELS = "Clean Pixel Data Option"
CLEAN_GRAPHICS = "Clean Graphics Option"
CLEAN_DESCRIPTORS = "Clean Descriptors Option"
CLEAN_CONTENT = "Clean Structured Content Option"
SHIFTED_DATES = "Retain Longitudinal Temporal Information Modified Dates Option"
CHARACTERISTICS = "Retain Patient Characteristics Option"
SAFE_PRIVATE = "Retain Safe Private Option"
CODES = {
    "Basic Application Confidentiality Profile": "113100", CLEAN_PIXELS: "113101", CLEAN_GRAPHICS: "113103",
    CLEAN_CONTENT: "113104", CLEAN_DESCRIPTORS: "113105", SHIFTED_DATES: "113107", CHARACTERISTICS: "113108",
    SAFE_PRIVATE: "113111",
}
"""Of CID 7050, what ours can do."""

_TEXT = dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), "C")
RULES = _TEXT | {
    "DA": "date", "DT": "date", "TM": "time", "UI": "U", "PN": "X", "AE": "X", "UR": "X", "UN": "X", "OB": "X",
    "OB or OW": "X", "OW": "X", "OD": "X", "OF": "X", "OL": "X", "OV": "X", "SQ": "items", "AS": "age", "CS": "code",
    "DS": "number", "IS": "number",
}
"""What is done to an attribute by its VR, unless the table says otherwise. X, Z, D, C, U, K: as in the standard.
``date``, ``time``, ``age``, ``code``, ``number``: kept if it is one; ``items``: those nested in it, each alike."""

_REMOVED = """
AdmissionID BranchOfService CassetteID CertificateOfSigner ClinicalTrialProtocolEthicsCommitteeApprovalNumber
ClinicalTrialSeriesID ConfidentialityConstraintOnPatientDataDescription ContainerComponentID CountryOfResidence
CurrentPatientLocation DataSetTrailingPadding DetectorID DeviceAlternateIdentifier DeviceSerialNumber
DistributionAddress EntityName FractionGroupDescription GPSLatitude GPSLongitude GPSAltitude GPSDestLatitude
GPSDestLongitude GPSDestBearing GPSDestDistance GPSTrack GPSSpeed GantryID GeneratorID HumanPerformerOrganization
InstitutionAddress InstitutionName InstitutionalDepartmentName InsurancePlanIdentification InterpretationID
InterpretationIDIssuer IssuerOfAdmissionID IssuerOfPatientID IssuerOfServiceEpisodeID LensSerialNumber
MedicalRecordLocator MilitaryRank ModifyingSystem NetworkID OrderCallbackPhoneNumber
OrderCallbackTelecomInformation OrderEntererLocation Originator OtherPatientIDs PatientAddress
PatientInstitutionResidence PatientReligiousPreference PatientTelecomInformation PatientTelephoneNumbers
PerformedLocation PerformedProcedureStepID PerformedStationName PersonAddress PersonTelecomInformation
PersonTelephoneNumbers PlateID ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers RegionOfResidence
RequestedProcedureID RequestedProcedureLocation RequestingService ResponsibleOrganization ResultsID ResultsIDIssuer
ScheduledPatientInstitutionResidence ScheduledProcedureStepID ScheduledProcedureStepLocation ScheduledStationName
ScheduledStudyLocation ServiceEpisodeID SlideIdentifier SourceSerialNumber SpecimenAccessionNumber StationName
StudyIDIssuer TelephoneNumberTrial AddressTrial TimezoneOffsetFromUTC UniqueDeviceIdentifier CameraOwnerName
PatientBirthTime AttributeModificationDateTime InstanceCreatorUID AffectedSOPInstanceUID RequestedSOPInstanceUID
FillerOrderNumberProcedure PlacerOrderNumberProcedure FillerOrderNumberImagingServiceRequestRetired
PlacerOrderNumberImagingServiceRequestRetired XRayDetectorLabel TopicAuthor ReferencedFileIDTrial

ActualHumanPerformersSequence AuthorObserverSequence ConsultingPhysicianIdentificationSequence
ContentCreatorIdentificationCodeSequence CustodialOrganizationSequence DigitalSignaturesSequence
EncryptedAttributesSequence FlowIdentifierSequence IconImageSequence InstitutionCodeSequence
InstitutionalDepartmentTypeCodeSequence IntendedRecipientsOfResultsIdentificationSequence
InterpretationApproverSequence IssuerOfAccessionNumberSequence IssuerOfAdmissionIDSequence
IssuerOfPatientIDQualifiersSequence IssuerOfServiceEpisodeIDSequence MACParametersSequence
ModifiedAttributesSequence NonconformingModifiedAttributesSequence OperatorIdentificationSequence
OrderFillerIdentifierSequence OrderPlacerIdentifierSequence OriginalAttributesSequence OtherPatientIDsSequence
ParticipantSequence PatientInsurancePlanCodeSequence PatientPrimaryLanguageCodeSequence
PerformedStationGeographicLocationCodeSequence PerformedStationNameCodeSequence
PerformingPhysicianIdentificationSequence PhysiciansOfRecordIdentificationSequence
PhysiciansReadingStudyIdentificationSequence ROICreatorSequence ROIInterpreterSequence
ReferencedDigitalSignatureSequence ReferencedPatientAliasSequence ReferencedPatientPhotoSequence
ReferencedPatientSequence ReferencedSOPInstanceMACSequence ReferringPhysicianIdentificationSequence
RequestingPhysicianIdentificationSequence ResultsDistributionListSequence ScheduledHumanPerformersSequence
ScheduledPerformingPhysicianIdentificationSequence ScheduledStationGeographicLocationCodeSequence
ScheduledStationNameCodeSequence TransducerIdentificationSequence UDISequence
VerbalSourceIdentifierCodeSequenceTrial VerifyingObserverIdentificationCodeSequence
"""
_EMPTIED = """
AccessionNumber ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolName ClinicalTrialSiteID
ClinicalTrialSiteName ClinicalTrialTimePointID ConsultingPhysicianName ContentCreatorName
FillerOrderNumberImagingServiceRequest IssuerOfTheContainerIdentifierSequence IssuerOfTheSpecimenIdentifierSequence
ManufacturerDeviceIdentifier PatientBirthDate PlacerOrderNumberImagingServiceRequest ROIInterpreter
ReferringPhysicianName StudyID TreatmentMachineName BarcodeValue LabelText
"""
_DUMMY = """
ClinicalTrialProtocolID ClinicalTrialSponsorName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID
ContainerIdentifier SpecimenIdentifier PatientID PatientName PersonName VerifyingObserverName VerifyingOrganization
"""
_KEPT = """
SpecificCharacterSet SOPClassUID ReferencedSOPClassUID RelatedGeneralSOPClassUID TransferSyntaxUID Manufacturer
ManufacturerModelName Modality CodeValue CodingSchemeDesignator CodingSchemeVersion ContextIdentifier
MappingResource ContextUID TemplateIdentifier CodingSchemeUID MappingResourceUID PixelData FloatPixelData
DoubleFloatPixelData WaveformData RedPaletteColorLookupTableData GreenPaletteColorLookupTableData
BluePaletteColorLookupTableData LUTData SegmentedRedPaletteColorLookupTableData
SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData SoftwareVersions
VectorGridData TrianglePointIndexList ReferencedFrameNumber ReferencedFileID OffsetTable ExtendedOffsetTable
"""
_CODED = "CodeMeaning ConceptName SequenceName ScanOptions BodyPartExamined ScheduledStepAttributesSequence"
_CHARACTERISTIC = "PatientSex PatientAge PatientSize PatientWeight EthnicGroup SmokingStatus PregnancyStatus " \
    "PatientSexNeutered PatientBodyMassIndex"
TABLE = {
    keyword: action
    for action, keywords in (("X", _REMOVED), ("Z", _EMPTIED), ("D", _DUMMY), ("K", _KEPT), ("code", _CODED))
    for keyword in keywords.split()
}
CONTENT = ("ContentSequence", "AcquisitionContextSequence")
GRAPHICS = ("GraphicAnnotationSequence",)


def action(keyword: str, vr: str, options: Container[str]) -> str:
    """What is done to a public attribute under these options of CID 7050: one of ``RULES``."""
    if keyword in _CHARACTERISTICS:
        return _CHARACTERISTICS[keyword] if CHARACTERISTICS in options else "Z" if keyword == "PatientSex" else "X"
    told = TABLE.get(keyword) or RULES.get(vr, "K")
    needed = {"C": CLEAN_DESCRIPTORS, "date": SHIFTED_DATES}.get(told)
    if keyword in CONTENT or keyword in GRAPHICS:
        needed = CLEAN_CONTENT if keyword in CONTENT else CLEAN_GRAPHICS
    return "X" if needed and needed not in options else told


_CHARACTERISTICS = dict.fromkeys(_CHARACTERISTIC.split(), "K") | {
    "PatientAge": "age", "EthnicGroup": "code", "PatientSize": "number", "PatientWeight": "number",
    "PatientSex": "code",
    "PatientBodyMassIndex": "number", "SmokingStatus": "code", "PatientSexNeutered": "code",
}
