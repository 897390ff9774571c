"""A warm parent whose owner goes away while it imports what guests will need."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path


def test_it_ends_at_once(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "slow.py").write_text(f"import time\nopen({str(begun)!r}, 'w')\ntime.sleep(60)\n")
    ours, theirs = socket.socketpair()
    with theirs:
        parent = subprocess.Popen(
            [sys.executable, "-m", "fourfold.suite.guest", str(theirs.fileno()), str(tmp_path), "none", "slow"],
            pass_fds=[theirs.fileno()], env=os.environ | {"PYTHONPATH": str(tmp_path)}, start_new_session=True,
        )  # fmt: skip
    with parent:
        try:
            while not begun.exists() and parent.poll() is None:
                time.sleep(0.05)
            ours.close()
            parent.wait(10)
        finally:
            parent.kill()
