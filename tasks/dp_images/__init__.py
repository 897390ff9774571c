"""Image classification under a privacy budget that is measured, not believed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget
from fourfold.suite.task import Draw, Metric, Problem, Score, Scored, Task
from fourfold.tasks.dp_images.measures import METRICS
from fourfold.tasks.dp_images.sources import DATASETS

if TYPE_CHECKING:
    import numpy as np


class DPImages(Task):
    """Classify images: give each a probability of every class, having learned from private ones within (ε, δ).

    A method may ask for the scattering features of the images instead of their pixels; these depend on no data but the
    image itself and cost no privacy. One whose access is ``curator`` never holds the private records: it trains
    through the suite, which draws the batches, clips and adds the noise.
    """

    name = "dp-images"
    version = "3"
    title = "Private image classification"
    embedded = "digits"
    datasets: ClassVar[Mapping[str, Dataset]] = DATASETS
    metrics: ClassVar[Sequence[Metric]] = METRICS
    headline = "accuracy"
    shown = (
        "accuracy",
        "epsilon_accounted",
        "rung",
        "epsilon_audited",
        "leakage_auc",
        "worst_class_accuracy",
        "class_gap_added",
        "pgd_accuracy",
        "cpu_seconds",
        "slowdown",
        "peak_memory",
    )
    declares: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "features": ("pixels", "scattering"),
        "access": ("records", "curator"),
    }
    unranked = frozenset({"digits"})
    epsilons: ClassVar[tuple[float, ...]] = (1.0, 3.0, 8.0, math.inf)
    """The budgets at which private methods are run; infinity is the twin without privacy."""
    examine = "fourfold.tasks.dp_images.examination:examine"

    def load(self, dataset: str, cache: Path) -> Any:
        """Read a dataset; see ``loaders.load``."""
        from fourfold.tasks.dp_images import loaders

        return loaders.load(dataset, cache)

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        """Draw canaries, coins and queries; see ``problem.draw``. Scattering features are computed once a dataset."""
        from fourfold.tasks.dp_images import features, problem

        if declared["features"] == "pixels":
            return problem.draw(data, draw, small=small)
        scattered = features.features(data.images)
        return replace(problem.draw(data, draw, scattered.values, small=small), prepared=scattered.cpu_seconds)

    def score(
        self,
        problem: Problem,
        answers: "Sequence[np.ndarray | None]",
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        """Score the probabilities; see ``scoring.score``."""
        from fourfold.tasks.dp_images.scoring import score

        answer = answers[1]
        assert answer is not None
        return score(problem.answers.hidden, answer, draw)

    def examined(
        self, problem: Problem, found: Mapping[str, Any], answers: "Sequence[np.ndarray | None]"
    ) -> Sequence[Score]:
        """Score a model that was handed over, if it is the one that answered; see ``scoring.examined``."""
        from fourfold.tasks.dp_images.scoring import examined

        return examined(problem.answers.hidden, found, answers[1] if answers else None) if found else ()
