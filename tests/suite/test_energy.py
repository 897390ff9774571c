"""What a machine tells of its energy, in a tree laid out as Linux' powercap lays it out."""

from pathlib import Path

import pytest

from fourfold.suite import energy


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)
    return tmp_path


def zone(powercap: Path, name: str, microjoules: str) -> None:
    (powercap / name).mkdir()
    (powercap / name / "energy_uj").write_text(microjoules)


def test_packages_add_up_and_what_is_inside_them_is_not_counted_twice(powercap: Path) -> None:
    zone(powercap, "intel-rapl:0", "1500000\n")
    zone(powercap, "intel-rapl:1", "2500000\n")
    zone(powercap, "intel-rapl:0:0", "900000\n")
    zone(powercap, "intel-rapl-mmio:0", "700000\n")
    assert energy.joules() == 4.0


@pytest.mark.parametrize("told", [None, "", "n/a"])
def test_a_machine_that_does_not_tell_has_none(powercap: Path, told: str | None) -> None:
    if told is not None:
        zone(powercap, "intel-rapl:0", told)
    assert energy.joules() is None


def test_a_counter_that_cannot_be_read_is_not_told(powercap: Path) -> None:
    (powercap / "intel-rapl:0" / "energy_uj").mkdir(parents=True)
    assert energy.joules() is None
