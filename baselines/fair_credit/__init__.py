"""Methods for the fair-credit task, one short file each: the examples that authors copy."""
