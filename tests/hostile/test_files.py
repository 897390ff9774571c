"""Writing where others will read: the store, the board, installed packages, methods, and the folders of answers."""

import dataclasses
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fourfold.suite import folder, store
from fourfold.suite.task import Ask, FolderWant

attack = pytest.mark.attack
GONE = "it sees no file but the system's and its own"
READ = "it can be read and not written"
USER = "SUCCEEDS: the same user may write it"
COPIED = "each guest is given its files anew, over its pipe"


@pytest.fixture
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store.create(tmp_path_factory.mktemp("campaign") / "results")


@attack(namespaces=GONE, process=USER)
def test_writes_a_row_into_the_store(strike, judge, results):
    strike(f"open({str(results)!r} + '/forged.parquet', 'wb').write(b'PAR1')")
    judge((results / "forged.parquet").exists())


@attack(namespaces=GONE, process=USER)
def test_links_its_file_into_the_store(strike, judge, results):
    strike(f"open('row', 'w').close(); os.symlink(os.path.abspath('row'), {str(results)!r} + '/linked.parquet')")
    judge((results / "linked.parquet").is_symlink())


@attack(namespaces=GONE, process=USER)
def test_takes_results_away(strike, judge, results):
    (results / "cell.parquet").write_bytes(b"PAR1")
    strike(f"os.unlink({str(results)!r} + '/cell.parquet')")
    judge(not (results / "cell.parquet").exists())


@attack(namespaces=GONE, process=USER)
def test_claims_a_cell(strike, judge, results):
    strike(f"os.makedirs({str(results)!r} + '/claims/0')")
    judge((results / "claims").exists())


@attack(namespaces=GONE, process=USER)
def test_writes_on_the_board(strike, judge, tmp_path_factory):
    board = tmp_path_factory.mktemp("board") / "index.html"
    board.write_text("1. honest")
    strike(f"open({str(board)!r}, 'w').write('1. me')")
    judge(board.read_text() != "1. honest")


def _opened(strike, place: str) -> bool:
    """Whether a guest may open a file to write; it writes nothing."""
    return "opened" in strike(f"os.open({place!r}, os.O_WRONLY | os.O_APPEND); print('opened')").log


@attack(namespaces=READ, process=USER)
def test_writes_to_installed_packages(strike, judge):
    judge(_opened(strike, str(Path(np.__file__))))


@attack(namespaces=READ, process=USER)
def test_writes_to_the_suite(strike, judge):
    judge(_opened(strike, str(Path(folder.__file__))))


@attack(namespaces=READ, process="SUCCEEDS as root: root may write it")
def test_writes_to_the_standard_library(strike, judge):
    judge(_opened(strike, str(Path(sysconfig.get_path("stdlib"), "os.py"))))


@attack(namespaces=READ, process=USER)
def test_leaves_a_module_for_all_pythons(strike, judge):
    place = sysconfig.get_path("purelib")
    judge("may" in strike(f"print('may' if os.access({place!r}, os.W_OK) else 'not')").log)


@attack(both=COPIED)
def test_writes_into_its_own_method_for_the_next_guest(strike, judge, tmp_path):
    strike("open(os.path.join(sys.path[0], 'attack.py'), 'a').write('# CHANGED'.lower())")
    judge("# changed" in (tmp_path / "method" / "attack.py").read_text())


@attack(both=COPIED)
def test_leaves_bytecode_for_the_next_guest(strike, judge, tmp_path):
    strike("os.makedirs(sys.path[0] + '/__pycache__', exist_ok=True)")
    judge((tmp_path / "method" / "__pycache__").exists())


@attack(
    namespaces="its home is a file system of its own, gone with it",
    process="what lies deeper than a path reaches is moved up, and removed there",
)
def test_leaves_a_folder_too_deep_to_remove(strike, judge, parents):
    seen = strike("""
        for _ in range(1500):
            os.mkdir('d')
            os.chdir('d')
        os.chmod('.', 0)
        print('deep')
    """)
    assert "deep" in seen.log
    judge(any(parents.get((), 1)._folder.iterdir()))


