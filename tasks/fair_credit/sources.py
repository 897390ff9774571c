"""Where the loan data come from, under which terms, and how what arrives becomes the Parquet file that is kept.

The pinned SHA-256 is of the bytes at the source; ``content`` is of the values after conversion.
"""

import csv
import io
import zipfile
from pathlib import Path

from fourfold.suite.datasets import Dataset, File

GITHUB = "https://github.com"
HERE = __name__

GMSC_ROWS = 150_000
GMSC_COLUMNS = (
    "", "SeriousDlqin2yrs", "RevolvingUtilizationOfUnsecuredLines", "age", "NumberOfTime30-59DaysPastDueNotWorse",
    "DebtRatio", "MonthlyIncome", "NumberOfOpenCreditLinesAndLoans", "NumberOfTimes90DaysLate",
    "NumberRealEstateLoansOrLines", "NumberOfTime60-89DaysPastDueNotWorse", "NumberOfDependents",
)
GERMAN_COLUMNS = (
    "checking_status", "duration_months", "credit_history", "purpose", "credit_amount", "savings", "employment_since",
    "installment_rate", "personal_status_sex", "other_debtors", "residence_since", "property", "age",
    "other_installment_plans", "housing", "existing_credits", "job", "num_liable", "telephone", "foreign_worker",
    "class",
)
HMDA_GROUPS = ("black", "asian", "white", "amind", "hipac", "hispanic", "non_hispanic", "male", "female", "agegte62",
               "agelt62")

SIMULATED = Dataset(
    name="simulated",
    title="Simulated loan applicants with known bias",
    licence="Apache-2.0",
    source="fourfold.tasks.fair_credit.simulated",
    version="1",  # rises whenever ``simulated.load`` gives other applicants
)
_GERMAN = Dataset(
    name="german", task="fair-credit",
    title="German credit (Statlog), 1973-75: 1,000 loans of a bank in southern Germany",
    licence="CC BY 4.0",
    source="H. Hofmann (1994), UCI Machine Learning Repository",
    files=(File(
        path="credit/german_statlog.parquet",
        url=f"{GITHUB}/kozodoi/Fair_Credit_Scoring/raw/5ebe84b/functions/aif360/data/raw/german/german.data",
        sha256="b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871", size=79_793,
        convert=f"{HERE}:convert_german",
        content="9ddc5154e1b3cd80da04be0a201524224832b945343e86e4ce52fc82ef01b65a",
    ),),
)
_TAIWAN = Dataset(
    name="taiwan", task="fair-credit",
    title="Default of credit card clients, Taiwan 2005: 30,000 card holders",
    licence="CC BY 4.0",
    source="I.-C. Yeh & C.-H. Lien (2009), UCI Machine Learning Repository 350",
    files=(File(
        path="credit/taiwan_default.parquet",
        url=f"{GITHUB}/kozodoi/Fair_Credit_Scoring/raw/5ebe84b/data/raw/taiwan.csv",
        sha256="a0f0ab49d6326671d6cd83be5c88dcf18007025fe9a53ecd699119c871176ca1",
        convert=f"{HERE}:convert_taiwan",
        content="35e6df070e710e239a536f6409bb87f3634b041cfc566f631045a4709d815c3f",
    ),),
)
_HMDA = Dataset(
    name="hmda", task="fair-credit",
    title="High-priced mortgages, United States 2018: 160,338 originated loans",
    licence="US public domain (Home Mortgage Disclosure Act); selection CC BY 4.0",
    source="P. Hall, GWU responsible machine learning, from the 2018 loan/application register of the CFPB",
    files=(File(
        path="credit/hmda2018_highpriced.parquet",
        url=f"{GITHUB}/jphall663/GWU_rml/raw/040d569/assignments/data/hmda_train_preprocessed.zip",
        sha256="74b1c145b692f7f97814ddab2989b4ade7a5f4c384c3f8c0f84ae482f226add8",
        convert=f"{HERE}:convert_hmda",
        content="47c1ab38aaf939efc4af54b9db2ae2441c3ddf96518c87fcf7e68ca74654b92a",
    ),),
)
_GMSC = Dataset(
    name="gmsc", task="fair-credit",
    title="Give Me Some Credit, United States: 150,000 borrowers",
    licence="Kaggle competition rules: not redistributable",
    source="https://www.kaggle.com/c/GiveMeSomeCredit",
    files=(File(path="credit/gmsc/cs-training.csv", check=f"{HERE}:check_gmsc"),),
    by_hand="Accept the rules at https://www.kaggle.com/c/GiveMeSomeCredit, download cs-training.csv and put it at "
            "credit/gmsc/cs-training.csv in the cache. Its bytes are not pinned: its columns and its 150,000 rows are "
            "checked",
)
_ACS = Dataset(
    name="acs-income", task="fair-credit",
    title="ACSIncome, United States 2018: incomes of 665,800 people",
    licence="US Census PUMS terms of use; files MIT",
    source="F. Ding et al. (2021), Retiring Adult; validation and test parts as kept by dssg/aequitas",
    files=tuple(File(
        path=f"credit/acsincome2018_{part}.parquet",
        url=f"{GITHUB}/dssg/aequitas/raw/4dc71c6/datasets/FolkTables/ACSIncome.{upstream}.parquet",
        sha256=sha256, convert=f"{HERE}:convert_acs", content=content,
    ) for part, upstream, sha256, content in (
        ("val", "validation", "cbe16ab9be0996473f132d3a7fafe456e7db6cb3b63c4d1fcc74e3e92b0bcef2",
         "a89b20a6f99e1f6447041ab2531ba6a3315ac2eba68e68a4e06ad32e268ec1e5"),
        ("test", "test", "050a84d27232b70c14992ce996c9cd04fa1c6eccc8e1394760b6de3e01de9fc5",
         "ad3d49fc7c9932af57688cdf8276065eb1228b2217f84856784dcb31d47f2eed"),
    )),
)
DATASETS: dict[str, Dataset] = {d.name: d for d in (_GERMAN, _TAIWAN, _HMDA, _GMSC, _ACS)}


