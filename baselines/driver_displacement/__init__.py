"""Baseline methods of the task ``driver-displacement``."""