@attack(namespaces="a link leads nowhere in the world of the suite, and is not followed", process="it is not followed")
def test_has_the_suite_remove_what_it_links_to(strike, judge, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    strike(f"os.symlink({str(kept)!r}, 'link')")
    judge(not (kept / "file").exists())


@dataclasses.dataclass(frozen=True)
class Files:
    """A folder of files, as a task gives it."""

    paths: tuple[str, ...]
    data: np.ndarray
    ends: np.ndarray


@pytest.fixture
def leave(strike) -> Callable[..., folder.Folder]:
    """What comes of a folder that a method leaves by these lines, ``target`` being its name; None: nothing."""
    given = folder.folder({"a": b"given"})
    asks = [Ask("deidentify", Files(given.paths, given.data, given.ends), FolderWant(1 << 16, 1))]

    def leave(lines: str):
        seen = strike(deidentify=lines, asks=asks)
        return seen.answers[0] if seen.status == "ok" else None

    return leave


LINK = "links are named and not followed"


@attack(both=LINK)
def test_answers_a_link_to_a_secret(leave, judge, tmp_path_factory, token):
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(token)
    left = leave(f"os.symlink({str(secret)!r}, target + '/a')")
    judge(left is None or token.encode() in left.data.tobytes() or "a" in left.paths)


@attack(both=LINK)
def test_answers_a_folder_that_is_a_link(leave, judge, tmp_path_factory, token):
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(token)
    left = leave(f"os.symlink({str(secret.parent)!r}, target + '/a')")
    judge(left is None or token.encode() in left.data.tobytes())


@attack(namespaces="there is nothing to link to", process="SUCCEEDS: a hard link is a file; the same user may make it")
def test_answers_a_hard_link_to_a_secret(leave, judge, tmp_path_factory, token):
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(token)
    left = leave(f"os.link({str(secret)!r}, target + '/a')")
    judge(left is not None and token.encode() in left.data.tobytes())


@attack(both="what is no plain file is named and not opened")
def test_answers_a_pipe_that_nobody_writes(leave, judge):
    left = leave("os.mkfifo(target + '/a')")
    judge(left is None or "a" in left.paths)


@attack(
    namespaces="what is no plain file is named and not opened, and it cannot make one",
    process="what is no plain file is named and not opened",
)
def test_answers_a_device(leave, judge):
    left = leave("""
        try:
            os.mknod(target + '/a', 0o20600, os.makedev(1, 5))
        except PermissionError:
            pass
    """)
    judge(left is None or "a" in left.paths)


@attack(both="a file's length counts, not what it takes")
def test_answers_a_sparse_file_of_a_terabyte(leave, judge):
    judge(leave("os.truncate(os.open(target + '/a', os.O_RDWR | os.O_CREAT), 1 << 31)") is not None)


def _forged(paths: str, ends: str = "[1]", data: str = "b'x'") -> str:
    return f"""
        from fourfold.suite import boundary
        fields = {{"paths": {paths}, "data": np.frombuffer({data}, np.uint8), "ends": np.array({ends}), "odd": ()}}
        send(frame(b'A', boundary.encode(fields)), frame(b'L', b'[]'))
        boundary.send = lambda *_: None
    """


READS = "paths are read before anything is done with them"


@attack(both=READS)
def test_answers_a_path_out_of_the_folder(leave, judge):
    judge(leave(_forged("('../../escape',)")) is not None)


@attack(both=READS)
def test_answers_an_absolute_path(leave, judge):
    judge(leave(_forged("('/etc/cron.d/escape',)")) is not None)


@attack(both=READS)
def test_answers_two_files_of_one_path(leave, judge):
    judge(leave(_forged("('a', 'a')", "[1, 1]")) is not None)


@attack(both=READS)
def test_answers_files_that_end_outside_of_their_bytes(leave, judge):
    judge(leave(_forged("('a', 'b')", "[1 << 40, 1]")) is not None)
