"""The files of a folder, and where each goes in another."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path


def pairs(source: str, target: str) -> Iterator[tuple[Path, Path]]:
    """Each file beneath ``source`` with the same place beneath ``target``, whose folder is made; by name."""
    for old in sorted(path for path in Path(source).rglob("*") if path.is_file()):
        new = Path(target, old.relative_to(source))
        new.parent.mkdir(parents=True, exist_ok=True)
        yield old, new


def each(source: str, target: str, one: Callable[[Path, Path], None]) -> None:
    """Call ``one`` with each pair. A file that it fails on is left out, and the log says why."""
    for old, new in pairs(source, target):
        try:
            one(old, new)
        except Exception:
            new.unlink(missing_ok=True)
            print(f"{old.relative_to(source)} is left out: {traceback.format_exc(limit=-1)}", flush=True)
