"""Tasks and methods by name: those that installed packages plug in, and methods in files, folders and archives."""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from fourfold.suite import pack
from fourfold.suite.method import Value
from fourfold.suite.pack import Pack, PackError
from fourfold.suite.task import Task

_SELECTOR = re.compile(r"(?P<name>[^\[\]]+?)(?:\[(?P<inside>[^\[\]]*)\])?")


class UnknownName(ValueError):
    """A name that nothing bears; the message offers the nearest."""


def nearest(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not known, with the nearest that is."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1)
    return UnknownName(
        f"there is no {kind} {name}; "
        + (f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'none'}")
    )


@cache
def _plugged(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _point(kind: str, name: str) -> EntryPoint:
    points = _plugged(f"fourfold.{kind}s")
    if name not in points:
        raise nearest(kind, name, points)
    return points[name]


def task_names() -> list[str]:
    """The names of all tasks there are."""
    return sorted(_plugged("fourfold.tasks"))


@cache
def task(name: str) -> Task:
    """The task of this name. Raises UnknownName; an ImportError names the extra that is missing."""
    made: Task = _point("task", name).load()()
    return made


def method_names() -> list[str]:
    """The names of all methods that installed packages bring."""
    return sorted(_plugged("fourfold.methods"))


@cache
def installed(name: str) -> Pack:
    """An installed method, read from its files and not imported.

    A package is its folder; a module is its file and those of its package that it imports.
    """
    point = _point("method", name)
    spec = importlib.util.find_spec(point.module)
    if spec is None or not spec.origin:
        raise UnknownName(f"the method {name} is registered as {point.value}, which is not installed")
    origin = Path(spec.origin)
    if origin.name == "__init__.py":
        return pack.read(origin.parent, point.attr, name)
    return pack.read(origin, point.attr, name, point.module.rpartition(".")[0])


def select(selector: str) -> tuple[Pack, tuple[tuple[str, Value], ...]]:
    """A method and its parameters from ``name[a=1,b=x]``.

    A path is a name too: to a file or folder, with ``:Class`` where it has several, or to what ``Pack.archive`` wrote.
    What is installed goes before a folder of that name, which ``./name`` selects.

    Raises UnknownName or PackError.
    """
    match = _SELECTOR.fullmatch(selector.strip())
    if not match:
        raise UnknownName(f"{selector!r} does not select a method; write name, name[parameter=value,...] or a path")
    given = {}
    for item in filter(None, (match["inside"] or "").split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            raise UnknownName(f"in {selector!r}, {item!r} sets nothing; write parameter=value")
        given[name.strip()] = value.strip()
    found = _find(match["name"])
    return found, pack.set_parameters(found, given)


def _find(name: str) -> Pack:
    if name.endswith(".zip") and os.path.isfile(name):  # Unlike pathlib's, it takes any text for a path.
        return _archived(Path(name))
    if name in _plugged("fourfold.methods"):
        return installed(name)
    path, _, klass = name.partition(":")
    if os.path.exists(path) or path.endswith((".py", ".zip")) or "/" in path:
        return pack.read(Path(path), klass)
    return installed(name)


def _archived(path: Path) -> Pack:
    try:
        return pack.load(path.read_bytes())
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error}; see to its permissions") from error
    except PackError as error:
        raise PackError(f"{path}: {error}") from error
