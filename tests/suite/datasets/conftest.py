"""A file server that can be made to fail, and a dataset that it has."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from fourfold.suite.datasets import Dataset, File


@dataclass
class Server:
    """A file server whose failings can be set, and that remembers what it was asked and how much it sent."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    etag: str = '"one"'
    cut_after: int | None = None  # bytes of a body after which the connection is closed
    asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


@pytest.fixture(scope="session")
def body() -> bytes:
    """What the dataset's file holds."""
    return np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def server(body: bytes) -> Iterator[Server]:
    told = Server(files={"/loans.csv": body})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            told.asked.append(wanted)
            held = told.files.get(self.path)
            if held is None:
                self.send_error(404)
                return
            start, status = 0, 200
            if told.ranges and wanted and self.headers.get("If-Range") == told.etag:
                start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(held):
                self.send_error(416)
                return
            self.send_response(status)
            self.send_header("ETag", told.etag)
            self.send_header("Content-Length", str(len(held) - start))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(held) - 1}/{len(held)}")
            self.end_headers()
            piece = held[start:][: told.cut_after]
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


@pytest.fixture
def loans(server: Server, body: bytes) -> Dataset:
    """A dataset of one file, which the server has."""
    file = File("credit/loans.csv", hashlib.sha256(body).hexdigest(), len(body), f"{server.address}/loans.csv")
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit")
