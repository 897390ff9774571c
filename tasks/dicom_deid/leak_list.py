"""The list of leaks that a board shows: what was found, where, and in what form."""

import re
from itertools import zip_longest
from typing import Any

from fourfold.suite import exhibit
from fourfold.tasks.dicom_deid.key import Key, Planted
from fourfold.tasks.dicom_deid.leaks import Found, Leaks

FAILED = 20
"""Files that did not come back, or cannot be read, of which the list says why."""
NOTE = "What could be found is marked; the people are made up."
Leak = tuple[Planted, Found]


def leak_list(leaks: Leaks, key: Key) -> dict[str, Any]:
    """An exhibit of kind ``leaks``: a line for each planted item that was found, the first place of each.

    Where they are too many, those stay that show the most: of each locus and kind one, then a second of each.
    """
    found = [(item, places[0]) for item, places in zip(key.planted, leaks.found, strict=True) if places]
    by_sort: dict[tuple[str, str], list[Leak]] = {}
    for item, place in found:
        by_sort.setdefault((item.locus, item.kind), []).append((item, place))
    turns = [leak for turn in zip_longest(*by_sort.values()) for leak in turn if leak is not None]
    chosen = sorted(turns[: exhibit.LEAKS], key=lambda leak: (leak[0].locus, leak[0].kind, leak[1].path))
    failed = [each for files in leaks.failed.values() for each in files]
    note = f"{NOTE} Files that did not come back, or cannot be read: {len(failed):,}; each is a breach."
    told = [_failed(*each) for each in failed[:FAILED]] + [_told(item, place) for item, place in chosen]
    total = len(found) + len(failed)
    lines = told[: exhibit.LEAKS]
    note = note if failed else NOTE
    return {"kind": "leaks", "title": "Identities found", "note": note, "total": total, "leaks": lines}


def _failed(path: str, why: str) -> dict[str, Any]:
    """A line for a file that is none."""
    empty = dict.fromkeys(("where", "form", "locus"), "")
    return {**empty, "file": _shown(path), "kind": "file", "snippet": [_shown(why), "", ""]}


def _told(item: Planted, found: Found) -> dict[str, Any]:
    told = {"file": found.path, "where": found.place, "kind": item.kind, "form": found.form, "locus": item.locus}
    snippet = [_shown(part) for part in parted(found.snippet, item)]
    return {**{name: _shown(text) for name, text in told.items()}, "snippet": snippet}


def _shown(text: str) -> str:
    """No longer than an exhibit takes, and no half characters, as names of files may hold."""
    return text[: exhibit.TEXT].encode(errors="replace").decode()


def parted(snippet: str, item: Planted) -> tuple[str, str, str]:
    """A snippet as what stands before the identity, the identity, and what stands after.

    It may stand there in any of its forms, in any case, its words set apart by whatever does so; the longest counts.
    Where it is coded, or a picture, the snippet comes first and then what it says.
    """
    for form in sorted(item.forms, key=len, reverse=True):
        words = re.findall(r"\w+", form)
        pattern = r"[\W_]*".join(map(re.escape, words))
        if words and (hit := re.search(pattern, snippet, re.IGNORECASE)):
            return snippet[: hit.start()], hit[0], snippet[hit.end() :]
    return f"{snippet}: ", item.text, ""
