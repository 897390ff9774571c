"""ATTACKS.md lists what the tests of this folder say, and nothing else."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from fourfold.suite.sandbox import LEVELS

HERE = Path(__file__).parent
TABLE = HERE / "ATTACKS.md"
TOP = """# Attacks

Each attack is a test of this folder: a few lines of a method, run in a guest, and judged from outside. Beside it, what
stops it where guests are confined by namespaces, and where they are plain processes; or that it SUCCEEDS. The tests
hold to both, so that this table, which they make, says what was seen. *As root*: where the suite runs as root, with all
of root's rights. *Not run*: so as not to hurt the machine, or for the reason given.
"""


def _attacks(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    spec = importlib.util.spec_from_file_location(f"hostile_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, function in vars(module).items():
        if name.startswith("test_") and isinstance(function, FunctionType):
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "attack":
                    yield name, dict.fromkeys(LEVELS, mark.kwargs.get("both")) | mark.kwargs


def _table() -> str:
    parts, count = [TOP], 0
    for file in sorted(HERE.glob("test_*.py")):
        attacks = list(_attacks(file)) if file != Path(__file__) else []
        if attacks:
            count += len(attacks)
            about = (file.read_text().split('"""')[1]).strip()
            rows = [f"| `{name}` | {said['namespaces']} | {said['process']} |" for name, said in attacks]
            head = f"## {file.stem}\n\n{about}\n\n| attack | namespaces | process |\n| --- | --- | --- |"
            parts.append("\n".join([head, *rows]) + "\n")
    return "\n".join([*parts, f"{count} attacks.\n"])


def test_the_table_says_what_the_tests_say() -> None:
    assert TABLE.read_text() == _table(), f"write it anew: python {Path(__file__).name}"


def test_there_are_sixty_at_least_and_none_is_said_to_get_past_namespaces_but_what_is_known_to() -> None:
    attacks = {file.stem: dict(_attacks(file)) for file in HERE.glob("test_*.py") if file != Path(__file__)}
    assert sum(map(len, attacks.values())) >= 60
    assert {
        file for file, each in attacks.items() for said in each.values() if said["namespaces"].startswith("SUCCEEDS")
    } == {"test_beyond"}


if __name__ == "__main__":
    TABLE.write_text(_table())
