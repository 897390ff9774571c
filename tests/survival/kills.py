"""Kill -9, again and again, at random moments of a campaign; the same command then finishes it, and nothing is amiss.

    python tests/survival/kills.py --kills 100 --seed 1

The campaign, some hundred cells of the toy task, runs on a simulated cluster (``ray.cluster_utils.Cluster``): a head,
where its driver is, and two nodes of one CPU each. After each kill, the store is held against that of a run that nobody
disturbed. Prints a table, and leaves with 1 where a kill cost more than time.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import campaigns
import psutil
from campaigns import Place, below, is_guest_side, told, until

METHODS = ("Slope", "Slope[noise=0.1]", "Noop", "Sleeper[seconds=0.1]")
PATIENCE = 240.0  # Seconds for anything at all, on a machine that does much else.


class Nodes:
    """A simulated cluster: a head without CPUs, and two nodes of one."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        (Path(tempfile.gettempdir()) / "ray").mkdir(exist_ok=True)  # Where it notes an address.
        head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": str(folder)}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._others = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self.address = self._cluster.address

    def members(self, node: Any) -> list[psutil.Process]:
        """All processes of a node, the raylet first."""
        pids = [info.process.pid for kind in sorted(node.all_processes, key=lambda kind: kind != "raylet")
                for info in node.all_processes[kind]]
        found = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [each := psutil.Process(pid), *each.children(recursive=True)]
        return found

    def some(self, rng: random.Random) -> Any:
        """One of the two."""
        return rng.choice(self._others)

    @property
    def head(self) -> Any:
        """The head."""
        return self._cluster.head_node

    def counts(self, node: Any) -> bool:
        """Whether the cluster takes it to be alive."""
        return any(each["NodeID"] == node.node_id and each["Alive"] for each in self._cluster.global_state.node_table())

    def replace(self, node: Any) -> None:
        """Forget a node that is dead, and have another join."""
        self._cluster.remove_node(node, allow_graceful=False)
        self._others.remove(node)
        self._others.append(self._cluster.add_node(num_cpus=1))

    def close(self) -> None:
        """End all of it."""
        with contextlib.suppress(Exception):  # Of a head that is gone already.
            self._cluster.shutdown()
        for each in below():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "raylet" in told(each)[0] or "gcs_server" in told(each)[0] or told(each)[0].startswith("ray::"):
                    each.kill()


@dataclass
class Struck:
    """What came of one kill: whether the campaign had to be started again, and what was wrong in the end."""

    victim: str
    resumed: bool = False
    seconds: float = 0.0
    said: str = ""
    wrong: list[str] = field(default_factory=list)


Find = Callable[[Nodes, psutil.Process, random.Random], list[psutil.Process]]


def _title(text: str) -> Find:
    return lambda nodes, driver, rng: [each for each in below() if told(each)[0].startswith(text)]


def _guests(nodes: Nodes, driver: psutil.Process, rng: random.Random) -> list[psutil.Process]:
    return [each for each in below() if is_guest_side(each) and _of_guest(each)]


def _parents(nodes: Nodes, driver: psutil.Process, rng: random.Random) -> list[psutil.Process]:
    return [each for each in below() if is_guest_side(each) and not _of_guest(each)]


def _of_guest(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return (parent := process.parent()) is not None and is_guest_side(parent)
    return False


ONE: dict[str, Find] = {
    "guest": _guests,
    "warm parent": _parents,
    "evaluator": _title("ray::Evaluator"),
    "collector": _title("ray::Collector"),
    "scheduler": _title("ray::Scheduler"),
    "driver": lambda nodes, driver, rng: [driver],
}
"""Victims that are one process, drawn from these."""
WHOLE = ("raylet", "node", "hung node", "head")
VICTIMS = (*ONE, *WHOLE)


def strike(victim: str, nodes: Nodes, driver: psutil.Process, rng: random.Random) -> bool:
    """Kill one; False where there is none just now. A hung node is stopped, and goes on when it was given up."""
    if victim in ONE:
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            rng.choice(ONE[victim](nodes, driver, rng)).kill()
            return True
        return False
    node = nodes.head if victim == "head" else nodes.some(rng)
    members = nodes.members(node)[: 1 if victim == "raylet" else None]
    for each in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGSTOP if victim == "hung node" else signal.SIGKILL)
    if victim == "hung node":
        began = time.monotonic()
        noticed = until(lambda: not nodes.counts(node), 90)
        print(f"    a hung node was given up after {time.monotonic() - began:.1f} s" if noticed else "    never")
        for each in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    if victim != "head":
        nodes.replace(node)
    return True


