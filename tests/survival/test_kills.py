"""The scripts of this folder, in small: a kill of each kind in one campaign, and a short soak."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def ran(script: str, *words: str) -> str:
    """What a script prints; it must find nothing amiss."""
    done = subprocess.run([sys.executable, str(HERE / script), *words], capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


@pytest.mark.ray
def test_whatever_is_killed_the_same_command_finishes_the_campaign_and_a_hung_node_is_given_up() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'fourfold[ray]'")
    victims = ["guest", "evaluator", "collector", "hung node", "scheduler", "driver"]
    said = ran("kills.py", "--kills", "6", "--together", "6", "--seeds", "4", "--victims", ",".join(victims))
    for victim in victims:
        assert re.search(rf"^{victim} +1 ", said, re.MULTILINE), said
    resumed = r"^scheduler +1 +0 +1 +0 .*: the Scheduler was lost; .* run the same command again"
    assert re.search(resumed, said, re.MULTILINE), said
    (noticed,) = re.findall(r"a hung node was given up after ([\d.]+) s", said)
    assert float(noticed) < 40  # 64 s by Ray's own settings; some 8 on a quiet machine.


@pytest.mark.parametrize("backend", ["process"])
def test_methods_that_leak_and_fail_leave_nothing_behind_and_lose_nothing(backend: str) -> None:
    said = ran("soak.py", "--cells", "36", "--backend", backend)
    assert "36 cells in" in said
    assert "nothing left, nothing lost, nothing grown" in said
