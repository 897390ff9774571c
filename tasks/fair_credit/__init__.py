"""Fair credit scoring: probabilities of default for loan applicants, decided at one threshold for all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget
from fourfold.suite.task import Certificate, Draw, Metric, Problem, Scored, Task
from fourfold.tasks.fair_credit.measures import METRICS
from fourfold.tasks.fair_credit.sources import DATASETS, SIMULATED

if TYPE_CHECKING:
    import numpy as np

FOLDS = 5
"""Each is tested on by one seed in FOLDS, so that as many seeds in a row rest on different applicants."""


class FairCredit(Task):
    """Score loan applicants. The method gives each a probability of default; the suite sets the threshold.

    Protected attributes are never among the features. In the blind track the group is known while learning and not when
    scoring; the aware track, where it is known at both, is ranked apart, as lenders may not decide so.
    """

    name = "fair-credit"
    version = "4"
    title = "Fair credit scoring"
    embedded = "simulated"
    datasets: ClassVar[Mapping[str, Dataset]] = {SIMULATED.name: SIMULATED, **DATASETS}
    metrics: ClassVar[Sequence[Metric]] = METRICS
    headline = "net_benefit_fair"
    shown = (
        "net_benefit_fair",
        "equalized_odds_fair",
        "net_benefit",
        "auc",
        "ece",
        "equalized_odds_difference",
        "adverse_impact_ratio",
        "epsilon_claimed",
        "epsilon_accounted",
        "epsilon_audited",
        "leakage_auc",
        "rung",
        "cpu_seconds",
        "peak_memory",
        "latency_per_thousand",
    )
    declares: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "track": ("blind", "aware"),
        "returns": ("probability", "decision"),
        "access": ("records", "curator"),
    }
    certificate = Certificate("approval_fair", Budget.fairness_tolerance, FOLDS)
    unranked = frozenset({"german"})

    def load(self, dataset: str, cache: Path) -> Any:
        """Read a dataset and number its duplicate rows."""
        from fourfold.tasks.fair_credit import loaders, simulated
        from fourfold.tasks.fair_credit.problem import with_twins

        return with_twins(simulated.load() if dataset == "simulated" else loaders.load(dataset, cache))

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        """Draw folds, canaries and coins; see ``problem.draw``."""
        from fourfold.tasks.fair_credit import problem

        return problem.draw(data, draw, declared["track"] == "aware", 1500 if small else None)

    def score(
        self,
        problem: Problem,
        answers: "Sequence[np.ndarray | None]",
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        """Score the probabilities; see ``scoring.score``."""
        from fourfold.tasks.fair_credit.scoring import score

        answer = answers[1]
        assert answer is not None
        return score(problem.answers.hidden, answer, declared["returns"], budget.fairness_tolerance, draw)
