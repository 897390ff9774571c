"""What the datasets are, and that what arrives becomes what is pinned."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fourfold.suite.datasets import DatasetError, checksum, require, state, verify
from fourfold.tasks.driver_displacement.sources import DATASETS, convert_bases

REAL = ("nyc-tlc", "us-states", "nyc-bases")
REPORT = """\
Base License Number,Base Name,DBA,Year,Month,Month Name,Date,Total Dispatched Trips,\
Total Dispatched Shared Trips,Unique Dispatched Vehicles,,
UBER,UBER,UBER,2018,6,June,June-2018,13267600,3171911,71006,,
B01667,"NEW GOLDEN HORSE C/L SVC,INC.",,2018,12,December,December-2018,30076,0,162,,
b00855,MAGNIFICENT 7'S ENTP INC,,2016,5,May,May-2016,246,0,7,,
B01667,"NEW GOLDEN HORSE C/L SVC,INC.",,2018,2,February,February-2018,"31,004",0,160,,
"""


def converted(tmp_path: Path) -> pd.DataFrame:
    (tmp_path / "report.csv").write_text(REPORT)
    convert_bases(tmp_path / "report.csv", tmp_path / "made.parquet")
    return pd.read_parquet(tmp_path / "made.parquet")


def test_the_report_on_bases_is_converted_to_ordered_rows(tmp_path):
    made = converted(tmp_path)
    assert list(made.columns) == ["base", "base_name", "dba", "year", "month", "trips", "shared_trips", "vehicles"]
    assert list(zip(made["base"], made["month"], strict=True)) == [
        ("B01667", 2), ("B01667", 12), ("UBER", 6), ("b00855", 5)]
    assert made["trips"].tolist() == [31_004, 30_076, 13_267_600, 246]
    assert made["dba"].isna().tolist() == [True, True, False, True]


@pytest.mark.data
def test_converted_rows_are_those_of_the_kept_file(cache, tmp_path):
    made = converted(tmp_path).iloc[1:]
    kept = pd.read_parquet(cache / DATASETS["nyc-bases"].files[0].path)
    assert (kept.dtypes == made.dtypes).all()
    both = made.merge(kept, how="inner")
    pd.testing.assert_frame_equal(both, made.reset_index(drop=True))
    order = kept.sort_values(["base", "year", "month"]).index
    assert np.array_equal(order, kept.index)


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_every_file_is_as_pinned(cache, name):
    assert verify(DATASETS[name], cache) == []
    assert state(DATASETS[name], cache) == "present"


def test_each_dataset_has_an_identity_even_where_it_is_absent(tmp_path):
    assert len({checksum(dataset, tmp_path) for dataset in DATASETS.values()}) == 4
    assert state(DATASETS["simulated"], tmp_path) == "embedded"


def test_addresses_are_of_one_commit():
    addresses = [file.url for name in REAL for file in DATASETS[name].files if file.url]
    assert len(addresses) == 3
    assert all(re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", url) for url in addresses)


@pytest.mark.parametrize(("name", "remedy"), [
    ("nyc-tlc", "Run: fourfold data fetch driver-displacement nyc-tlc"),
    ("us-states", "Copy both from a cache that has them, or set FOURFOLD_MIRROR"),
    ("nyc-bases", "Run: fourfold data fetch driver-displacement nyc-bases"),
])
def test_what_is_absent_is_told_with_what_to_do(tmp_path, name, remedy):
    with pytest.raises(DatasetError, match=f"dataset {name} needs .*driver.*: it is not there. .*{remedy}"):
        require(DATASETS[name], tmp_path)
