"""A method that is given a folder and fills another, run for real in a guest."""

import dataclasses
from collections.abc import Callable

import pytest

from fourfold.suite import folder
from fourfold.suite.folder import Folder
from fourfold.suite.task import Ask, FolderWant
from fourfold.suite.visit import Visit

Run = Callable[..., Visit]
FILES = {"1/a": b"first", "1/b": b"second", "2/c": b""}


@dataclasses.dataclass(frozen=True)
class Studies(Folder):
    edition: str = ""


@pytest.fixture
def ask() -> Ask:
    given = folder.folder(FILES)
    studies = Studies(given.paths, given.data, given.ends, (), "2026c")
    return Ask("deidentify", studies, FolderWant(1000, 3), may_fail=True)


def method(*lines: str) -> str:
    return "\n    ".join(("def deidentify(self, source, target, policy):", "import pathlib, shutil", *lines))


def files(seen: Visit, of: int = 0) -> dict[str, bytes]:
    assert seen.status == "ok", seen.reason
    return {path: bytes(data) for path, data in seen.answers[of]}


def test_it_finds_its_files_and_its_policy_and_leaves_others(run: Run, ask: Ask) -> None:
    seen = run(method("shutil.copytree(source + '/1', target + '/x/1')",
                      "pathlib.Path(target, 'edition').write_text(policy.edition)"), "", asks=[ask])
    assert files(seen) == {"edition": b"2026c", "x/1/a": b"first", "x/1/b": b"second"}
    assert seen.phases[0].verb == "deidentify"


def test_what_it_leaves_nowhere_is_nothing(run: Run, ask: Ask) -> None:
    assert files(run(method("pass"), "", asks=[ask])) == {}


def test_asks_follow_each_other_in_one_process_and_clean_folders(run: Run, ask: Ask) -> None:
    seen = run(method("self.n = getattr(self, 'n', 0) + 1", "pathlib.Path(target, str(self.n)).write_bytes(b'')"), "",
               asks=[ask, ask])
    assert [files(seen, of) for of in (0, 1)] == [{"1": b""}, {"2": b""}]


@pytest.mark.parametrize(
    ("line", "odd"),
    [("pathlib.Path(target, 'link').symlink_to('/etc/passwd')", "link: symbolic link"),
     ("import os; os.mkfifo(target + '/pipe')", "pipe: named pipe")],
)
def test_links_are_told_and_not_followed(run: Run, ask: Ask, line: str, odd: str) -> None:
    seen = run(method(line), "", asks=[ask])
    assert files(seen) == {}
    assert seen.answers[0].odd == (odd,)


@pytest.mark.parametrize(
    ("line", "why"),
    [("open(target + '/bomb', 'wb').truncate(1 << 31)", "more than the 1,000 bytes"),
     ("shutil.rmtree(target)", ""),
     ("raise ValueError('no DICOM')", "failed: ValueError: no DICOM")],
)
def test_what_goes_wrong_is_told(run: Run, ask: Ask, line: str, why: str) -> None:
    seen = run(method(f"if getattr(self, 'again', False): {line}", "self.again = True"), "", asks=[ask, ask])
    assert seen.status == "ok"
    if why:
        assert why in seen.faults[1]
        assert seen.answers[1] is None
    else:
        assert files(seen, 1) == {}


def test_the_signature_is_told(run: Run, ask: Ask) -> None:
    seen = run("def deidentify(self, folder): pass", "", asks=[ask])
    assert seen.status == "failed"
    assert "write def deidentify(self, source, target, policy)" in seen.reason


def test_bytes_are_bounded_on_the_suites_side_too(run: Run, ask: Ask) -> None:
    forged = "folder.gather = lambda *_: folder.folder({'a': bytes(1 << 26)})"
    seen = run(method("from fourfold.suite import folder", forged), "", asks=[ask])
    assert seen.status == "invalid-output"
    assert "were agreed" in seen.reason
