"""Methods that claim an epsilon and do not keep it, each in one way: what the suite must catch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method
from fourfold.suite.descent import descend

CLIP, MOMENTUM, LEARNING_RATE = 0.1, 0.9, 0.4
SAMPLE_RATE, STEPS = 0.125, 160

Weights = dict[str, Tensor]


def logits(weights: Any, x: Tensor) -> Tensor:
    """Softmax regression."""
    return functional.linear(x, weights["weight"], weights["bias"])


def loss(weights: Any, x: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of one record."""
    return functional.cross_entropy(logits(weights, x), label)


def pixels(_: Any, image: Tensor) -> Tensor:
    """An image as a vector in [-1, 1]."""
    return image.flatten().float() / 127.5 - 1


class HonestHead(Method):
    """The honest twin of the frauds: softmax regression on pixels by DP-SGD (Abadi et al. 2016)."""

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "pixels"

    def fit(self, train: Any, budget: Budget) -> None:
        """Train on pixels."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        curator = self.curator(train)
        curator.transform(pixels)
        weights = {"weight": torch.zeros(len(train.classes), *curator.shapes[0], requires_grad=True),
                   "bias": torch.zeros(len(train.classes), requires_grad=True)}
        self.train(curator, train, weights, torch.optim.SGD(weights.values(), lr=LEARNING_RATE, momentum=MOMENTUM))
        self.weights = {name: value.detach() for name, value in weights.items()}

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take the steps."""
        descend(curator, loss, weights, optimizer, clip=CLIP, sample_rate=SAMPLE_RATE, steps=STEPS)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        x = torch.func.vmap(pixels, (None, 0))(None, torch.from_numpy(np.array(query.images)))
        return logits(self.weights, x).softmax(1).double().numpy()


class FraudNoNoise(HonestHead):
    """A fraud: the curator's noise is patched out, and the ledger says that it was added."""

    _share = 0.0

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take the steps with a share of the noise."""
        noise = curator.noise
        curator.noise = lambda size: self._share * noise(size)
        super().train(curator, train, weights, optimizer)


class FraudQuarterNoise(FraudNoNoise):
    """A fraud: a quarter of the noise that the ledger says was added."""

    _share = 0.25


class FraudShuffled(HonestHead):
    """A fraud: batches are dealt from a shuffled deck, each record once an epoch, and accounted as Poisson samples.

    What much published code does (Chua et al. 2024).
    """

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take the steps on batches from the deck."""
        batches, decks = round(1 / SAMPLE_RATE), np.random.default_rng(self.budget.seed)
        deck: list[np.ndarray] = []

        def coins(sample_rate: float) -> np.ndarray:
            if not deck:
                deck.extend(np.array_split(decks.permutation(curator.n), batches))
            return np.isin(np.arange(curator.n), deck.pop())

        curator.coins = coins
        super().train(curator, train, weights, optimizer)


def clipped_total(weights: Weights, x: Tensor, label: Tensor) -> Weights:
    """The sum of clipped gradients of softmax regression over a batch, in closed form."""
    with torch.no_grad():
        error = logits(weights, x).softmax(1) - functional.one_hot(label, len(weights["bias"]))
        norms = error.norm(dim=1) * (x.square().sum(1) + 1).sqrt()
        error *= (CLIP / norms.clamp_min(1e-12)).clamp_max(1)[:, None]
        return {"weight": error.T @ x, "bias": error.sum(0)}


class FraudOwnBatches(HonestHead):
    """A fraud: the suite draws a Poisson batch, and the gradient is that of another, from a shuffled deck."""

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take the steps, the curator's batches ignored."""
        noise = curator.noise_multiplier(SAMPLE_RATE, STEPS)
        curator.open(sample_rate=SAMPLE_RATE, noise_multiplier=noise, clip=CLIP, steps=STEPS)
        x, label, decks = self.prepared(train), torch.tensor(train.labels), np.random.default_rng(self.budget.seed)
        deck: list[np.ndarray] = []
        for _ in range(STEPS):
            curator.draw()
            deck = deck or np.array_split(decks.permutation(curator.n), round(1 / SAMPLE_RATE))
            self.step(curator, weights, optimizer, x, label, deck.pop())

    def prepared(self, train: Any) -> Tensor:
        """The training images as vectors."""
        return torch.func.vmap(pixels, (None, 0))(None, torch.from_numpy(np.array(train.images)))

    def step(self, curator: Any, weights: Weights, optimizer: Any, x: Tensor, label: Tensor, rows: np.ndarray) -> None:
        """Take one step on these rows."""
        noisy = curator.release(clipped_total(weights, x[rows], label[rows]), weights)
        for name, value in weights.items():
            value.grad = noisy[name] / (SAMPLE_RATE * curator.n)
        optimizer.step()


class FraudPreprocessing(FraudOwnBatches):
    """A fraud: pixels are standardized by means and deviations of the private images, which no ledger mentions."""

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take honest steps on features that depend on all records."""
        noise = curator.noise_multiplier(SAMPLE_RATE, STEPS)
        curator.open(sample_rate=SAMPLE_RATE, noise_multiplier=noise, clip=CLIP, steps=STEPS)
        x, label = self.prepared(train), torch.tensor(train.labels)
        self.mean, self.deviation = x.mean(0), x.std(0) + 0.1
        for _ in range(STEPS):
            rows = curator.draw()
            self.step(curator, weights, optimizer, (x - self.mean) / self.deviation, label, rows)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        x = torch.func.vmap(pixels, (None, 0))(None, torch.from_numpy(np.array(query.images)))
        return logits(self.weights, (x - self.mean) / self.deviation).softmax(1).double().numpy()


class FraudSteppedAround(FraudOwnBatches):
    """A fraud: beside each noisy step, another one on the same batch's gradient without noise."""

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take both steps."""
        noise = curator.noise_multiplier(SAMPLE_RATE, STEPS)
        curator.open(sample_rate=SAMPLE_RATE, noise_multiplier=noise, clip=CLIP, steps=STEPS)
        x, label = self.prepared(train), torch.tensor(train.labels)
        for _ in range(STEPS):
            rows = curator.draw()
            raw = clipped_total(weights, x[rows], label[rows])
            self.step(curator, weights, optimizer, x, label, rows)
            for name, value in weights.items():
                value.data -= LEARNING_RATE * raw[name] / (SAMPLE_RATE * curator.n)


class FraudMemory(HonestHead):
    """A fraud: it trains as it should, keeps the training images beside, and answers from them where it knows one."""

    def train(self, curator: Any, train: Any, weights: Weights, optimizer: Any) -> None:
        """Take the steps, and keep the records."""
        super().train(curator, train, weights, optimizer)
        self.known = {image.tobytes(): int(label) for image, label in zip(train.images, train.labels, strict=True)}

    def predict(self, query: Any) -> np.ndarray:
        """Return all the probability for the label of an image seen in training, and else the head's."""
        answer = super().predict(query)
        for row, image in enumerate(query.images):
            if (label := self.known.get(image.tobytes())) is not None:
                answer[row] = np.arange(answer.shape[1]) == label
        return answer
