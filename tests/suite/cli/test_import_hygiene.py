"""What a light command must not import: it would cost seconds, and a cluster's worth of packages."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HEAVY = {
    "fsspec",
    "jinja2",
    "lightgbm",
    "numpy",
    "opacus",
    "pandas",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "torch",
}
CODE = """
import contextlib, json, sys
from fourfold.suite.cli import main
sys.argv = ["fourfold", *{words!r}]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    main()
print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["ls"],
        ["ls", "tasks"],
        ["ls", "datasets"],
        ["ls", "methods", "--json"],
        ["run", "--help"],
        ["board", "--help"],
        ["data", "--help"],
        ["rn"],
    ],
    ids=" ".join,
)
def test_a_light_command_imports_nothing_heavy(
    words: list[str], environment: Mapping[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(words=words)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": ""},  # a third party's task may import what it likes
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "click" in loaded
    assert not loaded & HEAVY
