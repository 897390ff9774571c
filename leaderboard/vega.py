"""Vega as one script: bundled once for each version of vl-convert, and kept in the user's cache folder."""

import contextlib
import gzip
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

_BEGINS, _ENDS = '(() => {"use strict";', "\n})();"


@contextlib.contextmanager
def bundling() -> Iterator[Callable[[], str]]:
    """Find the script of an earlier bundling, or begin one; what this gives waits for the script and returns it.

    Bundling takes 2 s, so a process of its own does it while pages are written. Raises RuntimeError (from what it
    gives) where the script could not be made.
    """
    place = _place()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        script = place.read_text(encoding="utf-8")
        if script.startswith(_BEGINS) and script.endswith(_ENDS):
            yield lambda: script
            return
    command = [sys.executable, "-c", "from fourfold.leaderboard import vega; print(vega.bundle())"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield lambda: _finished(process, place)


def bundle() -> str:
    """Vega, its expression interpreter and its embedder as one script that sets ``window.vegaEmbed`` alone."""
    import vl_convert

    return _BEGINS + vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed") + _ENDS


def packed(script: str) -> str:
    """A script, compressed (gzip) and spelled in base64: 0.4 MB in a page instead of 0.9."""
    return b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode()


def _place() -> Path:
    """Where the script of the installed version is kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fourfold"
    return folder / f"vega-{metadata.version('vl-convert-python')}.js"


def _finished(process: "subprocess.Popen[bytes]", place: Path) -> str:
    """Wait for the script, and keep it where the folder takes it."""
    made, told = process.communicate()
    if process.returncode:
        raise RuntimeError(f"Vega could not be bundled: {told.decode(errors='replace').strip()[-2000:]}")
    script = made.decode().rstrip("\n")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        whole = place.with_name(f".{os.getpid()}.tmp")
        whole.write_text(script, encoding="utf-8")
        whole.replace(place)
    return script
