import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fourfold.suite import cluster, local, plan, schedule, store
from fourfold.suite.connect import ClusterError
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Setting

pytest.importorskip("ray", reason="Ray is not installed: pip install 'fourfold[ray]'")
pytestmark = pytest.mark.ray

KEY = b"0123456789abcdef"
Toy = Callable[..., list[Job]]
CAMPAIGN = Path(__file__).parents[1] / "toy" / "campaign.py"


@contextlib.contextmanager
def python(alone: list[str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python in a process group of its own, as a terminal would give it; its process is gone at the end."""
    process = subprocess.Popen([*alone, sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, process_group=0)
    try:
        yield process
    finally:
        started = family(process)
        process.kill()
        process.communicate()
        assert gone(started, 30)


def campaign(alone: list[str], folder: Path, cells: list[tuple[str, str, int]]) -> Any:
    home = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    return python(alone, str(CAMPAIGN), "ray", home, str(folder), json.dumps(cells))


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    left = psutil.wait_procs(processes, timeout=seconds)[1]
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in left)


def heard(process: subprocess.Popen[str], wanted: str, count: int = 1) -> list[str]:
    """Read lines until this many begin as wanted."""
    assert process.stdout is not None
    lines = []
    while count:
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        lines.append(line.rstrip())
        count -= line.startswith(wanted)
    return lines


def evaluators(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The Evaluators that are at a cell: Ray tells it in their title."""
    found = []
    for each in family(process):
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            if each.cmdline()[0].startswith("ray::Evaluator.run"):
                found.append(each)
    return found


def deterministic(results: Path) -> list[dict[str, Any]]:
    rows = store.read(results, family=["accuracy", "fairness", "privacy"]).rows.to_pylist()
    return sorted(rows, key=lambda row: (row["cell"], row["metric"], row["group"]))


CLIENT = """
    import sys
    from ray._raylet import GcsClient
    print(len(GcsClient(address=sys.argv[1]).get_all_node_info()), "node")
"""


def client(
    alone: list[str], driver: subprocess.Popen[str], address: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Ask the control store which nodes there are, from beside the driver, as anybody on its network could."""
    beside = ["nsenter", "-t", str(driver.pid), "-n"] if alone else []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run([*beside, sys.executable, "-c", textwrap.dedent(CLIENT), address], capture_output=True,
                          text=True, env=clean | {"RAY_py_gcs_connect_timeout_s": "3"} | environment, timeout=60)


def test_ray_comes_to_the_same_as_one_process_though_a_worker_is_killed_and_lets_in_nobody_without_its_token(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    cells = [("Sleeper[seconds=3]", "tiny", 2), ("Slope", "tiny", 2), ("Slope[noise=0.1]", "twin", 2),
             ("Failing", "tiny", 1), ("Hungry", "tiny", 1)]
    with campaign(alone, tmp_path, cells) as driver:
        address = heard(driver, "Address")[-1].split()[1]
        raylet = next(each for each in family(driver) if each.name() == "raylet")
        token = {name: raylet.environ()[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
        heard(driver, "Started", 2)
        until = time.monotonic() + 30
        while not (victims := evaluators(driver)) and time.monotonic() < until:
            time.sleep(0.1)
        victims[0].send_signal(signal.SIGKILL)
        again = heard(driver, "Retried")[-1]
        assert "was lost" in again
        assert client(alone, driver, address, **token).stdout == "1 node\n"
        refused = client(alone, driver, address)
        assert refused.returncode != 0
        assert "Authentication token is missing or incorrect" in refused.stderr
        started = family(driver)
        output, complaint = driver.communicate(timeout=120)
        assert driver.returncode == 0, complaint
        assert gone(started, 10)
    wants_gpu = "ok" if shutil.which("nvidia-smi") else "lost"
    assert f"Finished hungry {wants_gpu}" in output
    assert sorted(store.statuses(tmp_path / "results").values()) == sorted(["failed", wants_gpu, *["ok"] * 6])
    slopes = toy("Slope", seeds=2, time_limit=90)
    slopes += toy("Slope[noise=0.1]", seeds=2, datasets=("twin",), time_limit=90)
    setting = Setting(tmp_path / "serial", tmp_path, tmp_path / "scratch", KEY, lambda cell: schedule.UNKNOWN)
    list(local.serial(slopes, setting))
    expected = deterministic(tmp_path / "serial")
    ids = {row["cell"] for row in expected}
    assert len(ids) == 4
    assert [row for row in deterministic(tmp_path / "results") if row["cell"] in ids] == expected


@pytest.mark.parametrize(("address", "says"), [
    ("127.0.0.1:1", "no Ray cluster at 127.0.0.1:1 lets this machine in: .*refused"),
    ("127.0.0.1:port", "no Ray cluster at 127.0.0.1:port"),
    ("ray://127.0.0.1:1", "Ray Client"),
])
def test_an_address_that_is_none_is_told_at_once(address: str, says: str, toy: Toy, tmp_path: Path) -> None:
    setting = Setting(tmp_path / "results", tmp_path, tmp_path, KEY, lambda cell: schedule.UNKNOWN, address=address)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=says):
        list(cluster.run(toy("Noop", seeds=1), setting))
    assert time.monotonic() - began < 20


QUICK_THEN_ENDLESS = [("Sleeper[seconds=0.2]", "tiny", 2), ("Sleeper[seconds=60]", "twin", 2)]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_campaign_that_is_ended_leaves_no_process_and_a_store_that_resumes(
    end: signal.Signals, toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    with campaign(alone, tmp_path, QUICK_THEN_ENDLESS) as driver:
        heard(driver, "Finished", 2)
        time.sleep(1)
        started = family(driver)
        assert any(each.name() == "raylet" for each in started)
        if end == signal.SIGINT:
            os.killpg(driver.pid, end)
            _, complaint = driver.communicate(timeout=30)
            assert complaint.rstrip().endswith("KeyboardInterrupt")
            assert complaint.count("Traceback") == 1
        else:
            driver.kill()
        assert gone(started, 30)
    jobs = [job for method, dataset, seeds in QUICK_THEN_ENDLESS
            for job in toy(method, seeds=seeds, datasets=(dataset,), time_limit=90)]
    left = plan.compare(jobs, store.statuses(tmp_path / "results"), "missing").todo
    assert [job.cell.dataset for job in left] == ["twin", "twin"]


def test_a_raylet_that_hangs_ends_the_campaign_which_says_so_and_leaves_nothing(
    toy: Toy, alone: list[str], tmp_path: Path
) -> None:
    with campaign(alone, tmp_path, QUICK_THEN_ENDLESS) as driver:
        heard(driver, "Finished", 2)
        started = family(driver)
        next(each for each in started if each.name() == "raylet").send_signal(signal.SIGSTOP)
        _, complaint = driver.communicate(timeout=150)  # For ever, if it waited for the raylet to say goodbye.
        assert "ClusterError: the Scheduler was lost; what is finished is in the store" in complaint
        assert gone(started, 30)
    assert len(store.statuses(tmp_path / "results")) == 2


NODES = """
    import json, os, sys
    from pathlib import Path
    from ray.cluster_utils import Cluster
    sys.path.insert(0, os.path.dirname(sys.argv[1]))
    import campaign
    from fourfold.suite import cluster
    from fourfold.suite.events import Setting, Started
    _, _, home, folder, cells, bare = sys.argv
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    variables = {"env_vars": {"PYTHONPATH": ""}} if bare == "bare" else {}
    others = [nodes.add_node(num_cpus=2, **variables) for _ in range(2)]
    folder, started, killed = Path(folder), 0, bare == "bare"
    setting = Setting(folder / "results", folder, folder, campaign.KEY, lambda cell: 1.0, address=nodes.address)
    try:
        for event in cluster.run(campaign.jobs(home, json.loads(cells)), setting):
            print(campaign.told(event), flush=True)
            started += isinstance(event, Started)
            if started == 5 and not killed:
                killed = True
                nodes.remove_node(others[0], allow_graceful=False)
    except cluster.ClusterError as error:
        print("ClusterError", error, flush=True)
    nodes.shutdown()
"""


@pytest.mark.parametrize("bare", ["", "bare"])
def test_a_node_that_is_lost_costs_nothing_but_time_and_one_without_the_task_is_named(
    bare: str, toy: Toy, alone: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    home, cells = os.environ["PYTHONPATH"].split(os.pathsep)[0], json.dumps([("Sleeper[seconds=2]", "tiny", 8)])
    with python(alone, "-c", textwrap.dedent(NODES), str(CAMPAIGN), home, str(tmp_path), cells, bare) as driver:
        output, complaint = driver.communicate(timeout=240)
        assert driver.returncode == 0, complaint
    if bare:
        assert "ClusterError the node" in output
        assert "there is no task toy" in output
        assert "install on every node" in output
    else:
        assert "Retried sleeper" in output
        assert list(store.statuses(tmp_path / "results").values()) == ["ok"] * 8
