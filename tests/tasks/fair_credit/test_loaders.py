import functools
import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fourfold.suite.datasets import DatasetError, checksum, content_digest, require, state, verify
from fourfold.tasks.fair_credit.data import CreditData
from fourfold.tasks.fair_credit.loaders import load
from fourfold.tasks.fair_credit.sources import (
    DATASETS,
    GMSC_COLUMNS,
    HMDA_GROUPS,
    convert_acs,
    convert_german,
    convert_hmda,
    convert_taiwan,
)

REPOSITORY = Path(__file__).parents[3]
PROTECTED = ("sex", "male", "age", "race", "black", "white", "hispan", "ethnic", "marri", "marital", "foreign", "birth")


@pytest.fixture(scope="module")
def cache() -> Path:
    for folder in (os.environ.get("FOURFOLD_DATA"), REPOSITORY.parent / "shared" / "data"):
        if folder and (Path(folder) / "credit").is_dir():
            return Path(folder)
    pytest.skip("needs the real loan data: set FOURFOLD_DATA to a cache that holds credit/")


@pytest.fixture(scope="module")
def loaded(cache: Path) -> Callable[[str], CreditData]:
    return functools.cache(lambda name: load(name, cache))


@pytest.fixture(scope="module")
def original(cache: Path) -> pd.DataFrame:
    return pd.read_parquet(cache / "credit/taiwan_default.parquet")


def sizes(data: CreditData, attribute: str) -> dict[str, int]:
    group = data.groups[attribute]
    return {value: int((group.code == i).sum()) for i, value in enumerate(group.values)}


def bad_rate(data: CreditData, attribute: str, value: str) -> float:
    group = data.groups[attribute]
    return float(data.label[group.code == group.values.index(value)].mean())


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows", "bad"), [
    ("german", 1_000, 0.300), ("taiwan", 30_000, 0.2212), ("hmda", 160_338, 0.0967), ("acs-income", 665_800, 0.6312),
])
def test_rows_and_rates_are_those_published(cache, loaded, name, rows, bad):
    data = loaded(name)

    assert data.features.shape == (rows, len(data.columns))
    assert data.label.mean() == pytest.approx(bad, abs=6e-5)
    assert data.name == name
    assert not [c for c in data.columns for word in PROTECTED if word in c.split("_")]
    assert state(DATASETS[name], cache) == "present"


@pytest.mark.data
@pytest.mark.parametrize(("name", "attribute", "value", "count", "bad"), [
    ("german", "age", "<=25", 190, 0.421),
    ("taiwan", "sex", "male", 11_888, 0.242), ("taiwan", "sex", "female", 18_112, 0.208),
    ("taiwan", "age", "<=25", 3_871, 0.267),
    ("hmda", "race", "black", 10_852, 0.217), ("hmda", "race", "white", 115_131, 0.092),
    ("hmda", "race", "asian", 10_841, 0.048), ("hmda", "ethnicity", "hispanic", 16_693, 0.209),
    ("hmda", "age", "62+", 17_613, 0.061),
])
def test_groups_are_those_published(loaded, name, attribute, value, count, bad):
    data = loaded(name)
    assert sizes(data, attribute)[value] == count
    assert bad_rate(data, attribute, value) == pytest.approx(bad, abs=6e-4)


@pytest.mark.data
@pytest.mark.parametrize("name", ["german", "taiwan", "hmda", "acs-income"])
def test_no_feature_is_a_protected_attribute_in_disguise(loaded, name):
    data = loaded(name)
    for attribute in data.groups.values():
        known = attribute.code >= 0
        member = attribute.code[known] == 0
        spread = data.features[known].std(axis=0) * member.std() + 1e-12
        covariance = ((data.features[known] - data.features[known].mean(axis=0)) * (member - member.mean())[:, None])
        assert np.abs(covariance.mean(axis=0) / spread).max() < 0.6, attribute.name


