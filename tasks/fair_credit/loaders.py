"""Real loan data as ``CreditData``: which columns are features, in which range, and who is in which group.

Every encoding follows the data dictionary and none looks at the records, so that it costs no privacy: bounds are round
figures beyond which a value says no more, and values beyond them are clipped. Age, sex, race, ethnicity, marital
status and national origin, which the US Equal Credit Opportunity Act (15 USC 1691) protects, are never features.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fourfold.suite.datasets import Dataset, DatasetError, require
from fourfold.tasks.fair_credit.data import UNKNOWN, Attribute, CreditData
from fourfold.tasks.fair_credit.sources import DATASETS

Array = npt.NDArray[np.float64]
Table = Mapping[str, npt.NDArray]


class Column(NamedTuple):
    """One feature of all applicants, and the range that the public knows it to have."""

    name: str
    low: float
    high: float
    values: Array


def load(name: str, cache: Path) -> CreditData:
    """Read a dataset of ``DATASETS`` from the cache.

    Raises DatasetError if the name is unknown, or if a file is absent, damaged or not what it should be.
    """
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_LOADERS)}"
        raise DatasetError(f"fair-credit has no real dataset called {name}: {hint}")
    require(DATASETS[name], cache)
    try:
        return _LOADERS[name](DATASETS[name], cache)
    except (ValueError, KeyError) as error:
        where = ", ".join(str(cache / file.path) for file in DATASETS[name].files)
        raise DatasetError(f"{where}: not the {name} dataset: {error.args[0]}. Run: fourfold data verify fair-credit "
                           f"{name}") from error


def _german(dataset: Dataset, cache: Path) -> CreditData:
    """Statlog. Too small to tell methods apart.

    Sex is no group: code A92 is "female, not single, or male, single" (Groemping 2019), so nobody can tell. Nor is
    being a foreign worker, whose two codes UCI's text swaps. Both columns are left out, as is non-residence in ``job``.
    """
    t = _parquet(cache / dataset.files[0].path)
    columns = [
        *_codes("checking", t["checking_status"], {"A11": "overdrawn", "A12": "below_200", "A13": "200_or_salary",
                                                   "A14": "none"}),
        _number("duration_months", t["duration_months"], 0, 84),
        *_codes("history", t["credit_history"], {f"A3{i}": f"A3{i}" for i in range(5)}),
        *_codes("purpose", t["purpose"], {f"A4{i}": f"A4{i}" for i in range(11)}),
        _number("amount_dm", t["credit_amount"], 0, 20_000),
        *_codes("savings", t["savings"], {"A61": "below_100", "A62": "below_500", "A63": "below_1000",
                                          "A64": "1000_or_more", "A65": "unknown_or_none"}),
        _ranks("employment", t["employment_since"], [["A71"], ["A72"], ["A73"], ["A74"], ["A75"]]),
        _number("installment_rate", t["installment_rate"], 1, 4),
        *_codes("debtors", t["other_debtors"], {"A101": "none", "A102": "co_applicant", "A103": "guarantor"}),
        _number("residence_since", t["residence_since"], 1, 4),
        *_codes("property", t["property"], {"A121": "real_estate", "A122": "savings_or_insurance", "A123": "car",
                                            "A124": "none"}),
        *_codes("other_plans", t["other_installment_plans"], {"A141": "bank", "A142": "stores", "A143": "none"}),
        *_codes("housing", t["housing"], {"A151": "rent", "A152": "own", "A153": "free"}),
        _number("existing_credits", t["existing_credits"], 1, 4),
        _ranks("job", t["job"], [["A171", "A172"], ["A173"], ["A174"]]),
        _number("dependants", t["num_liable"], 1, 2),
        _ranks("telephone", t["telephone"], [["A191"], ["A192"]]),
    ]
    return _credit("german", columns, t["default"], [_young(t["age"])], ("<=25", ">25"))


def _taiwan(dataset: Dataset, cache: Path) -> CreditData:
    """Amounts in NT$; a card's limit ends at a million. Repayment status runs from -2 (no use) to 9 (months late)."""
    t = _parquet(cache / dataset.files[0].path)
    education = {1: "graduate", 2: "university", 3: "high_school", 4: "other", 0: "unstated", 5: "unstated",
                 6: "unstated"}
    columns = [
        _number("limit", t["LIMIT_BAL"], 0, 1e6),
        *_codes("education", t["EDUCATION"], education),
        *(_number(f"status_{i + 1}", t[f"PAY_{m}"], -2, 9) for i, m in enumerate((0, 2, 3, 4, 5, 6))),
        *(_number(f"bill_{m}", t[f"BILL_AMT{m}"], -1e5, 1e6) for m in range(1, 7)),
        *(_number(f"paid_{m}", t[f"PAY_AMT{m}"], 0, 2e5) for m in range(1, 7)),
    ]
    sex = _attribute("sex", ("male", "female"), {"male": t["SEX"] == 1, "female": t["SEX"] == 2})
    return _credit("taiwan", columns, t["default"], [sex, _young(t["AGE"])], ("male", "female"))


