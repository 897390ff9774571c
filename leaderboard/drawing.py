"""Vega in a process of its own, which draws while the pages are being written: it takes as long as all the rest.

The process is ``python -m fourfold.leaderboard.drawing``: figures in, as JSON on its standard input; the script that
draws them in a browser and the drawings out, as JSON on its standard output.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fourfold.leaderboard import figure

Figure = tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""Points and axes, as ``figure.filled`` takes them."""


def begin() -> "subprocess.Popen[bytes]":
    """Start the process; it makes the script at once, and waits for figures."""
    command = [sys.executable, "-m", "fourfold.leaderboard.drawing"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[bytes]", figures: Sequence[Figure]) -> tuple[str, list[str]]:
    """Hand over the figures, and return the script and a drawing (SVG) of each. Raises RuntimeError where it failed."""
    out, told = process.communicate(json.dumps(figures).encode())
    if process.returncode:
        raise RuntimeError(f"the plots could not be drawn: {told.decode(errors='replace').strip()[-2000:]}")
    answer = json.loads(out)
    return answer["script"], answer["drawings"]


def main() -> None:
    """Be that process."""
    script = figure.bundle()
    figures = json.load(sys.stdin)
    json.dump({"script": script, "drawings": [figure.svg(points, axes) for points, axes in figures]}, sys.stdout)


if __name__ == "__main__":
    main()
