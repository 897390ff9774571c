"""What driver-displacement measures, by name: titles, directions and definitions, as the board shows them."""

from fourfold.suite.task import Metric

_ACCURACY = (
    Metric(
        "relative_loss",
        "relative loss",
        "accuracy",
        "lower",
        "Quantile loss over nine deciles, summed over series and horizons, over that of Naive (head-counts) or Persist "
        "(jobs displaced, where the counterfactual is known): the geometric mean over windows, each ratio clipped to "
        "[0.01, 100]. 1 is a forecast that nothing changes; a failed window counts as that.",
        low=0.01,
        high=100,
    ),
    Metric(
        "relative_loss_seasonal",
        "against seasonal",
        "accuracy",
        "lower",
        "The same over the loss of the seasonal Naive or Persist: what was last known for the same part of the year.",
        low=0.01,
        high=100,
    ),
    Metric(
        "loss_per_1000",
        "loss per 1,000 jobs",
        "accuracy",
        "lower",
        "Quantile loss of the jobs displaced, twice the mean pinball loss over nine deciles, for each 1,000 jobs that "
        "there would be without automation; a forecast of none costs what was displaced.",
        "jobs",
        low=0,
    ),
    Metric(
        "wql",
        "WQL",
        "accuracy",
        "lower",
        "Weighted quantile loss of head-counts: twice the summed pinball losses, mean over nine deciles, over the "
        "summed head-counts (Park et al. 2022), mean over windows.",
        low=0,
    ),
    Metric(
        "sql",
        "SQL",
        "accuracy",
        "lower",
        "Scaled quantile loss of head-counts: twice the mean pinball loss over nine deciles, over each series' mean "
        "absolute seasonal difference up to the origin, which is at least 1 driver.",
        low=0,
    ),
    Metric(
        "mase",
        "MASE",
        "accuracy",
        "lower",
        "Mean absolute error of the median head-count over each series' mean absolute seasonal difference up to the "
        "origin (Hyndman and Koehler 2006), which is at least 1 driver; the season is fixed for each dataset.",
        low=0,
    ),
    Metric(
        "msis",
        "MSIS",
        "accuracy",
        "lower",
        "Mean scaled interval score of the 80 % interval of head-counts, on MASE's scale (Gneiting and Raftery 2007; "
        "Makridakis et al. 2020).",
        low=0,
    ),
    Metric(
        "coverage_80",
        "coverage at 80 %",
        "accuracy",
        "none",
        "Share of outcomes between the 0.1 and the 0.9 quantile, ends included.",
        low=0,
        high=1,
    ),
    Metric(
        "coverage_90",
        "coverage at 90 %",
        "accuracy",
        "none",
        "Share of outcomes between the 0.05 and the 0.95 quantile, ends included.",
        low=0,
        high=1,
    ),
    Metric(
        "coverage_error",
        "coverage error",
        "accuracy",
        "lower",
        "How far the coverage is from nominal, at 80 %, and at 90 % in the row so named.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "pit_deviation",
        "PIT deviation",
        "accuracy",
        "lower",
        "Mean distance, over the eleven levels, of the distribution of the probability integral transform from the "
        "uniform one (Chung et al. 2021); of outcomes that equal quantiles it is spread evenly (Czado et al. 2009).",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "bias",
        "bias",
        "accuracy",
        "none",
        "Summed median forecasts less outcomes, as a share of jobs: positive where too many are forecast.",
    ),
    Metric(
        "windows_failed",
        "windows failed",
        "accuracy",
        "lower",
        "Windows without a valid answer, in which the forecast of Naive or Persist is scored instead.",
        low=0,
    ),
    Metric(
        "crossed",
        "crossing quantiles",
        "accuracy",
        "lower",
        "Forecasts of one number whose quantiles were out of order; they are scored in order.",
        low=0,
    ),
    Metric(
        "scale_floored",
        "scales floored",
        "accuracy",
        "none",
        "Series, counted at each origin, whose seasonal difference is under 1 driver, so that 1 is the scale.",
        low=0,
    ),
    Metric(
        "scale_undefined",
        "scales undefined",
        "accuracy",
        "none",
        "Series, counted at each origin, that are too short for a seasonal difference and not in MASE, SQL and MSIS.",
        low=0,
    ),
    Metric(
        "outcomes_unknown",
        "outcomes unknown",
        "accuracy",
        "none",
        "Head-counts that were never published and are left out of every score.",
        low=0,
    ),
)

