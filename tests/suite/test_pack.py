"""A submission is its content: what makes two of them equal, what they say of themselves, what is not packed."""

import io
import json
import os
import stat
import zipfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite import packfiles
from fourfold.suite.pack import Pack, PackError, load, read, set_parameters

METHOD = '''
"""A file."""
from fourfold.suite import Method
import numpy as np, sklearn.linear_model
from torch import nn

class BinnedScorecard(Method):
    """What it does."""
    task = "fair-credit"
    track: str = "blind"
    strength: float = 1.0
    rounds: int = 3
    quick: bool = True
    kind: str = "ridge"
    private = True
    memory = 0.5
    requirements = ("six==1.16.0",)
    _hidden = object()

    def fit(self, train, budget): pass
    def predict(self, query): pass
'''


def write(path: Path, text: str = METHOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def folder(root: Path, **files: str) -> Path:
    for name, text in ({"method.py": METHOD, "parts/bins.py": "edges = 10\n", "weights.csv": "1,2\n"} | files).items():
        write(root / name, text)
    return root


def refusal(path: Path, klass: str = "") -> str:
    with pytest.raises(PackError) as refused:
        read(path, klass)
    return str(refused.value)


def test_a_method_describes_itself_without_being_run(tmp_path: Path) -> None:
    pack = read(write(tmp_path / "m.py", METHOD.replace("class Binned", "raise SystemExit\nclass Binned")))
    assert (pack.name, pack.klass, pack.task, pack.doc) == (
        "binned-scorecard",
        "BinnedScorecard",
        "fair-credit",
        "What it does.",
    )
    assert pack.parameters == {"track": "blind", "strength": 1.0, "rounds": 3, "quick": True, "kind": "ridge"}
    assert pack.imports == ("fourfold", "numpy", "sklearn", "torch")
    assert (pack.get("private"), pack.get("memory"), pack.get("cpus"), pack.get("author")) == (True, 0.5, 1, "")
    assert pack.get("requirements") == ("six==1.16.0",)


# Identity


def test_the_same_code_is_the_same_wherever_it_lies_and_whatever_it_is_called(tmp_path: Path) -> None:
    here, there = read(write(tmp_path / "a" / "one.py")), read(write(tmp_path / "b" / "two.py"), name="other")
    assert here.digest == there.digest
    assert read(folder(tmp_path / "c")).digest == read(folder(tmp_path / "d" / "e")).digest


def test_one_byte_changed_is_another(tmp_path: Path) -> None:
    digests = {
        read(write(tmp_path / "m.py", text)).digest
        for text in (METHOD, METHOD + "#", METHOD.replace("1.0", "1.1"), METHOD.replace("A file", "a file"))
    }
    assert len(digests) == 4
    assert read(folder(tmp_path / "x")).digest != read(folder(tmp_path / "y", **{"weights.csv": "1,3\n"})).digest


def test_another_class_of_the_same_file_is_another(tmp_path: Path) -> None:
    path = write(tmp_path / "m.py", METHOD + METHOD.replace("BinnedScorecard", "Other"))
    assert read(path, "Other").digest != read(path, "BinnedScorecard").digest


def test_a_file_renamed_within_a_folder_is_another(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one"), folder(tmp_path / "other")
    (other / "weights.csv").rename(other / "weight.csv")
    assert read(one).digest != read(other).digest


def test_modes_times_caches_and_hidden_files_are_no_part_of_it(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    digest = read(path).digest
    write(path / "parts" / "__pycache__" / "bins.pyc", "x")
    write(path / ".git" / "config", "x")
    write(path / ".DS_Store", "x")
    (path / ".link").symlink_to("/etc/passwd")
    os.utime(path / "method.py", (0, 0))
    (path / "method.py").chmod(0o755)
    assert read(path).digest == digest
    assert set(read(path).files) == {"method.py", "parts/bins.py", "weights.csv"}


# What is refused


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("strength: float = compute()", r"m.py:9: M.strength must be a literal, such as 0.1"),
        ("strength: float = 1 / 3", "M.strength must be a literal"),
        ("strength: list = [1]", "M.strength is a parameter, and must be a number, text, True or False"),
        ("private = 'yes'", "M.private must be bool, not 'yes'"),
        ("private: bool = 1", "M.private must be bool, not 1"),
        ("requirements = 'six'", "M.requirements must be tuple or list, not 'six'"),
        ("requirements = (1,)", "M.requirements must name packages as pip does"),
        ("memory = '4'", "M.memory must be int or float, not '4'"),
        ("memory = True", "M.memory must be int or float, not True"),
        ("cpus = 0", "M.cpus must be a number above 0"),
        ("gpus = -1", "M.gpus must be a number above 0"),
        ("author = '\\ud800'", "M.author must be a literal"),
        ("x = {1, 2}", "M.x must be a literal"),
    ],
)
def test_what_a_method_says_of_itself_is_a_literal_of_its_type(tmp_path: Path, line: str, said: str) -> None:
    path = write(
        tmp_path / "m.py",
        f"""
        from fourfold.suite import Method
        from elsewhere import compute


        class M(Method):
            '''Doc.'''
            task = "t"
            {line}
    """,
    )
    assert said in refusal(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef f(:", "{path}:2 is not Python: "),
        ("x = 1", "{path} holds no method"),
        ("\0", "is not Python"),
        ("class _M(Method): task = 't'", "holds no method"),
        ("class M(Method): pass", 'M in {path} names no task; add a line such as: task = "fair-credit"'),
        (
            METHOD + METHOD.replace("Binned", "Other"),
            "holds several methods (BinnedScorecard, OtherScorecard); name one: {path}:BinnedScorecard",
        ),
        ("(" * 10_000 + ")" * 10_000, "is not Python"),
    ],
)
def test_what_is_no_method_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "m.py", text)
    assert said.format(path=path) in refusal(path)


