"""The files of a folder, and where each goes in another."""

from collections.abc import Iterator
from pathlib import Path


def pairs(source: str, target: str) -> Iterator[tuple[Path, Path]]:
    """Each file beneath ``source`` with the same place beneath ``target``, whose folder is made; by name."""
    for old in sorted(path for path in Path(source).rglob("*") if path.is_file()):
        new = Path(target, old.relative_to(source))
        new.parent.mkdir(parents=True, exist_ok=True)
        yield old, new
