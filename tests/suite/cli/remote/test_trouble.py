"""A server that goes, a campaign that is killed in an upload, an object that is damaged: no result is lost."""

import contextlib
import itertools
import json
import re
import select
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from buckets import SLEEPERS, SLOPE, ended, mirror, objects, scores, until

from fourfold.suite import store
from fourfold.suite.cellfile import decode

Run = Callable[..., Any]


class Gate(socketserver.ThreadingTCPServer):
    """Stands before a server, and lets some cells be put there; of the others it takes a part, and never answers.

    Closed, it is as if nobody were there; what it has taken is dropped.
    """

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, behind: int, lets: int, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Passing)
        self.behind, self.lets, self.port = behind, lets, self.server_address[1]
        self.cells, self.holding, self.closed = itertools.count(), threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def holds(self, data: bytes) -> bool:
        if re.match(rb"PUT \S+/cells/", data) and next(self.cells) >= self.lets:
            self.holding.set()
            return True
        return False

    def close(self) -> None:
        self.closed.set()
        self.shutdown()
        self.server_close()


class Passing(socketserver.BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        with (
            contextlib.suppress(ConnectionError),  # Who was killed says no goodbye.
            socket.create_connection(("127.0.0.1", self.server.behind)) as behind,
        ):
            other = {self.request: behind, behind: self.request}
            while not self.server.closed.is_set():
                for each in select.select([*other], [], [], 0.02)[0]:
                    if not (data := each.recv(1 << 16)):
                        return
                    if self.server.holds(data):
                        self.server.closed.wait()
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
    gate, words = Gate(server, lets=1), (*SLEEPERS, "--key", str(undisturbed / "key"), "--results", url)
    campaign = at("a", *words, port=gate.port)
    assert gate.holding.wait(60)
    until(lambda: objects(there, url))
    if trouble == "the campaign is killed in mid-upload":
        ended(campaign)
    gate.close()
    _, complained = campaign.communicate()
    if trouble == "the server stops":
        assert campaign.returncode == 2
        assert f"cannot write {url}/cells/" in complained
        assert f"run the same command again; {mirror(tmp_path, 'a')} keeps what is done" in complained
        assert "Traceback" not in complained
    kept = {path.name: path.read_bytes() for path in mirror(tmp_path, "a").glob("cells/*/*.parquet")}
    (up,) = objects(there, url).items()
    assert up in kept.items()
    assert len(kept) > 1
    gate = Gate(server, lets=4, port=gate.port)
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
