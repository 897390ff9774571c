"""De-identification of DICOM studies, header and pixels, scored so that one leaked name is visible."""
