"""What de-identification cost an instance and a megapixel, and what the first files cost more than those after them."""

from collections.abc import Iterator, Sequence
from statistics import median

from fourfold.suite.task import Score, Spent
from fourfold.tasks.dicom_deid.key import Instance


def costs(spent: Spent, groups: Sequence[int], instances: Sequence[Instance]) -> Iterator[Score]:
    """Of one visit. groups: (asks,) how many files each held; instances: all of them, with their sizes in pixels.

    A cold start is told where there is a second group to compare the first with.
    """
    used, files = sum(spent.cpu), sum(groups)
    pixels = sum(frames * rows * columns for frames, rows, columns in (one.size for one in instances))
    yield Score("cpu_per_instance", used / files if files else None, n=files)
    yield Score("cpu_per_megapixel", used / (pixels / 1e6) if pixels else None, n=files)
    yield Score("cold_start", _cold_start(spent, groups), n=len(groups))


def _cold_start(spent: Spent, groups: Sequence[int]) -> float | None:
    """Seconds until the method stood ready, and those by which the first group took longer than its files do later."""
    if len(groups) < 2:
        return None
    later = median(wall / files for wall, files in zip(spent.wall[1:], groups[1:], strict=True))
    return spent.start + max(0.0, spent.wall[0] - groups[0] * later)