_HMDA_UNITS: dict[str, tuple[str, float, float, float, float]] = {
    "loan_amount_std": ("loan_amount", 291.98099, 227.41551, 0, 2_000),  # thousand dollars
    "property_value_std": ("property_value", 358.80777, 324.30915, 0, 3_000),  # thousand dollars
    "income_std": ("income", 152.33379, 2_886.16579, 0, 1_000),  # thousand dollars a year
    "loan_to_value_ratio_std": ("loan_to_value", 86.33747, 24.72765, 0, 125),  # per cent
    "debt_to_income_ratio_std": ("debt_to_income", 37.65084, 10.93980, 0, 100),  # per cent
    "intro_rate_period_std": ("intro_rate_months", 5.35343, 24.86448, 0, 360),
}
"""Column: its name here, the mean and deviation that undo the source's standardization, and the public bounds.

The file's values were standardized, but the register rounds: amounts to the middle of each 10,000 dollars, incomes to
thousands, debt to income to whole per cents between 36 and 49 and to the middle of wider bands outside, rate periods to
months. These constants are the only ones that put the values back on those grids.
"""


def _hmda(dataset: Dataset, cache: Path) -> CreditData:
    """Label: the loan is high-priced (1.5 points or more above the average prime offer rate), not that it defaulted.

    Where debt to income was missing the source wrote 25 %, and a 1 beside it.
    """
    t = _parquet(cache / dataset.files[0].path)
    columns = [
        *(_number(name, t[c] * deviation + mean, low, high)
          for c, (name, mean, deviation, low, high) in _HMDA_UNITS.items()),
        _number("debt_to_income_missing", t["debt_to_income_ratio_missing"], 0, 1),
        _number("no_intro_rate", t["no_intro_rate_period_std"] > 0, 0, 1),
        _number("term_360", t["term_360"], 0, 1),
        _number("conforming", t["conforming"], 0, 1),
    ]
    groups = [
        _attribute("race", ("black", "white", "asian", "other"), {
            "black": t["black"] == 1, "white": t["white"] == 1, "asian": t["asian"] == 1,
            "other": (t["amind"] == 1) | (t["hipac"] == 1)}),
        _attribute("ethnicity", ("hispanic", "non-hispanic"), {
            "hispanic": t["hispanic"] == 1, "non-hispanic": t["non_hispanic"] == 1}),
        _attribute("sex", ("male", "female"), {"male": t["male"] == 1, "female": t["female"] == 1}),
        _attribute("age", ("62+", "<62"), {"62+": t["agegte62"] == 1, "<62": t["agelt62"] == 1}),
    ]
    return _credit("hmda", columns, t["high_priced"], groups, ("black", "white"))


