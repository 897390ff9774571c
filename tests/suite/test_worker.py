import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fourfold.suite.evaluate import Job
from fourfold.suite.worker import READY


def test_one_whose_campaign_is_over_ends_without_complaint(toy: Callable[..., list[Job]], tmp_path: Path) -> None:
    """The driver reads no more, and its end of the socket is open: what a worker meets that is about to answer."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", "-m", "fourfold.suite.worker", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "worker"
    folder.mkdir()
    with ours, Connection(ours.dup().detach()) as link:
        driver: Connection[Any, Any] = link
        driver.send((b"0123456789abcdef", tmp_path / "scratch", tmp_path, folder, False))
        assert driver.recv() == (READY, None)
        ours.shutdown(socket.SHUT_RD)
        driver.send(toy("Noop", seeds=1)[0])
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert not folder.exists()
