"""Files of head-counts as ``Vintages``: checked for what they should be, then laid out as series over periods."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.datasets import Dataset, DatasetError, require, verify
from fourfold.tasks.driver_displacement.origins import Plan, Vintages
from fourfold.tasks.driver_displacement.panel import Floats, Panel
from fourfold.tasks.driver_displacement.sources import BASE_COLUMNS, DATASETS
from fourfold.tasks.driver_displacement.states import terciles

if TYPE_CHECKING:
    import pandas as pd

CLASSES = {
    "Yellow": "yellow", "Green": "green", "FHV - High Volume": "high_volume", "FHV - Black Car": "black_car",
    "FHV - Livery": "livery", "FHV - Lux Limo": "lux_limo",
}
"""The licence classes in the monthly report, and their names here."""
LATE = ("black_car", "livery", "lux_limo")
"""Classes that are published a month after the others."""
VINTAGES = {"2022-05": "2022-03", "2025-05": "2025-03"}
"""When the monthly report was copied, and the last month that was in it."""
OCCUPATIONS = {"truck": "truck", "bus": "bus", "taxi_other": "taxi"}
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
AREAS, YEARS = 52, tuple(str(year) for year in range(2005, 2019))
GROUPED_BY = "2013"
"""The year by whose shares and incomes states are grouped in terciles."""
TLC_PLAN = Plan(12, {
    "before": ("2017-02", "2017-05", "2017-08", "2017-11", "2018-02", "2018-05", "2018-08", "2018-11", "2019-02"),
    "covid": ("2019-08",),
    "after": ("2021-08", "2021-11", "2022-02", "2022-05", "2022-08", "2022-11", "2023-02", "2023-05", "2023-08",
              "2023-11", "2024-02"),
})
"""Quarterly; ``before`` ends with the last horizon before March 2020, and ``covid`` spans it.

They start in 2017 because the rise of black cars and liveries in 2015 is of bases that began to report.
"""
STATES_PLAN = Plan(3, {"": ("2012", "2013", "2014", "2015")})
BASES_PLAN = Plan(6, {"": ("2017-12", "2018-06", "2018-12")}, reports=24, size=10)


def load(name: str, cache: Path) -> Vintages:
    """Read a real dataset of ``DATASETS`` from the cache.

    Raises DatasetError if the name is unknown, or if a file is absent, of another vintage or not what it should be:
    which file, what is wrong with it and what to do.
    """
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_LOADERS)}"
        raise DatasetError(f"driver-displacement has no real dataset called {name}: {hint}")
    require(DATASETS[name], cache)
    loaded = _LOADERS[name](DATASETS[name], cache)
    # Only now, as who reads a file says best what it is instead; these are small enough to read twice.
    if wrong := verify(DATASETS[name], cache):
        raise DatasetError(wrong[0])
    return loaded


def _tlc(dataset: Dataset, cache: Path) -> Vintages:
    """Unique drivers a month and licence class. The first vintage is what is seen up to February 2022."""
    frames = [_read(dataset, cache, place, lambda path, last=last: read_tlc(path, last))  # type: ignore[misc]
              for place, last in enumerate(VINTAGES.values())]
    periods = tuple(sorted(set(frames[-1]["period"])))
    late = np.array([name in LATE for name in CLASSES.values()], np.int64)
    panels = tuple(_tlc_panel(frame, periods) for frame in frames)
    return Vintages(panels, ("2022-02",), late, TLC_PLAN)


def _tlc_panel(frame: "pd.DataFrame", periods: tuple[str, ...]) -> Panel:
    series = tuple(CLASSES.values())
    tables = {name: _table(frame, name, series, periods) for name in ("drivers", "trips_per_day", "vehicles")}
    return Panel(
        series, periods, 12, tables.pop("drivers"), None, tables, _calendar(periods, len(series)), {},
        {"class": np.array(series)},
    )


def read_tlc(path: Path, last: str) -> "pd.DataFrame":
    """Read a monthly report whose last month is ``last``: ``series``, ``period`` and numbers, a row a class and month.

    Raises ValueError where it is another vintage, or not such a report.
    """
    import pandas as pd

    frame = pd.read_csv(path, dtype="str").rename(columns=str.strip)
    columns = {"Month/Year": "period", "License Class": "class", "Unique Drivers": "drivers",
               "Trips Per Day": "trips_per_day", "Unique Vehicles": "vehicles"}
    frame = _columns(frame, list(columns)).rename(columns=columns)
    if unknown := set(frame["class"]) - set(CLASSES):
        raise ValueError(f"{sorted(map(str, unknown))[0]} is no licence class it should have")
    if strange := [period for period in frame["period"] if not _MONTH.fullmatch(str(period))]:
        raise ValueError(f"{strange[0]!r:.50} is no month, such as 2022-03")
    if (found := frame["period"].max()) != last:
        raise ValueError(f"it is another vintage: its last month is {found}, not {last}")
    numbers = {name: pd.to_numeric(frame[name].str.strip().str.replace(",", "")) for name in list(columns.values())[2:]}
    return _complete(frame.assign(series=frame["class"].map(CLASSES), **numbers))


def _states(dataset: Dataset, cache: Path) -> Vintages:
    """Drivers a year, area and occupation, both sexes together, with what the survey says of the areas."""
    drivers = _read(dataset, cache, 0, read_drivers)
    areas = _read(dataset, cache, 1, read_areas)
    series = tuple(f"{area} {occupation}" for area in sorted(set(areas["series"]))
                   for occupation in OCCUPATIONS.values())
    state = np.array([name.split()[0] for name in series])
    head, women, moe = (_table(drivers, name, series, YEARS) for name in ("drivers", "women", "moe"))

    def of_area(name: str) -> Floats:
        return _table(areas, name, tuple(state), YEARS)

    minority, income = of_area("minority_share"), of_area("median_hh_income")
    past = {"moe": moe, "employed": of_area("employed_total"), "population": of_area("pop"),
            "poverty_rate": of_area("poverty_rate")}
    groups = {"state": state, "occupation": np.array([name.split()[1] for name in series]),
              "minority": _thirds(state, minority), "income": _thirds(state, income)}
    panel = Panel(series, YEARS, 1, head, None, past, {}, {}, groups)
    slow = {"minority_share": minority, "median_income": income, "women_share": women / np.maximum(head, 1)}
    return Vintages((panel,), (), np.zeros(len(series), np.int64), STATES_PLAN, slow)


def _thirds(state: npt.NDArray[np.str_], values: Floats) -> npt.NDArray[np.str_]:
    """The tercile of each series' state, of ``GROUPED_BY``."""
    _, first, which = np.unique(state, return_index=True, return_inverse=True)
    return terciles(values[first, YEARS.index(GROUPED_BY)])[which]


