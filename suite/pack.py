"""A submission as content: what a method's files say of it, read and never run, and the digest that is its identity."""

import ast
import difflib
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fourfold.suite.cell import canonical
from fourfold.suite.method import Method, Value

LARGEST = 64 << 20
_DECLARATIONS = frozenset(name for name in Method.__annotations__)


class PackError(ValueError):
    """A submission that is not one: what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Pack:
    """A method ready to travel: its manifest and its files, as bytes.

    entry: the file that holds the class ``klass``. digest: SHA-256 over the files' names and bytes and the class name:
    equal code has one, wherever it lies and whatever it is called; different code never shares one.
    declared: the class attributes that are literals (``task``, ``private``, ``track`` ...). parameters: their defaults.
    """

    name: str
    klass: str
    entry: str
    digest: str
    doc: str
    declared: Mapping[str, Any]
    parameters: Mapping[str, Value]
    imports: tuple[str, ...]
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def task(self) -> str:
        """The task it solves."""
        return str(self.declared["task"])

    def get(self, declaration: str) -> Any:
        """A declaration's value, or the default that ``Method`` gives it."""
        return self.declared.get(declaration, getattr(Method, declaration, None))

    def card(self) -> dict[str, Any]:
        """What a board shows of it, and what its archive says: plain values."""
        plain = {name: self.get(name) for name in ("version", "author", "licence", "private", "cpus", "gpus", "memory")}
        others = {name: value for name, value in self.declared.items() if name not in _DECLARATIONS}
        return plain | {
            "name": self.name, "class": self.klass, "task": self.task, "digest": self.digest, "doc": self.doc,
            "declared": others, "parameters": dict(self.parameters), "requirements": list(self.get("requirements")),
            "files": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(self.files.items())},
        }

    def archive(self) -> bytes:
        """A zip of manifest and files whose bytes depend on nothing but them."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in [("manifest.json", canonical(self.card()).encode()), *sorted(self.files.items())]:
                archive.writestr(zipfile.ZipInfo(path), data)
        return buffer.getvalue()

    def unpack(self, folder: Path) -> Path:
        """Write the files beneath ``folder``, in a place named by the digest, once; return the entry's path."""
        home = folder / self.digest[:32]
        if not home.exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            beside = home.with_name(f"{home.name}.{os.getpid()}")
            for path, data in self.files.items():
                (beside / path).parent.mkdir(parents=True, exist_ok=True)
                (beside / path).write_bytes(data)
            try:
                beside.rename(home)
            except OSError:  # Another worker was first; its files are the same.
                if not home.exists():
                    raise
        return home / self.entry


def read(path: Path, klass: str = "", name: str = "") -> Pack:
    """Read a submission from a file, or a folder of files; ``klass`` picks one where there are several.

    Raises PackError: nothing there, no method in it, several, a declaration that is no literal, too large.
    """
    files = _files(path)
    entry, node, tree = _method(files, klass, path)
    declared, parameters = _attributes(node, tree, f"{path.name if path.is_file() else path.name + '/' + entry}")
    if "task" not in declared:
        raise PackError(f"{node.name} in {path} names no task; add a line such as: task = \"fair-credit\"")
    # A file's name is no part of what it does; within a folder, names are how files find each other.
    named = sorted(("method.py" if path.is_file() else each, hashlib.sha256(data).hexdigest()) for each, data in files.items())
    where = "method.py" if path.is_file() else entry
    digest = hashlib.sha256(canonical([node.name, where, named]).encode()).hexdigest()
    doc = ast.get_docstring(node) or ""
    return Pack(name or _spelled(node.name), node.name, entry, digest, doc, declared, parameters, _imports(tree), files)


def _files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        found = {path.name: path}
    elif path.is_dir():
        found = {each.relative_to(path).as_posix(): each for each in sorted(path.rglob("*"))
                 if each.is_file() and not each.is_symlink() and not _passed_over(each.relative_to(path).parts)}
    else:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [], 1)
        raise PackError(f"there is no file or folder {path}" + (f"; did you mean {path.parent / near[0]}?" if near else ""))
    total = sum(each.stat().st_size for each in found.values())
    if total > LARGEST:
        raise PackError(f"{path} holds {total:,} bytes; a submission may hold {LARGEST:,}: leave data and weights it can do without")
    try:
        return {name: each.read_bytes() for name, each in found.items()}
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error}") from error


