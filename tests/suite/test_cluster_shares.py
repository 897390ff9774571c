"""What a Ray campaign shares with others: its store, the disk beneath it, and the environments of its methods."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.suite import environment, local, schedule, store
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Setting

pytest.importorskip("ray", reason="Ray is not installed: pip install 'fourfold[ray]'")
pytestmark = pytest.mark.ray

Toy = Callable[..., list[Job]]
KEY = b"0123456789abcdef"
CAMPAIGN = Path(__file__).parents[1] / "toy" / "campaign.py"


def start(
    alone: list[str], folder: Path, cells: list[tuple[str, str, int]], home: str = "", **variables: str
) -> "subprocess.Popen[str]":
    """A campaign on a Ray of its own. home: where ``toy_methods.py`` is, if it is not the toy package's."""
    home = home or os.environ["PYTHONPATH"].split(os.pathsep)[0]
    return subprocess.Popen(
        [*alone, sys.executable, str(CAMPAIGN), "ray", home, str(folder), json.dumps(cells)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0, env=os.environ | variables,
    )


def test_two_campaigns_on_one_store_leave_each_cell_once(toy: Toy, alone: list[str], tmp_path: Path) -> None:
    both = [start(alone, tmp_path, [("Slope", "tiny", 3), ("Sleeper", "twin", 2)]) for _ in range(2)]
    said = [each.communicate(timeout=240) for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert [out.count("Finished slope ok") + out.count("Finished sleeper ok") for out, _ in said] == [5, 5]
    assert list(store.statuses(tmp_path / "results").values()) == ["ok"] * 5
    assert store.read(tmp_path / "results").skipped == []


def test_a_full_disk_ends_the_campaign_and_the_same_one_goes_on(
    toy: Toy, alone: list[str], mounted: Callable[..., Path], tmp_path: Path
) -> None:
    small = mounted("size=400k")
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "results").symlink_to(small, target_is_directory=True)
    setting = Setting(folder / "results", folder, folder / "scratch", KEY, lambda cell: schedule.UNKNOWN)
    assert len(list(local.serial(toy("Slope", seeds=2, time_limit=90), setting))) > 0
    filler = small / "filler"
    filler.write_bytes(b"0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_bsize))
    before = {path: path.read_bytes() for path in small.rglob("*.parquet")}
    assert len(before) == 2
    full = start(alone, folder, [("Slope", "tiny", 4)])
    _, complaint = full.communicate(timeout=120)
    assert full.returncode == 1
    assert "StoreError" in complaint.splitlines()[-1]
    assert "No space left on device; free some space there" in complaint.splitlines()[-1]
    assert {path: path.read_bytes() for path in small.rglob("*.parquet")} == before
    filler.unlink()
    again = start(alone, folder, [("Slope", "tiny", 4)])
    again.communicate(timeout=120)
    assert again.returncode == 0
    assert list(store.statuses(small).values()) == ["ok"] * 4


NEEDY = """
from fourfold.suite import Method
class Needy(Method):
    "Needs a package that nothing else has."
    task = "toy"
    requirements = ("tiny-thing==1.5",)
    def fit(self, train, budget): pass
    def predict(self, query):
        import numpy, tiny_thing
        return numpy.full(len(query.features), float(tiny_thing.version) / 3)
"""


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder from which pip can build the environment: numpy, pyarrow, and a package that there is nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    about = "tiny_thing-1.5.dist-info"
    with zipfile.ZipFile(folder / "tiny_thing-1.5-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_thing.py", "version = '1.5'\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.5\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "1", "-d", str(folder)]
    if subprocess.run([*command, *environment._base()], capture_output=True).returncode:
        pytest.skip("pip finds no numpy and pyarrow here: no network, and no links to wheels")
    return folder


def test_a_method_runs_in_the_environment_it_asked_for(
    toy: Toy, alone: list[str], wheels: Path, tmp_path: Path
) -> None:
    home = tmp_path / "needy"
    home.mkdir()
    (home / "toy_methods.py").write_text(NEEDY)
    driver = start(alone, tmp_path, [("Needy", "tiny", 2)], str(home), PIP_FIND_LINKS=str(wheels), PIP_NO_INDEX="1")
    output, complaint = driver.communicate(timeout=300)
    assert driver.returncode == 0, complaint
    reasons = store.read(tmp_path / "results").rows["reason"].unique().to_pylist()
    assert output.count("Finished needy ok") == 2, reasons
    with pytest.raises(ImportError):
        __import__("tiny_thing")
