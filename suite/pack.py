"""A submission as content: what a method's files say of it, read and never run, and the digest that is its identity.

Its files, from a folder or an archive, are gathered in ``packfiles``.
"""

import ast
import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fourfold.suite import packfiles
from fourfold.suite.cell import canonical
from fourfold.suite.method import Method, Value
from fourfold.suite.packfiles import PackError

__all__ = ["Pack", "PackError", "load", "read", "set_parameters"]

DECLARATIONS: Mapping[str, tuple[type, ...]] = {
    "task": (str,),
    "version": (str,),
    "author": (str,),
    "licence": (str,),
    "private": (bool,),
    "requirements": (tuple, list),
    "cpus": (int, float),
    "gpus": (int, float),
    "memory": (int, float),
}
"""What a method may declare whatever its task, with the types of the values."""
_LONGEST = 200
"""Letters of the names in a manifest."""

CURATED = ("opacus.accountants", "scipy.special", "torch.export._trace")
"""What a curator imports beyond torch: the accountant, and what writes graphs."""


@dataclass(frozen=True)
class Pack:
    """A method ready to travel: its manifest and its files, as bytes.

    entry: the file that holds the class ``klass``; a submission of one file calls it ``method.py``, whatever it was
    called. digest: SHA-256 over the files' names and bytes, the entry and the class: equal code has one, wherever it
    lies; different code never shares one.
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
        others = {name: value for name, value in self.declared.items() if name not in DECLARATIONS}
        return plain | {
            "name": self.name,
            "class": self.klass,
            "task": self.task,
            "digest": self.digest,
            "doc": self.doc,
            "declared": others,
            "parameters": dict(self.parameters),
            "requirements": list(self.get("requirements")),
            "files": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(self.files.items())},
        }

    @property
    def preload(self) -> tuple[str, ...]:
        """What a warm parent had better import ahead of it."""
        return (*self.imports, *(CURATED if self.get("private") and "torch" in self.imports else ()))

    def archive(self) -> bytes:
        """A zip of manifest and files whose bytes depend on nothing but them; see ``load``."""
        return packfiles.write_archive(canonical(self.card()).encode(), self.files)

    def unpack(self, folder: Path) -> Path:
        """Have the files beneath ``folder``, in a place named by the digest; return the entry's path.

        What lies there is compared, and replaced where it differs: a guest may have written to it.
        """
        home = folder / self.digest[:32]
        if packfiles.found(home) != self.files:
            packfiles.put(home, self.files)
        return home / self.entry


def read(path: Path, klass: str = "", name: str = "", package: str = "") -> Pack:
    """Read a submission from a file, or a folder of files; ``klass`` picks one where there are several.

    package: of which the file is a module, where it is installed; the modules of it that it needs go along.
    Raises PackError: nothing there, no method in it, several, a declaration that is no literal, too large, a link.
    """
    files = packfiles.read(path)
    if path.is_file():  # Its name is no part of what it does; within a folder, names are how files find each other.
        files = {"method.py": next(iter(files.values())), **_siblings(path, package)}
    return _described(files, klass, name, str(path))


def _siblings(path: Path, package: str) -> dict[str, bytes]:
    """The modules of its package that a file needs, each under the path at which a guest finds it."""
    found: dict[str, bytes] = {}
    waiting = [path] if package else []
    while waiting:
        for name in _imported(ast.walk(ast.parse(waiting.pop().read_bytes()))):  # Those in functions too.
            sibling = path.with_name(name.removeprefix(f"{package}.").split(".")[0] + ".py")
            place = f"{package.replace('.', '/')}/{sibling.name}"
            if name.startswith(f"{package}.") and place not in found and sibling.is_file():
                found[place] = sibling.read_bytes()
                waiting.append(sibling)
    return found


def load(archive: bytes) -> Pack:
    """Read back what ``Pack.archive`` wrote. Raises PackError for anything else, whatever it was made to be."""
    manifest, files = packfiles.read_archive(archive)
    klass, name = (manifest.get(each, "") for each in ("class", "name"))
    if not all(isinstance(each, str) and len(each) <= _LONGEST for each in (klass, name)):
        raise PackError(f"the archive names its class, or itself, by no text of at most {_LONGEST} letters")
    pack = _described(files, klass, name, "the archive")
    if manifest.get("digest") != pack.digest:
        raise PackError("the archive is not what its manifest says: its files have another digest; pack it again")
    return pack


def _described(files: Mapping[str, bytes], klass: str, name: str, where: str) -> Pack:
    entry, node, tree = _method(files, klass, where)
    declared, parameters = _attributes(node, tree, _place(where, entry))
    if "task" not in declared:
        raise PackError(f'{node.name} in {where} names no task; add a line such as: task = "fair-credit"')
    hashes = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
    digest = hashlib.sha256(canonical([node.name, entry, hashes]).encode()).hexdigest()
    doc = (ast.get_docstring(node) or "").encode(errors="replace").decode()
    imports = {each.split(".")[0] for data in files.values() for each in _imported(_parsed(data).body)}
    return Pack(
        name or _spelled(node.name), node.name, entry, digest, doc, declared, parameters, tuple(sorted(imports)), files
    )


def _method(files: Mapping[str, bytes], klass: str, where: str) -> tuple[str, ast.ClassDef, ast.Module]:
    """Find the class to run: one that subclasses Method, in a file at the top of the submission."""
    found = []
    for name, data in files.items():
        if not name.endswith(".py") or len(PurePosixPath(name).parts) > 1:
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            place, said = _place(where, name), str(error)
            if isinstance(error, SyntaxError):
                place, said = f"{place}:{error.lineno or 1}", error.msg
            raise PackError(f"{place} is not Python: {said}; correct it there") from error
        found += [(name, node, tree) for node in _methods(tree)]
    names = [node.name for _, node, _ in found]
    chosen = [each for each in found if each[1].name == klass] if klass else found
    if klass and not chosen:
        near = difflib.get_close_matches(klass, names, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(names) or 'none'}"
        raise PackError(f"{where} has no method class {klass}{hint}")
    if not chosen:
        raise PackError(f"{where} holds no method: no class, in a file at its top, subclasses fourfold.suite.Method")
    if len(chosen) > 1 and len(set(names)) > 1:
        raise PackError(f"{where} holds several methods ({', '.join(names)}); name one: {where}:{names[0]}")
    if len(chosen) > 1:
        files_of = ", ".join(each[0] for each in chosen)
        raise PackError(f"{where} holds several classes {names[0]} ({files_of}); rename all but one")
    return chosen[0]


def _place(where: str, name: str) -> str:
    """A file of a submission as its author knows it: one that came alone is called ``method.py`` here alone."""
    return where if name == "method.py" else f"{where}/{name}"


def _parents(tree: ast.Module) -> dict[ast.ClassDef, list[ast.ClassDef]]:
    """Of each class at a file's top, those of the same file, above it, that it inherits from, in its own order."""
    found, known = dict[ast.ClassDef, list[ast.ClassDef]](), dict[str, ast.ClassDef]()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names = (base.id for base in node.bases if isinstance(base, ast.Name))
            found[node] = [known[name] for name in names if name in known]
            known[node.name] = node
    return found