_FAIRNESS = (
    Metric(
        "worst_group_loss",
        "worst group",
        "fairness",
        "lower",
        "Relative loss of the group that is forecast worst, such as a tercile of minority share or an occupation; its "
        "interval allows for its having been picked.",
        low=0.01,
        high=100,
        averages=False,
    ),
    Metric(
        "loss_gap",
        "loss gap",
        "fairness",
        "lower",
        "Relative loss of one end of an attribute less that of the other, as of places of high less low minority "
        "share; without a name, its size for minority share.",
        averages=False,
    ),
    Metric(
        "coverage_gap",
        "coverage gap",
        "fairness",
        "lower",
        "Coverage at 80 % of one end of an attribute less that of the other, such as places of high less low minority "
        "share: negative where they are promised more than they get; without a name, its size for minority share.",
        low=-1,
        high=1,
        averages=False,
    ),
    Metric(
        "under_forecast",
        "losses missed",
        "fairness",
        "lower",
        "Jobs lost beyond the median forecast, as a share of a group's jobs: displaced above it or, where only heads "
        "are counted, heads below it.",
        low=0,
    ),
    Metric(
        "under_forecast_gap",
        "losses missed, gap",
        "fairness",
        "lower",
        "Losses missed at one end of an attribute less those at the other; without a name, its size for minority "
        "share.",
        averages=False,
    ),
)

_NEWLY = (
    "Of those newly displaced, who lost a job after the last label known at the origin and by the end of the horizon"
)

POLICY = (
    Metric(
        "regret",
        "regret",
        "accuracy",
        "lower",
        "Share of the best possible net gain that is lost, where places in training for 30 % of the newly displaced "
        "are given out on the forecast and not on the truth; mean over worlds, where each worker is known trained and "
        "untrained.",
        low=0,
        high=1,
    ),
    Metric(
        "npv_per_place",
        "net value a place",
        "accuracy",
        "higher",
        "Earnings trained less untrained, over 20 years at 5 % (as in Davis and von Wachter 2011), less $5,200 for "
        "each place used; mean over all places.",
        "$",
    ),
    Metric(
        "reemployed_26w",
        "re-employed, 26 weeks",
        "accuracy",
        "higher",
        f"{_NEWLY}, the share in work again within 26 weeks; the hazard is fitted to McCall 1996.",
        low=0,
        high=1,
    ),
    Metric(
        "reemployed_52w",
        "re-employed, 52 weeks",
        "accuracy",
        "higher",
        f"{_NEWLY}, the share in work again within 52 weeks.",
        low=0,
        high=1,
    ),
    Metric(
        "earnings_kept_5y",
        "earnings kept",
        "accuracy",
        "higher",
        f"{_NEWLY}, mean earnings five years on over those before (after Jacobson, LaLonde and Sullivan 1993).",
        low=0,
    ),
    Metric(
        "unemployment_insurance",
        "unemployment insurance",
        "accuracy",
        "lower",
        f"{_NEWLY}, mean dollars of unemployment insurance drawn.",
        "$",
        low=0,
    ),
    Metric(
        "seed_gain",
        "training gain, new pay over old",
        "accuracy",
        "none",
        "C = k T E_new - k T E_old, the mean over those trained, with k = 1, T the course in years, E_old the former "
        "pay and E_new that of five years on: reported and never ranked, as it weighs the new job against the old, "
        "not training against none.",
        "$",
    ),
    Metric(
        "places_share",
        "places over need",
        "fairness",
        "none",
        "A group's share of the places used over its share of the newly displaced: 1 where it gets what its need is.",
        low=0,
    ),
    Metric(
        "npv_per_worker",
        "net value a worker",
        "fairness",
        "higher",
        "Net present value that the places bring a group, over all its newly displaced.",
        "$",
    ),
    Metric(
        "worst_group_npv",
        "net value, worst group",
        "fairness",
        "higher",
        "The least `npv_per_worker` of any group: terciles of states by minority share and by income, occupations, "
        "sexes.",
        "$",
        averages=False,
    ),
    Metric(
        "no_group_worse",
        "no group worse off",
        "fairness",
        "higher",
        "1 where no group loses by the places given out, so that `worst_group_npv` is at least 0; else 0.",
        low=0,
        high=1,
    ),
)

METRICS = _ACCURACY + _FAIRNESS + POLICY