def test_the_nearest_names_are_offered(tmp_path: Path) -> None:
    path = write(tmp_path / "scorecard.py")
    assert f"did you mean {path}?" in refusal(tmp_path / "scorecrad.py")
    assert "did you mean BinnedScorecard?" in refusal(path, "BinedScorecard")
    assert "it has BinnedScorecard" in refusal(path, "Zzz")
    assert "there is no file or folder" in refusal(tmp_path / "no" / "such" / "place")
    with pytest.raises(PackError, match="no parameter strenght; did you mean strength"):
        set_parameters(read(path), {"strenght": "1"})


@pytest.mark.parametrize(
    ("given", "said"),
    [({"rounds": "1.5"}, "a whole number"), ({"quick": "maybe"}, "true or false"), ({"strength": "much"}, "a number")],
)
def test_parameters_are_read_as_their_defaults_are(tmp_path: Path, given: dict[str, str], said: str) -> None:
    pack = read(write(tmp_path / "m.py"))
    assert dict(set_parameters(pack, {"rounds": "5", "quick": "False", "strength": "2"})) == {
        "kind": "ridge",
        "quick": False,
        "rounds": 5,
        "strength": 2.0,
        "track": "blind",
    }
    with pytest.raises(PackError, match=rf"binned-scorecard\[\w+=.*\]: {said} was expected, such as"):
        set_parameters(pack, given)


def test_links_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    (path / "data").symlink_to("/etc")
    assert "data is a link, or no file" in refusal(path)
    (path / "data").unlink()
    os.mkfifo(path / "data")
    assert "data is a link, or no file" in refusal(path)


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    with open(path / "weights.csv", "wb") as file:
        file.truncate(100 << 30)
    assert "bytes where a submission may hold 67,108,864" in refusal(path)
    (path / "weights.csv").unlink()
    for number in range(packfiles.MOST):
        (path / f"{number}.txt").touch()
    assert "files where a submission may hold 1,000" in refusal(path)


def test_classes_inherit_what_the_file_declares_above_them(tmp_path: Path) -> None:
    pack = read(
        write(
            tmp_path / "m.py",
            """
        from fourfold.suite import Method
        class _First(Method):
            task = "a"
            depth: int = 1
            width: int = 1
        class _Second(_First):
            task = "b"
            depth: int = 2
        class Third(_Second, _First):
            width = 5
            height: float = 0.5
    """,
        )
    )
    assert pack.task == "b"
    assert pack.parameters == {"depth": 2, "width": 5, "height": 0.5}


# Unpacking


def test_unpacking_replaces_what_a_guest_has_written(tmp_path: Path) -> None:
    pack = read(folder(tmp_path / "m"))
    entry = pack.unpack(tmp_path / "out")
    assert entry.read_text() == METHOD
    inode = entry.stat().st_ino
    assert pack.unpack(tmp_path / "out").stat().st_ino == inode
    entry.write_text("evil")
    assert pack.unpack(tmp_path / "out").read_text() == METHOD
    (entry.parent / "numpy.py").write_text("evil")
    assert not (pack.unpack(tmp_path / "out").parent / "numpy.py").exists()
    (entry.parent / "parts" / "bins.py").unlink()
    (entry.parent / "parts" / "bins.py").symlink_to("/etc/passwd")
    assert (pack.unpack(tmp_path / "out").parent / "parts" / "bins.py").read_text() == "edges = 10\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [pack.digest[:32]]


