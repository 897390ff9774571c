"""An S3-compatible server on loopback as a process, and what a machine keeps of a bucket and a bucket of results."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from fourfold.suite.cellfile import decode

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