def _passed_over(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in parts)


def _method(files: Mapping[str, bytes], klass: str, path: Path) -> tuple[str, ast.ClassDef, ast.Module]:
    """Find the class to run: one that subclasses Method, in a file at the top of the submission."""
    found = []
    for name, data in files.items():
        if not name.endswith(".py") or len(PurePosixPath(name).parts) > 1:
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError) as error:
            raise PackError(f"{path / name if path.is_dir() else path} is not Python: {error}") from error
        found += [(name, node, tree) for node in tree.body if isinstance(node, ast.ClassDef) and _is_method(node, tree)]
    names = [node.name for _, node, _ in found]
    chosen = [each for each in found if each[1].name == klass] if klass else found
    if klass and not chosen:
        near = difflib.get_close_matches(klass, names, 1) or names
        raise PackError(f"{path} has no method class {klass}" + (f"; it has {', '.join(near)}" if near else ""))
    if not chosen:
        raise PackError(f"{path} holds no method: no class that subclasses fourfold.suite.Method")
    if len(chosen) > 1:
        raise PackError(f"{path} holds several methods ({', '.join(names)}); name one: {path}:{names[0]}")
    return chosen[0]


def _is_method(node: ast.ClassDef, tree: ast.Module) -> bool:
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if name == "Method" or (name in classes and name != node.name and _is_method(classes[name], tree)):
            return not node.name.startswith("_")
    return False


def _attributes(node: ast.ClassDef, tree: ast.Module, where: str) -> tuple[dict[str, Any], dict[str, Value]]:
    """The declarations and parameters of a class, those of its bases in the same file beneath its own."""
    declared: dict[str, Any] = {}
    parameters: dict[str, Value] = {}
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)} - {node.name}
    for base in tree.body:
        if isinstance(base, ast.ClassDef) and base.name in bases:
            inherited = _attributes(base, tree, where)
            declared |= inherited[0]
            parameters |= inherited[1]
    for line in node.body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            name, value = line.targets[0].id, line.value
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
            name, value = line.target.id, line.value
        else:
            continue
        if name.startswith("_"):
            continue
        parameter = name in parameters or isinstance(line, ast.AnnAssign) and name not in _DECLARATIONS and "ClassVar" not in ast.dump(line.annotation)
        try:
            literal = ast.literal_eval(value)
        except ValueError:
            raise PackError(f"{where}:{line.lineno}: {node.name}.{name} must be a literal, such as 0.1 or \"text\", so that "
                            "the method can be described without being run; prefix it with _ if it is no declaration") from None
        if parameter and not isinstance(literal, bool | int | float | str):
            raise PackError(f"{where}:{line.lineno}: the parameter {name} must be a number, text, True or False")
        (parameters if parameter else declared)[name] = literal
    return declared, parameters


def _imports(tree: ast.Module) -> tuple[str, ...]:
    """The modules imported at the top of the file, which a warm parent may import ahead."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return tuple(sorted(found))


def _spelled(klass: str) -> str:
    """``BinnedScorecard`` as people select it: ``binned-scorecard``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", klass).lower()


def set_parameters(pack: Pack, given: Mapping[str, str]) -> tuple[tuple[str, Value], ...]:
    """The given parameters over the defaults, each read as its default's type; raises PackError with the nearest name."""
    values = dict(pack.parameters)
    for name, text in given.items():
        if name not in values:
            near = difflib.get_close_matches(name, values, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(values) or 'none'}"
            raise PackError(f"{pack.name} has no parameter {name}{hint}")
        values[name] = _typed(text, values[name], f"{pack.name}[{name}={text}]")
    return tuple(sorted(values.items()))


def _typed(text: str, default: Value, where: str) -> Value:
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        return float(text) if isinstance(default, float) else text
    except (KeyError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise PackError(f"{where}: {kind} was expected, such as {default}") from None
