"""A third party's task: guess noisy coins from three numbers each."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fourfold.suite import datasets
from fourfold.suite.datasets import Dataset, File
from fourfold.suite.method import Budget
from fourfold.suite.task import Answers, Ask, Draw, Metric, Problem, Score, Scored, Task, Want

MINTED = b"seed\n7\n"  # all that the file of the dataset ``minted`` holds
FILE = File("coins/minted.csv", hashlib.sha256(MINTED).hexdigest(), len(MINTED), "http://127.0.0.1:9/minted.csv")


@dataclass(frozen=True)
class Train:
    """features: (n, 3); label: (n,) in {0, 1}."""

    features: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class Query:
    """features: (m, 3)."""

    features: np.ndarray


class Coins(Task):
    """Guess coins; forty canaries are trained on, or not."""

    name, version, title, embedded, headline, shown = "coins", "1", "Noisy coins", "pocket", "hits", ("hits",)
    datasets: ClassVar[Mapping[str, Dataset]] = {
        "pocket": Dataset("pocket", "Coins in a pocket", "CC0-1.0", "drawn here", version="1", task="coins"),
        "minted": Dataset("minted", "Coins in a file", "CC0-1.0", "a server", (FILE,), task="coins"),
    }
    metrics = (Metric("hits", "hits", "accuracy", "higher", "The share of coins guessed."),)
    declares: ClassVar[Mapping[str, tuple[str, ...]]] = {"hand": ("left", "right")}

    def load(self, dataset: str, cache: Path) -> Any:
        datasets.require(self.datasets[dataset], cache)
        seed = 3 if dataset == "pocket" else int((cache / FILE.path).read_text().split()[1])
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(200, 3))
        return features, (features[:, 0] + rng.normal(size=200) > 0).astype(np.int64)

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        features, label = data
        order = draw.rng("folds").permutation(200)
        train, canaries, test = order[:100], order[100:140], order[140:]
        coin = draw.rng("coins").random(40) < 0.5
        kept, asked = np.concatenate([train, canaries[coin]]), np.concatenate([test, canaries])
        asks = [
            Ask("fit", Train(features[kept], label[kept])),
            Ask("predict", Query(features[asked]), Want((100,), 0, 1)),
        ]
        return Problem(asks, Answers({"label": label[asked], "coin": coin}))

    def score(
        self,
        problem: Problem,
        answers: Sequence[np.ndarray | None],
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        answer, hidden = answers[1], problem.answers.hidden
        assert answer is not None
        hit = (answer[:60] > 0.5) == hidden["label"][:60]
        resampled = hit[draw.rng("bootstrap").integers(0, 60, (50, 60))].mean(axis=1, dtype=np.float32)
        low, high = np.quantile(resampled, [0.025, 0.975])
        scores = [Score("hits", float(hit.mean()), float(low), float(high), 60, replicates=resampled)]
        return Scored(scores, hidden["coin"], np.where(hidden["label"][60:] == 1, answer[60:], 1 - answer[60:]))
