"""How fair-credit scores probabilities of default: decisions, what they cost, and whom they treat how."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics import accuracy, bootstrap, fairness
from fourfold.suite.task import Draw, Score, Scored
from fourfold.tasks.fair_credit.data import UNKNOWN, Attribute, CreditData, compared

REPLICATES = 200
"""Bootstrap replicates of records: those that pair methods on the board."""
COUNT_REPLICATES = 1000
"""Bootstrap replicates of counts, for the intervals of rates and gaps."""
SMALLEST = 10
"""Fewest records of a class under which a group's rate is undefined; SMALLEST_CROSSED, where attributes cross."""
SMALLEST_CROSSED = 50

Floats = npt.NDArray[np.float64]
_EDGE = 1e-6


def score(hidden: Mapping[str, Any], answer: Floats, returns: str, tolerance: float, draw: Draw) -> Scored:
    """Score one answer, in the order of the queries, against what the problem kept back."""
    data: CreditData = hidden["data"]
    test, validation, canary, both = (hidden[name] for name in ("test", "validation", "canary", "both"))
    straight = np.empty_like(answer)
    straight[hidden["order"]] = answer
    parts = np.split(straight, np.cumsum([len(test), len(validation), len(canary), len(both)]))
    p = dict(zip(("test", "validation", "canary", "both", "flipped"), parts, strict=True))

    decide, decide_fairly = _rules(data, validation, p["validation"], returns, tolerance)
    # An applicant has the same weights whenever a further split tests on them again.
    weights = bootstrap.weights_of_rows(draw.rng("weights", every_seed=True), REPLICATES, len(data.label), test)
    rng = draw.rng("counts")
    scores = [
        *_headline(data, test, decide_fairly(p["test"]), weights),
        *_costs(data.label[test], decide(p["test"]), weights),
        *(_probabilities(data.label[test], p["test"], weights) if returns == "probability" else ()),
        *_treatment(data, test, decide(p["test"]), p["test"] if returns == "probability" else None, rng),
    ]
    if len(both):
        flips = np.abs(decide(p["both"]) - decide(p["flipped"]))
        again = bootstrap.poisson_weights(draw.rng("flips"), REPLICATES, len(both))
        low, high = bootstrap.percentile_interval(bootstrap.mean_replicates(flips, again))
        scores.append(Score("counterfactual_flip_rate", float(flips.mean()), low, high, len(both)))
    wrong = 1 - data.label[canary]  # The canaries' labels are flipped: whoever learned them finds these likely.
    likely = np.where(wrong == 1, p["canary"], 1 - p["canary"])
    return Scored(scores, hidden["coin"], np.log(np.clip(likely, _EDGE, 1)))


Rule = Callable[[Floats], Floats]


def _rules(
    data: CreditData, rows: npt.NDArray[np.int64], p: Floats, returns: str, tolerance: float
) -> tuple[Rule, Rule]:
    """The cheapest decision and the cheapest fair one, as validation applicants show them: rules from p to approval.

    A method that returns decisions is taken at its word; it is made fair by letting the cheaper constant decide for as
    large a share of applicants, drawn at random, as brings its equalized odds difference within the tolerance.
    """
    label, pair = data.label[rows], compared(data)[rows]
    if returns == "probability":
        cheapest = fairness.cheapest_threshold(label, p, pair, None)
        fair = fairness.cheapest_threshold(label, p, pair, tolerance, minimum=SMALLEST)
        return lambda q: (q < cheapest).astype(float), lambda q: (q < fair).astype(float)
    gap = float(fairness.equalized_odds_difference(fairness.confusion(label, 1 - p, pair, 2), SMALLEST))
    kept = 0.0 if np.isnan(gap) else 1.0 if gap <= tolerance else tolerance / gap
    constant = float(
        (accuracy.expected_cost(label, np.ones(len(label))) or 0)
        < (accuracy.expected_cost(label, np.zeros(len(label))) or 0)
    )
    return lambda q: 1 - q, lambda q: kept * (1 - q) + (1 - kept) * constant


