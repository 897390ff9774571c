"""Where the head-counts of drivers come from, under which terms, and how what arrives becomes the file that is kept."""

from pathlib import Path

from fourfold.suite.datasets import Dataset, File

RAW = "https://raw.githubusercontent.com"
HERE = __name__
YELLOW_CAB = f"{RAW}/Adrianr19970/The-Downfall-of-the-Yellow-Cab/171400d1e30ee55cae2f35a5ea1b2352dcf72a36/data"
UBER_MONTHLY = f"{RAW}/Megha2790/UberMonthlyDataAnalysis/b131e574f8410f3e4ee10bdb70cd15611835f8f6"

BASE_COLUMNS = {
    "Base License Number": "base", "Base Name": "base_name", "DBA": "dba", "Year": "year", "Month": "month",
    "Total Dispatched Trips": "trips", "Total Dispatched Shared Trips": "shared_trips",
    "Unique Dispatched Vehicles": "vehicles",
}
"""The columns of the report on bases that are kept, and their names here."""

_SIMULATED = Dataset(
    name="simulated", task="driver-displacement",
    title="Simulated driver jobs of 51 states and four occupations, lost to automation under laws that differ",
    licence="Apache-2.0",
    source="fourfold.tasks.driver_displacement.simulator",
    version="1",  # rises whenever the simulator gives other worlds
)
_TLC = Dataset(
    name="nyc-tlc", task="driver-displacement",
    title="New York's taxi and for-hire drivers by month and licence class, 2010-2025, as published in 2022 and 2025",
    licence="City of New York public data; the repositories that carry the two copies state no licence",
    source="NYC Taxi & Limousine Commission, Aggregated Reports (data_reports_monthly.csv)",
    files=(
        File(
            path="driver/tlc_monthly_v2022-05.csv", url=f"{YELLOW_CAB}/data_reports_monthly.csv",
            sha256="5bc6ae52f688384b26ecab0d536da7b937c370849d505b7c3af55c016372ce72", size=56_131,
        ),
        File(
            path="driver/tlc_monthly_v2025-05.csv", url=f"{UBER_MONTHLY}/data_reports_monthly.csv",
            sha256="48011ba2d8f3438d743435c628d3a3510709ed9f268acb716610851df6507638", size=69_759,
        ),
    ),
)
_STATES = Dataset(
    name="us-states", task="driver-displacement",
    title="Truck, bus and taxi drivers of the 50 states, DC and Puerto Rico by year, 2005-2018",
    licence="US public domain (Census Bureau)",
    source="American Community Survey, 1-year estimates: tables B24010, B19013, B03002 and B17001",
    files=(
        File(
            path="driver/acs_drivers_state_sex_2005_2018.csv",
            sha256="ea131eb8d4425d50916e9ae015c3afa6a7d2eeb7ba4e342d9d0f526d5e18f3ac", size=146_289,
        ),
        File(
            path="driver/acs_covariates_state_2005_2018.csv",
            sha256="2e8aab4da3d8f97d6ad926376d6e307aad086fccc8f99d5bca03715f34647acc", size=53_469,
        ),
    ),
    by_hand="Copy both from a cache that has them, or set FOURFOLD_MIRROR to its address and run: fourfold data fetch "
            "driver-displacement us-states. No single address has them, as they are extracts of each year's tables "
            "B24010 (drivers by sex with margins of error, all employed), B19013 (median income), B03002 (population) "
            "and B17001 (poverty), which are beneath data-sets/census/bystate/acs-acs1/data of "
            "github.com/gabrieljohndusing/NCNW-Project-Datasets at 8b63f3f. Their bytes are pinned",
)
_BASES = Dataset(
    name="nyc-bases", task="driver-displacement",
    title="Vehicles that New York's for-hire bases sent out, by month, 2015-2022: firms that grow, shrink and close",
    licence="City of New York public data; the repository that carries the copy states no licence",
    source="NYC Taxi & Limousine Commission, FHV Base Aggregate Report (NYC Open Data 2v9c-2k7f)",
    files=(File(
        path="driver/fhv_base_monthly_2015_2022.parquet", url=f"{YELLOW_CAB}/FHV_Base_Aggregate_Report.csv",
        convert=f"{HERE}:convert_bases", content="6e79e0bc32a238a3b3d83be36a93ad74395c631932e09d301a8665e17c4898ec",
    ),),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_SIMULATED, _TLC, _STATES, _BASES)}


def convert_bases(arrived: Path, made: Path) -> None:
    """From the report's CSV file, a row a base and month in no order: the columns kept, by base, year and month."""
    import pandas as pd

    text = dict.fromkeys(("Base License Number", "Base Name", "DBA"), "str")
    frame = pd.read_csv(arrived, usecols=list(BASE_COLUMNS), dtype=text, keep_default_na=False, thousands=",")
    frame = frame.rename(columns=BASE_COLUMNS)[list(BASE_COLUMNS.values())]
    frame["dba"] = frame["dba"].where(frame["dba"] != "")
    frame.sort_values(["base", "year", "month"]).to_parquet(made, index=False)
