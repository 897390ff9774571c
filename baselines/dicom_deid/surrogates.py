"""What stands in for an identity: made from it by a secret key, so that equal stays equal and none can be undone."""

import base64
import datetime
import hashlib
import hmac
import re
from collections.abc import Collection

FIRST, LAST = 30, 3650
"""A patient's dates move back by no fewer and no more days than these."""
TRIES = 100
"""Moves of which one is sought that brings none of a patient's dates onto another."""
_DATE = re.compile(r"(\d{4})([.\-/]?)(\d{2})\2(\d{2})")


class Surrogates:
    """Surrogates under one key. key: of 32 random bytes, without which nobody finds the way back."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._moves: dict[str, int] = {}

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{text}".encode(errors="surrogateescape"), hashlib.sha256)

    def code(self, kind: str, text: str, letters: int = 12) -> str:
        """Letters and digits of base 32; two texts share one of 12 with a chance of 2**-60."""
        return base64.b32encode(self._digest(kind, text)).decode()[:letters]

    def uid(self, old: str) -> str:
        """A UID under 2.25 (PS3.5 B.2), of 122 bits."""
        return f"2.25.{int.from_bytes(self._digest('uid', old)[:16]) >> 6}"

    def settle(self, patient: str, dates: Collection[datetime.date]) -> None:
        """Choose how the patient's dates move so that none of these comes to stand where another of them stood, which
        would tell that one, whether a reader takes the day or the month for the first; as it was, where it is settled
        already."""
        read = {*dates, *(datetime.date(each.year, each.day, each.month) for each in dates if each.day <= 12)}
        apart = {(other - one).days for one in read for other in read}
        moves = (self._move(patient, number) for number in range(TRIES))
        self._moves.setdefault(patient, next((each for each in moves if each not in apart), self._move(patient, 0)))

    def days(self, patient: str) -> int:
        """By how many days the patient's dates move, below zero."""
        return self._moves.get(patient) or self._move(patient, 0)

    def _move(self, patient: str, number: int) -> int:
        return -FIRST - int.from_bytes(self._digest(f"days{number or ''}", patient)[:8]) % (LAST - FIRST)

    def date(self, text: str, patient: str) -> str:
        """A DA or DT value with its day moved and the rest as it was; '' where it does not begin with a day."""
        found = _DATE.match(text)
        moved = found and moved_by(int(found[1]), int(found[3]), int(found[4]), self.days(patient))
        if not found or not moved:
            return ""
        return f"{moved:%Y}{found[2]}{moved:%m}{found[2]}{moved:%d}".rjust(8, "0") + text[found.end() :]


def day_of(text: str) -> datetime.date | None:
    """The day with which a DA or DT value begins; None where it begins with none."""
    found = _DATE.match(text)
    return moved_by(int(found[1]), int(found[3]), int(found[4]), 0) if found else None


def moved_by(year: int, month: int, day: int, days: int) -> datetime.date | None:
    """The day so many days on; None where there is no such day."""
    try:
        return datetime.date(year, month, day) + datetime.timedelta(days)
    except (ValueError, OverflowError):
        return None
