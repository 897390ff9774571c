"""Vega's script is made once and found again; what is not whole is made anew."""

from pathlib import Path

import pytest

from fourfold.leaderboard import vega


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, an empty one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fourfold"


def test_a_script_is_kept_and_found_again(kept: Path) -> None:
    made = vega.script()
    (place,) = kept.iterdir()
    assert place.read_text() == made == vega.bundle()
    place.write_text(made.replace("vegaEmbed", "found"))
    assert vega.script() == made.replace("vegaEmbed", "found")


def test_a_script_cut_short_is_made_anew(kept: Path) -> None:
    made = vega.script()
    (place,) = kept.iterdir()
    place.write_text(made[:-9])
    assert vega.script() == made == place.read_text()


def test_a_folder_that_takes_no_files_is_no_reason_to_fail(kept: Path) -> None:
    kept.parent.write_text("a file where the folder should be")
    assert vega.script().startswith("(() => {")