def _methods(tree: ast.Module) -> list[ast.ClassDef]:
    """The classes that subclass Method, be it by another class of the file, and are not hidden."""
    found = set[ast.ClassDef]()
    for node, parents in _parents(tree).items():
        direct = any("Method" in (getattr(base, "id", ""), getattr(base, "attr", "")) for base in node.bases)
        if direct or not found.isdisjoint(parents):
            found.add(node)
    return [node for node in tree.body if node in found and not node.name.startswith("_")]


def _lineage(node: ast.ClassDef, tree: ast.Module) -> list[ast.ClassDef]:
    """A class after all that it inherits from in its file, each once, what prevails later. A loop: it may be deep."""
    parents, done, waiting = _parents(tree), dict[ast.ClassDef, None](), [node]
    while waiting:
        if missing := [each for each in parents[waiting[-1]] if each not in done]:
            waiting.append(missing[-1])
        else:
            done[waiting.pop()] = None
    return list(done)


def _attributes(node: ast.ClassDef, tree: ast.Module, where: str) -> tuple[dict[str, Any], dict[str, Value]]:
    """The declarations and parameters of a class, those of its bases in the same file beneath its own."""
    declared: dict[str, Any] = {}
    parameters: dict[str, Value] = {}
    for klass in _lineage(node, tree):
        for line in klass.body:
            if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
                name, value, annotation = line.targets[0].id, line.value, None
            elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
                name, value, annotation = line.target.id, line.value, line.annotation
            else:
                continue
            if name.startswith("_"):
                continue
            parameter = name in parameters or not (_of_class(annotation) or name in DECLARATIONS)
            literal = _literal(value, name, parameter, f"{where}:{line.lineno}: {klass.name}.{name}")
            (parameters if parameter else declared)[name] = literal
    return declared, parameters


def _of_class(annotation: ast.expr | None) -> bool:
    """Whether an attribute is none of an instance's: it bears no annotation, or ClassVar, be it as text."""
    if annotation is None:
        return True
    words = (getattr(part, "id", "") or getattr(part, "attr", "") or getattr(part, "value", "")
             for part in ast.walk(annotation))
    return any("ClassVar" in word for word in words if isinstance(word, str))


def _literal(value: ast.expr, name: str, parameter: bool, where: str) -> Any:
    """The value of a class attribute, of the type it must have. Raises PackError."""
    literal: Any
    try:
        literal = ast.literal_eval(value)
        canonical(literal).encode()
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise PackError(
            f'{where} must be a literal, such as 0.1 or "text", so that the method can be described '
            "without being run; prefix its name with _ if it declares nothing"
        ) from None
    if parameter and not isinstance(literal, bool | int | float | str):
        raise PackError(f"{where} is a parameter, and must be a number, text, True or False")
    wanted = DECLARATIONS.get(name, ())
    if name in DECLARATIONS and type(literal) not in wanted:
        raise PackError(f"{where} must be {' or '.join(each.__name__ for each in wanted)}, not {literal!r}")
    if name == "requirements" and not all(isinstance(each, str) for each in literal):
        raise PackError(f'{where} must name packages as pip does, such as ("six==1.16.0",), not {literal!r}')
    if name in ("cpus", "gpus", "memory") and not (0 < literal < 2**20 or (name == "gpus" and literal == 0)):
        raise PackError(f"{where} must be a number above 0, not {literal!r}")
    return literal


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The modules, and what is taken from them, that these import."""
    found = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return found


def _parsed(data: bytes) -> ast.Module:
    """A file's syntax; an empty one's where it is no Python."""
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.parse("")


def _spelled(klass: str) -> str:
    """``BinnedScorecard`` as people select it: ``binned-scorecard``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", klass).lower()


def set_parameters(pack: Pack, given: Mapping[str, str]) -> tuple[tuple[str, Value], ...]:
    """The given parameters over the defaults, each read as its default's type; PackError offers the nearest name."""
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
