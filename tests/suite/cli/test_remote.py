"""Results in a bucket, through the front door, against a real S3-compatible server on loopback."""

import json
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fourfold.suite import cli, compact, remote, store
from fourfold.suite.atomic import StoreError
from fourfold.suite.cellfile import decode
from fourfold.suite.mirror import waiting

s3fs = pytest.importorskip("s3fs", reason="results at a URL need the extra remote")
pytest.importorskip("moto", reason="the server is moto's")

Run = Callable[..., Any]
SECRET = "nobody-may-see-this"
ACCESS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
SLOPE = ("run", "-t", "coins", "-m", "coin-slope", "--backend", "serial")
SLEEPERS = ("run", "-t", "coins", "-m", "coin-sleeper[seconds=0.3]", "--seeds", "4", "--backend", "serial")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def served(port: int, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """A server in a process of its own; ``before``: words that put it elsewhere."""
    words = (*before, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ended(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def mirror(tmp_path: Path, name: str) -> Path:
    """The folder in which a machine keeps what is at the one URL that it knows."""
    (folder,) = (tmp_path / name / "fourfold" / "remote").iterdir()
    return folder


def objects(there: Any, url: str, part: str = "cells") -> dict[str, bytes]:
    """The objects of a part of the results, by their names."""
    found = there.find(f"{url}/{part}".rstrip("/"))
    return {path.rpartition("/")[2]: there.cat_file(path) for path in found if not path.endswith("notes.txt")}


def scores(cells: Mapping[str, bytes]) -> list[str]:
    """All that is deterministic in the files of some cells."""
    tables = [decode(data, name.partition(".")[0])[0] for name, data in cells.items()]
    rows = pa.concat_tables(tables).to_pylist()
    return sorted(repr(row) for row in rows if row["family"] != "cost")


_SPY = """
import os
from fourfold.suite import Method

class Spy(Method):
    task = "coins"
    def fit(self, train, budget):
        print(dict(os.environ))
        print([each for each in {places!r} if os.access(each, os.R_OK)])
    def predict(self, query):
        return [0.5] * len(query.features)
"""


def test_what_one_machine_scores_every_other_reads_and_no_method_sees_the_credentials(
    at: Run, told: Run, there: Any, url: str, tmp_path: Path
) -> None:
    secrets, spy = tmp_path / "a" / ".aws" / "credentials", tmp_path / "spy.py"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(f"[default]\naws_access_key_id = testing\naws_secret_access_key = {SECRET}\n")
    spy.write_text(_SPY.format(places=[str(secrets), str(tmp_path / "a" / "fourfold" / "remote")]))
    said, complained = at("a", *SLOPE, "-m", str(spy), "--seeds", "1", "--results", url).communicate()
    assert "2 ok" in said, complained
    assert f"to see the board: fourfold board '{url}'" in said
    cells = objects(there, url)
    assert len(cells) == 2
    status = json.loads(told("b", "status", url, "--json")[1])
    assert (status["cells"], status["statuses"], status["skipped"]) == (2, {"ok": 2}, [])
    assert "coin-slope" in told("b", "board", url, "--format", "md")[1]
    shown = [json.loads(told("b", "show", each[:8], "--results", url, "--json")[1]) for each in cells]
    (known,) = (each["provenance"] for each in shown if each["rows"][0]["method"] == "spy")
    assert "PATH" in known["log"]
    assert "AWS_" not in known["log"]
    assert SECRET not in known["log"]
    if known["confinement"] == "namespaces":
        assert known["log"].strip().endswith("[]")
    said, complained = at("b", *SLOPE, "--seeds", "2", "--results", url).communicate()
    assert "1 cells to run, 1 cached" in said, complained
    assert "3 cells: 3 ok" in told("a", "status", url)[1]
    assert objects(there, url, "").keys() >= {"key", *cells}
    assert oct(mirror(tmp_path, "a").stat().st_mode & 0o777) == "0o700"


def test_folders_and_urls_merge_into_each_other(told: Run, there: Any, url: str, results: Path, tmp_path: Path) -> None:
    assert told("a", "compact", "results")[0] == 0
    assert json.loads(told("a", "merge", "results", "--out", url, "--json")[1])["copied"] == 5
    assert {path.rpartition("/")[2] for path in there.find(f"{url}/compacted")} == {"rows.parquet", "cells.parquet"}
    assert json.loads(told("b", "merge", url, "--out", "copy", "--json")[1])["copied"] == 5
    assert store.statuses(tmp_path / "copy") == store.statuses(results)
    code, _, complained = told("b", "compact", url)
    assert (code, "fourfold merge" in complained) == (2, True)


def test_a_compacted_cell_is_not_run_anew_at_a_url(opened: Run, url: str, results: Path, there: Any) -> None:
    compact.compact(results)
    there.put(f"{results}/", f"{url}/", recursive=True)
    before = objects(there, url, "")
    found = opened("a", url)
    with pytest.raises(StoreError, match=r"is in a compacted folder of s3://.*`fourfold merge"):
        remote.retire(found, [min(store.done(results))])
    assert objects(there, url, "") == before


def test_two_campaigns_at_once_come_to_one_store(at: Run, there: Any, url: str, tmp_path: Path) -> None:
    backends = {"a": "serial", "b": "process"}
    for campaign in [at(name, *SLEEPERS[:-1], backends[name], "--results", url) for name in "ab"]:
        said, complained = campaign.communicate()
        assert "4 ok" in said, complained
    assert (len(objects(there, url)), len(objects(there, url, "methods"))) == (4, 1)
    for name in "ab":
        found = mirror(tmp_path, name)
        assert {path.name: path.read_bytes() for path in found.glob("cells/*/*")} == objects(there, url)
        assert (found / "key").read_bytes() == there.cat_file(f"{url}/key")


class Gate(socketserver.ThreadingTCPServer):
    """Stands before a server: open; held, so that nothing passes either way; or closed, as if nobody were there."""

    daemon_threads, allow_reuse_address = True, True
    held = closed = False

    def __init__(self, behind: int, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Passing)
        self.behind, self.port = behind, self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.closed = True
        self.shutdown()
        self.server_close()


class Passing(socketserver.BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.behind)) as behind:
            other = {self.request: behind, behind: self.request}
            while not self.server.closed:
                ready = select.select([*other], [], [], 0.02)[0] if not self.server.held else time.sleep(0.02) or []
                for each in ready:
                    if not (data := each.recv(1 << 16)):
                        return
                    other[each].sendall(data)


@pytest.fixture(scope="module")
def undisturbed(anywhere: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a campaign that nothing happened to, with their key."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert anywhere(folder, *SLEEPERS).returncode == 0
    return folder / "results"


@pytest.mark.parametrize("trouble", ["the server stops", "the campaign is killed in mid-upload"])
def test_nothing_is_lost(
    at: Run, there: Any, url: str, server: int, undisturbed: Path, tmp_path: Path, trouble: str
) -> None:
    gate, words = Gate(server), (*SLEEPERS, "--key", str(undisturbed / "key"), "--results", url)
    campaign = at("a", *words, port=gate.port)
    for line in campaign.stdout:
        if line.startswith("1/"):
            break
    if trouble == "the server stops":
        gate.close()
        _, complained = campaign.communicate()
        assert campaign.returncode == 2
        assert f"cannot write {url}/cells/" in complained
        assert f"run the same command again; {mirror(tmp_path, 'a')} keeps what is done" in complained
        assert "Traceback" not in complained
        gate = Gate(server, gate.port)
    else:
        gate.held = True
        until(lambda: len(list(mirror(tmp_path, "a").glob("cells/*/*.parquet"))) > len(objects(there, url)))
        ended(campaign)
        gate.held = False
    kept = {path.name: path.read_bytes() for path in mirror(tmp_path, "a").glob("cells/*/*.parquet")}
    assert objects(there, url).items() < kept.items()
    said, complained = at("a", *words, port=gate.port).communicate()
    gate.close()
    left = 4 - len(kept)  # None, where all were scored before the first was found not to arrive.
    assert said.startswith(f"{left} cells to run, {len(kept)} cached" if left else "nothing to run: "), complained
    stored = objects(there, url)
    assert stored.items() >= kept.items()
    assert scores(stored) == scores({path.name: path.read_bytes() for path in undisturbed.glob("cells/*/*")})


def test_what_is_damaged_is_named_and_run_again_and_what_is_run_anew_replaces_the_old_everywhere(
    at: Run, told: Run, there: Any, url: str, results: Path
) -> None:
    told("a", "merge", "results", "--out", url)
    rows = store.read(results, ["cell", "status"], seed=0).rows.to_pylist()
    (damaged,), (failed,) = ({row["cell"] for row in rows if row["status"] == status} for status in ("ok", "failed"))
    path = f"{url}/cells/{damaged[:2]}/{damaged}.parquet"
    whole = there.cat_file(path)
    there.pipe_file(path, whole[:-100])
    there.pipe_file(f"{url}/cells/notes.txt", b"mine")
    before = objects(there, url)
    code, said, complained = told("b", "status", url)
    assert (code, "4 cells: 2 ok, 2 failed" in said) == (0, True)
    assert f"skipped {path}: not a whole Parquet file" in complained
    assert f"skipped {url}/cells/notes.txt: nothing of fourfold's" in complained
    words = (*SLOPE, "-m", "coin-failing", "--seed", "0", "--rerun", "failed", "--results", url)
    said, complained = at("b", *words, "--key", "results/key").communicate()
    assert "1 ok, 1 failed" in said, complained
    after = objects(there, url)
    assert {name.partition(".")[0] for name in after if after[name] != before[name]} == {damaged, failed}
    assert scores({damaged: there.cat_file(path)}) == scores({damaged: whole})
    assert set(objects(there, url, "retired").values()) == {whole[:-100], before[f"{failed}.parquet"]}
    shown = json.loads(told("a", "show", failed, "--results", url, "--json")[1])
    assert shown["provenance"] == json.loads(decode(after[f"{failed}.parquet"], failed)[1])
    assert there.cat_file(f"{url}/cells/notes.txt") == b"mine"


@pytest.mark.parametrize(
    ("place", "changes", "advice"),
    [
        ("s3://no-such-bucket/results", {}, "make the bucket, or give another URL"),
        ("URL", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "see that your credentials are there"),
        ("URL", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "look at the server, then run the same command again"),
        ("s4://bucket/results", {}, "give a folder, or a URL such as s3://bucket/results"),
        ("gs://bucket/results", {}, "pip install 'fourfold[remote]'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    told: Run, url: str, place: str, changes: dict[str, str], advice: str
) -> None:
    place = url if place == "URL" else place
    code, said, complained = told("a", "run", "-t", "fair-credit", "-m", "approve-all", "--results", place, **changes)
    assert (code, said) == (2, "")
    assert advice in complained
    assert place in complained
    assert len(complained.splitlines()) == 1


def test_a_password_in_a_url_is_neither_used_nor_repeated(told: Run) -> None:
    code, said, complained = told("a", "status", f"sftp://somebody:{SECRET}@127.0.0.1/results")
    assert (code, said) == (2, "")
    assert "give the URL without it" in complained
    assert SECRET not in complained


def test_a_server_that_denies(told: Run, url: str, server: int) -> None:
    def let(count: str) -> None:
        where, kind = f"http://127.0.0.1:{server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(where, count.encode(), kind)).close()

    let("0")
    try:
        code, _, complained = told("a", "status", url)
    finally:
        let("inf")
    assert code == 2
    assert complained.startswith(f"fourfold: cannot read {url}: ")
    assert "see that your credentials are there, as AWS_PROFILE or AWS_ACCESS_KEY_ID, and allow it" in complained


def test_a_bucket_without_results(told: Run, url: str) -> None:
    code, _, complained = told("a", "status", url)
    assert (code, f"there are no results at {url}: " in complained) == (2, True)


def test_the_first_result_at_the_url_stands_and_another_is_a_conflict(
    opened: Run, make_cell: Run, url: str, there: Any
) -> None:
    machines = [opened(name, url) for name in "ab"]
    for each, value in zip(machines, (0.5, 0.75), strict=True):
        for number in (0, 1):
            cell, rows = make_cell(number)
            rows[0]["value"] = value if number else 0.5
            store.write_cell(store.create(each.mirror), cell, rows, {"machine": value})
    for each in machines:
        remote.push(each)
    first, second = machines
    assert (first.clashes.conflicts, first.clashes.differs) == ([], [])
    (conflict,) = second.clashes.conflicts
    assert (conflict.metric, conflict.left, conflict.right) == ("auc", {"value": 0.5}, {"value": 0.75})
    for each in machines:
        assert {path.name: path.read_bytes() for path in each.mirror.glob("cells/*/*")} == objects(there, url)
        assert waiting(each.mirror) == []
    assert len(list((second.mirror / "retired").iterdir())) == 2


def test_no_object_leads_out_of_the_mirror(told: Run, there: Any, url: str, tmp_path: Path) -> None:
    there.pipe_file(f"{url}/cells/../../../escaped.parquet", b"PAR1")
    _, _, complained = told("a", "status", url)
    assert f"skipped {url}/cells/../../../escaped.parquet: nothing of fourfold's" in complained
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_who_has_a_cell_whole_puts_it_in_the_place_of_a_damaged_one(
    opened: Run, make_cell: Run, url: str, there: Any
) -> None:
    cell, rows = make_cell(0)
    found = opened("a", url)
    store.write_cell(store.create(found.mirror), cell, rows, {})
    remote.push(found)
    before = objects(there, url)
    there.pipe_file(f"{url}/cells/{cell[:2]}/{cell}.parquet", b"PAR1 and nothing else")
    found = opened("a", url)
    assert len(found.notes) == 1
    remote.push(found)
    assert objects(there, url) == before
    assert opened("b", url).notes == []


@pytest.mark.ray
def test_a_ray_campaign_puts_its_cells_there(
    anywhere: Run, machine: Run, alone: tuple[str, ...], tmp_path: Path
) -> None:
    port = free_port()
    process = served(port, alone)
    inside = ("nsenter", "-t", str(process.pid), "-n") if alone else ()
    make = (*inside, sys.executable, "-c", "import s3fs; s3fs.S3FileSystem().mkdir('bucket')")
    try:
        until(lambda: subprocess.run(make, env=machine("a", port), capture_output=True).returncode == 0)
        words = (*SLOPE[:-1], "ray", "--seeds", "2", "--results", "s3://bucket/results")
        ran = anywhere(tmp_path, *words, before=inside, **machine("a", port))
        assert "2 ok" in ran.stdout, ran.stderr
        found = mirror(tmp_path, "a")
        assert (len(store.done(found)), waiting(found)) == (2, [])
    finally:
        ended(process)