def convert_german(arrived: Path, made: Path) -> None:
    """From UCI's ``german.data``: 21 fields parted by blanks, no header; class 1 good, 2 bad."""
    import pandas as pd

    frame = pd.read_csv(arrived, sep=r"\s+", header=None, names=list(GERMAN_COLUMNS))
    frame["default"] = (frame["class"] == 2).astype("int8")
    frame.to_parquet(made, index=False)


def convert_taiwan(arrived: Path, made: Path) -> None:
    """From a CSV file of UCI's 25 columns, whose label goes by several names (default.payment.next.month)."""
    import pandas as pd

    frame = pd.read_csv(arrived)
    frame.columns = ["default" if c.lower().startswith("default") else c for c in frame.columns]
    frame.to_parquet(made, index=False)


def convert_hmda(arrived: Path, made: Path) -> None:
    """From a ZIP archive of one CSV file; groups are 0/1 and empty where not recorded, ``_std`` columns 32-bit."""
    import pandas as pd

    with zipfile.ZipFile(arrived) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv") and not n.startswith("__MACOSX"))
        frame = pd.read_csv(io.BytesIO(archive.read(name)))
    kinds = dict.fromkeys(HMDA_GROUPS, "Int8") | {c: "float32" for c in frame.columns if c.endswith("_std")}
    frame.astype(kinds).to_parquet(made, index=False)


def convert_acs(arrived: Path, made: Path) -> None:
    """From a Parquet file of coded columns with the source's row number as its index, kept as ``orig_index``."""
    import pandas as pd

    frame = pd.read_parquet(arrived)
    frame = frame.astype("int16").rename_axis("orig_index").reset_index()
    frame.to_parquet(made, index=False)


def check_gmsc(path: Path) -> str:
    """What is wrong with a downloaded ``cs-training.csv``, or ''."""
    n = 0
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = csv.reader(stream)
        try:
            if tuple(next(rows, ())) != GMSC_COLUMNS:
                return "its columns are not those of cs-training.csv"
            for row in rows:
                n += 1
                if len(row) != len(GMSC_COLUMNS):
                    return f"row {n} has {len(row)} fields instead of {len(GMSC_COLUMNS)}"
        except csv.Error as error:
            return f"after row {n} it is no CSV file ({error})"
    return "" if n == GMSC_ROWS else f"it has {n:,} rows instead of {GMSC_ROWS:,}"
