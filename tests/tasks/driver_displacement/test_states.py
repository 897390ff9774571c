from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fourfold.tasks.driver_displacement import states


@pytest.mark.data
def test_the_table_is_what_the_surveys_say(cache: Path):
    drivers = pd.read_csv(cache / "driver/acs_drivers_state_sex_2005_2018.csv")
    drivers = drivers[drivers["year"].between(2016, 2018) & (drivers["state"] != "PR")]
    total = drivers.groupby(["state", "occ"])["emp"].sum().unstack().loc[list(states.STATES)]
    women = drivers[drivers["sex"] == "Female"].groupby(["state", "occ"])["emp"].sum().unstack().loc[total.index]

    assert states.EMPLOYMENT[:, :2].sum(axis=1) == pytest.approx(total["truck"] / 3, abs=0.51)
    assert states.EMPLOYMENT[:, 2] == pytest.approx(total["taxi_other"] / 3, abs=0.51)
    assert states.EMPLOYMENT[:, 3] == pytest.approx(total["bus"] / 3, abs=0.51)
    occupations = ["truck", "truck", "taxi_other", "bus"]
    assert pytest.approx((women / total)[occupations].to_numpy(), abs=5.1e-4) == states.WOMEN_SHARE

    about = pd.read_csv(cache / "driver/acs_covariates_state_2005_2018.csv")
    about = about[about["year"] == 2018].set_index("state").loc[total.index]
    assert pytest.approx(1 - about["nh_white"] / about["pop"], abs=5.1e-4) == states.MINORITY_SHARE
    assert states.MEDIAN_INCOME.tolist() == about["median_hh_income"].tolist()


@pytest.mark.data
def test_truck_drivers_are_parted_as_the_census_of_employers_has_them(cache: Path):
    jobs = pd.read_csv(cache / "driver/national_employment_oews_2024.csv").set_index("OCC_CODE")["TOT_EMP"]
    heavy, light, selling = (float(jobs[code]) for code in ("53-3032", "53-3033", "53-3031"))
    assert heavy / (heavy + light + selling) == pytest.approx(states.HEAVY_SHARE)


def test_the_sun_belt_and_the_terciles():
    assert states.SUN_BELT.sum() == 17
    named = dict(zip(states.STATES, states.terciles(states.MINORITY_SHARE), strict=True))
    assert (named["CA"], named["ME"]) == ("high", "low")
    assert {list(named.values()).count(third) for third in ("low", "middle", "high")} == {17}
    assert states.terciles(np.array([3.0, 1.0, 2.0])).tolist() == ["high", "low", "middle"]
