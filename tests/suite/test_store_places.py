"""Places that take no files, or not as they should: gone, full, read-only, somebody else's, without hard links."""

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fourfold.suite.atomic import StoreError
from fourfold.suite.cellfile import SCHEMA
from fourfold.suite.compact import compact
from fourfold.suite.store import (
    cell_rows,
    create,
    done,
    provenance,
    read,
    statuses,
    write_cell,
)

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
AsSet = Callable[[pa.Table], list[str]]


def test_a_folder_that_is_not_there(tmp_path: Path, make_cell: Make) -> None:
    gone = tmp_path / "gone"
    assert done(gone) == set()
    with pytest.raises(StoreError, match="no results"):
        read(gone)
    with pytest.raises(StoreError, match=r"gone.*No such file.*bring the folder back"):
        write_cell(gone, *make_cell(0), {})
    assert not gone.exists()


def test_a_full_disk_loses_nothing(mounted: Callable[..., Path], make_cell: Make, as_set: AsSet) -> None:
    root = create(mounted("size=160k"))
    stored = 0
    with pytest.raises(StoreError, match=r"No space left on device; free some space"):  # noqa: PT012
        for stored in range(100):
            write_cell(root, *make_cell(stored), {})
    assert stored > 1
    assert list(root.rglob(".*.tmp")) == []
    before = as_set(read(root).rows)
    with pytest.raises(StoreError, match="No space left"):
        compact(root)
    assert as_set(read(root).rows) == before
    assert (len(done(root)), read(root).skipped) == (stored, [])
    mounted("size=4m", again=True)
    assert write_cell(root, *make_cell(stored), {})
    compact(root)
    assert len(done(root)) == stored + 1


def test_a_limit_on_file_size(root: Path, make_cell: Make) -> None:
    cell, rows = make_cell(7)
    code = (
        "import sys; from pathlib import Path; from fourfold.suite.store import *\n"
        f"inf = float('inf')\ntry: write_cell(Path(sys.argv[1]), {cell!r}, {rows!r}, {{}})\n"
        "except StoreError as error: print(error)"
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
    run = subprocess.run([sys.executable, "-B", "-c", code, root], preexec_fn=limit, capture_output=True, text=True)
    assert "File too large; raise the limit" in run.stdout, run.stderr
    assert list(root.rglob(".*.tmp")) == []
    assert len(done(root)) == 4


def test_a_read_only_folder_is_read_and_not_written(
    mounted: Callable[..., Path], root: Path, make_cell: Make, as_set: AsSet
) -> None:
    compact(root)
    write_cell(root, *make_cell(6), {})
    place = mounted("size=4m")
    shutil.copytree(root, place / "results")
    mounted("size=4m,ro", again=True)
    locked = place / "results"
    assert as_set(read(locked).rows) == as_set(read(root).rows)
    assert done(locked) == done(root)
    assert statuses(locked) == statuses(root)
    assert provenance(locked, make_cell(6)[0])
    assert cell_rows(locked, make_cell(1)[0]).num_rows == 3
    for attempt in (
        lambda: write_cell(locked, *make_cell(8), {}), lambda: create(locked), lambda: compact(locked)
    ):
        with pytest.raises(StoreError, match=r"read-only.*another folder"):
            attempt()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
def test_a_folder_of_somebody_else(tmp_path: Path, make_cell: Make) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        root = create(Path(place) / "results")
        child = os.fork()
        if not child:
            os.setuid(65534)
            try:
                write_cell(root, *make_cell(0), {})
            except StoreError as error:
                os._exit(0 if "make the folder writable for you" in str(error) else 2)
            os._exit(3)
        assert os.waitpid(child, 0)[1] == 0


_LINKLESS = """
import errno, sys
from pathlib import Path
from fourfold.suite.store import read, write_cell
def refuse(event, arguments):
    if event == "os.link":
        raise OSError(errno.EPERM, "Operation not permitted")
sys.addaudithook(refuse)
inf = float("inf")
print([write_cell(Path(sys.argv[1]), *cell, {}) for cell in eval(sys.argv[2])])
"""


def test_a_file_system_without_hard_links(tmp_path: Path, make_cell: Make, as_set: AsSet) -> None:
    root, cells = create(tmp_path / "results"), [make_cell(0), make_cell(1), make_cell(0, value=9.0)]
    run = subprocess.run([sys.executable, "-c", _LINKLESS, root, repr(cells)], capture_output=True, text=True)
    assert run.stdout == "[True, True, False]\n", run.stderr
    assert as_set(read(root).rows) == as_set(pa.Table.from_pylist(cells[0][1] + cells[1][1], schema=SCHEMA))
    assert list(root.rglob(".*.tmp")) == []


_CLAIMING = """
import errno, sys
from pathlib import Path
from fourfold.suite import seccomp
from fourfold.suite.store import write_cell
inf = float("inf")
ours = eval(sys.stdin.read())
refused = [(0x20, 0, 0, 0)]  # Load the number of the call; where it is that of link, linkat or renameat2, refuse.
for number, error in ((86, errno.EPERM), (265, errno.EPERM), (316, errno.EINVAL)):
    refused += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error)]
seccomp._load([*refused, (0x06, 0, 0, 0x7FFF0000)])
for cell in ours:
    write_cell(Path(sys.argv[1]), *cell, {})
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the system calls are those of x86_64")
def test_two_writers_at_once_where_nothing_is_exclusive_but_to_create(
    tmp_path: Path, make_cell: Make, as_set: AsSet
) -> None:
    root, cells = create(tmp_path / "results"), [make_cell(number) for number in range(60)]
    killed = root / "cells" / cells[0][0][:2] / f"{cells[0][0]}.parquet"
    killed.parent.mkdir()
    killed.touch()
    words = [sys.executable, "-c", _CLAIMING, root]
    writers = [subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for each in writers:
        assert each.stdin is not None
        each.stdin.write(repr(cells))
        each.stdin.close()
    for each in writers:
        assert each.wait() == 0, each.stderr and each.stderr.read()
    assert read(root).skipped == []
    assert as_set(read(root).rows) == as_set(pa.Table.from_pylist([row for _, rows in cells for row in rows], SCHEMA))
    assert list(root.rglob(".*.tmp")) == []
