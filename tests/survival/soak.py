"""A soak: thousands of cells of methods that leak, dawdle and fail, and what that leaves behind.

    python tests/survival/soak.py --cells 2000 --backend process
    python tests/survival/soak.py --cells 2000 --backend ray

Once a second it notes the private memory (USS) of the driver and of each Evaluator, and how many processes and
descriptors there are. Prints these by quarters of the campaign, and afterwards which processes, temporary files and
shared memory are left. Leaves with 1 where something is left or lost, or where memory grew.
"""

import argparse
import contextlib
import math
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import campaigns
import psutil
from campaigns import Place, below, is_guest_side, told, until

from fourfold.suite import store

METHODS = ("Honest", "Leaky", "Forking", "Slow", "Endless", "Raising", "Crashing", "Chatty", "Wrong")
EXPECTED = {"honest": "ok", "leaky": "ok", "forking": "ok", "slow": "ok", "endless": "timeout", "raising": "failed",
            "crashing": "failed", "chatty": "failed", "wrong": "invalid-output"}
GROWTH = 32 << 20
"""Bytes by which the last quarter's median may exceed the second's: an allocator's doing, not a leak's."""


@dataclass
class Sample:
    """One look: the quarter of the campaign, USS and descriptors by who it is, and the number of processes."""

    quarter: int
    memory: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    descriptors: dict[str, int] = field(default_factory=dict)
    processes: int = 0


def look(driver: psutil.Process, quarter: int) -> Sample:
    """Look at a campaign's processes."""
    sample = Sample(quarter)
    mine = [driver, *below(driver)]
    sample.processes = len(mine)
    for each in mine:
        who = _who(each, driver)
        with contextlib.suppress(psutil.Error, OSError):
            if who:
                sample.memory[who].append(each.memory_full_info().uss)
                sample.descriptors[who] = max(each.num_fds(), sample.descriptors.get(who, 0))
    return sample


def _who(process: psutil.Process, driver: psutil.Process) -> str:
    if process == driver:
        return "driver"
    words = told(process)
    if "fourfold.suite.worker" in words or words[0].startswith("ray::Evaluator"):
        return "evaluator"
    for name in ("Scheduler", "Collector"):
        if words[0].startswith(f"ray::{name}"):
            return name.lower()
    if is_guest_side(process):
        with contextlib.suppress(psutil.Error):
            parent = process.parent()
            return "warm parent" if parent and not is_guest_side(parent) else ""
    return ""


def soaked(place: Place, results: Path, seeds: int, backend: str) -> tuple[list[Sample], int, float]:
    """Run the campaign and look at it; the samples, the exit code and the seconds."""
    file, cells = Path(__file__).parent / "soak_methods.py", 2 * seeds * len(METHODS)
    began = time.monotonic()
    driver = place.start(results, [f"{file}:{name}" for name in METHODS], seeds, "--backend", backend, "--workers", "2",
                         "--time-limit", "3")
    process, samples = psutil.Process(driver.pid), list[Sample]()
    while driver.poll() is None:
        quarter = min(3, 4 * campaigns.stored(results) // cells)
        with contextlib.suppress(psutil.NoSuchProcess):
            samples.append(look(process, quarter))
        time.sleep(1)
    return samples, driver.returncode, time.monotonic() - began


def table(samples: list[Sample]) -> str:
    """The median and the most of each, by quarters."""
    who = [name for name in ("driver", "evaluator", "warm parent", "scheduler", "collector")
           if any(name in sample.memory for sample in samples)]
    lines = ["quarter  " + "  ".join(f"{name + ', MiB':>21}" for name in who) + "  descriptors  processes"]
    for quarter in range(4):
        mine = [sample for sample in samples if sample.quarter == quarter]
        cells = []
        for name in who:
            sizes = [size / 2**20 for sample in mine for size in sample.memory.get(name, [])]
            cells.append(f"{statistics.median(sizes):8.1f} (most {max(sizes):6.1f})" if sizes else "-")
        held = max((most for sample in mine for most in sample.descriptors.values()), default=0)
        most = max((sample.processes for sample in mine), default=0)
        lines.append(f"{quarter + 1:7}  " + "  ".join(f"{cell:>21}" for cell in cells) + f"  {held:11}  {most:9}")
    return "\n".join(lines)


def grown(samples: list[Sample]) -> list[str]:
    """Whose memory is not flat: from the second quarter, when all is warm, to the last."""
    wrong = []
    for name in ("driver", "evaluator", "scheduler", "collector"):
        early, late = ([size for sample in samples if sample.quarter == quarter for size in sample.memory.get(name, [])]
                       for quarter in (1, 3))
        if early and late and statistics.median(late) - statistics.median(early) > GROWTH:
            wrong.append(f"the {name} grew")
    return wrong


def statuses(results: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How many cells came to what, and what should not have."""
    rows = store.read(results, ["cell", "method", "status"]).rows.to_pylist()
    found = Counter({(row["cell"], row["method"], row["status"]) for row in rows})
    counted = Counter((method, status) for _, method, status in found)
    return counted, [f"{count} cells of {method}: {status}" for (method, status), count in sorted(counted.items())
                     if EXPECTED[method] != status]


def main() -> int:
    """Soak as long as was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--backend", choices=("process", "ray", "serial"), default="process")
    given = parser.parse_args()
    campaigns.go_alone()
    campaigns.adopt()
    seeds = math.ceil(given.cells / (2 * len(METHODS)))
    with campaigns.place() as place:
        results = place.folder / "results"
        before = set(Path("/tmp").iterdir())
        samples, code, seconds = soaked(place, results, seeds, given.backend)
        until(lambda: not below(), 30)
        wrong = [f"still runs: {' '.join(told(each))[:100]}" for each in below()]
        wrong += [f"left behind: {name}" for name in campaigns.left_over(place, [results])]
        wrong += [f"left behind: {path}" for path in set(Path("/tmp").iterdir()) - before]
        counted, surprising = statuses(results)
        wrong += surprising + grown(samples)
        if counted.total() != 2 * seeds * len(METHODS) or code != 1:
            said = results.with_suffix(".log").read_text()[-500:]
            wrong.append(f"{counted.total()} cells stored, exit code {code}: {said}")
    print(table(samples))
    print(f"{counted.total()} cells in {seconds:.0f} s, {given.backend}: "
          + ", ".join(f"{method} {count} {status}" for (method, status), count in sorted(counted.items())))
    print("\n".join(wrong) or "nothing left, nothing lost, nothing grown")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
