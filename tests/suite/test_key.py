"""The secret of a results folder."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from fourfold.suite import key
from fourfold.suite.task import Draw


def test_a_key_is_made_once_at_random_for_its_owner_alone(tmp_path):
    made = key.read(tmp_path / "results" / "key")
    assert len(made) == 32
    assert key.read(tmp_path / "results" / "key") == made
    assert key.read(tmp_path / "other") != made
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "not hexadecimal", "abcd"])
def test_a_file_that_is_no_key_is_named_and_kept(tmp_path, text):
    (tmp_path / "key").write_text(text)
    with pytest.raises(key.BadKey, match="holds no key"):
        key.read(tmp_path / "key")
    assert (tmp_path / "key").read_text() == text


def test_draws_depend_on_key_task_dataset_seed_and_purpose():
    def numbers(*arguments, purpose="coins", **kinds):
        return Draw(*arguments).rng(purpose, **kinds).integers(1 << 62, size=2).tolist()

    base = numbers(b"k" * 32, "t", "d", 0)
    assert base == numbers(b"k" * 32, "t", "d", 0)
    others = [
        numbers(b"j" * 32, "t", "d", 0),
        numbers(b"k" * 32, "u", "d", 0),
        numbers(b"k" * 32, "t", "e", 0),
        numbers(b"k" * 32, "t", "d", 1),
        numbers(b"k" * 32, "t", "d", 0, purpose="folds"),
    ]
    assert base not in others
    assert numbers(b"k" * 32, "t", "d", 0, every_seed=True) == numbers(b"k" * 32, "t", "d", 1, every_seed=True)


def test_a_key_that_cannot_be_written_leaves_nothing_and_is_made_when_it_can(tmp_path):
    code = ("import resource, signal, sys, pathlib; from fourfold.suite import key\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
            "key.read(pathlib.Path(sys.argv[1]))")
    tried = subprocess.run([sys.executable, "-c", code, str(tmp_path / "key")], capture_output=True, text=True)
    assert "OSError: [Errno 27]" in tried.stderr
    assert list(tmp_path.iterdir()) == []
    assert len(key.read(tmp_path / "key")) == 32


def test_who_comes_at_once_gets_one_key(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        for number in range(50):
            assert len(set(pool.map(key.read, [tmp_path / str(number)] * 4))) == 1
