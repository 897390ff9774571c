"""Whose fault it is that a cell's Evaluators die: of a method that kills them, or of nodes that are lost."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite import sandbox, store
from fourfold.suite.evaluate import Job

pytest.importorskip("ray", reason="Ray is not installed: pip install 'fourfold[ray]'")
pytestmark = pytest.mark.ray

Toy = Callable[..., list[Job]]
CAMPAIGN = Path(__file__).parents[1] / "toy" / "campaign.py"
METHODS = """
import os, signal
import numpy as np
from fourfold.suite import Method

class Noop(Method):
    task = "toy"
    def fit(self, train, budget): pass
    def predict(self, query): return np.zeros(len(query.features))

class Killer(Noop):
    def fit(self, train, budget):
        with open(f"/proc/{os.getppid()}/stat") as file:
            os.kill(int(file.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
"""


@pytest.fixture
def alone() -> list[str]:
    """What goes before a command to run it in a network that has only ``lo``, where this user may make one."""
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    return command if subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []


def reason(results: Path, method: str) -> tuple[str, str]:
    rows = store.read(results, ["method", "status", "reason"]).rows.to_pylist()
    (found,) = {(row["status"], row["reason"]) for row in rows if row["method"] == method}
    return found


def test_a_method_that_kills_three_evaluators_has_failed_and_no_other_cell_has(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "toy_methods.py").write_text(METHODS)
    cells = json.dumps([("Killer", "tiny", 1), ("Noop", "tiny", 4)])
    done = subprocess.run([*alone, sys.executable, str(CAMPAIGN), "ray", str(home), str(tmp_path), cells], text=True,
                          capture_output=True, env=os.environ | {sandbox.PLAIN: "process"}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Retried killer the Evaluator") == 2
    assert done.stdout.count("Finished noop ok") == 4
    status, why = reason(tmp_path / "results", "killer")
    assert status == "failed"
    assert "was lost: " in why
    assert ", 3 times; a method must leave processes alone" in why


NODES = """
    import json, os, ray, subprocess, sys, time
    from pathlib import Path
    from ray.cluster_utils import Cluster
    sys.path.insert(0, os.path.dirname(sys.argv[1]))
    import campaign
    from fourfold.suite import cluster
    from fourfold.suite.events import Setting, Started
    _, _, home, folder, cells, left = sys.argv
    cluster._PATIENCE = 3.0 if left == "none" else 60.0
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    node, folder = left != "later" and nodes.add_node(num_cpus=1), Path(folder)
    join = f"{sys.executable} -m ray.scripts.scripts start --block --num-cpus=1 --address={nodes.address}"
    joined = left == "later" and subprocess.Popen(["sh", "-c", f"sleep 2; exec {join}"], stdout=subprocess.DEVNULL)
    setting = Setting(folder / "results", folder, folder, campaign.KEY, lambda cell: 1.0, address=nodes.address)
    try:
        for event in cluster.run(campaign.jobs(home, json.loads(cells)), setting):
            print(len(ray.nodes()), "nodes", campaign.told(event), flush=True)
            if isinstance(event, Started) and event.cell.method == "sleeper":
                time.sleep(1)
                nodes.remove_node(node, allow_graceful=False)
                node = left == "another" and nodes.add_node(num_cpus=1)
    except cluster.ClusterError as error:
        print("ClusterError", error, flush=True)
    if joined:
        joined.terminate()
        joined.wait()
    nodes.shutdown()
"""


def losing_nodes(alone: list[str], folder: Path, cells: list[tuple[str, str, int]], left: str) -> str:
    """What a campaign tells that loses its node under each cell of 600 seconds; left: whether it gets ``another``; or
    ``later``: it begins without any, and loses none."""
    home, told = os.environ["PYTHONPATH"].split(os.pathsep)[0], {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0a" * 32}
    done = subprocess.run([*alone, sys.executable, "-c", textwrap.dedent(NODES), str(CAMPAIGN), home, str(folder),
                           json.dumps(cells), left], text=True, capture_output=True, env=os.environ | told, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cell_all_of_whose_nodes_are_lost_is_lost_and_no_fault_of_its_method(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    said = losing_nodes(alone, tmp_path, [("Sleeper[seconds=600]", "tiny", 1)], "another")
    assert said.count("Retried sleeper the Evaluator") == 2
    status, why = reason(tmp_path / "results", "sleeper")
    assert status == "lost", why
    assert f"the Evaluator {os.uname().nodename}/" in why
    assert why.endswith(", 3 times")


def test_a_cluster_without_nodes_ends_the_campaign_and_calls_no_cell_lost(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    said = losing_nodes(alone, tmp_path, [("Noop", "tiny", 2), ("Sleeper[seconds=600]", "twin", 2)], "none")
    assert f"ClusterError the nodes that had room for 2 cells are gone ({os.uname().nodename})" in said
    assert "run the same command again where there are others" in said
    assert set(store.statuses(tmp_path / "results").values()) == {"ok"}


def test_a_campaign_begins_when_its_first_node_joins_a_head_that_has_no_cpus(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    said = losing_nodes(alone, tmp_path, [("Noop", "tiny", 2)], "later")
    assert (said.count("2 nodes Started noop"), said.count("Finished noop ok")) == (2, 2), said
