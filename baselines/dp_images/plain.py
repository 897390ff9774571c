"""Networks without privacy: plain, trained against attacks, pruned, and quantized."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method

BATCH, LEARNING_RATE = 128, 2e-3
GREY_RADIUS, COLOUR_RADIUS = 0.1, 8 / 255
ATTACK_STEPS, ATTACK_STEP = 7, 0.25  # the latter of the radius
KEPT = 0.1  # share of the weights that pruning keeps

Parameters = Mapping[str, Tensor]


def logits(parameters: Parameters, images: Tensor) -> Tensor:
    """(n, channels, h, w) in [0, 1] -> (n, classes): conv3x3-16, pool, conv3x3-32, pool, fc64, fc; ReLU between."""
    x = functional.relu(functional.conv2d(2 * images - 1, parameters["conv1"], parameters["bias1"], padding=1))
    x = functional.max_pool2d(x, 2)
    x = functional.relu(functional.conv2d(x, parameters["conv2"], parameters["bias2"], padding=1))
    x = functional.max_pool2d(x, 2).flatten(1)
    x = functional.relu(functional.linear(x, parameters["dense"], parameters["bias3"]))
    return functional.linear(x, parameters["last"], parameters["bias4"])


def planes(image: Tensor) -> Tensor:
    """One image, (h, w) or (h, w, 3) of 0 to 255, as (channels, h, w) in [0, 1]."""
    return (image[None] if image.ndim == 2 else image.permute(2, 0, 1)).float() / 255


def probabilities(parameters: Parameters, image: Tensor) -> Tensor:
    """The probability of each class, of one image."""
    return logits(parameters, planes(image)[None])[0].softmax(0)


def initial(shape: torch.Size, classes: int, seed: int) -> dict[str, Tensor]:
    """Weights drawn with variance 2 / inputs (He et al. 2015), biases zero, for images of (channels, h, w)."""
    coins, inputs = torch.Generator().manual_seed(seed), 32 * (shape[1] // 4) * (shape[2] // 4)
    shapes = {"conv1": (16, shape[0], 3, 3), "conv2": (32, 16, 3, 3), "dense": (64, inputs), "last": (classes, 64)}
    weights = {}
    for place, (name, each) in enumerate(shapes.items(), 1):
        drawn = torch.randn(each, generator=coins)
        weights[name] = drawn * (2 / drawn[0].numel()) ** 0.5
        weights[f"bias{place}"] = torch.zeros(each[0])
    return {name: value.requires_grad_() for name, value in weights.items()}


class CNNPlain(Method):
    """A small ReLU CNN trained by Adam (Kingma and Ba 2015), with no privacy: what private ones are held against."""

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    features = "pixels"
    updates: int = 2000

    def fit(self, train: Any, budget: Budget) -> None:
        """Train for ``updates`` steps, at most 30 epochs of them."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        x = torch.func.vmap(planes)(torch.from_numpy(np.array(train.images)))
        label = torch.tensor(train.labels)
        weights = initial(x.shape[1:], len(train.classes), budget.seed)
        coins = torch.Generator().manual_seed(budget.seed)
        self.descend(weights, x, label, min(self.updates, 30 * train.n // BATCH), coins)
        self.weights = self.finished(weights, x, label, coins)

    def descend(self, weights: dict[str, Tensor], x: Tensor, label: Tensor, steps: int, coins: torch.Generator) -> None:
        """Take steps of Adam, the rate falling to zero."""
        optimizer = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, max(1, steps))
        for _ in range(steps):
            rows = torch.randint(len(x), (BATCH,), generator=coins)
            optimizer.zero_grad()
            functional.cross_entropy(logits(weights, self.seen(weights, x[rows], label[rows])), label[rows]).backward()
            self.masked(weights)
            optimizer.step()
            falling.step()

    def seen(self, weights: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        """The images that a step trains on."""
        return x

    def masked(self, weights: dict[str, Tensor]) -> None:
        """What is done to gradients before a step."""

    def finished(self, weights: dict[str, Tensor], x: Tensor, label: Tensor, coins: torch.Generator) -> Parameters:
        """What is done to weights after the last step."""
        return {name: value.detach() for name, value in weights.items()}

    def model(self) -> Any:
        """Hand over the network."""
        return probabilities, self.weights

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        function, weights = self.model()
        mapped = torch.func.vmap(function, (None, 0), chunk_size=512)
        return mapped(weights, torch.from_numpy(np.array(query.images))).double().numpy()


class AdversarialCNN(CNNPlain):
    """The plain CNN trained on images that projected gradient ascent has moved against it (Madry et al. 2018).

    Within 0.1 of each pixel of a grey image, 8/255 of a colour image. Not private.
    """

    def seen(self, weights: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        """The images, attacked."""
        held = {name: value.detach() for name, value in weights.items()}
        radius = GREY_RADIUS if x.shape[1] == 1 else COLOUR_RADIUS
        moved = x + radius * (2 * torch.rand(x.shape) - 1)
        for _ in range(ATTACK_STEPS):
            moved = moved.clamp(0, 1).requires_grad_()
            [ascent] = torch.autograd.grad(functional.cross_entropy(logits(held, moved), label), moved)
            moved = (moved + ATTACK_STEP * radius * ascent.sign()).detach()
            moved = x + (moved - x).clamp(-radius, radius)
        return moved.clamp(0, 1)


class PrunedCNN(CNNPlain):
    """The plain CNN cut to the tenth of its weights largest in magnitude, and trained on (Han et al. 2015).

    Not private.
    """

    _masks: Parameters = MappingProxyType({})

    def masked(self, weights: dict[str, Tensor]) -> None:
        """Keep cut weights at zero."""
        for name, mask in self._masks.items():
            gradient = weights[name].grad
            assert gradient is not None
            gradient *= mask

    def finished(self, weights: dict[str, Tensor], x: Tensor, label: Tensor, coins: torch.Generator) -> Parameters:
        """Cut, and take the steps again."""
        large = [value.detach().abs().flatten() for value in weights.values() if value.ndim > 1]
        least = torch.cat(large).quantile(1 - KEPT)
        self._masks = {name: value.detach().abs() > least for name, value in weights.items() if value.ndim > 1}
        with torch.no_grad():
            for name, mask in self._masks.items():
                weights[name] *= mask
        self.descend(weights, x, label, min(self.updates, 30 * len(x) // BATCH), coins)
        del self._masks
        return super().finished(weights, x, label, coins)


class Int8CNN(CNNPlain):
    """The plain CNN with weights rounded to eight bits after training, a scale an output channel (Jacob et al. 2018).

    Not private.
    """

    def finished(self, weights: dict[str, Tensor], x: Tensor, label: Tensor, coins: torch.Generator) -> Parameters:
        """Round symmetrically to 127 steps either side of zero."""
        kept: dict[str, Tensor] = {}
        for name, value in super().finished(weights, x, label, coins).items():
            axes = tuple(range(1, value.ndim))
            scale = (value.abs().amax(axes, keepdim=True) if axes else value.abs().max()).clamp_min(1e-12) / 127
            kept |= {name: (value / scale).round().to(torch.int8), f"{name} scale": scale}
        return kept

    def model(self) -> Any:
        """Hand over the network with the weights that its bytes stand for."""
        names = [name for name in self.weights if not name.endswith(" scale")]
        return probabilities, {name: self.weights[name] * self.weights[f"{name} scale"] for name in names}