@pytest.mark.data
def test_hmda_is_back_in_its_natural_units(loaded):
    data = loaded("hmda")
    x = dict(zip(data.columns, data.features.T, strict=True))
    top = {name: high for name, (_, high) in zip(data.columns, data.bounds, strict=True)}

    for name in ("loan_amount", "property_value"):  # the register rounds to the middle of each 10,000 dollars
        inside = x[name] < top[name]
        assert np.abs((x[name][inside] - 5) / 10 - np.round((x[name][inside] - 5) / 10)).max() < 1e-3
    income = x["income"][x["income"] < top["income"]]
    assert np.abs(income - np.round(income)).max() < 5e-3
    assert set(np.unique(np.round(x["debt_to_income"], 3))) == {10, 25, 33, *range(36, 50), 55, 80}
    assert pd.Series(np.round(x["intro_rate_months"])).isin([0, 36, 60, 84, 120]).mean() > 0.98
    loan_over_value = 100 * x["loan_amount"] / x["property_value"]
    assert np.median(np.abs(loan_over_value - x["loan_to_value"])) < 0.5


@pytest.mark.data
def test_unknown_groups_are_neither_dropped_nor_guessed(loaded):
    data = loaded("hmda")
    missing = {name: float((group.code == -1).mean()) for name, group in data.groups.items()}
    assert missing == pytest.approx({"race": 0.141, "ethnicity": 0.140, "sex": 0.46, "age": 0.49}, abs=5e-3)


@pytest.mark.data
def test_every_file_is_as_pinned(cache):
    for name in ("german", "taiwan", "hmda", "acs-income"):
        assert verify(DATASETS[name], cache) == []
    assert len({checksum(DATASETS[name], cache) for name in ("german", "taiwan", "hmda", "acs-income")}) == 4


@pytest.mark.data
def test_the_original_german_file_converts_to_the_pinned_values(cache, tmp_path):
    (tmp_path / "german.data").write_bytes(gzip.decompress((cache / "credit/german.data.gz").read_bytes()))
    convert_german(tmp_path / "german.data", tmp_path / "made.parquet")

    assert content_digest(tmp_path / "made.parquet") == DATASETS["german"].files[0].content
    kept = pd.read_parquet(cache / "credit/german_statlog.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "made.parquet"), kept, check_dtype=False)


@pytest.mark.data
def test_upstream_forms_of_the_others_convert_to_the_pinned_values(cache, tmp_path, original):
    arrived, made = tmp_path / "arrived", tmp_path / "made.parquet"
    whole = original.astype("int64").rename(columns={"default": "default.payment.next.month"})
    whole.to_csv(arrived, index=False)
    convert_taiwan(arrived, made)
    assert content_digest(made) == DATASETS["taiwan"].files[0].content

    kept = pd.read_parquet(cache / "credit/hmda2018_highpriced.parquet")
    with zipfile.ZipFile(arrived, "w") as archive:
        text = kept.astype(dict.fromkeys(HMDA_GROUPS, "Float64")).to_csv(index=False)  # 1.0, 0.0 and empty
        archive.writestr("hmda_train_preprocessed.csv", text)
    convert_hmda(arrived, made)
    assert content_digest(made) == DATASETS["hmda"].files[0].content

    kept = pd.read_parquet(cache / "credit/acsincome2018_val.parquet").set_index("orig_index").rename_axis(None)
    kept.astype("float64").to_parquet(arrived)
    convert_acs(arrived, made)
    assert content_digest(made) == DATASETS["acs-income"].files[0].content


def put(frame: pd.DataFrame, cache: Path) -> Path:
    path = cache / "credit/taiwan_default.parquet"
    path.parent.mkdir(exist_ok=True)
    frame.to_parquet(path)
    return path


@pytest.mark.data
def test_a_damaged_file_is_named(tmp_path, original):
    with pytest.raises(DatasetError, match=r"default\.parquet: it is not there\. Run: fourfold data fetch fair-credit"):
        load("taiwan", tmp_path)

    path = put(original, tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"no whole Parquet file\. Run: fourfold data fetch fair-credit taiwan"):
        load("taiwan", tmp_path)

    path = put(original, tmp_path)
    bytes_ = bytearray(path.read_bytes())
    bytes_[-200:-8] = bytes(192)
    path.write_bytes(bytes_)
    with pytest.raises(DatasetError, match=r"taiwan_default\.parquet: .*cannot be read"):
        load("taiwan", tmp_path)


@pytest.mark.data
def test_a_foreign_file_is_named(tmp_path, original):
    put(original.drop(columns="PAY_0"), tmp_path)
    with pytest.raises(DatasetError, match=r"it has no column PAY_0\. Run: fourfold data verify fair-credit taiwan"):
        load("taiwan", tmp_path)
    put(original.assign(EDUCATION=7), tmp_path)
    with pytest.raises(DatasetError, match=r"education has codes that its dictionary lacks: \[7\.0\]"):
        load("taiwan", tmp_path)
    put(original.assign(BILL_AMT1=np.nan), tmp_path)
    with pytest.raises(DatasetError, match=r"not finite or out of bounds in bill_1"):
        load("taiwan", tmp_path)


@pytest.mark.data
def test_outliers_are_clipped_to_the_public_bounds(tmp_path, original):
    put(original.assign(PAY_AMT1=10.0**12, BILL_AMT1=-(10.0**12)), tmp_path)
    data = load("taiwan", tmp_path)
    for name, end in (("paid_1", 1), ("bill_1", 0)):
        j = data.columns.index(name)
        assert (data.features[:, j] == data.bounds[j, end]).all()


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match=r"called tawain: did you mean taiwan\?"):
        load("tawain", tmp_path)


