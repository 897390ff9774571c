"""Which file of an output answers to which that was given: by its path, or by the method's own list of new names."""

import csv
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath

MAPPING = "mapping.csv"
"""Where a method that renames files says so: rows of ``old,new`` under that header, paths parted by ``/``."""
LARGEST = 1 << 24
"""Bytes of a list that is read."""


@dataclass(frozen=True)
class Answered:
    """files: what answers to each given path, without those that nothing answers to; names: under which name. extra:
    paths that answer to none.

    renamed: whether a list of new names was followed; why: why one that is there was not, else empty.
    """

    files: Mapping[str, bytes]
    names: Mapping[str, str]
    extra: tuple[str, ...]
    renamed: bool = False
    why: str = ""


def answered(given: Collection[str], written: Mapping[str, bytes]) -> Answered:
    """Match the files of an output to the given paths.

    A list of new names is followed if it maps given paths one to one onto files that are there; then it says nothing
    else, and otherwise it is an extra file as any other. A given path that it does not name is expected under its own
    name, unless another was renamed to that.
    """
    if MAPPING not in written or MAPPING in given:
        return _matched({path: path for path in given}, written)
    rows, why = _rows(written[MAPPING])
    why = why or _no_bijection(rows, given, written)
    if why:
        kept = _matched({path: path for path in given}, written)
        return Answered(kept.files, kept.names, kept.extra, why=f"{MAPPING} is not followed: {why}")
    new, taken = dict(rows), {target for _, target in rows}
    targets = {path: new.get(path, path) for path in given if path in new or path not in taken}
    found = _matched(targets, written, {MAPPING})
    return Answered(found.files, found.names, found.extra, renamed=True)


def _matched(targets: Mapping[str, str], written: Mapping[str, bytes], aside: Collection[str] = ()) -> Answered:
    names = {path: target for path, target in targets.items() if target in written}
    used = set(names.values())
    extra = tuple(sorted(path for path in written if path not in used and path not in aside))
    return Answered({path: written[target] for path, target in names.items()}, names, extra)


def _rows(data: bytes) -> tuple[list[tuple[str, str]], str]:
    """The pairs of old and new paths, and why they cannot be read if so."""
    if len(data) > LARGEST:
        return [], f"it has {len(data):,} bytes, where {LARGEST:,} are read"
    try:
        lines = [row for row in csv.reader(StringIO(bytes(data).decode("utf-8-sig"), newline=""), strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        return [], f"it is no CSV in UTF-8: {error}"
    if not lines or [name.strip() for name in lines[0]] != ["old", "new"]:
        return [], "its first line is not 'old,new'"
    wrong = next((number for number, row in enumerate(lines, 1) if len(row) != 2), 0)
    if wrong:
        return [], f"row {wrong} has {len(lines[wrong - 1])} values, not 2"
    return [(_plain(old), _plain(new)) for old, new in lines[1:]], ""


def _no_bijection(rows: list[tuple[str, str]], given: Collection[str], written: Mapping[str, bytes]) -> str:
    """Why the rows do not map given paths one to one onto files that are there; empty if they do."""
    for number, name in enumerate(("old", "new")):
        path, times = max(Counter(row[number] for row in rows).items(), key=lambda item: item[1], default=("", 0))
        if times > 1:
            return f"{name} path {path!r} stands in {times} rows"
    known = set(given)
    for old, new in rows:
        if old not in known:
            return f"old path {old!r} was not given"
        if new not in written:
            return f"new path {new!r} is no file that was written"
    return ""


def _plain(path: str) -> str:
    return str(PurePosixPath(path.strip()))
