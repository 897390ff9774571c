"""Environments of their own for submissions: built once, whole or anew, without what the suite trusts."""

import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fourfold.suite import environment
from fourfold.suite.cell import Cell
from fourfold.suite.environment import EnvironmentFailed, interpreter, normalized
from fourfold.suite.evaluate import Evaluator, Job
from fourfold.suite.method import Budget
from fourfold.suite.pack import read
from fourfold.suite.task import Ask, Want
from fourfold.suite.visit import visit
from fourfold.suite.warm import Parent

BUILDER = """
import sys
from pathlib import Path
from fourfold.suite.environment import interpreter
print(interpreter(sys.argv[2:], Path(sys.argv[1]), lambda line: print(line, file=sys.stderr, flush=True)))
"""


def write_wheel(folder: Path, name: str, version: str) -> None:
    """A wheel of one module that tells its version."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def obtainable(requirement: str, folder: Path) -> bool:
    """Whether pip finds a package, as it is configured here."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--retries",
        "1",
        "-d",
        str(folder),
        requirement,
    ]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@dataclass
class Built:
    """One folder of environments after a builder was killed in it and two more came at once."""

    folder: Path
    requirements: list[str]
    left: list[Path]
    pythons: list[str]
    told: list[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder, wheels = tmp_path_factory.mktemp("node"), tmp_path_factory.mktemp("wheels")
    if not obtainable(f"numpy=={np.__version__}", wheels):
        pytest.skip("pip finds no numpy here: no network, and no links to wheels")
    write_wheel(wheels, "tiny_thing", "1.5")
    real = ["six==1.16.0"] if obtainable("six==1.16.0", wheels) else []
    requirements = ["tiny-thing==1.5", *real]
    links = f"{wheels} {os.environ.get('PIP_FIND_LINKS', '')}".strip()

    def start(*requirements: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(folder), *requirements],
            text=True,
            start_new_session=True,
            env=os.environ | {"PIP_FIND_LINKS": links},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start(*requirements)
    while first.poll() is None and not list(folder.glob("environments/*/bin/python")):
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    left = [path for path in folder.glob("environments/*") if path.is_dir()]
    for path in left:
        (path / "rubbish").touch()
    both = [start(*requirements), start(*real, "Tiny_Thing == 1.5")]
    said = [each.communicate(timeout=300) for each in both]
    return Built(folder, requirements, left, [out.strip() for out, _ in said], [err for _, err in said])


def test_no_requirements_are_this_python(tmp_path: Path) -> None:
    assert interpreter((), tmp_path) == sys.executable
    assert list(tmp_path.iterdir()) == []


def test_two_workers_build_one_environment_and_one_waits(built: Built) -> None:
    assert built.pythons[0] == built.pythons[1]
    assert Path(built.pythons[0]).exists()
    assert sum("waiting for the environment" in told for told in built.told) == 1
    assert sum(bool(re.search("^Successfully installed .*tiny", told, re.M)) for told in built.told) == 1


def test_what_a_killed_builder_left_is_built_anew(built: Built) -> None:
    home = Path(built.pythons[0]).parents[1]
    assert built.left == [home]
    assert not (home / "rubbish").exists()
    assert (home / "complete").exists()


def test_what_is_built_is_found_without_pip(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.sys, "executable", "/nonexistent/python")
    heard: list[str] = []
    assert interpreter(built.requirements, built.folder, heard.append) == built.pythons[0]
    assert heard == []


def in_guest(python: str, file: Path, body: str) -> str:
    file.write_text(
        "import sys, json\nfrom fourfold.suite import Method\nclass Guest(Method):\n"
        "    def fit(self, train, budget): pass\n    def predict(self, query):\n"
        + "".join(f"        {line}\n" for line in body.splitlines())
        + "        return query.x\n"
    )
    parent = Parent(python, (), 1)
    try:
        asks = [Ask("fit", {"x": np.ones(3)}), Ask("predict", {"x": np.ones(3)}, Want((3,)))]
        seen = visit(parent, str(file), "Guest", {}, Budget(), asks)
    finally:
        parent.close()
    assert seen.status == "ok", seen.reason
    return seen.log.strip()


def test_a_method_runs_there_with_what_it_asked_for(built: Built, tmp_path: Path) -> None:
    printed = "tiny_thing.version, np.__version__, pa.__version__, sys.prefix"
    body = f"import tiny_thing, numpy as np, pyarrow as pa\nprint({printed})"
    versions = in_guest(built.pythons[0], tmp_path / "m.py", body).split()
    import pyarrow

    assert versions == ["1.5", np.__version__, pyarrow.__version__, str(Path(built.pythons[0]).parents[1])]


def test_nothing_of_fourfold_is_there_but_the_guests_side(built: Built, tmp_path: Path) -> None:
    body = """
found = {}
for name in ("fourfold.tasks", "fourfold.suite.task", "fourfold.suite.store", "fourfold.suite.visit", "pandas"):
    try:
        __import__(name)
        found[name] = True
    except ImportError:
        pass
import fourfold.suite, pathlib
home = pathlib.Path(fourfold.suite.__file__).parent
found["files"] = sorted(path.relative_to(home).as_posix() for path in home.rglob("*.py"))
print(json.dumps(found))
""".strip()
    found = json.loads(in_guest(built.pythons[0], tmp_path / "m.py", body))
    assert found == {"files": sorted(environment.GUEST_SIDE)}


def test_a_guest_imports_numpy_and_pyarrow_alone_until_its_method_does(built: Built, tmp_path: Path) -> None:
    listing = "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    loaded = set(json.loads(in_guest(built.pythons[0], tmp_path / "noop.py", listing)))
    foreign = {name for name in loaded - set(sys.stdlib_module_names) if not name.startswith("_")}
    # An interpreter may have a sitecustomize of its own, as Debian's does.
    assert foreign == {"numpy", "pyarrow", "fourfold", "method_noop"} | (foreign & {"cython_runtime", "sitecustomize"})


@pytest.mark.parametrize("python", ["built", "this"])
def test_neither_does_one_where_more_is_installed(built: Built, tmp_path: Path, python: str) -> None:
    listing = "print(json.dumps([name for name in sys.modules if '.' not in name]))"
    loaded = json.loads(in_guest(built.pythons[0] if python == "built" else sys.executable, tmp_path / "m.py", listing))
    assert not {"pandas", "psutil", "scipy", "sklearn", "torch", "ray", "click", "rich"} & set(loaded)


def test_what_pip_cannot_install_is_refused_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "tiny_thing", "1.5")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    heard: list[str] = []
    with pytest.raises(EnvironmentFailed) as failed:
        interpreter(["tiny-thing==2.0"], tmp_path, heard.append)
    assert re.search(
        r"pip cannot install tiny-thing==2\.0; change the method's requirements, or what pip is configured",
        str(failed.value),
    )
    assert "ERROR: " in str(failed.value)
    assert re.match("building the environment [0-9a-f]{8}: numpy==", heard[0])
    with pytest.raises(EnvironmentFailed):
        interpreter(["tiny-thing==2.0"], tmp_path)