def read_drivers(path: Path) -> "pd.DataFrame":
    """Read the extract of B24010: ``drivers``, of them ``women``, and ``moe``, a row a series and year.

    moe: the margin of error at 90 % of the sum over both sexes, the root of the sum of squares (Census Bureau 2020,
    Understanding and Using ACS Data, ch. 8). Raises ValueError where the file is not that.
    """
    frame = _columns(_csv(path), ["year", "state", "occ", "sex", "emp", "moe"], ["emp", "moe"])
    if unknown := set(frame["occ"]) - set(OCCUPATIONS) or set(frame["sex"]) - {"Female", "Male"}:
        raise ValueError(f"{sorted(map(str, unknown))[0]} is no occupation or sex it should have")
    series = frame["state"] + " " + frame["occ"].map(OCCUPATIONS)
    frame = frame.assign(
        drivers=frame["emp"], women=frame["emp"].where(frame["sex"] == "Female", 0), series=series,
        moe=frame["moe"].astype(float) ** 2, period=frame["year"].astype(str),
    )
    _complete(frame.assign(series=series + " " + frame["sex"]), AREAS * len(OCCUPATIONS) * 2, YEARS)
    summed = frame.groupby(["series", "period"], as_index=False)[["drivers", "women", "moe"]].sum()
    return summed.assign(moe=np.sqrt(summed["moe"]))


def read_areas(path: Path) -> "pd.DataFrame":
    """Read the extract on the areas: income in dollars, people, and shares, a row an area and year.

    minority_share: of the people all but white ones who are not Hispanic. Raises ValueError where the file is not that.
    """
    numbers = ["median_hh_income", "pop", "nh_white", "poverty_rate", "employed_total"]
    frame = _columns(_csv(path), ["state", "year", *numbers], numbers)
    frame = frame.assign(series=frame["state"], period=frame["year"].astype(str),
                         minority_share=1 - frame["nh_white"] / frame["pop"])
    return _complete(frame, AREAS, YEARS)


