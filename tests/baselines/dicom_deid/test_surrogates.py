"""What stands in for identifiers: equal for equal, different for different, and nothing without the key."""

from datetime import datetime

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


def test_a_time_behind_a_date_stays():
    assert SURROGATES.date("20240301101500.000000+0100", "x")[8:] == "101500.000000+0100"


@settings(deadline=None)
@given(st.sampled_from(["", "2024", "20241345", "today", "0001-01-01"]))
def test_what_is_no_date_is_none(text):
    assert SURROGATES.date(text, "x") == ""
