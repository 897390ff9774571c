"""Campaigns that scripts disturb: the toy task run by the command line; and what their stores must hold."""

import contextlib
import ctypes
import hashlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa

from fourfold.suite import store
from fourfold.suite.atomic import is_temporary

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from conftest import installed  # noqa: E402

HEALTH = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "8000",
          "RAY_health_check_failure_threshold": "1"}
"""What the owner of a cluster sets where it starts, so that a hung node is noticed in under ten seconds."""

_ALONE = "FOURFOLD_ALONE"


def go_alone() -> None:
    """Be started anew in a network, with a shared memory and a /tmp of one's own, where this user may make them.

    Ray listens on every interface; and what is left in a folder of one's own, nobody else left there. Clusters ask for
    a token as well.
    """
    if _ALONE in os.environ:
        return
    os.environ.update(HEALTH, RAY_raylet_start_wait_time_s="180", RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token",
                      RAY_AUTH_TOKEN=secrets.token_hex(32), **{_ALONE: "yes"})
    needed = [Path(path).resolve() for path in (sys.prefix, __file__) if Path(path).resolve().is_relative_to("/tmp")]
    kept = [shlex.quote(f"/tmp/{name}") for name in dict.fromkeys(path.parts[2] for path in needed)]
    steps = ["ip link set lo up", "mount -t tmpfs tmpfs /dev/shm", *(f"exec {3 + n}<{at}" for n, at in enumerate(kept)),
             "mount -t tmpfs tmpfs /tmp"]
    for n, at in enumerate(kept):  # Where this Python or these scripts lie in /tmp, they still do.
        steps += [f"mkdir {at}", f"mount --no-canonicalize --bind /proc/self/fd/{3 + n} {at}", f"exec {3 + n}<&-"]
    ready = " && ".join([*steps, 'exec "$@"'])
    before = ["unshare", "--net", "--mount", "sh", "-c", ready, "sh"]
    able = shutil.which("unshare") and subprocess.run([*before, "true"], capture_output=True).returncode == 0
    command = [*(before if able else []), sys.executable, *sys.argv]
    os.execvp(command[0], command)


@dataclass(frozen=True)
class Place:
    """A folder with the toy package, a key, and everything temporary. env: that of processes who are to know them."""

    folder: Path
    env: dict[str, str]

    @property
    def temporary(self) -> Path:
        """Where they make their temporary files."""
        return self.folder / "tmp"

    def start(self, results: Path, methods: Iterable[str], seeds: int, *words: str) -> "subprocess.Popen[str]":
        """Start the campaign of these methods on both datasets: the same command, the same cells."""
        file = self.folder / "toy" / "toy_methods.py"
        chosen = [word for method in methods for word in ("-m", method if "/" in method else f"{file}:{method}")]
        command = [sys.executable, "-P", "-m", "fourfold.suite.cli", "run", "-t", "toy", "-d", "tiny", "-d", "twin",
                   *chosen, "--seeds", str(seeds), "--key", str(self.folder / "key"), "--results", str(results),
                   "--display", "plain", *words]
        log = open(results.with_suffix(".log"), "a")  # noqa: SIM115
        with log:
            return subprocess.Popen(command, stdout=log, stderr=log, text=True, env=self.env, process_group=0)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A new place, in a folder whose name is short: Ray's sockets lie beneath it."""
    folder = Path(tempfile.mkdtemp(prefix="ff-", dir="/tmp"))
    try:
        for name in ("toy", "tmp", "cache", "data"):
            (folder / name).mkdir()
        installed(folder / "toy")
        path = os.pathsep.join(filter(None, [str(folder / "toy"), os.environ.get("PYTHONPATH")]))
        env = os.environ | {"PYTHONPATH": path, "TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache"),
                            "FOURFOLD_DATA": str(folder / "data")}
        yield Place(folder, env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def adopt() -> None:
    """Make what loses its parent a child of this process (Linux), so that nothing is out of sight."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def below(process: psutil.Process | None = None) -> list[psutil.Process]:
    """All processes below one, or below this one, that still run."""
    found = []
    for each in (process or psutil.Process()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def told(process: psutil.Process) -> list[str]:
    """The words by which it was started; Ray's workers tell there what they do. Empty where it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline() or [""]
    return [""]


def is_guest_side(process: psutil.Process) -> bool:
    """Whether it is a warm parent, or was forked by one."""
    return "fourfold.suite.guest" in told(process)


def workers() -> list[psutil.Process]:
    """What runs for a campaign on a cluster below this process: actors, warm parents and guests."""
    actors = ("ray::Evaluator", "ray::Scheduler", "ray::Collector")
    return [each for each in below() if is_guest_side(each) or told(each)[0].startswith(actors)]


def until(done: Callable[[], object], seconds: float) -> bool:
    """Wait for something; False where it does not come to pass in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def stored(results: Path) -> int:
    """How many cells there are by now."""
    return sum(1 for _ in results.glob("cells/*/*.parquet"))


def fingerprints(results: Path) -> dict[str, str]:
    """Of each cell, the digest of the bytes of all its rows but those of costs and exhibits, which are measured."""
    rows = store.read(results).rows
    rows = rows.filter(pa.compute.and_(pa.compute.not_equal(rows["family"], "cost"),
                                       pa.compute.is_null(rows["exhibit"])))
    rows = rows.sort_by([(name, "ascending") for name in ("cell", "metric", "group")]).combine_chunks()
    found = {}
    for cell in rows["cell"].unique().to_pylist():
        sink = pa.BufferOutputStream()
        mine = rows.filter(pa.compute.equal(rows["cell"], cell)).combine_chunks()
        with pa.ipc.new_stream(sink, mine.schema) as stream:
            stream.write_table(mine)
        found[cell] = hashlib.sha256(sink.getvalue()).hexdigest()
    return found


def faults(results: Path, expected: dict[str, str]) -> list[str]:
    """What a store lacks or has too much of, held against the fingerprints of an undisturbed run."""
    found, files = fingerprints(results), [path.stem for path in results.glob("cells/*/*.parquet")]
    wrong = [f"{len(expected.keys() - found.keys())} cells lost"] if expected.keys() - found.keys() else []
    if len(files) != len(set(files)) or set(files) != set(found) or (results / "retired").exists():
        wrong.append("a cell twice, or half")
    if found.keys() - expected.keys():
        wrong.append("cells that nobody asked for")
    if skipped := store.read(results).skipped:
        wrong.append(f"not readable: {skipped[0].why}")
    if differing := [cell for cell in found if cell in expected and found[cell] != expected[cell]]:
        wrong.append(f"{len(differing)} cells differ")
    return wrong


def left_over(place: Place, results: Sequence[Path] = ()) -> list[str]:
    """Temporary files and shared memory that nobody uses any more; half-written files in stores count as well."""
    temporary = [path.name for path in place.temporary.iterdir()]
    shared = [path.name for path in Path("/dev/shm").iterdir()] if _ALONE in os.environ else []
    halves = [path.name for each in results for path in each.rglob(".*") if is_temporary(path.name)]
    return temporary + shared + halves