def test_one_file_unpacks_alike_whatever_it_was_called(tmp_path: Path) -> None:
    one, other = read(write(tmp_path / "one.py")), read(write(tmp_path / "other.py"))
    assert one.unpack(tmp_path / "out") == other.unpack(tmp_path / "out")
    assert other.unpack(tmp_path / "out").read_text() == METHOD


# Archives


def archived(members: dict[str, bytes], **attributes: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            for attribute, value in attributes.items():
                if name != "manifest.json":
                    setattr(info, attribute, value)
            archive.writestr(info, data)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return read(folder(tmp_path_factory.mktemp("pack") / "m"), name="my-method")


@pytest.fixture(scope="module")
def members(pack: Pack) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack.archive())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_archive_comes_back_as_the_pack_it_was(pack: Pack, members: dict[str, bytes]) -> None:
    assert load(pack.archive()) == pack
    assert pack.archive() == load(pack.archive()).archive()
    assert load(archived(members)) == pack
    assert json.loads(members["manifest.json"])["digest"] == pack.digest


def test_an_archive_of_one_file_comes_back(tmp_path: Path) -> None:
    single = read(write(tmp_path / "scorecard.py"))
    assert load(single.archive()) == single


@pytest.mark.parametrize(
    "name", ["../x.py", "/etc/x.py", "a/../../x.py", "./x.py", "a//x.py", "a\\x.py", "c:x.py", "x/", "", "."]
)
def test_names_that_lead_elsewhere_are_refused(members: dict[str, bytes], name: str, tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"no path of a file within|is a link, or no file|not the archive"):
        load(archived(members | {f"files/{name}": b"x"}))
    with pytest.raises((PackError, OSError)):
        packfiles.put(tmp_path / "home", {name: b"x"})
    assert not (tmp_path / "x.py").exists()


@pytest.mark.parametrize(
    ("more", "attributes", "said"),
    [
        ({"other.txt": b""}, {}, "has a 'other.txt' beside its files"),
        ({"files/METHOD.PY": b""}, {}, "METHOD.PY is in the archive twice"),
        ({"files/method.py/x": b""}, {}, "method.py/x is in the archive twice"),
        ({"files/parts": b""}, {}, "parts is in the archive twice"),
        ({"files/link": b"/etc/passwd"}, {"external_attr": (stat.S_IFLNK | 0o777) << 16}, "is a link, or no file"),
        ({"files/more.txt": b"x"}, {}, "its files have another digest"),
        (
            {"files/bins": b"x" * 10},
            {"compress_type": zipfile.ZIP_BZIP2},
            "packed in a way that zip readers do not share",
        ),
    ],
)
def test_what_an_archive_may_not_hold(
    members: dict[str, bytes], more: dict[str, bytes], attributes: Any, said: str
) -> None:
    with pytest.raises(PackError, match=said):
        load(archived(members | more, **attributes))


def test_twins_are_refused(members: dict[str, bytes]) -> None:
    twin = archived(members | {"files/method.qy": b"x"}).replace(b"files/method.qy", b"files/method.py")
    with pytest.raises(PackError, match="twice"):
        load(twin)


def test_a_bomb_is_refused_before_it_goes_off(members: dict[str, bytes]) -> None:
    zeros = (80 << 20) + 54_321
    bomb = archived(members | {"files/zeros": bytes(zeros)}, compress_type=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    with pytest.raises(PackError, match="where a submission may hold"):
        load(bomb)
    size = zeros.to_bytes(4, "little")
    assert bomb.count(size) == 2
    with pytest.raises(PackError, match="not the archive"):
        load(bomb.replace(size, (1000).to_bytes(4, "little")))


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"{", b'{"class": "Other"}', b"[" * 100_000, b"\xff"])
def test_a_manifest_that_does_not_fit_is_refused(members: dict[str, bytes], manifest: bytes) -> None:
    with pytest.raises(PackError):
        load(archived(members | {"manifest.json": manifest}))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_archive_with_bytes_changed_is_the_same_or_refused(pack: Pack, data: st.DataObject) -> None:
    whole = bytearray(pack.archive())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        came = load(bytes(whole))
    except PackError:
        return
    assert (came.digest, came.files) == (pack.digest, pack.files)


@given(st.binary(max_size=400))
def test_noise_is_no_archive(data: bytes) -> None:
    with pytest.raises(PackError):
        load(data)
