"""Environments of their own for submissions that ask for packages: one a set of requirements, built once a node.

An environment holds what was asked for, numpy and pyarrow, and the guest's side of fourfold; nothing else of it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from fourfold.suite import sandbox
from fourfold.suite.cell import canonical

GUEST_SIDE = (
    *("__init__.py", "method.py", "boundary.py", "evidence.py", "folder.py", "guest.py", "state.py"),
    *("sandbox.py", "cgroups.py", "namespaces.py", "seccomp.py"),
    *("curator.py", "curator_proxy.py", "descent.py", "model.py", "graph.py", "operations.py", "clipping.py"),
    *("metrics/__init__.py", "metrics/accountant.py"),
)
"""The files of this package that run beside a method. Those from ``curator`` on need torch, scipy and opacus, which a
method that learns through a curator names among its requirements."""

_BASE = ("numpy", "pyarrow")
_MARK = "complete"
_TOLD = 12  # Lines of pip's that an error repeats.

Progress = Callable[[str], None]


class EnvironmentFailed(RuntimeError):
    """The requirements of a submission cannot be met here: why, and what to do."""


def interpreter(requirements: Sequence[str], folder: Path, progress: Progress | None = None) -> str:
    """The Python in which methods with these requirements run: this one where there are none.

    Others are built beneath ``folder`` by pip, as the user has configured it, from wheels, the first time; who comes
    then waits. What they install may run as soon as that Python starts, outside of any guest.
    ``progress`` hears what goes on, a line at a time. Raises EnvironmentFailed.
    """
    if not requirements:
        return sys.executable
    tell = progress or (lambda line: None)
    wanted = [*_base(), *normalized(requirements)]
    home = (folder / "environments" / _digest(wanted)).absolute()
    try:
        if not (home / _MARK).exists():
            with _alone(home, tell) as lock:
                if not (home / _MARK).exists():
                    _build(home, wanted, lock, tell)
                    (home / _MARK).touch()
    except OSError as error:
        raise EnvironmentFailed(f"no environment can be built in {home}: {error}; make room there") from error
    return str(_python(home))


def normalized(requirements: Sequence[str]) -> list[str]:
    """Requirements in one spelling and order, so that equal sets are one environment. Raises EnvironmentFailed."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found = set()
    for each in requirements:
        try:
            requirement = Requirement(each)
        except InvalidRequirement as error:
            said = " ".join(str(error).split())
            raise EnvironmentFailed(f"the requirement {each!r} is none: {said}; write it as in six==1.16.0") from error
        if requirement.url:
            raise EnvironmentFailed(f"the requirement {each!r} names a place: name a version, as in six==1.16.0, which "
                                    "is had from where pip is configured to look")
        requirement.name = canonicalize_name(requirement.name)
        if requirement.name == "fourfold":
            raise EnvironmentFailed(f"leave out the requirement {each!r}: what a method needs of it is there anyway")
        found.add(str(requirement))
    return sorted(found)


def _base() -> list[str]:
    return [f"{name}=={metadata.version(name)}" for name in _BASE]


def _digest(wanted: Sequence[str]) -> str:
    """Names an environment by all that goes into it."""
    guest = [hashlib.sha256(_source(name).read_bytes()).hexdigest() for name in GUEST_SIDE]
    described = [list(wanted), sys.version, sysconfig.get_platform(), guest]
    return hashlib.sha256(canonical(described).encode()).hexdigest()[:32]


def _source(name: str) -> Path:
    return Path(__file__).parent / name


def _python(home: Path) -> Path:
    return home / "bin" / "python"


@contextlib.contextmanager
def _alone(home: Path, tell: Progress) -> Iterator[int]:
    """Be the only one on this node to build this environment; the lock ends with its holder, however that ends."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for the environment {home.name[:8]}, which another worker builds")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _build(home: Path, wanted: Sequence[str], lock: int, tell: Progress) -> None:
    """Build an environment in its place; until it bears its mark, it is nothing, and is built anew."""
    if importlib.util.find_spec("pip") is None:
        raise EnvironmentFailed(
            "pip is not installed beside fourfold, and builds the environments of submissions; run "
            f"{sys.executable} -m ensurepip"
        )
    tell(f"building the environment {home.name[:8]}: {', '.join(wanted)}")
    if home.exists():
        shutil.rmtree(home)
    venv.EnvBuilder(symlinks=True).create(home)
    python = str(_python(home))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "--only-binary=:all:",  # To build one runs code of its author's, with the rights of who scores it.
    ]
    _run(
        [*pip, *wanted],
        _pip_environment(),
        lock,
        tell,
        "pip cannot install " + ", ".join(wanted[len(_BASE) :]),
        "change the method's requirements, or what pip is configured to find",
    )
    _add_guest_side(python)
    _run(
        [python, "-s", "-P", "-c", "import fourfold.suite.guest"],
        sandbox.environment(1),
        lock,
        tell,
        "a guest does not start among " + ", ".join(wanted),
        "change the method's requirements",
    )
    tell(f"the environment {home.name[:8]} is built")


def _pip_environment() -> dict[str, str]:
    """The user's variables, which configure pip, without the suite's and those that bend where Python looks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FOURFOLD_", "RAY_", "PYTHON"))}
    return kept | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def _run(
    command: Sequence[str], variables: dict[str, str], lock: int, tell: Progress, failed: str, remedy: str
) -> None:
    """Run a command, telling its lines. It holds the lock too: should this process be killed, it may go on a while."""
    last: deque[str] = deque(maxlen=_TOLD)
    with subprocess.Popen(
        command,
        env=variables,
        pass_fds=[lock],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line := line.strip():
                last.append(line)
                tell(line)
    if process.returncode:
        told = "\n  ".join(last) or f"exit code {process.returncode}"
        raise EnvironmentFailed(f"{failed}; {remedy}. It said:\n  {told}")


def _add_guest_side(python: str) -> None:
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    library = subprocess.run([python, "-I", "-c", query], check=True, capture_output=True, text=True).stdout.strip()
    package = Path(library, "fourfold", "suite")
    package.mkdir(parents=True, exist_ok=True)
    for name in GUEST_SIDE:
        (package / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(_source(name), package / name)
    subprocess.run([python, "-I", "-m", "compileall", "-q", str(package)], check=True, capture_output=True)
