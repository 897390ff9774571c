"""Forecasts of driver jobs, and of those lost to automation, scored against the truth where there is one."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget
from fourfold.suite.task import Draw, Metric, Problem, Scored, Second, Task
from fourfold.tasks.driver_displacement.measures import METRICS
from fourfold.tasks.driver_displacement.sources import DATASETS

if TYPE_CHECKING:
    import numpy as np


class DriverDisplacement(Task):
    """Forecast drivers at work, by place and period, as quantiles; and where it is known, jobs lost to automation.

    What there would have been without automation is known of simulated worlds alone. There a method learns of the jobs
    lost from private records of workers; of real data nothing is private. A method says whether it was trained on
    public series before, as real head-counts may be among them; hidden worlds are not.
    """

    name = "driver-displacement"
    version = "3"
    title = "Driver displacement forecasts"
    embedded = "simulated"
    datasets: ClassVar[Mapping[str, Dataset]] = DATASETS
    metrics: ClassVar[Sequence[Metric]] = METRICS
    headline = "relative_loss"
    shown = (
        "relative_loss",
        "coverage_80",
        "coverage_error",
        "mase",
        "worst_group_loss",
        "coverage_gap",
        "regret",
        "epsilon_accounted",
        "epsilon_audited",
        "leakage_auc",
        "rung",
        "cpu_seconds",
        "peak_memory",
        "throughput",
    )
    second = Second(
        "Policy: training places given out on the forecasts",
        (
            "regret",
            "npv_per_place",
            "reemployed_26w",
            "reemployed_52w",
            "earnings_kept_5y",
            "unemployment_insurance",
            "worst_group_npv",
            "no_group_worse",
            "seed_gain",
        ),
        gate="no_group_worse",
    )
    declares: ClassVar[Mapping[str, tuple[str, ...]]] = {"pretrained": ("no", "public-series")}
    fixed = frozenset(DATASETS) - {"simulated"}
    epsilons: ClassVar[tuple[float, ...]] = (1.0, 3.0, 8.0, math.inf)
    """The budgets at which private methods are run; infinity is the twin without privacy."""

    def load(self, dataset: str, cache: Path) -> Any:
        """Read a real dataset, see ``loaders.load``, or draw the public worlds, see ``worlds.load``."""
        from fourfold.tasks.driver_displacement import loaders, worlds

        return worlds.load() if dataset == "simulated" else loaders.load(dataset, cache)

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        """Lay out the origins, and of simulated worlds draw them, their canaries and coins; see ``problem.draw``."""
        from fourfold.tasks.driver_displacement import problem

        return problem.draw(data, draw, small=small)

    def score(
        self,
        problem: Problem,
        answers: "Sequence[np.ndarray | None]",
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        """Score the quantiles; see ``scoring.score``."""
        from fourfold.tasks.driver_displacement.scoring import score

        return score(problem.answers.hidden, answers, draw)
