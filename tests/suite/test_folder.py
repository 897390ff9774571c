"""Folders that cross: what is packed comes out, and of what a stranger sends nothing is believed."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.suite import boundary, folder

PART = st.text("abc .é漢", min_size=1, max_size=6).filter(lambda text: text.strip(". ") == text)
NAMES = st.lists(PART, min_size=1, max_size=3)
FILES = st.dictionaries(NAMES.map("/".join), st.binary(max_size=50), max_size=6)


def no_file_is_a_folder(files: dict[str, bytes]) -> bool:
    return not any(a != b and b.startswith(f"{a}/") for a in files for b in files)


@given(FILES.filter(no_file_is_a_folder))
def test_a_folder_comes_out_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("out")
    folder.unpack(boundary.decode(boundary.encode(folder.folder(files))), root)
    back = folder.read(boundary.fields(boundary.encode(folder.gather(root, 1000))))
    assert {path: bytes(data) for path, data in back} == files
    assert back.odd == ()


def test_links_and_pipes_are_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"answers")
    root = tmp_path / "out"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    (root / "b").write_bytes(b"1")
    found = folder.gather(root, 1000)
    assert found.paths == ("b",)
    assert found.odd == ("a: symbolic link", "pipe: named pipe", "up: symbolic link")


def test_more_than_was_agreed_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "bomb").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(folder.FolderError, match="more than the 1,000 bytes"):
        folder.gather(tmp_path, 1000)


def test_a_folder_without_files_is_named_as_its_name_may_tell(tmp_path: Path) -> None:
    (tmp_path / "Hope_Long" / "more").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"1")
    assert folder.gather(tmp_path, 9).odd == ("Hope_Long/more: empty folder",)


GOOD = {"paths": ("a", "b/c"), "data": np.arange(5, dtype=np.uint8), "ends": np.array([2, 5]), "odd": ()}
FORGED = {
    "a way up": {"paths": ("a", "b/../../c")},
    "an absolute path": {"paths": ("a", "/etc/passwd")},
    "an empty name": {"paths": ("a", "")},
    "a NUL": {"paths": ("a", "b\0")},
    "two of a name": {"paths": ("a", "a")},
    "another spelling of a name": {"paths": ("a", "./a")},
    "a file that ends before it begins": {"ends": np.array([5, 2])},
    "bytes of no file": {"ends": np.array([2, 4])},
    "a file beyond the bytes": {"ends": np.array([2, 9])},
    "a negative end": {"ends": np.array([-1, 5])},
    "numbers that are no bytes": {"data": np.arange(5.0)},
    "names that are numbers": {"paths": np.arange(2)},
    "fewer names than files": {"paths": ("a",)},
}


def test_what_is_sound_is_read() -> None:
    assert [(path, bytes(data)) for path, data in folder.read(GOOD)] == [("a", b"\0\1"), ("b/c", b"\2\3\4")]


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_a_forged_folder_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(folder.FolderError):
        folder.read(GOOD | change)


@pytest.mark.parametrize("fields", [{}, {"answer": np.zeros(3)}, GOOD | {"more": 1}])
def test_what_is_no_folder_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(folder.FolderError, match="a folder was expected"):
        folder.read(fields)
