import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
MINTED = b"seed\n7\n"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The address of a server that has the file of the dataset ``minted``."""
    (tmp_path / "served" / "coins").mkdir(parents=True)
    (tmp_path / "served" / "coins" / "minted.csv").write_bytes(MINTED)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_fetch_brings_what_a_run_needs(fourfold: Run, answer: Run, tmp_path: Path, mirror: str) -> None:
    words = (
        "run",
        "-t",
        "coins",
        "-d",
        "minted",
        "-m",
        "coin-slope",
        "--seeds",
        "1",
        "--backend",
        "serial",
        "--data",
        "cache",
    )
    before = fourfold(*words)
    assert before.returncode == 2
    assert "Run: fourfold data fetch coins minted" in before.stderr
    done = fourfold("data", "fetch", "coins", "minted", "--data", "cache", FOURFOLD_MIRROR=mirror)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cache" / "coins" / "minted.csv").read_bytes() == MINTED
    assert fourfold("data", "fetch", "minted", "--data", "cache").stdout == "minted: it was there, and whole\n"
    listed = answer(fourfold("data", "ls", "coins", "--data", "cache", "--json"))["datasets"]
    assert {row["dataset"]: row["state"] for row in listed} == {"pocket": "embedded", "minted": "present"}
    assert fourfold(*words).returncode == 0


def test_verify_reads_every_byte(fourfold: Run, tmp_path: Path) -> None:
    place = tmp_path / "cache" / "coins" / "minted.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(MINTED)
    assert fourfold("data", "verify", "--data", "cache").returncode == 0
    place.write_bytes(MINTED.replace(b"7", b"8"))
    done = fourfold("data", "verify", "--data", "cache")
    assert done.returncode == 2
    assert "minted: not whole" in done.stdout
    assert "minted.csv: its bytes have SHA-256" in done.stderr
    assert "Run: fourfold data fetch coins minted" in done.stderr
    assert place.read_bytes() == MINTED.replace(b"7", b"8")


def test_what_cannot_be_fetched_is_told(fourfold: Run) -> None:
    done = fourfold("data", "fetch", "minted", "--data", "cache")
    assert done.returncode == 2
    assert "minted.csv" in done.stderr
    assert "Traceback" not in done.stderr
    done = fourfold("data", "fetch", "coins", "mintd")
    assert done.returncode == 2
    assert "there is no dataset mintd; did you mean minted?" in done.stderr
    assert "did you mean coins?" in fourfold("data", "fetch", "coinz", "minted").stderr


def test_what_must_be_got_by_hand_is_told(fourfold: Run) -> None:
    done = fourfold("data", "fetch", "gmsc", "--data", "cache")
    assert done.returncode == 2
    assert "kaggle" in done.stderr.lower()