def _headline(
    data: CreditData, rows: npt.NDArray[np.int64], approve: Floats, weights: npt.NDArray[Any]
) -> Iterator[Score]:
    label, pair = data.label[rows], compared(data)[rows]
    counts = fairness.confusion(label, approve, pair, 2)
    decided = accuracy.net_benefit_from_counts(accuracy.decision_counts(label, approve, weights))
    yield _with("net_benefit_fair", accuracy.net_benefit(label, approve), decided, len(rows))
    gap = _defined(fairness.equalized_odds_difference(counts, SMALLEST))
    most = _defined(fairness.equalized_odds_upper_bound(counts, SMALLEST))
    yield Score("equalized_odds_fair", gap, None if gap is None else 0.0, most, int(counts.sum()))
    for place, value in enumerate(data.compared):
        for of, outcome in ((fairness.GOOD, "good"), (fairness.BAD, "bad")):
            refused, approved = counts[place, of].tolist()
            yield _share("approval_fair", approved, refused + approved, f"{value},{outcome}", 1)


def _with(metric: str, value: float | None, replicates: Floats, n: int) -> Score:
    low, high = bootstrap.percentile_interval(replicates)
    return Score(metric, value, low, high, n, replicates=replicates.astype(np.float32) if value is not None else None)


def _costs(label: npt.NDArray[np.int8], approve: Floats, weights: npt.NDArray[Any]) -> Iterator[Score]:
    again = accuracy.decision_counts(label, approve, weights)
    yield _with(
        "net_benefit", accuracy.net_benefit(label, approve), accuracy.net_benefit_from_counts(again), len(label)
    )
    low, high = bootstrap.percentile_interval(accuracy.expected_cost_from_counts(again))
    yield Score("expected_cost", accuracy.expected_cost(label, approve), low, high, len(label))


