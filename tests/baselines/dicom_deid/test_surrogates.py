"""What stands in for identifiers: equal for equal, different for different, and nothing without the key."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.baselines.dicom_deid.surrogates import FIRST, LAST, Surrogates

UIDS = st.from_regex(r"[12]\.[1-9][0-9]{0,9}(\.[1-9][0-9]{0,9}){1,4}", fullmatch=True)
SURROGATES = Surrogates(bytes(32))


@settings(deadline=None)
@given(st.lists(UIDS, unique=True, min_size=2))
def test_uids_map_one_to_one(uids):
    new = [SURROGATES.uid(uid) for uid in uids]
    assert len(set(new)) == len(uids)
    assert new == [Surrogates(bytes(32)).uid(uid) for uid in uids]
    assert all(len(uid) <= 64 and uid.startswith("2.25.") for uid in new)


@settings(deadline=None)
@given(UIDS)
def test_another_key_gives_another_uid(uid):
    assert SURROGATES.uid(uid) != Surrogates(bytes(31) + b"1").uid(uid)


@settings(deadline=None)
@given(st.dates(datetime(1920, 1, 1).date()), st.dates(datetime(1920, 1, 1).date()), st.text())
def test_dates_of_a_patient_keep_their_distance(one, other, patient):
    moved = [datetime.strptime(SURROGATES.date(f"{day:%Y%m%d}", patient), "%Y%m%d").date() for day in (one, other)]
    assert moved[1] - moved[0] == other - one
    assert FIRST <= (one - moved[0]).days <= LAST


@settings(deadline=None)
@given(st.text(), st.integers(0, 5))
def test_no_date_of_a_patient_comes_to_stand_where_another_stood(patient, more):
    day = datetime(2024, 5, 1).date()
    first = Surrogates(bytes(32)).days(patient)
    dates = {day + timedelta(first * number) for number in range(more + 1)}
    surrogates = Surrogates(bytes(32))
    surrogates.settle(patient, dates)
    assert not dates & {each + timedelta(surrogates.days(patient)) for each in dates}
    assert (surrogates.days(patient) == first) == (more == 0)
    settled = surrogates.days(patient)
    surrogates.settle(patient, {day, day + timedelta(settled)})  # What was written stays as it is.
    assert surrogates.days(patient) == settled


def test_nor_where_one_stood_that_is_read_with_its_month_first():
    first = Surrogates(bytes(32)).days("x")
    day = datetime(2024, 11, 4).date()
    surrogates = Surrogates(bytes(32))
    surrogates.settle("x", [day - timedelta(first), datetime(2024, 4, 11).date()])
    assert surrogates.days("x") != first


def test_dates_that_leave_no_other_way_are_moved_all_the_same():
    surrogates = Surrogates(bytes(32))
    surrogates.settle("x", [datetime(2000, 1, 1).date() + timedelta(number) for number in range(0, 4000, 1)])
    assert -LAST < surrogates.days("x") <= -FIRST


def test_a_time_behind_a_date_stays():
    assert SURROGATES.date("20240301101500.000000+0100", "x")[8:] == "101500.000000+0100"


@settings(deadline=None)
@given(st.sampled_from(["", "2024", "20241345", "today", "0001-01-01"]))
def test_what_is_no_date_is_none(text):
    assert SURROGATES.date(text, "x") == ""