def _gmsc(dataset: Dataset, cache: Path) -> CreditData:
    """Give Me Some Credit. Label: 90 days late or worse within two years.

    Counts of 96 and 98 are codes for "not known". DebtRatio is a ratio where the income is known and dollars a month
    where it is not, so it becomes two columns.
    """
    import pandas as pd

    from fourfold.tasks.fair_credit.sources import check_gmsc

    path = cache / dataset.files[0].path
    if fault := check_gmsc(path):
        raise DatasetError(f"{path}: {fault}. {dataset.by_hand}")
    t = {str(c): v.to_numpy(np.float64) for c, v in pd.read_csv(path).items()}
    income, ratio = t["MonthlyIncome"], t["DebtRatio"]
    late = {"30": t["NumberOfTime30-59DaysPastDueNotWorse"], "60": t["NumberOfTime60-89DaysPastDueNotWorse"],
            "90": t["NumberOfTimes90DaysLate"]}
    columns = [
        _number("utilisation", t["RevolvingUtilizationOfUnsecuredLines"], 0, 2),
        *(c for days, n in late.items() for c in _maybe(f"late_{days}_days", np.where(n >= 96, np.nan, n), 0, 20, 0)),
        *_maybe("monthly_income", income, 0, 50_000, 0),
        *_maybe("debt_ratio", np.where(np.isnan(income), np.nan, ratio), 0, 5, 0)[:1],
        _number("monthly_debt", np.where(np.isnan(income), ratio, ratio * income), 0, 20_000),
        _number("credit_lines", t["NumberOfOpenCreditLinesAndLoans"], 0, 50),
        _number("real_estate_loans", t["NumberRealEstateLoansOrLines"], 0, 20),
        *_maybe("dependants", t["NumberOfDependents"], 0, 10, 0),
    ]
    return _credit("gmsc", columns, t["SeriousDlqin2yrs"], [_young(t["age"])], ("<=25", ">25"))


_OCCUPATIONS = {
    "management": 10, "business": 500, "finance": 800, "computing": 1005, "engineering": 1305, "science": 1600,
    "community": 2001, "legal": 2100, "education": 2205, "arts": 2600, "medical": 3000, "health_support": 3601,
    "protection": 3700, "food": 4000, "cleaning": 4200, "personal_care": 4330, "sales": 4700, "office": 5000,
    "farming": 6005, "construction": 6200, "extraction": 6800, "repair": 7000, "production": 7700, "transport": 9005,
    "military": 9800,
}
"""The major groups of the Census 2018 occupation codes (PUMS data dictionary, OCCP), each by its first code."""


def _acs_income(dataset: Dataset, cache: Path) -> CreditData:
    """Label: an income of 50,000 dollars or less, so that to approve is to predict more; income is no credit.

    Marital status, place of birth and whether the householder's spouse is meant are left out with the other protected
    columns; RELP keeps householder, relative, other and group quarters.
    """
    parts = [_parquet(cache / file.path) for file in dataset.files]
    t = {c: np.concatenate([part[c] for part in parts]) for c in parts[0]}
    major = np.searchsorted(list(_OCCUPATIONS.values()), t["OCCP"], side="right")
    household = np.searchsorted([0, 1, 11, 16], t["RELP"], side="right")
    columns = [
        _number("schooling", t["SCHL"], 1, 24),
        _number("hours", t["WKHP"], 1, 99),
        *_codes("occupation", major, {i + 1: name for i, name in enumerate(_OCCUPATIONS)}),
        *_codes("household", household, {1: "householder", 2: "relative", 3: "other", 4: "group_quarters"}),
        *_codes("worker", t["COW"], {1: "private", 2: "non_profit", 3: "local", 4: "state", 5: "federal",
                                     6: "self_employed", 7: "incorporated", 8: "family", 9: "unemployed"}),
    ]
    race = {"black": t["RAC1P"] == 1, "white": t["RAC1P"] == 0, "asian": t["RAC1P"] == 5}
    race["other"] = ~(race["black"] | race["white"] | race["asian"])
    groups = [
        _attribute("race", ("black", "white", "asian", "other"), race),
        _attribute("sex", ("male", "female"), {"male": t["SEX"] == 1, "female": t["SEX"] == 2}),
    ]
    return _credit("acs-income", columns, 1 - t["PINCP"], groups, ("black", "white"))


