"""A method by its archive, and by its name where a folder has it too."""

from pathlib import Path

import pytest

from fourfold.suite import pack, registry

ONE = "from fourfold.suite import Method\n\nclass One(Method):\n    task = 'toy'\n    rate: float = 0.5\n"


@pytest.mark.parametrize("several", [False, True])
def test_an_archive_is_the_method_under_its_own_name(tmp_path: Path, several: bool) -> None:
    home = tmp_path / "method"
    home.mkdir()
    (home / "start.py").write_text(ONE)
    if several:
        (home / "rates.py").write_text("RATE = 0.5\n")
    packed = pack.read(home if several else home / "start.py", name="the-one")
    (tmp_path / "one.zip").write_bytes(packed.archive())
    found, parameters = registry.select(f"{tmp_path}/one.zip[rate=0.25]")
    assert found == packed
    assert found.name == "the-one"
    assert parameters == (("rate", 0.25),)


def test_what_is_no_archive_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.zip").write_bytes(b"PK what?")
    with pytest.raises(pack.PackError, match=r"^bad\.zip: not the archive of a submission"):
        registry.select("bad.zip")
    with pytest.raises(pack.PackError, match=r"no file or folder bed\.zip; did you mean bad\.zip"):
        registry.select("bed.zip")


def test_a_folder_is_not_taken_for_the_installed_method_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scorecard").mkdir()
    assert registry.select("scorecard[strength=0.1]")[0] == registry.installed("scorecard")
    with pytest.raises(pack.PackError, match="holds no method"):
        registry.select("./scorecard")
