"""Methods for the dp-images task, one short file each."""