_LOADERS: dict[str, Callable[[Dataset, Path], CreditData]] = {
    "german": _german, "taiwan": _taiwan, "hmda": _hmda, "gmsc": _gmsc, "acs-income": _acs_income,
}


def _parquet(path: Path) -> Table:
    """The columns of a Parquet file; numbers as float64 with NaN for null. A missing column is a KeyError later."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fourfold.suite.rowcounts import check_rows

    try:
        file = pq.ParquetFile(path)
        check_rows(file.metadata, path.stat().st_size)
        table = file.read()
        table.validate(full=True)
        return _Columns({
            name: column.to_numpy() if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            else column.cast(pa.float64()).to_numpy()
            for name, column in zip(table.column_names, table.columns, strict=True)
        })
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be read ({str(error).partition(chr(10))[0]})") from error


class _Columns(dict[str, npt.NDArray]):
    def __missing__(self, name: str) -> npt.NDArray:
        raise KeyError(f"it has no column {name}")


def _number(name: str, values: npt.NDArray, low: float, high: float) -> Column:
    return Column(name, low, high, np.clip(values.astype(np.float64), low, high))


def _maybe(name: str, values: Array, low: float, high: float, filler: float) -> list[Column]:
    """A number that may be missing: the constant ``filler`` in its place, and a 0/1 column that says so."""
    missing = np.isnan(values)
    return [_number(name, np.where(missing, filler, values), low, high), _number(f"{name}_missing", missing, 0, 1)]


def _codes(name: str, values: npt.NDArray, dictionary: Mapping[Any, str]) -> list[Column]:
    """A nominal column: 0/1 for each meaning in the data dictionary, in its order; several codes may mean the same."""
    _known(name, values, list(dictionary))
    return [
        _number(f"{name}_{meaning}", np.isin(values, [c for c, m in dictionary.items() if m == meaning]), 0, 1)
        for meaning in dict.fromkeys(dictionary.values())
    ]


def _ranks(name: str, values: npt.NDArray, order: Sequence[Sequence[Any]]) -> Column:
    """An ordinal column of codes: their place in the order, from 0."""
    _known(name, values, [code for codes in order for code in codes])
    rank = sum((np.isin(values, codes) * float(i) for i, codes in enumerate(order)), np.zeros(len(values)))
    return _number(name, rank, 0, len(order) - 1)


def _known(name: str, values: npt.NDArray, codes: list[Any]) -> None:
    if strange := [v for v in dict.fromkeys(values.tolist()) if v not in codes]:
        raise ValueError(f"{name} has codes that its dictionary lacks: {strange[:5]}")


def _young(age: npt.NDArray) -> Attribute:
    """The cut of Kozodoi et al. 2022, and of most papers on these data."""
    return _attribute("age", ("<=25", ">25"), {"<=25": age <= 25, ">25": age > 25})


def _attribute(name: str, values: tuple[str, ...], member: Mapping[str, npt.NDArray[np.bool_]]) -> Attribute:
    code = np.full(len(member[values[0]]), UNKNOWN, np.int8)
    for i, value in enumerate(values):
        code[member[value]] = i
    return Attribute(name, values, code)


def _credit(name: str, columns: list[Column], label: npt.NDArray, groups: list[Attribute],
            compared: tuple[str, str]) -> CreditData:
    """Put it together; the headline attribute is the first."""
    return CreditData(
        name=name,
        features=np.column_stack([c.values for c in columns]),
        columns=tuple(c.name for c in columns),
        bounds=np.array([(c.low, c.high) for c in columns], np.float64),
        label=label.astype(np.int8),
        groups={g.name: g for g in groups},
        protected=groups[0].name,
        compared=compared,
    )
