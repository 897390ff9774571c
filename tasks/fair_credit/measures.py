"""What fair-credit measures, by name: titles, directions and definitions, as the board shows them."""

from fourfold.suite.task import Metric

_ACCURACY = (
    Metric(
        "net_benefit_fair",
        "net benefit, fair",
        "accuracy",
        "higher",
        "Cost saved against the better constant decision (5 for a "
        "default approved, 1 for a good applicant refused), at the one threshold that is cheapest on validation "
        "applicants with an equalized odds difference within the tolerance; 0 is a constant decision, 1 is perfect.",
        high=1,
    ),
    Metric(
        "net_benefit",
        "net benefit",
        "accuracy",
        "higher",
        "The same at the threshold that is cheapest on validation applicants, with no regard to fairness.",
        high=1,
    ),
    Metric(
        "auc",
        "AUC",
        "accuracy",
        "higher",
        "The chance that a default is scored above a repaid loan, ties half.",
        low=0,
        high=1,
    ),
    Metric("gini", "Gini", "accuracy", "higher", "2 AUC - 1.", low=-1, high=1),
    Metric(
        "ks",
        "KS",
        "accuracy",
        "higher",
        "The largest distance between the score distributions of good and bad.",
        low=0,
        high=1,
    ),
    Metric(
        "h_measure",
        "H-measure",
        "accuracy",
        "higher",
        "1 less the expected least loss over that of ignoring the score, under a "
        "Beta(1 + share of bad, 1 + share of good) cost (Hand and Anagnostopoulos 2014).",
        low=0,
        high=1,
    ),
    Metric("brier", "Brier score", "accuracy", "lower", "Mean squared error of the probability.", low=0, high=1),
    Metric("log_loss", "log loss", "accuracy", "lower", "Mean negative log likelihood.", low=0),
    Metric(
        "ece",
        "calibration error",
        "accuracy",
        "lower",
        "Expected calibration error over 10 bins of equal mass.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "accuracy",
        "accuracy",
        "accuracy",
        "higher",
        "Share of applicants decided right where those under a probability of 0.5 are approved.",
        low=0,
        high=1,
    ),
    Metric(
        "expected_cost", "expected cost", "accuracy", "lower", "Mean cost of the decision behind `net_benefit`.", low=0
    ),
)

_FAIRNESS = (
    Metric(
        "equalized_odds_fair",
        "equalized odds, fair",
        "fairness",
        "lower",
        "Equalized odds difference of the decision behind "
        "`net_benefit_fair`, on test applicants of the two compared groups; its interval goes from 0 to a "
        "one-sided 95 % bound.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "approval_fair",
        "approval, fair",
        "fairness",
        "none",
        "Approval rate of each compared group, among good payers and among those who default, at the decision behind "
        "`net_benefit_fair`. Over all seeds together these certify that the gaps are within the tolerance.",
        low=0,
        high=1,
    ),
    Metric(
        "equalized_odds_difference",
        "equalized odds",
        "fairness",
        "lower",
        "The larger of the gaps between groups in approval "
        "among good payers and among defaulters, at the decision behind `net_benefit` (Hardt, Price and Srebro 2016; "
        "fairlearn's worst case).",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "demographic_parity_difference",
        "demographic parity",
        "fairness",
        "lower",
        "Largest gap between groups in approval rate.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "adverse_impact_ratio",
        "adverse impact ratio",
        "fairness",
        "higher",
        "Least approval rate of a group over the greatest; "
        "under 0.80 the four-fifths rule (29 CFR 1607.4(D)) sees adverse impact.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "equal_opportunity_difference",
        "equal opportunity",
        "fairness",
        "lower",
        "Largest gap between groups in approval among good payers.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "predictive_parity_difference",
        "predictive parity",
        "fairness",
        "lower",
        "Largest gap between groups in the share of the approved who repay.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric("selection_rate", "approval rate", "fairness", "none", "Share approved.", low=0, high=1),
    Metric("approval_good", "approval, good", "fairness", "none", "Share approved of those who repay.", low=0, high=1),
    Metric("approval_bad", "approval, bad", "fairness", "none", "Share approved of those who default.", low=0, high=1),
    Metric(
        "calibration_gap",
        "calibration gap",
        "fairness",
        "none",
        "Mean probability of default less the default rate: negative where a group's defaults are under-predicted.",
        low=-1,
        high=1,
    ),
    Metric(
        "calibration_error",
        "calibration error",
        "fairness",
        "lower",
        "Expected calibration error within the group.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "standardized_mean_difference",
        "standardized mean difference",
        "fairness",
        "none",
        "Mean probability of the first compared group less the second's, in standard deviations.",
    ),
    Metric(
        "counterfactual_flip_rate",
        "counterfactual flips",
        "fairness",
        "lower",
        "Share of applicants, of those learned from, whose decision would differ, had they been born into the other "
        "group; known for simulated applicants alone. Both are asked for, so a method can tell who is meant.",
        low=0,
        high=1,
    ),
)

METRICS = _ACCURACY + _FAIRNESS
