"""A third party's task, as small as one can be: guess noisy coins of two groups of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget
from fourfold.suite.task import Answers, Ask, Draw, Metric, Problem, Score, Scored, Task, Want


@dataclass(frozen=True)
class Train:
    """features: (n, 3); label: (n,) in {0, 1}."""

    features: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class Query:
    """features: (m, 3)."""

    features: np.ndarray


class Toy(Task):
    """Guess the label from three features; four canaries are trained on, or not."""

    name, version, title, embedded, headline = "toy", "1", "A toy", "tiny", "hits"
    datasets = MappingProxyType(
        {name: Dataset(name, name, "CC0-1.0", "drawn here", version="1", task="toy") for name in ("tiny", "twin")})
    metrics = (Metric("hits", "hits", "accuracy", "higher", "The share of labels guessed."),
               Metric("hit_gap", "hit gap", "fairness", "lower", "The difference in hits between the groups."))
    shown = ("hits",)

    def load(self, dataset: str, cache: Path) -> Any:
        rng = np.random.default_rng({"tiny": 1, "twin": 2}[dataset])
        features = rng.normal(size=(200, 3))
        return {"features": features, "label": (features[:, 0] + rng.normal(size=200) > 0).astype(np.int64)}

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        order = draw.rng("folds").permutation(200)
        train, canaries, test = order[:100], order[100:140], order[140:]
        coin = draw.rng("coins").random(40) < 0.5
        kept = np.concatenate([train, canaries[coin]])
        asked = np.concatenate([test, canaries])
        asks = [Ask("fit", Train(data["features"][kept], data["label"][kept])),
                Ask("predict", Query(data["features"][asked]), Want((100,), 0, 1))]
        return Problem(asks, Answers({"label": data["label"][asked], "coin": coin}))

    def score(self, problem: Problem, answers: Sequence[np.ndarray | None], declared: Mapping[str, str], budget: Budget,
              draw: Draw) -> Scored:
        answer, hidden = answers[1], problem.answers.hidden
        assert answer is not None
        hit = (answer > 0.5) == hidden["label"]
        resampled = hit[draw.rng("bootstrap").integers(0, 60, (50, 60))].mean(axis=1, dtype=np.float32)
        low, high = np.quantile(resampled, [0.025, 0.975])
        gap = float(hit[:30].mean() - hit[30:60].mean())
        scores = [Score("hits", float(hit[:60].mean()), low, high, 60, replicates=resampled),
                  Score("hit_gap", abs(gap), n=60)]
        return Scored(scores, hidden["coin"], np.where(hidden["label"][60:] == 1, answer[60:], 1 - answer[60:]))
