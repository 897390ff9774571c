import gzip
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.datasets import (
    Dataset,
    DatasetError,
    File,
    cache_folder,
    checksum,
    content_digest,
    fetch,
    require,
    state,
    verify,
)

BODY = np.random.default_rng(0).bytes(3_000_000)


@dataclass
class Server:
    """A file server whose failings can be set, and that remembers what it was asked and how much it sent."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"/loans.csv": BODY})
    ranges: bool = True
    etag: str = '"one"'
    cut_after: int | None = None  # bytes of a body after which the connection is closed
    asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            told.asked.append(wanted)
            body = told.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start, status = 0, 200
            if told.ranges and wanted and self.headers.get("If-Range") == told.etag:
                start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(status)
            self.send_header("ETag", told.etag)
            self.send_header("Content-Length", str(len(body) - start))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            piece = body[start:][: told.cut_after]
            self.wfile.write(piece)
            told.sent.append(len(piece))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        told.address = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield told
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOURFOLD_MIRROR", raising=False)


def loans(server: Server) -> Dataset:
    file = File("credit/loans.csv", hashlib.sha256(BODY).hexdigest(), len(BODY), f"{server.address}/loans.csv")
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit")


def leftovers(cache: Path) -> list[str]:
    return sorted(p.name for p in (cache / "credit").iterdir() if p.name != "loans.csv")


def test_fetch_brings_the_file_once_and_tells_how_far_it_is(server, tmp_path):
    told = []
    assert state(loans(server), tmp_path) == "absent"
    fetched = fetch(loans(server), tmp_path, lambda *step: told.append(step))

    assert fetched == [tmp_path / "credit/loans.csv"]
    assert fetched[0].read_bytes() == BODY
    assert leftovers(tmp_path) == []
    assert state(loans(server), tmp_path) == "present"
    assert verify(loans(server), tmp_path) == []
    assert told[0] == ("credit/loans.csv", 0, len(BODY))
    assert told[-1] == ("credit/loans.csv", len(BODY), len(BODY))
    done = [step[1] for step in told]
    assert done == sorted(done)
    assert len(done) > 3
    assert fetch(loans(server), tmp_path) == []
    assert len(server.asked) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match=r"broke off after 1000000 of 3000000 bytes.*same command again"):
        fetch(loans(server), tmp_path)
    assert state(loans(server), tmp_path) == "absent"

    server.cut_after = None
    told = []
    fetch(loans(server), tmp_path, lambda *step: told.append(step))

    assert (tmp_path / "credit/loans.csv").read_bytes() == BODY
    assert server.asked == [None, "bytes=1000000-"]
    assert server.sent == [1_000_000, 2_000_000]
    assert told[0][1:] == (1_000_000, 3_000_000)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("change", ["no ranges", "new version", "other address"])
def test_what_cannot_be_resumed_is_fetched_whole(server, tmp_path, monkeypatch, change):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans(server), tmp_path)

    server.cut_after = None
    if change == "no ranges":
        server.ranges = False
    elif change == "new version":
        server.etag = '"two"'
    else:
        server.files["/mirror/credit/loans.csv"] = BODY
        monkeypatch.setenv("FOURFOLD_MIRROR", f"{server.address}/mirror/")
    fetch(loans(server), tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == BODY
    assert server.sent[1:] == [3_000_000]


def test_a_part_that_was_damaged_meanwhile_is_thrown_away(server, tmp_path):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans(server), tmp_path)
    with (tmp_path / "credit/loans.csv.part").open("r+b") as part:
        part.write(b"damage")

    server.cut_after = None
    fetch(loans(server), tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == BODY
    assert server.sent[1:] == [2_000_000, 3_000_000]


def test_a_part_that_is_whole_already_does_no_harm(server, tmp_path):
    server.cut_after = 2_999_999
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans(server), tmp_path)
    with (tmp_path / "credit/loans.csv.part").open("ab") as part:
        part.write(BODY[-1:])

    server.cut_after = None
    fetch(loans(server), tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == BODY


def test_a_wrong_checksum_leaves_the_old_file(server, tmp_path):
    old = tmp_path / "credit/loans.csv"
    old.parent.mkdir()
    old.write_bytes(b"old")
    server.files["/loans.csv"] = BODY[:-1] + bytes([BODY[-1] ^ 1])

    with pytest.raises(DatasetError, match=r"not what it should be: its bytes have SHA-256 .* left as it was") as error:
        fetch(loans(server), tmp_path)

    assert server.address in str(error.value)
    assert old.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_missing_file_and_a_dead_server_are_told_apart(server, tmp_path):
    del server.files["/loans.csv"]
    with pytest.raises(DatasetError, match=r"loans\.csv: the server answers 404"):
        fetch(loans(server), tmp_path)

    file = replace(loans(server).files[0], url="http://127.0.0.1:1/loans.csv")
    with pytest.raises(DatasetError, match=r"cannot be reached.*refused.*Check the connection"):
        fetch(replace(loans(server), files=(file,)), tmp_path)
    with pytest.raises(DatasetError, match="cannot be reached"):
        fetch(replace(loans(server), files=(replace(file, url="no address"),)), tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_named(server, tmp_path):
    (tmp_path / "credit").mkdir()
    (tmp_path / "credit/loans.csv.part").symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=r"loans\.csv: No space left on device.*FOURFOLD_DATA"):
        fetch(loans(server), tmp_path)


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"credit/loans\.csv: Not a directory.*FOURFOLD_DATA"):
        fetch(loans(server), tmp_path / "file")


def test_two_may_fetch_at_once(server, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    begun, both = threading.Event(), threading.Barrier(2, timeout=20)

    def wait(_path: str, done: int, _total: int | None) -> None:
        begun.set()
        if done == 0:
            both.wait()  # neither goes on before the other is at it too

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, loans(server), tmp_path, wait)
        begun.wait(20)
        second = pool.submit(fetch, loans(server), tmp_path, wait)
        assert first.result() == second.result() == [tmp_path / "credit/loans.csv"]

    assert server.sent == [3_000_000, 3_000_000]
    assert (tmp_path / "credit/loans.csv").read_bytes() == BODY
    assert leftovers(tmp_path) == []


def test_a_mirror_serves_what_its_origin_does_not(server, tmp_path, monkeypatch):
    by_hand = replace(loans(server), by_hand="Ask the bank", files=(replace(loans(server).files[0], url=""),))
    with pytest.raises(DatasetError, match=r"cannot be fetched\. Ask the bank"):
        fetch(by_hand, tmp_path)

    server.files = {"/mirror/credit/loans.csv": BODY}
    monkeypatch.setenv("FOURFOLD_MIRROR", f"{server.address}/mirror")
    fetch(by_hand, tmp_path)
    assert verify(by_hand, tmp_path) == []


def csv_to_parquet(arrived: Path, made: Path) -> None:
    pd.read_csv(arrived).to_parquet(made, index=False)


def wrong_conversion(arrived: Path, made: Path) -> None:
    pd.read_csv(arrived).assign(income=0).to_parquet(made, index=False)


def converted(server: Server, tmp_path: Path, convert: str) -> tuple[Dataset, pd.DataFrame]:
    frame = pd.DataFrame({"income": [1.5, None, 3.0], "name": ["a", "b", None], "default": [0, 1, 0]})
    body = frame.to_csv(index=False).encode()
    server.files["/upstream.csv"] = body
    frame.astype({"default": "int8", "income": "float32"}).to_parquet(tmp_path / "other.parquet", compression="gzip")
    file = File("credit/loans.parquet", hashlib.sha256(body).hexdigest(), len(body), f"{server.address}/upstream.csv",
                f"{__name__}:{convert}", content_digest(tmp_path / "other.parquet"))
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit"), frame


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(csv_to_parquet=csv_to_parquet, wrong_conversion=wrong_conversion)
    monkeypatch.setitem(sys.modules, __name__, module)


@pytest.mark.usefixtures("_importable")
def test_what_is_converted_is_checked_by_its_values(server, tmp_path, monkeypatch):
    dataset, frame = converted(server, tmp_path, "csv_to_parquet")
    path = tmp_path / "credit/loans.parquet"
    fetch(dataset, tmp_path)

    assert path.read_bytes() != (tmp_path / "other.parquet").read_bytes()
    assert verify(dataset, tmp_path) == []
    assert sorted(p.name for p in path.parent.iterdir()) == ["loans.parquet"]

    frame.assign(default=[0, 1, 1]).to_parquet(path)
    assert state(dataset, tmp_path) == "present"
    [complaint] = verify(dataset, tmp_path)
    assert "its values have SHA-256" in complaint
    assert "fourfold data fetch fair-credit loans" in complaint

    monkeypatch.setenv("FOURFOLD_MIRROR", server.address)
    server.files["/credit/loans.parquet"] = (tmp_path / "other.parquet").read_bytes()
    assert fetch(dataset, tmp_path) == [path]
    assert verify(dataset, tmp_path) == []


@pytest.mark.usefixtures("_importable")
def test_a_conversion_that_goes_wrong_leaves_nothing(server, tmp_path):
    dataset, _ = converted(server, tmp_path, "wrong_conversion")
    with pytest.raises(DatasetError, match="once converted its values have SHA-256"):
        fetch(dataset, tmp_path)
    assert list((tmp_path / "credit").iterdir()) == []


def gzipped(server: Server, level: int = 9) -> Dataset:
    server.files["/loans.gz"] = gzip.compress(BODY[:5000], level, mtime=0)
    file = File("credit/loans.gz", url=f"{server.address}/loans.gz", unpacked=hashlib.sha256(BODY[:5000]).hexdigest())
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit")


def test_a_gzip_file_is_pinned_by_what_is_inside(server, tmp_path):
    dataset, path = gzipped(server), tmp_path / "credit/loans.gz"
    assert fetch(dataset, tmp_path) == [path]
    assert path.read_bytes() == server.files["/loans.gz"]

    path.write_bytes(gzip.compress(BODY[:5000], 1, mtime=99))
    assert path.read_bytes() != server.files["/loans.gz"]
    assert verify(dataset, tmp_path) == []
    assert fetch(dataset, tmp_path) == []
    assert checksum(dataset, tmp_path) == checksum(dataset, tmp_path / "empty")


@pytest.mark.parametrize(("body", "complaint"), [
    (gzip.compress(BODY[:4999]), "its bytes, unpacked, have SHA-256"),
    (gzip.compress(BODY[:5000])[:-2000], r"no whole gzip file \(Compressed file ended"),
    (gzip.compress(BODY[:5000])[:-8] + bytes(8), r"no whole gzip file \(CRC check failed"),
    (b"<html>moved</html>", r"no whole gzip file \(Not a gzipped file"),
    (gzip.compress(BODY[:5000])[:20] + bytes(5000), "no whole gzip file"),
], ids=["other", "truncated", "checksum", "foreign", "damaged"])
def test_a_gzip_file_that_is_not_what_it_should_be_is_named_and_not_taken(server, tmp_path, body, complaint):
    dataset, path = gzipped(server), tmp_path / "credit/loans.gz"
    path.parent.mkdir()
    path.write_bytes(body)
    [wrong] = verify(dataset, tmp_path)
    assert re.search(complaint, wrong)
    assert "Run: fourfold data fetch fair-credit loans" in wrong

    server.files["/loans.gz"] = body
    with pytest.raises(DatasetError, match=complaint):
        fetch(dataset, tmp_path)
    assert path.read_bytes() == body


def test_the_digest_of_bytes_sees_every_byte_and_where_one_ends(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def digest(*values: bytes | None, kind: str = "binary") -> str:
        pq.write_table(pa.table({"jpeg": pa.array(values, kind)}), tmp_path / "a.parquet")
        return content_digest(tmp_path / "a.parquet")

    first = digest(b"\xff\xd8", b"\x00")
    assert first == digest(b"\xff\xd8", b"\x00", kind="large_binary")
    assert len({first, digest(b"\xff", b"\xd8\x00"), digest(b"\xff\xd8", b"\x01"), digest(b"\xff\xd8", None)}) == 4


def test_require_names_the_file_and_the_command(server, tmp_path):
    dataset = loans(server)
    with pytest.raises(DatasetError, match=r"loans\.csv: it is not there. Run: fourfold data fetch fair-credit loans"):
        require(dataset, tmp_path)
    (tmp_path / "credit").mkdir()
    (tmp_path / "credit/loans.csv").write_bytes(BODY[:-1])
    with pytest.raises(DatasetError, match="it has 2999999 bytes instead of 3000000"):
        require(dataset, tmp_path)
    assert state(dataset, tmp_path) == "corrupt"
    (tmp_path / "credit/loans.csv").write_bytes(BODY)
    require(dataset, tmp_path)


def test_a_dataset_of_two_files_can_be_half_there(server, tmp_path):
    two = replace(loans(server), files=(loans(server).files[0], File("credit/more.csv")))
    fetch(loans(server), tmp_path)
    assert state(two, tmp_path) == "incomplete"
    [complaint] = verify(two, tmp_path)
    assert "more.csv: it is not there" in complaint


def test_the_checksum_is_that_of_the_contents(server, tmp_path):
    pinned = checksum(loans(server), tmp_path)
    assert pinned == checksum(replace(loans(server), title="Other", licence="MIT"), tmp_path)
    assert pinned != checksum(replace(loans(server), files=(replace(loans(server).files[0], sha256="0"),)), tmp_path)

    unpinned = replace(loans(server), files=(File("credit/loans.csv"),))
    with pytest.raises(DatasetError, match="it is not there"):
        checksum(unpinned, tmp_path)
    fetch(loans(server), tmp_path)
    assert checksum(unpinned, tmp_path) == pinned

    embedded = Dataset("simulated", "Simulated", "Apache-2.0", "here", version="1")
    assert state(embedded, tmp_path) == "embedded"
    assert verify(embedded, tmp_path) == []
    assert checksum(embedded, tmp_path) != checksum(replace(embedded, version="2"), tmp_path)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("FOURFOLD_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FOURFOLD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "xdg" / "fourfold"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "fourfold"


columns = st.lists(st.tuples(st.integers(-100, 100), st.floats(width=32, allow_infinity=False), st.text(max_size=5)),
                   min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(columns, st.integers(0, 7))
def test_the_digest_sees_values_and_nothing_else(tmp_path_factory, rows, at):
    folder = tmp_path_factory.mktemp("digest")
    frame = pd.DataFrame(rows, columns=["whole", "real", "text"])
    frame.to_parquet(folder / "a.parquet")
    frame[["text", "real", "whole"]].astype({"whole": "int16", "real": "float32"}).to_parquet(
        folder / "b.parquet", compression=None, row_group_size=2)
    digest = content_digest(folder / "a.parquet")
    assert content_digest(folder / "b.parquet") == digest

    at %= len(rows)
    for column, value in (("whole", rows[at][0] + 1), ("text", rows[at][2] + "x")):
        changed = frame.copy()
        changed.loc[at, column] = value
        changed.to_parquet(folder / "c.parquet")
        assert content_digest(folder / "c.parquet") != digest


def test_this_module_is_light_to_import():
    import subprocess
    import sys

    heavy = "import sys, fourfold.suite.datasets; print(*{'numpy', 'pyarrow', 'urllib.request'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
