import pytest

from fourfold.suite.task import Spent
from fourfold.tasks.dicom_deid.cost import costs
from fourfold.tasks.dicom_deid.key import Instance

INSTANCES = [Instance("a", 0, 0, "US", size=(4, 500, 500)), Instance("b", 0, 1, "CT", size=(1, 1000, 1000)),
             Instance("c", 1, 0, "SR")]  # fmt: skip


def told(spent: Spent, groups: list[int]) -> dict[str, float | None]:
    return {score.metric: score.value for score in costs(spent, groups, INSTANCES)}


def test_cpu_is_told_an_instance_and_a_megapixel_of_all_frames():
    found = told(Spent(0.25, [3.0, 1.0], [4.0, 2.0]), [2, 1])
    assert found["cpu_per_instance"] == pytest.approx(4 / 3)
    assert found["cpu_per_megapixel"] == pytest.approx(4 / 2)


@pytest.mark.parametrize(("wall", "groups", "seconds"), [
    ([5.0, 2.0, 2.0], [10, 10, 10], 0.25 + 3.0),  # The first took three seconds longer than ten files do.
    ([5.0, 2.0], [25, 10], 0.25),
    ([1.0, 2.0, 9.0], [10, 10, 10], 0.25),
    ([5.0], [10], None),
])  # fmt: skip
def test_a_cold_start_is_what_the_first_group_took_beyond_what_its_files_take_later(wall, groups, seconds):
    assert told(Spent(0.25, wall, wall), groups)["cold_start"] == (seconds and pytest.approx(seconds))


def test_where_nothing_has_pixels_there_is_no_time_a_megapixel():
    found = {score.metric: score.value for score in costs(Spent(0.1, [1.0], [1.0]), [1], INSTANCES[2:])}
    assert found == {"cpu_per_instance": 1.0, "cpu_per_megapixel": None, "cold_start": None}
