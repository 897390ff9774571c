"""Baseline methods of the task ``dicom-deid``."""