def test_nothing_is_built_from_source_which_would_run_its_authors_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, ran = "tiny_source-1.0", tmp_path / "ran"
    with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
        for file, text in (("setup.py", f"open({str(ran)!r}, 'w')\nimport setuptools\nsetuptools.setup()"),
                           ("PKG-INFO", "Metadata-Version: 2.1\nName: tiny-source\nVersion: 1.0\n")):
            described = tarfile.TarInfo(f"{name}/{file}")
            described.size = len(text)
            archive.addfile(described, io.BytesIO(text.encode()))
    for variable, value in (("FIND_LINKS", str(tmp_path)), ("NO_INDEX", "1"), ("NO_BUILD_ISOLATION", "0")):
        monkeypatch.setenv(f"PIP_{variable}", value)
    with pytest.raises(EnvironmentFailed, match=r"pip cannot install tiny-source==1\.0"):
        interpreter(["tiny-source==1.0"], tmp_path)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("--index-url=http://evil", "is none: "),
        ("six=1", "write it as in six==1.16.0"),
        ("", "is none"),
        ("fourfold", "leave out the requirement"),
        ("FourFold>=1", "leave out the requirement"),
        ("six @ https://example.org/six-1.16.0-py2.py3-none-any.whl", "names a place: name a version"),
        ("six @ file:///tmp/six.whl", "names a place: name a version"),
    ],
)
def test_what_is_no_requirement_is_refused(tmp_path: Path, requirement: str, said: str) -> None:
    with pytest.raises(EnvironmentFailed, match=re.escape(said)):
        interpreter([requirement], tmp_path)


def test_a_read_only_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "environments").write_text("a file where a folder should be")
    with pytest.raises(EnvironmentFailed, match=r"no environment can be built in .*; make room there"):
        interpreter(["six"], tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["Six == 1.16.0", "numpy"], ["numpy", "six==1.16.0"]),
        (["a_b.c"], ["A-B-C"]),
        (["x<2,>=1"], ["x>=1,<2"]),
    ],
)
def test_equal_requirements_have_one_spelling(one: Sequence[str], other: Sequence[str]) -> None:
    assert normalized(one) == normalized(other)


def test_an_environment_is_named_by_all_that_goes_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = environment._digest(["six==1.16.0"])
    assert name == environment._digest(["six==1.16.0"])
    assert name != environment._digest(["six==1.17.0"])
    monkeypatch.setattr(environment, "GUEST_SIDE", environment.GUEST_SIDE[1:])
    assert name != environment._digest(["six==1.16.0"])


def test_a_real_package_from_the_registry(built: Built, tmp_path: Path) -> None:
    if "six==1.16.0" not in built.requirements:
        pytest.skip("pip finds no six here: no network, and no links to wheels")
    assert in_guest(built.pythons[0], tmp_path / "m.py", "import six\nprint(six.__version__)") == "1.16.0"


def test_a_cell_whose_requirements_cannot_be_met_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "toy"))
    task = importlib.import_module("toy_task").Toy()
    method = tmp_path / "m.py"
    method.write_text(
        "from fourfold.suite import Method\n"
        "class Guest(Method):\n    task = 'toy'\n    requirements = ('six = 1',)\n    def predict(self, query): pass\n"
    )
    pack = read(method)
    cell = Cell("toy", "1", "tiny", "0", "d", pack.name, pack.digest, (), Budget(), 0)
    with Evaluator(b"key", tmp_path) as evaluator:
        result = evaluator.run(Job(cell, pack), task, task.load("tiny", tmp_path))
    assert result.status == "refused"
    assert result.reason.startswith("the requirement 'six = 1' is none: ")
    assert [(row["metric"], row["value"], row["status"]) for row in result.rows] == [("", None, "refused")]
