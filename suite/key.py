"""The secret that seeds every draw of a results folder: whoever lacks it cannot know folds, canaries or coins."""

import secrets
from pathlib import Path

from fourfold.suite.atomic import write_once


class BadKey(ValueError):
    """A key file that is none."""


def read(path: Path) -> bytes:
    """The key in ``path``, made at random where there is none, readable by its owner alone.

    Two folders with one key hold cells that merge and pair; ``verify`` needs the key of the results it checks.
    """
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return _made(path)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise BadKey(
            f"{path} holds no key: 32 or more hexadecimal digits were expected; "
            "restore it from a copy, or move it away to start afresh with other draws"
        )
    return key


def _made(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_once(path, f"{secrets.token_hex(32)}\n".encode(), mode=0o600)
    return read(path)
