"""The joules a machine says it has used, where it says so."""

from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


def joules() -> float | None:
    """A running total over the processor packages (RAPL, as Linux' powercap tells it); None where it is not told."""
    packages = [zone for zone in _POWERCAP.glob("intel-rapl:*") if zone.name.count(":") == 1]
    try:
        return sum(int((zone / "energy_uj").read_text()) for zone in packages) / 1e6 if packages else None
    except (OSError, ValueError):
        return None