def _bases(dataset: Dataset, cache: Path) -> Vintages:
    """Vehicles a month and base. A base that never reports again has none; months between reports are not known."""
    frame = _read(dataset, cache, 0, read_bases)
    periods = tuple(f"{year}-{month:02}" for year in range(2015, 2023) for month in range(1, 13))[:87]
    series = tuple(sorted(set(frame["series"])))
    vehicles, trips = (_table(frame, name, series, periods) for name in ("vehicles", "trips"))
    last = len(periods) - 1 - np.argmax(np.isfinite(vehicles)[:, ::-1], axis=1)
    closed = np.arange(len(periods))[None, :] > last[:, None]
    vehicles, trips = (np.where(closed, 0.0, table) for table in (vehicles, trips))
    panel = Panel(series, periods, 12, vehicles, None, {"trips": trips}, _calendar(periods, len(series)), {}, {})
    return Vintages((panel,), (), np.zeros(len(series), np.int64), BASES_PLAN)


def read_bases(path: Path) -> "pd.DataFrame":
    """Read the converted report on bases: ``vehicles`` and ``trips``, a row a base and month.

    Some months have licence numbers in small letters; they are the same bases. Raises ValueError where it is not that.
    """
    import pandas as pd

    frame = _columns(pd.read_parquet(path), list(BASE_COLUMNS.values()), ["trips", "vehicles"])
    period = frame["year"].astype(str) + "-" + frame["month"].astype(str).str.zfill(2)
    if (found := (period.min(), period.max())) != ("2015-01", "2022-03"):
        raise ValueError(f"it is another vintage: it runs from {found[0]} to {found[1]}, not from 2015-01 to 2022-03")
    return _complete(frame.assign(series=frame["base"].str.upper(), period=period))


_LOADERS: dict[str, Callable[[Dataset, Path], Vintages]] = {"nyc-tlc": _tlc, "us-states": _states, "nyc-bases": _bases}


def _read(dataset: Dataset, cache: Path, place: int, reader: Callable[[Path], Any]) -> Any:
    """Read one file; what goes wrong is told with its path and what replaces it."""
    import pyarrow as pa

    file = dataset.files[place]
    try:
        return reader(cache / file.path)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, pa.ArrowException) as error:
        said = str(error.args[0] if error.args else error).splitlines()[0]
        remedy = f"Run: fourfold data fetch driver-displacement {dataset.name}, which replaces it"
        raise DatasetError(f"{cache / file.path}: not the file of {dataset.name}: {said}. "
                           f"{remedy if file.url else dataset.by_hand}") from error


def _csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(path, dtype={"fips": "str"})


def _columns(frame: "pd.DataFrame", names: Sequence[str], numbers: Sequence[str] = ()) -> "pd.DataFrame":
    """These columns of a frame, some of them numbers. Raises ValueError."""
    import pandas as pd

    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(f"it has no column {' and no '.join(missing)}")
    return frame[list(names)].assign(**{name: pd.to_numeric(frame[name]) for name in numbers})


def _complete(frame: "pd.DataFrame", series: int = 0, periods: tuple[str, ...] = ()) -> "pd.DataFrame":
    """The frame, if it has one row a series and period, and nothing in it is missing where all must be there."""
    if frame.duplicated(["series", "period"]).any():
        twice = frame[frame.duplicated(["series", "period"])].iloc[0]
        raise ValueError(f"{twice['series']} is in it twice for {twice['period']}")
    if series and (len(frame) != series * len(periods) or set(frame["period"]) != set(periods)):
        raise ValueError(f"it has {len(frame):,} rows instead of {series * len(periods):,}, one a series and year")
    numbers = frame.select_dtypes("number")
    if numbers.isna().any().any() or (numbers < 0).any().any():
        raise ValueError("a number in it is missing or negative")
    return frame


def _table(frame: "pd.DataFrame", name: str, series: tuple[str, ...], periods: tuple[str, ...]) -> Floats:
    """A column as (n, T); NaN where there is no row."""
    table = frame.pivot(index="series", columns="period", values=name)
    found: Floats = table.reindex(index=list(series), columns=list(periods)).to_numpy(np.float64)
    return found


def _calendar(periods: tuple[str, ...], n: int) -> Mapping[str, Floats]:
    """The month of the year as a point on a circle, of ``YYYY-MM``."""
    angle = 2 * np.pi * (np.array([int(period[5:]) for period in periods]) - 1) / 12
    return {name: np.tile(wave, (n, 1)) for name, wave in (("month_sin", np.sin(angle)), ("month_cos", np.cos(angle)))}
