"""Machines, each with an environment and a cache of its own, that share results in a bucket."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
s3fs = pytest.importorskip("s3fs", reason="results at a URL need the extra remote")
pytest.importorskip("moto", reason="the server is moto's")

from buckets import ACCESS, answers, ended, free_port, served, until  # noqa: E402

from fourfold.suite import cli, remote  # noqa: E402

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server."""
    port = free_port()
    process = served(port)
    try:
        until(lambda: answers(port) or process.poll() is not None)
        yield port
    finally:
        ended(process)


@pytest.fixture(scope="module")
def there(server: int) -> Any:
    """The server's buckets as a file system."""
    where = f"http://127.0.0.1:{server}"
    return s3fs.S3FileSystem(endpoint_url=where, key="testing", secret="testing", use_listings_cache=False)


@pytest.fixture
def url(there: Any, request: pytest.FixtureRequest) -> str:
    """A place for results, in a bucket of its own."""
    bucket = f"results-{abs(hash(request.node.name)):x}"
    there.mkdir(bucket)
    return f"s3://{bucket}/all of them"


@pytest.fixture
def machine(server: int, environment: Mapping[str, str], tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The environment of a machine by its name: each has a cache of its own."""

    def of(name: str, port: int = server) -> dict[str, str]:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        mine = {"XDG_CACHE_HOME": str(home), "HOME": str(home), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        return {**environment, **ACCESS, **mine, "AWS_MAX_ATTEMPTS": "2"}

    return of


@pytest.fixture
def at(machine: Run, command: tuple[str, ...], tmp_path: Path) -> Run:
    """Starts ``fourfold`` on a machine, as a process of its own: ``at("a", "run", ...)``."""

    def start(name: str, *words: str, port: int | None = None) -> subprocess.Popen[str]:
        environment = machine(name, port) if port else machine(name)
        return subprocess.Popen(
            [*command, *words], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start


@pytest.fixture
def told(machine: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What ``fourfold`` says on a machine, in this process: its exit code, its answer, and its complaints."""

    def run(name: str, *words: str, **changes: str) -> tuple[int, str, str]:
        s3fs.S3FileSystem.clear_instance_cache()  # They remember the credentials of others.
        with monkeypatch.context() as patch:
            for variable, value in {**machine(name), **changes}.items():
                patch.setenv(variable, value)
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["fourfold", *words])
            with pytest.raises(SystemExit) as left:
                cli.main()
        said = capsys.readouterr()
        return int(str(left.value.code)), said.out, said.err

    return run


@pytest.fixture
def opened(machine: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The results at a URL as a machine sees them, brought up to date."""

    def of(name: str, url: str) -> remote.Remote:
        for variable, value in machine(name).items():
            monkeypatch.setenv(variable, value)
        s3fs.S3FileSystem.clear_instance_cache()
        found = remote.opened(url)
        remote.fetch(found)
        return found

    return of