GMSC_FIVE = """\
1,1,0.5,45,2,0.8,9120,13,0,6,0,2
2,0,50708,25,0,2500,NA,4,0,0,0,NA
3,0,0.2,26,98,0.1,3000,2,98,0,98,0
4,0,0.0,60,0,0.0,0,5,0,1,0,1
5,0,0.1,70,1,329664,1,8,3,1,2,20
"""
GMSC_HEADER = ",".join(f'"{name}"' for name in GMSC_COLUMNS) + "\n"


def put_gmsc(text: str, cache: Path) -> None:
    path = cache / "credit/gmsc/cs-training.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_gmsc_takes_what_the_user_downloaded(tmp_path):
    with pytest.raises(DatasetError, match=r"cs-training\.csv: it is not there\. Accept the rules at https://www\.kaggle"):
        require(DATASETS["gmsc"], tmp_path)
    put_gmsc(GMSC_HEADER + 30_000 * GMSC_FIVE, tmp_path)  # as many rows as Kaggle's file

    assert verify(DATASETS["gmsc"], tmp_path) == []
    data = load("gmsc", tmp_path)
    x = dict(zip(data.columns, data.features[:5].T.tolist(), strict=True))
    assert x["utilisation"] == [0.5, 2, 0.2, 0, 0.1]
    assert x["late_90_days"] == [0, 0, 0, 0, 3]
    assert x["late_90_days_missing"] == [0, 0, 1, 0, 0]
    assert x["monthly_income"] == [9_120, 0, 3_000, 0, 1]
    assert x["monthly_income_missing"] == [0, 1, 0, 0, 0]
    assert x["debt_ratio"] == [0.8, 0, 0.1, 0, 5]
    assert x["monthly_debt"] == pytest.approx([7_296, 2_500, 300, 0, 20_000])
    assert x["dependants"] == [2, 0, 0, 1, 10]
    assert data.label[:5].tolist() == [1, 0, 0, 0, 0]
    assert sizes(data, "age") == {"<=25": 30_000, ">25": 120_000}


@pytest.mark.parametrize(("text", "complaint"), [
    (GMSC_HEADER + 29_999 * GMSC_FIVE, "it has 149,995 rows instead of 150,000"),
    (GMSC_HEADER.replace("age", "years") + 30_000 * GMSC_FIVE, "its columns are not those"),
    (GMSC_HEADER + GMSC_FIVE[:40], "row 2 has 3 fields instead of 12"),
    ("", "its columns are not those"),
], ids=["short", "columns", "truncated", "empty"])
def test_another_file_in_the_place_of_gmsc_is_refused(tmp_path, text, complaint):
    put_gmsc(text, tmp_path)
    with pytest.raises(DatasetError, match=complaint):
        load("gmsc", tmp_path)
    [wrong] = verify(DATASETS["gmsc"], tmp_path)
    assert complaint in wrong
