"""Cards in a results folder: what a board says about a task or a method, so that it needs neither to be installed."""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourfold.suite.atomic import StoreError, explained, is_temporary, make_folder, write_once
from fourfold.suite.layout import Skipped, set_aside

_NAME = re.compile(r"(task|method)-([A-Za-z0-9][A-Za-z0-9._+-]*)\.json")


@dataclass(frozen=True)
class Cards:
    """The cards of a results folder: ``task`` by ``<name>-<version>``, ``method`` by digest; and what is no card."""

    task: dict[str, dict[str, Any]] = field(default_factory=dict)
    method: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


def write_card(root: Path, kind: str, ident: str, card: Mapping[str, Any]) -> bool:
    """Store the card of a ``task`` or a ``method``. False: another stands under that name already, and stays.

    To write the same card again is fine (True). One that cannot be read is moved aside. Raises StoreError.
    """
    place = root / "cards" / f"{kind}-{ident}.json"
    if not _NAME.fullmatch(place.name):
        raise StoreError(f"{kind!r} {ident!r} names no card: give 'task' or 'method', and a name without / or spaces")
    data = json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False).encode()
    with explained("write", place):
        make_folder(place.parent)
        while not write_once(place, data):
            there = _read_card(place)
            if isinstance(there, dict):
                return there == json.loads(data)
            with contextlib.suppress(FileNotFoundError):  # Another writer, with the same in mind, was first.
                set_aside(root, place)
    return True


def read_cards(root: Path) -> Cards:
    """Read every card; none where there is no folder of them. Raises StoreError where it cannot be listed."""
    cards, folder = Cards(), root / "cards"
    with explained("read", folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        match, card = _NAME.fullmatch(path.name), _read_card(path)
        if match and isinstance(card, dict):
            (cards.task if match[1] == "task" else cards.method)[match[2]] = card
        elif not is_temporary(path.name):
            cards.skipped.append(Skipped(path, card if match and isinstance(card, str) else "not a card's name"))
    return cards


def _read_card(path: Path) -> dict[str, Any] | str:
    try:
        card = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"not a card: {error}"
    return card if isinstance(card, dict) else "not a card: it holds no object"