class Round:
    """One campaign, disturbed by some kills, started again until it is done."""

    def __init__(self, place: Place, seeds: int, expected: dict[str, str], rng: random.Random) -> None:
        self._place, self._seeds, self._expected, self._rng = place, seeds, expected, rng
        self._results = place.folder / "disturbed"
        self._nodes: Nodes | None = None

    def nodes(self) -> Nodes:
        """The cluster, another one where the head was lost."""
        if self._nodes is None:
            folder = self._place.folder / f"ray{self._rng.randrange(10**6)}"
            self._nodes = Nodes(folder)
        return self._nodes

    def run(self, victims: list[str]) -> list[Struck]:
        """Strike these, each at a random moment, and hold the store against the undisturbed one."""
        self._clear()
        moments = sorted(self._rng.randrange(len(self._expected) - 4) for _ in victims)
        waiting = [(Struck(victim), moment) for victim, moment in zip(victims, moments, strict=True)]
        struck: list[Struck] = []
        for _ in range(2 + len(victims)):
            began, seen = time.monotonic(), len(struck)
            code = self._campaign(waiting, struck)
            for each in struck[seen:]:
                each.seconds, each.resumed = time.monotonic() - began, code != 0
                each.said = self._last_words() if code else ""
            if code == 0:
                break
        if waiting:  # It was done before there was a moment to strike.
            return struck + self.run([each.victim for each, _ in waiting])
        wrong = campaigns.faults(self._results, self._expected) + self._remains(code)
        for each in struck:
            each.wrong = wrong
        return struck

    def _campaign(self, waiting: list[tuple[Struck, int]], struck: list[Struck]) -> int:
        nodes = self.nodes()
        driver = self._place.start(self._results, METHODS, self._seeds, "--backend", "ray", "--address", nodes.address)
        headless = False
        while waiting and driver.poll() is None and not headless:
            if campaigns.stored(self._results) < waiting[0][1]:
                time.sleep(0.01)
                continue
            time.sleep(self._rng.random() / 5)
            if driver.poll() is None and strike(waiting[0][0].victim, nodes, psutil.Process(driver.pid), self._rng):
                struck.append(waiting.pop(0)[0])
                headless = struck[-1].victim == "head"
        try:
            code = driver.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            driver.kill()
            code = driver.wait()
        if headless:
            nodes.close()
            self._nodes = None
        return code

    def _remains(self, code: int) -> list[str]:
        wrong = [] if code == 0 else [f"the command ends with {code}: {self._last_words()}"]
        if not until(lambda: not campaigns.workers(), 60):
            wrong.append(f"processes left: {[told(each)[:1] for each in campaigns.workers()]}")
        left = [name for name in campaigns.left_over(self._place) if not name.startswith(("plasma", "sem.", "ray"))]
        return wrong + ([f"files left: {left}"] if left else [])

    def _last_words(self) -> str:
        lines = self._results.with_suffix(".log").read_text().splitlines()
        return next((line for line in reversed(lines) if line.startswith("fourfold")), lines[-1] if lines else "")

    def _clear(self) -> None:
        shutil.rmtree(self._results, ignore_errors=True)
        self._results.with_suffix(".log").unlink(missing_ok=True)

    def close(self) -> None:
        """End the cluster."""
        if self._nodes:
            self._nodes.close()


def undisturbed(place: Place, seeds: int) -> dict[str, str]:
    """The fingerprints of the campaign in one process."""
    results = place.folder / "undisturbed"
    code = place.start(results, METHODS, seeds, "--backend", "serial").wait()
    if code:
        raise SystemExit(results.with_suffix(".log").read_text())
    return campaigns.fingerprints(results)


def table(struck: list[Struck]) -> str:
    """What came of each victim's kills."""
    lines = [f"{'victim':12} {'kills':>5} {'went on':>8} {'resumed':>8} {'wrong':>6} {'longest s':>10}  last words"]
    for victim in dict.fromkeys(each.victim for each in struck):
        mine = [each for each in struck if each.victim == victim]
        again, wrong = sum(each.resumed for each in mine), sum(bool(each.wrong) for each in mine)
        said = next((each.said for each in mine if each.said), "")
        lines.append(f"{victim:12} {len(mine):5} {len(mine) - again:8} {again:8} {wrong:6} "
                     f"{max(each.seconds for each in mine):10.1f}  {said[:120]}")
    return "\n".join(lines)


def main() -> int:
    """Kill as often as was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=15, help="of the campaign: eight cells each")
    parser.add_argument("--victims", default=",".join(VICTIMS))
    parser.add_argument("--together", type=int, default=1, help="kills a campaign")
    given = parser.parse_args()
    campaigns.go_alone()
    campaigns.adopt()
    rng, victims = random.Random(given.seed), given.victims.split(",")
    order = [victims[number % len(victims)] for number in range(given.kills)]
    struck: list[Struck] = []
    with campaigns.place() as place:
        os.environ.update(place.env)  # For what Ray starts.
        expected = undisturbed(place, given.seeds)
        print(f"{len(expected)} cells a campaign", flush=True)
        sys.stdout.flush()
        with contextlib.closing(Round(place, given.seeds, expected, rng)) as rounds:
            while order:
                now, order = order[: given.together], order[given.together :]
                rng.shuffle(now)
                for each in rounds.run(now):
                    struck.append(each)
                    how = "resumed" if each.resumed else "went on"
                    print(f"{len(struck):4} {each.victim:12} {how} {each.seconds:6.1f} s", each.wrong or "", flush=True)
    print(table(struck))
    print(f"{len(struck)} kills; {sum(bool(each.wrong) for each in struck)} cost more than time")
    return int(any(each.wrong for each in struck) or len(struck) < given.kills)


if __name__ == "__main__":
    raise SystemExit(main())
