"""Vega as one script: bundled once for each version of vl-convert, and kept in the user's cache folder."""

import contextlib
import gzip
import os
from base64 import b64encode
from importlib import metadata
from pathlib import Path

_BEGINS, _ENDS = '(() => {"use strict";', "\n})();"


def script() -> str:
    """The script of an earlier bundling, or of one that is made and kept now; that takes 2 s."""
    place = _place()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = place.read_text(encoding="utf-8")
        if found.startswith(_BEGINS) and found.endswith(_ENDS):
            return found
    made = bundle()
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        whole = place.with_name(f".{os.getpid()}.tmp")
        whole.write_text(made, encoding="utf-8")
        whole.replace(place)
    return made


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
