"""Days between a patient's dates."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from pydicom import Dataset

from fourfold.tasks.dicom_deid.intervals import intervals_kept, ordinal
from fourfold.tasks.dicom_deid.key import Dated
from fourfold.tasks.dicom_deid.reading import File
from fourfold.tasks.dicom_deid.values import index


def test_dates_that_are_shifted_alike_keep_their_intervals_and_constant_ones_do_not(small, shares, lost):
    def constant(path: str, dataset: Dataset) -> None:
        dataset.StudyDate = dataset.ContentDate = "00010101"

    def one_off(path: str, dataset: Dataset) -> None:
        if path == "0/0/0.dcm":
            dataset.StudyDate = ""

    assert lost(shares(small, constant)) == {"intervals_kept": 0.0}
    # Patient 0 has 4 dates on each of two days, 16 pairs; without one of the dates 12 of them are exact.
    assert lost(shares(small, one_off)) == {"intervals_kept": pytest.approx((12 / 16 + 2) / 3)}


@drawn(st.lists(st.integers(1, 3_000_000), min_size=2, max_size=12), st.integers(-20_000, 20_000), st.data())
@settings(max_examples=30, deadline=None)
def test_intervals_equal_a_count_of_all_pairs(days, shift, data):
    import datetime

    days = [min(max(day, 30_000), 3_600_000) for day in days]
    written = [day + shift + data.draw(st.sampled_from([0, 0, 0, 1])) for day in days]
    pairs = [(i, j) for i in range(len(days)) for j in range(i) if days[i] != days[j]]
    exact = [days[i] - days[j] == written[i] - written[j] for i, j in pairs]

    def spelled(day: int) -> str:
        return datetime.date.fromordinal(day).strftime("%Y%m%d").zfill(8)

    dataset = Dataset()
    for place, day in enumerate(written):
        dataset.add_new((0x0018, 0x2000 + place), "DA", spelled(day))
    dataset.SOPClassUID = "1.2"
    dated = [Dated("a", 0, f"(0018,{0x2000 + place:04X})", spelled(day)) for place, day in enumerate(days)]
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True)
    kept = intervals_kept(dated, {"a": index(File("a", buffer.getvalue()))}, 1)
    assert kept[0] == pytest.approx(np.mean(exact)) if pairs else np.isnan(kept[0])


@pytest.mark.parametrize(
    ("value", "day"),
    [("00010101", 1), ("20200229101500.00+0100", 737484), ("2020.02.29", 737484), ("20200230", None), ("soon", None)],
)
def test_a_day_is_read_from_what_begins_with_one(value, day):
    assert ordinal(value) == day
