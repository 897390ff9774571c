"""Methods for dp-images."""
