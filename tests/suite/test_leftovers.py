import os
import signal
import subprocess
import sys
from pathlib import Path

from fourfold.suite import leftovers

HOLDER = """
import sys
from pathlib import Path
from fourfold.suite import leftovers
with leftovers.folder("some-", Path(sys.argv[1])) as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(place: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that has such a folder, until its input closes."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_ends_with_its_context(tmp_path: Path) -> None:
    with leftovers.folder("some-", tmp_path) as made:
        assert made.parent == tmp_path
        (made / "file").touch()
        assert made.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_and_what_a_live_one_has_stays(tmp_path: Path) -> None:
    (killed, left), (living, kept) = holder(tmp_path), holder(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.exists()
    with leftovers.folder("some-", tmp_path) as made:
        assert set(tmp_path.iterdir()) == {kept, made}
        assert (kept / "deep" / "file").read_text() == "x"
    living.communicate()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_swept_through_a_link_nor_of_another_prefix(tmp_path: Path) -> None:
    place, mine = tmp_path / "place", tmp_path / "mine"
    for folder in (place, mine, place / "other-1"):
        folder.mkdir()
    (mine / "file").touch()
    (place / "some-link").symlink_to(mine)
    leftovers.sweep("some-", place)
    assert (mine / "file").exists()
    assert (place / "other-1").exists()


def test_a_folder_that_was_swept_before_it_was_held_is_not_held(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert leftovers.hold(gone) is None
    gone.mkdir()
    lock = leftovers.hold(gone)
    assert lock is not None
    leftovers.sweep("go", tmp_path)
    assert gone.exists()
    os.close(lock)
    leftovers.sweep("go", tmp_path)
    assert not gone.exists()


def test_a_folder_of_any_depth_goes_and_what_links_lead_to_stays(tmp_path: Path) -> None:
    (kept := tmp_path / "kept").mkdir()
    (kept / "file").touch()
    deep = [sys.executable, "-c", "import os\nfor _ in range(3000): os.mkdir('d'); open('f', 'w'); os.chdir('d')"]
    (full := tmp_path / "full").mkdir()
    subprocess.run(deep, cwd=full, check=True)
    (full / "link").symlink_to(kept)
    (full / "other").mkdir()
    (full / "other" / "link").symlink_to(kept / "file")
    (full / "other").chmod(0)
    leftovers.clear(full)
    assert list(full.iterdir()) == []
    leftovers.remove(full)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]
