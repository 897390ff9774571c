"""What a parser of outsiders' input owes: a value within its bounds, or an error of its own that says why."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Parse = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """A parser under its promise. tries: inputs that are tried where there is a minute for all targets; 0: by hand."""

    parse: Parse
    seeds: Callable[[], Sequence[bytes]]
    tries: int = 60


TARGETS: dict[str, Target] = {}


def target(valid: Callable[[], Sequence[bytes]], tries: int = 60) -> Callable[[Parse], Parse]:
    def named(parse: Parse) -> Parse:
        TARGETS[parse.__name__] = Target(parse, cache(valid), tries)
        return parse

    return named


def told(call: Callable[[], T], *errors: type[Exception]) -> T | None:
    """What a parser makes of it; None where it refuses, by one of these very errors, and says why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except errors as error:
        if type(error) not in errors or not str(error).strip():
            raise AssertionError(f"an error of another kind got through, or says nothing: {error!r}") from error
        return None


@cache
def scratch() -> Path:
    """An empty folder, in memory where there is one."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    place = tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory)
    scratch.kept = place  # type: ignore[attr-defined]
    return Path(place.name)


def fresh() -> Path:
    """The same, emptied."""
    for left in scratch().iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return scratch()
