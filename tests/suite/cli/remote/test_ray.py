"""A Ray campaign whose results are in a bucket."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from buckets import SLOPE, ended, free_port, mirror, served, until

from fourfold.suite import store
from fourfold.suite.mirror import waiting

Run = Callable[..., Any]


@pytest.mark.ray
def test_a_ray_campaign_puts_its_cells_there(
    anywhere: Run, machine: Run, alone: tuple[str, ...], tmp_path: Path
) -> None:
    port = free_port()
    process = served(port, alone)
    inside = ("nsenter", "-t", str(process.pid), "-n") if alone else ()
    make = (*inside, sys.executable, "-c", "import s3fs; s3fs.S3FileSystem().mkdir('bucket')")
    try:
        until(lambda: subprocess.run(make, env=machine("a", port), capture_output=True).returncode == 0)
        words = (*SLOPE[:-1], "ray", "--seeds", "2", "--results", "s3://bucket/results")
        ran = anywhere(tmp_path, *words, before=inside, **machine("a", port))
        assert "2 ok" in ran.stdout, ran.stderr
        found = mirror(tmp_path, "a")
        assert (len(store.done(found)), waiting(found)) == (2, [])
    finally:
        ended(process)