def _probabilities(label: npt.NDArray[np.int8], p: Floats, weights: npt.NDArray[Any]) -> Iterator[Score]:
    area = _with("auc", accuracy.auc(label, p), bootstrap.auc_replicates(label, p, weights), len(p))
    yield area
    low, high = (None if end is None else 2 * end - 1 for end in (area.low, area.high))
    yield Score("gini", accuracy.gini(label, p), low, high, len(p))
    inside = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    each_record = {
        "brier": (accuracy.brier(label, p), (p - label) ** 2),
        "log_loss": (accuracy.log_loss(label, p), -np.log(np.where(label == 1, inside, 1 - inside))),
        "accuracy": (accuracy.accuracy(label, (p < 0.5).astype(float)), (p < 0.5) == (label == 0)),
    }
    for metric, (value, values) in each_record.items():
        yield Score(metric, value, *bootstrap.percentile_interval(bootstrap.mean_replicates(values, weights)), len(p))
    for metric, of in (("ks", accuracy.ks), ("h_measure", accuracy.h_measure), ("ece", accuracy.calibration_error)):
        replicates = bootstrap.score_replicates(of, label, p, weights[: REPLICATES // 2])
        yield Score(metric, of(label, p), *bootstrap.percentile_interval(replicates), len(p))


def _treatment(
    data: CreditData, rows: npt.NDArray[np.int64], approve: Floats, p: Floats | None, rng: np.random.Generator
) -> Iterator[Score]:
    """Fairness of one decision: between the compared groups, then by attribute, then where attributes cross."""
    label, pair = data.label[rows], compared(data)[rows]
    counts = fairness.confusion(label, approve, pair, 2)
    yield from _gaps(counts, "", SMALLEST, rng)
    if p is not None:
        difference = fairness.standardized_mean_difference(p, pair, 2, SMALLEST)
        yield Score("standardized_mean_difference", _defined(difference[0]), n=int(counts.sum()))
    for attribute in data.groups.values():
        yield from _attribute(attribute, label, attribute.code[rows], approve, p, SMALLEST, rng)
    for left, right in combinations(data.groups.values(), 2):
        values = tuple(f"{a},{right.name}={b}" for a in left.values for b in right.values)
        code = fairness.intersections([left.code[rows], right.code[rows]], [len(left.values), len(right.values)])
        crossed = Attribute(left.name, values, code.astype(np.int8))
        yield from _attribute(
            crossed, label, crossed.code, approve, p, SMALLEST_CROSSED, rng, f"{left.name},{right.name}"
        )


_GAPS = (
    ("demographic_parity_difference", fairness.demographic_parity_difference, (fairness.selection_rate,)),
    (
        "equal_opportunity_difference",
        fairness.equal_opportunity_difference,
        (lambda c, m=0: fairness.approval_rate(c, fairness.GOOD, m),),
    ),
    (
        "equalized_odds_difference",
        fairness.equalized_odds_difference,
        (
            lambda c, m=0: fairness.approval_rate(c, fairness.GOOD, m),
            lambda c, m=0: fairness.approval_rate(c, fairness.BAD, m),
        ),
    ),
    ("predictive_parity_difference", fairness.predictive_parity_difference, (fairness.repayment_rate,)),
)


def _gaps(counts: Floats, group: str, smallest: int, rng: np.random.Generator) -> Iterator[Score]:
    """The gaps between groups; between two, with intervals, made of the signed gaps' so that they can reach 0."""
    again, n = bootstrap.multinomial_counts(rng, counts, COUNT_REPLICATES), int(counts.sum())
    for metric, of, rates in _GAPS:
        value = _defined(of(counts, smallest))
        low, high = (
            _absolute([fairness.signed_gaps(rate(again))[:, 0] for rate in rates]) if len(counts) == 2 else (None, None)
        )
        if value is None:
            low, high = None, None
        yield Score(metric, value, low, high, n, group)
    ratio = _defined(fairness.adverse_impact_ratio(counts, smallest))
    low, high = (None, None) if ratio is None or len(counts) > 2 else _ratio(fairness.selection_rate(again))
    yield Score("adverse_impact_ratio", ratio, low, high, n, group)


def _absolute(signed: Sequence[Floats]) -> tuple[float | None, float | None]:
    """The interval of the largest absolute gap from those of the signed ones, each at a level that holds for all."""
    lows, highs = [], []
    for gap in signed:
        low, high = bootstrap.percentile_interval(gap, 1 - 0.05 / len(signed))
        if low is None or high is None:
            return None, None
        lows.append(max(low, -high, 0.0))
        highs.append(max(-low, high))
    return max(lows), max(highs)


def _ratio(rates: Floats) -> tuple[float | None, float | None]:
    """The interval of the lesser of two rates (B, 2) over the greater, from that of the first over the second.

    Resamples of the lesser over the greater never reach 1, where equal treatment lies.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = bootstrap.percentile_interval(rates[:, 0] / rates[:, 1])
    if low is None or high is None or not low <= high:
        return None, None
    if low <= 1 <= high:
        return min(low, 1 / high), 1.0
    return (low, high) if high < 1 else (1 / high, 1 / low)


def _attribute(
    attribute: Attribute,
    label: npt.NDArray[np.int8],
    code: npt.NDArray[np.int8],
    approve: Floats,
    p: Floats | None,
    smallest: int,
    rng: np.random.Generator,
    name: str = "",
) -> Iterator[Score]:
    """The gaps over all values of an attribute, and the rates of each, the unknown among them."""
    k = len(attribute.values)
    yield from _gaps(fairness.confusion(label, approve, code, k), name or attribute.name, smallest, rng)
    shown = np.where(code == UNKNOWN, k, code)
    counts = fairness.confusion(label, approve, shown, k + 1)
    bias, error = fairness.calibration_by_group(label, p, shown, k + 1, smallest) if p is not None else (None, None)
    for place, value in enumerate((*attribute.values, "unknown")):
        group, n = f"{attribute.name}={value}", int(counts[place].sum())
        if not n or (name and place == k):
            continue
        yield from _rates(counts[place], group, smallest)
        if bias is not None and error is not None:
            yield Score("calibration_gap", _defined(bias[place]), n=n, group=group)
            yield Score("calibration_error", _defined(error[place]), n=n, group=group)


def _rates(counts: Floats, group: str, smallest: int) -> Iterator[Score]:
    """Approval in one group, (2, 2) counts by [label, decision]: of all, of the good, of the bad."""
    for metric, part in (
        ("selection_rate", counts.sum(axis=0)),
        ("approval_good", counts[0]),
        ("approval_bad", counts[1]),
    ):
        yield _share(metric, float(part[1]), float(part.sum()), group, smallest)


def _share(metric: str, part: float, whole: float, group: str, smallest: int) -> Score:
    """A share with Wilson's interval; undefined where it rests on fewer than ``smallest`` records, or none."""
    if whole < max(smallest, 1):
        return Score(metric, None, n=round(whole), group=group)
    low, high = bootstrap.wilson_interval(part, whole)
    return Score(metric, part / whole, float(low), float(high), round(whole), group)


def _defined(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
