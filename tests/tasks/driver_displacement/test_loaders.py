"""Real head-counts are what was published, and files that are something else are named."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fourfold.suite.datasets import DatasetError
from fourfold.tasks.driver_displacement.loaders import load, read_areas, read_bases, read_drivers, read_tlc
from fourfold.tasks.driver_displacement.origins import windows
from fourfold.tasks.driver_displacement.sources import DATASETS


@pytest.mark.data
def test_new_yorks_drivers_are_those_published(loaded):
    panel = loaded("nyc-tlc").panels[-1]
    years = np.array([period[:4] for period in panel.periods])
    yellow, high_volume = (panel.headcount[panel.series.index(name)] for name in ("yellow", "high_volume"))
    means = [round(yellow[years == year].mean()) for year in ("2013", "2014", "2016", "2018", "2019", "2020", "2024")]
    assert means == [32_950, 32_422, 29_433, 23_837, 20_995, 8_394, 12_414]
    assert [high_volume[panel.periods.index(month)] for month in ("2015-01", "2019-01")] == [13_153, 86_715]
    assert (panel.periods[0], panel.periods[-1], panel.season) == ("2010-01", "2025-03", 12)


@pytest.mark.data
def test_the_two_vintages_differ_where_numbers_were_revised(loaded):
    first, last = (panel.headcount for panel in loaded("nyc-tlc").panels)
    both = np.isfinite(first)
    assert both.sum() == 596
    assert (first[both] != last[both]).sum() == 96
    change = last[both][first[both] != last[both]] / first[both][first[both] != last[both]] - 1
    assert (change.mean(), change.max()) == pytest.approx((0.035, 0.208), abs=6e-4)


@pytest.mark.data
def test_the_states_drivers_are_those_published(loaded):
    panel = loaded("us-states").panels[-1]
    assert panel.headcount.shape == (156, 14)
    drivers = {name: panel.headcount[panel.groups["occupation"] == name] for name in ("truck", "bus", "taxi")}
    assert [round(each[:, -1].sum() / 1000) for each in drivers.values()] == [3_768, 564, 736]
    errors = panel.past["moe"] / 1.645 / panel.headcount
    medians = [np.median(errors[panel.groups["occupation"] == name]) for name in ("truck", "bus", "taxi")]
    assert medians == pytest.approx([0.047, 0.116, 0.159], abs=5e-4)


@pytest.mark.data
def test_states_are_grouped_in_thirds_by_what_they_were_in_2013(loaded):
    groups = loaded("us-states").panels[-1].groups
    for name in ("minority", "income"):
        states = {(state, third) for state, third in zip(groups["state"], groups[name], strict=True)}
        assert len(states) == 52
        assert sorted([third for _, third in states].count(each) for each in ("low", "middle", "high")) == [17, 17, 18]
    minority = dict(zip(groups["state"], groups["minority"], strict=True))
    assert (minority["VT"], minority["OH"], minority["HI"], minority["PR"]) == ("low", "low", "high", "high")
    income = dict(zip(groups["state"], groups["income"], strict=True))
    assert (income["PR"], income["MS"], income["MD"]) == ("low", "low", "high")


@pytest.mark.data
def test_static_facts_of_states_are_those_of_the_year_before(loaded, cache):
    areas = pd.read_csv(cache / DATASETS["us-states"].files[1].path)
    for window in windows(loaded("us-states")):
        year = int(window.truth.periods[window.origin])
        row = areas[(areas["state"] == "CA") & (areas["year"] == year - 1)].iloc[0]
        place = window.seen.series.index("CA bus")
        assert window.seen.static["median_income"][place] == row["median_hh_income"]
        assert window.seen.static["minority_share"][place] == 1 - row["nh_white"] / row["pop"]
        assert 0.3 < window.seen.static["women_share"][place] < 0.6


@pytest.mark.data
def test_bases_that_close_have_no_vehicles_and_silent_months_are_unknown(loaded):
    found = windows(loaded("nyc-bases"))
    silent, closed = [], []
    for window in found:
        last = window.truth.headcount[:, window.origin + window.horizon]
        silent.append(round(100 * float(np.mean(~(last > 0))), 1))
        closed.append(round(100 * float(np.mean(last == 0)), 1))
    assert [len(window.seen.series) for window in found] == [285, 359, 375]
    assert silent == [6.3, 5.3, 14.1]
    assert closed == [2.1, 0.3, 3.5]
    assert all((window.seen.headcount[:, -1] > 0).all() for window in found)


@pytest.mark.data
def test_licences_in_small_letters_are_the_same_bases(loaded):
    series = loaded("nyc-bases").panels[-1].series
    assert len(series) == 938
    assert all(name == name.upper() for name in series)


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match=r"no real dataset called nyc-tcl: did you mean nyc-tlc\?"):
        load("nyc-tcl", tmp_path)
    with pytest.raises(DatasetError, match=r"called boats: there are nyc-tlc, us-states, nyc-bases"):
        load("boats", tmp_path)


@pytest.fixture
def copy(cache: Path, tmp_path: Path) -> Path:
    shutil.copytree(cache / "driver", tmp_path / "driver", copy_function=shutil.copyfile)
    return tmp_path


def damage(path: Path, before: str, after: str) -> None:
    text = path.read_bytes().decode()
    assert before in text
    path.write_bytes(text.replace(before, after, 1).encode())


@pytest.mark.data
def test_a_vintage_in_the_place_of_another_is_named(copy):
    early, late = (copy / file.path for file in DATASETS["nyc-tlc"].files)
    shutil.copyfile(late, early)
    with pytest.raises(DatasetError, match=r"v2022-05.csv: it has 69759 bytes instead of 56131\. Run: "):
        load("nyc-tlc", copy)
    with pytest.raises(ValueError, match="it is another vintage: its last month is 2025-03, not 2022-03"):
        read_tlc(early, "2022-03")


@pytest.mark.data
@pytest.mark.parametrize(("name", "place", "before", "after", "said"), [
    ("nyc-tlc", 0, "Unique Drivers", "Unique Divers ", "it has no column Unique Drivers"),
    ("nyc-tlc", 1, "2025-03,Green", "2025-02,Green", "green is in it twice for 2025-02"),
    ("nyc-tlc", 0, "2022-03", "2022-04", "another vintage: its last month is 2022-04, not 2022-03"),
    ("nyc-tlc", 1, "Yellow", "Purple", "Purple is no licence class it should have"),
    ("us-states", 0, "2005,02,AK,bus,Female,699", "2005,02,AK,bus,Female,-99", "a number in it is missing or negative"),
    ("us-states", 0, "bus,Female", "bus,Femail", "Femail is no occupation or sex"),
    ("us-states", 1, "nh_white", "nh_wheat", "it has no column nh_white"),
    ("us-states", 1, "AL,2005", "AL,2025", "rows instead of 728|one a series and year"),
])
def test_a_file_that_is_something_else_is_named_with_what_to_do(copy, name, place, before, after, said):
    file = DATASETS[name].files[place]
    damage(copy / file.path, before, after)
    remedy = "Run: fourfold data fetch" if file.url else "Copy both from a cache"
    with pytest.raises(DatasetError, match=f"{Path(file.path).name}: not the file of {name}: .*({said}).*{remedy}"):
        load(name, copy)


@pytest.mark.data
@pytest.mark.parametrize(("name", "before", "after"), [
    ("nyc-tlc", '2019-01,Yellow,"247,315","3,413,625","22,085"', '2019-01,Yellow,"247,315","3,413,625","12,085"'),
    ("us-states", "2005,02,AK,bus,Female,699", "2005,02,AK,bus,Female,799"),
])
def test_a_file_of_the_same_shape_with_other_numbers_is_named(copy, name, before, after):
    file = DATASETS[name].files[0]
    damage(copy / file.path, before, after)
    with pytest.raises(DatasetError, match=f"{Path(file.path).name}: its bytes have SHA-256 .*, not "):
        load(name, copy)


@pytest.mark.data
def test_a_report_on_bases_with_another_number_is_named(copy):
    path = copy / DATASETS["nyc-bases"].files[0].path
    frame = pd.read_parquet(path)
    frame.loc[0, "vehicles"] += 1
    frame.to_parquet(path, index=False)
    with pytest.raises(DatasetError, match=f"{path.name}: its values have SHA-256 .*, not "):
        load("nyc-bases", copy)


@pytest.mark.data
@pytest.mark.parametrize("name", ["nyc-tlc", "us-states", "nyc-bases"])
def test_a_truncated_file_is_named(copy, name):
    path = copy / DATASETS[name].files[0].path
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DatasetError, match=f"{path.name}: it (has .* bytes instead of|is no whole Parquet file)"):
        load(name, copy)


@pytest.mark.data
def test_truncated_text_is_no_extract(copy):
    for reader, file in zip((read_drivers, read_areas), DATASETS["us-states"].files, strict=True):
        path = copy / file.path
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-5]))
        with pytest.raises(ValueError, match="rows instead of"):
            reader(path)


@pytest.mark.data
def test_a_report_on_bases_of_other_months_is_another_vintage(copy):
    path = copy / DATASETS["nyc-bases"].files[0].path
    frame = pd.read_parquet(path)
    frame[frame["year"] < 2022].to_parquet(path)
    with pytest.raises(ValueError, match="it runs from 2015-01 to 2021-12, not from 2015-01 to 2022-03"):
        read_bases(path)
