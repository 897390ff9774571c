"""Columns that only a newer fourfold knows: of which files do they fit together?"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from fourfold.suite.cellfile import SCHEMA
from fourfold.suite.layout import Skipped

Unknown = frozenset[tuple[str, pa.DataType]]
"""The columns of a file that the schema lacks, with their types."""

_KNOWN = frozenset(SCHEMA.names)


def unknown(schema: pa.Schema) -> Unknown:
    """The columns that ``SCHEMA`` lacks; not those without a type, which hold nothing but nulls and fit any."""
    names = set(schema.names) - _KNOWN
    return frozenset((name, schema.field(name).type) for name in names if not pa.types.is_null(schema.field(name).type))


def contradictions(compacted: Mapping[Path, Unknown], loose: Mapping[Path, Unknown]) -> list[Skipped]:
    """The files to leave out, so that a column has one type in all others.

    What is compacted stays before what is loose, and then what most files have before what few have.
    """
    types: dict[str, pa.DataType] = {}
    why: dict[Unknown, str] = {}
    for files in (compacted, loose):
        times = Counter(files.values())
        for columns in sorted(times, key=lambda columns: (-times[columns], sorted(map(str, columns)))):
            wrong = sorted(name for name, kind in columns if types.get(name, kind) != kind)
            if not wrong:
                types.update(columns)
            elif columns not in why:
                kind = dict(columns)[wrong[0]]
                why[columns] = f"its column {wrong[0]!r} is {kind}, that of other files {types[wrong[0]]}"
    every = {**compacted, **loose}
    return [Skipped(path, why[columns]) for path, columns in sorted(every.items()) if columns in why]
