"""Image classification under a privacy budget that is measured, not believed."""
