"""Simulated loan applicants, whose unfairness is known: a structural causal model with adjustable bias and proxies.

Two groups, A (72 %) and B (28 %), and a sex (45 % female) stand before everything else; then come an unobserved
character and, for each feature, a noise of its own. The group acts along three separate roads, so that each can be
closed:

- historical bias: past exclusion left B with lower incomes, smaller savings and shorter credit files;
- measurement bias: of equal conduct, more delinquencies and a higher utilisation are recorded for B;
- label bias: of equal risk, more defaults are recorded for B, because a lender shows it less forbearance;
- proxies: B lives in other areas and has moved more recently, which says nothing about repayment.

The first three scale with ``bias``, the last with ``proxy``; with both at 0 the group has no effect on anything. The
default is curved and has interactions, so that boosted trees beat a binned scorecard and that beats a plain logistic
regression, as on real data.

The scale is set by published marginals: a default rate of B over A near that of high-priced loans to black and white
borrowers in the 2018 mortgage data of the Home Mortgage Disclosure Act (21.7 % / 9.2 % = 2.4), of men over women near
that of the Taiwan card holders of Yeh & Lien 2009 (24.2 % / 20.8 % = 1.16), and a group that the features betray at an
AUC near .70, as they do black and white borrowers in the mortgage data.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fourfold.tasks.fair_credit.data import Attribute, CreditData

SEED = 20_180_101
MINORITY_SHARE = 0.28
FEMALE_SHARE = 0.45

BOUNDS = {
    "income": (5.0, 500.0),  # a year, thousand dollars
    "loan_amount": (1.0, 100.0),  # thousand dollars
    "loan_term": (12.0, 84.0),  # months
    "debt_to_income": (0.0, 100.0),  # monthly debt service over monthly income, per cent
    "utilisation": (0.0, 100.0),  # of the revolving credit lines, per cent
    "delinquencies": (0.0, 20.0),  # payments 30 days late or more, last two years
    "inquiries": (0.0, 20.0),  # of other lenders, last six months
    "history_years": (0.0, 50.0),  # since the first credit
    "employment_years": (0.0, 45.0),  # with the present employer
    "savings_months": (0.0, 36.0),  # of income
    "address_years": (0.0, 40.0),  # at the present address
    "area_index": (0.0, 100.0),  # of wealth in the neighbourhood
}
NOISES = ("character", *BOUNDS)

Array = npt.NDArray[np.float64]


def load(cache: Path | None = None) -> CreditData:
    """The embedded dataset: 40,000 applicants, always the same. ``cache`` is not needed."""
    return simulate(np.random.default_rng(SEED))


def simulate(rng: np.random.Generator, n: int = 40_000, *, bias: float = 1.0, proxy: float = 1.0) -> CreditData:
    """Draw ``n`` applicants, with the features each would have had in the other group.

    bias: strength of the historical, measurement and label bias against B; 0 is none. proxy: strength with which
    area and address betray the group; 0 is not at all. Equal generators draw the same people whatever bias and proxy.
    """
    minority = (rng.random(n) < MINORITY_SHARE).astype(np.float64)
    female = (rng.random(n) < FEMALE_SHARE).astype(np.float64)
    fate = rng.random(n)
    noise = dict(zip(NOISES, rng.standard_normal((len(NOISES), n)), strict=True))
    character = noise["character"] + 0.3 * female

    features = _features(minority, female, character, noise, bias, proxy)
    risk = 1 / (1 + np.exp(-_log_odds(features, character, bias * minority)))
    return CreditData(
        name="simulated",
        features=features,
        columns=tuple(BOUNDS),
        bounds=np.array(list(BOUNDS.values())),
        label=(fate < risk).astype(np.int8),
        groups={
            "group": Attribute("group", ("A", "B"), minority.astype(np.int8)),
            "sex": Attribute("sex", ("male", "female"), female.astype(np.int8)),
        },
        protected="group",
        compared=("B", "A"),
        counterfactual=_features(1 - minority, female, character, noise, bias, proxy),
    )


def _features(minority: Array, female: Array, character: Array, noise: Mapping[str, Array], bias: float,
              proxy: float) -> Array:
    """The structural equations of what a lender sees: (n, d), in the order of BOUNDS, rounded to what a file holds."""
    harm, trace = bias * minority, proxy * minority
    income = 42 * np.exp(0.5 * noise["income"] + 0.15 * character - 0.28 * harm - 0.08 * bias * female)
    amount = 0.56 * income**0.8 * np.exp(0.55 * noise["loan_amount"])
    term = 12 * np.clip(np.round(3.5 + 1.2 * noise["loan_term"]), 1, 7)
    burden = 12 * amount / term / income
    columns = {
        "income": income,
        "loan_amount": amount,
        "loan_term": term,
        "debt_to_income": 24 * np.exp(0.4 * noise["debt_to_income"] - 0.12 * character) * (burden / 0.15) ** 0.25,
        "utilisation": 100 / (1 + np.exp(0.6 + 0.75 * character - 0.9 * noise["utilisation"] - 0.2 * harm)),
        "delinquencies": np.floor(0.42 * np.exp(1.1 * noise["delinquencies"] - 0.7 * character + 0.5 * harm)),
        "inquiries": np.floor(1.1 * np.exp(0.8 * noise["inquiries"] - 0.25 * character)),
        "history_years": 11 * np.exp(0.6 * noise["history_years"] + 0.1 * character - 0.15 * harm),
        "employment_years": 5 * np.exp(0.9 * noise["employment_years"] + 0.1 * character),
        "savings_months": 2.2 * np.exp(0.9 * noise["savings_months"] + 0.35 * character - 0.25 * harm),
        "address_years": 6 * np.exp(0.9 * noise["address_years"] - 0.3 * trace),
        "area_index": 52 + 15 * noise["area_index"] + 6 * noise["income"] - 7 * trace,
    }
    low, high = np.array(list(BOUNDS.values())).T
    return np.clip(np.round(np.column_stack([columns[name] for name in BOUNDS]), 1), low, high)


def _log_odds(features: Array, character: Array, unforgiven: Array) -> Array:
    """The log-odds of a recorded default; ``unforgiven`` is the bias against each applicant in what is recorded."""
    x = dict(zip(BOUNDS, features.T, strict=True))
    burden = 12 * x["loan_amount"] / x["loan_term"] / x["income"]
    buffer = np.clip(1.5 - x["savings_months"] / 3, 0, 1.5)
    return (
        -3.05
        - 0.2 * character
        - 0.5 * np.log(x["income"] / 42)
        + 0.5 * np.minimum(x["delinquencies"], 3) * np.where(x["history_years"] < 5, 1.6, 0.8)
        + 1.5 * np.clip((x["utilisation"] - 60) / 40, 0, 1)
        + 0.9 * (x["debt_to_income"] > 43)
        + 2.1 * np.clip((burden - 0.12) / 0.15, 0, 1) * buffer
        + 0.33 * np.minimum(x["inquiries"], 4) * (x["history_years"] < 8)
        + 0.8 * (x["employment_years"] < 1)
        + 0.75 * unforgiven
    )
