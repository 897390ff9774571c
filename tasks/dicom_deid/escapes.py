"""Characters that are written as escapes, by those who serialize text for JSON, JavaScript, web addresses or HTML."""

import html
import re

_ESCAPE = re.compile(
    r"(?P<units>(?:(?:\\+|%)u[0-9a-f]{4})+)|(?P<points>(?:\\+u\{[0-9a-f]{1,6}\})+)|(?P<bytes>(?:(?:%|\\+x)[0-9a-f]{2})+)"
    r"|(?P<quoted>(?:=[0-9a-f]{2}(?:=\r?\n)?){2,})|(?P<octal>(?:\\[0-3][0-7]{2}){4,})|(?P<entity>&#?[0-9a-z]{1,31};)"
)
"""How JSON (in UTF-16), JavaScript, addresses and Python (in bytes), mail (RFC 2045, 6.7), C and HTML write characters,
in lower case."""


def within(folded: str) -> bool:
    """Whether any stand in a folded text."""
    return any(each in folded for each in "\\%&=") and _ESCAPE.search(folded) is not None


def resolved(folded: str) -> str:
    """A folded text with the characters that stand escaped in it."""
    return _ESCAPE.sub(_meant, folded)


def _meant(escape: re.Match[str]) -> str:
    """What a run of escapes of one sort says; of bytes in UTF-8 or, where they are not, Latin-1."""
    if escape["entity"]:
        return html.unescape(escape[0])
    digits = re.findall(r"[0-9a-f]+", escape[0].replace("x", " ") if escape["bytes"] else escape[0])
    if escape["octal"]:
        digits = [f"{int(each, 8):02x}" for each in digits]
    if escape["points"]:
        return "".join(chr(int(each, 16)) if int(each, 16) < 0x110000 else "\ufffd" for each in digits)
    data = bytes.fromhex("".join(digits))
    if escape["units"]:
        return data.decode("utf-16-be", "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
