"""Linear classifiers on whitened scattering features, private by DP-SGD."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method
from fourfold.suite.descent import descend
from fourfold.tasks.dp_images.scattering import scatter

CLIP, MOMENTUM, AVERAGED, FASTEST = 0.1, 0.9, 0.3, 8.0
LEAVES, DISCS, RIDGE = 600, 60, 1.0


def dead_leaves(size: tuple[int, int], colours: int) -> Tensor:
    """Pictures of discs that hide each other, (n, colours, *size) in [0, 1]: their statistics are those of nature.

    Radii follow a power law, as in Lee, Mumford and Huang (2001), "Occlusion models for natural images".
    """
    random, (rows, columns) = np.random.default_rng(0), np.mgrid[: size[0], : size[1]]
    pictures = np.empty((LEAVES, colours, *size), np.float32)
    for picture in pictures:
        tone = random.random(colours)
        picture[:] = random.random(colours)[:, None, None]
        for _ in range(DISCS):
            radius = 1.5 / math.sqrt(1 - 0.994 * random.random())
            row, column = random.uniform(-8, size[0] + 8), random.uniform(-8, size[1] + 8)
            shade = np.clip(tone + 0.35 * random.normal() + 0.1 * random.normal(size=colours), 0, 1)
            picture[:, (rows - row) ** 2 + (columns - column) ** 2 < radius**2] = shade[:, None]
    return torch.from_numpy(pictures)


def mirrored(channels: int) -> Tensor:
    """The matrix that puts the channels of scattering in the order they have in a mirrored image, angles reversed."""
    angle = [(6 - place) % 8 for place in range(8)]
    paths = [0, *(1 + a for a in angle), *(9 + a for a in angle), *(17 + 8 * a + b for a in angle for b in angle)]
    order = [81 * colour + path for colour in range(channels // 81) for path in paths]
    return torch.eye(channels)[order]


def folded(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """Half of the mean of an image's features and its mirror image's: the other half says the same again."""
    turned = torch.matmul(torch.matmul(parameters["channels"], features.flatten(1)).unflatten(1, features.shape[1:]),
                          parameters["columns"])
    return ((features + turned) / 2)[..., : features.shape[2] // 2]


def prepared(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """One image's features, (channels, h, w), whitened, with a mean square of one: (channels, positions)."""
    features = features.float()
    if "channels" in parameters:
        features = folded(parameters, features)
    whitened = torch.matmul(parameters["matrix"], features.flatten(1) - parameters["mean"][:, None])
    return whitened * (math.sqrt(whitened.numel()) / torch.linalg.vector_norm(whitened))


def preparation(size: tuple[int, int], colours: int) -> dict[str, Tensor]:
    """What ``prepared`` needs: the mean of the channels of scattering, and the matrix that makes them alike and
    unrelated (Krizhevsky 2009), both of pictures that nobody took, so they cost no privacy; of colours, in which
    left and right are alike as in photographs and not in writing, also how to mirror.
    """
    mirror = {"channels": mirrored(81 * colours), "columns": torch.eye(size[1] // 4).flip(0)} if colours > 1 else {}
    with torch.inference_mode():
        values = scatter(dead_leaves(size, colours))
        if mirror:
            values = torch.stack([folded(mirror, each) for each in values])
        values = values.transpose(0, 1).flatten(1)
        strength, direction = torch.linalg.eigh(torch.corrcoef(values))
        matrix = direction * (strength.clamp_min(0) + RIDGE).rsqrt() @ direction.t() / values.std(dim=1)
        learnt = {"mean": values.mean(dim=1), "matrix": matrix}
    return {name: value.clone() for name, value in (learnt | mirror).items()}


def linear(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """The logits of a linear head on prepared features."""
    return functional.linear(features.flatten(), parameters["weight"], parameters["bias"])


def mixed(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """The logits of a 1x1 convolution, tanh and a linear head."""
    return linear(parameters, torch.tanh(torch.matmul(parameters["mixing"], features) + parameters["offset"]))


class ScatteringLinear(Method):
    """Linear softmax head on scattering features by DP-SGD (Tramèr and Boneh 2021), its channels whitened first.

    The whitening is that of synthetic pictures, and a coloured image is averaged with its mirror image, so all of the
    budget goes into the head.
    """

    task = "dp-images"
    version = "2"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "scattering"
    memory = 8
    sample_rate: float = 0.125
    steps: int = 300
    spread: float = 2.5  # to which all noise together moves a logit
    _logits = staticmethod(linear)

    def fit(self, train: Any, budget: Budget) -> None:
        """Prepare each record by itself and train the head."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        shape = train.images.shape[1:]
        self.preparation = preparation(shape[:2], shape[2] if len(shape) == 3 else 1)
        curator = self.curator(train)
        curator.transform(prepared, self.preparation)
        channels, positions = curator.shapes[0]
        head = self.start(channels, positions, len(train.classes))
        noise = CLIP * curator.noise_multiplier(self.sample_rate, self.steps) / (self.sample_rate * curator.n)
        rate = self.learning_rate(noise, head["weight"].shape[1])
        self.head = descend(
            curator, self.loss, head, torch.optim.SGD(head.values(), lr=rate, momentum=MOMENTUM),
            clip=CLIP, sample_rate=self.sample_rate, steps=self.steps, averaged=AVERAGED)

    def start(self, channels: int, positions: int, classes: int) -> dict[str, Tensor]:
        """The head before the first step."""
        shapes = {"weight": (classes, channels * positions), "bias": (classes,)}
        return {name: torch.zeros(shape, requires_grad=True) for name, shape in shapes.items()}

    def learning_rate(self, noise: float, inputs: int) -> float:
        """The rate at which the noise of all steps, a random walk of the weights, moves a logit by ``spread``.

        noise: the standard deviation of a gradient's entry. inputs: how many, each of about unit size, a logit sums.
        """
        walk = noise * math.sqrt(self.steps) / (1 - MOMENTUM) * math.sqrt(inputs)
        return min(FASTEST, self.spread / walk) if walk else FASTEST

    def loss(self, parameters: Mapping[str, Tensor], features: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy of one record."""
        return functional.cross_entropy(self._logits(parameters, features), label)

    def probabilities(self, parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """The probability of each class, of one image."""
        return self._logits(parameters, prepared(parameters, features)).softmax(0)

    def model(self) -> Any:
        """Hand over the head, and what prepares features for it."""
        return self.probabilities, self.head | self.preparation

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        function, parameters = self.model()
        mapped = torch.func.vmap(function, in_dims=(None, 0), chunk_size=256)
        with torch.inference_mode():
            return mapped(parameters, torch.from_numpy(np.array(query.features))).double().numpy()


class VerifiedScatteringLinear(ScatteringLinear):
    """``scattering-linear`` trained through the suite: the head never meets a private record (Tramèr and Boneh 2021).

    The suite draws the batches, clips and adds the noise in a process of its own.
    """

    access = "curator"


class WhitenedScatteringCNN(ScatteringLinear):
    """A 1x1 convolution, tanh and a linear head on whitened scattering features, by DP-SGD."""

    units: int = 64
    _logits = staticmethod(mixed)

    def start(self, channels: int, positions: int, classes: int) -> dict[str, Tensor]:
        """The head before the first step; its convolution is random."""
        head = super().start(self.units, positions, classes)
        random = torch.Generator().manual_seed(self.budget.seed)
        mixing = torch.randn(self.units, channels, generator=random) / math.sqrt(channels)
        offset = torch.zeros(self.units, 1, requires_grad=True)
        return head | {"mixing": mixing.requires_grad_(), "offset": offset}
