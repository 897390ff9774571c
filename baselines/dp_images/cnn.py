"""Small convolutional networks, private by DP-SGD: on pixels and on scattering features."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method
from fourfold.suite.descent import descend

CLIP, MOMENTUM, AVERAGED, FASTEST = 0.1, 0.9, 0.3, 4.0
ENLARGED = 24  # Smaller images are enlarged to about this many pixels a side, which the network is made for.
STATISTICS = 0.04  # Share of the privacy (in the square of mu, of Gaussian DP) that goes into statistics of channels.

Parameters = Mapping[str, Tensor]


def standardized(_: Parameters, image: Tensor) -> Tensor:
    """One image, (h, w) or (h, w, 3) uint8, as (channels, h, w), its own mean taken off and its deviation made one."""
    planes = image[None] if image.ndim == 2 else image.permute(2, 0, 1)
    values = planes.float() / 255
    values = (values - values.mean()) / values.std().clamp_min(0.05)
    depth, height, width = values.shape
    times = max(1, ENLARGED // height)
    wide = values[:, :, None, :, None].expand(depth, height, times, width, times)
    return wide.reshape(depth, height * times, width * times)


def pixel_logits(parameters: Parameters, x: Tensor) -> Tensor:
    """conv8x8/2-16, pool, conv4x4/2-32, pool, fc32, fc; tanh between."""
    x = torch.tanh(functional.conv2d(x[None], parameters["conv1"], parameters["bias1"], stride=2, padding=3))
    x = functional.max_pool2d(x, 2, 1)
    x = torch.tanh(functional.conv2d(x, parameters["conv2"], parameters["bias2"], stride=2))
    return _head(parameters, functional.max_pool2d(x, 2, 1))


def scattering_logits(parameters: Parameters, x: Tensor) -> Tensor:
    """conv3x3-32, conv3x3-32, pool, fc32, fc; tanh between."""
    x = torch.tanh(functional.conv2d(x[None], parameters["conv1"], parameters["bias1"], padding=1))
    x = torch.tanh(functional.conv2d(x, parameters["conv2"], parameters["bias2"], padding=1))
    return _head(parameters, functional.max_pool2d(x, 2, 2))


def normalized(_: Parameters, features: Tensor) -> Tensor:
    """Group normalization of one image's features, (channels, h, w), three channels a group."""
    return functional.group_norm(features.float()[None], len(features) // 3)[0]


def whitened(parameters: Parameters, features: Tensor) -> Tensor:
    """Features, normalized, with each channel's noisy mean and deviation over the training set taken out."""
    centred = normalized(parameters, features) - parameters["mean"][:, None, None]
    return centred / parameters["deviation"][:, None, None]


def moments(x: Tensor) -> Tensor:
    """The mean and the mean square of each channel, 2 x channels numbers."""
    return torch.cat([x.mean((1, 2)), x.square().mean((1, 2))])


def _head(parameters: Parameters, x: Tensor) -> Tensor:
    x = torch.tanh(functional.linear(x.flatten(), parameters["dense"], parameters["bias3"]))
    return functional.linear(x, parameters["last"], parameters["bias4"])


def initial(shapes: Mapping[str, tuple[int, ...]], seed: int, device: str) -> dict[str, Tensor]:
    """Weights drawn with variance 1 / inputs (LeCun et al. 1998), biases zero."""
    coins = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(shape, generator=coins) / math.sqrt(math.prod(shape[1:])) if len(shape) > 1
             else torch.zeros(shape) for name, shape in shapes.items()}
    return {name: value.to(device).requires_grad_() for name, value in drawn.items()}


class TanhCNN(Method):
    """A small CNN with bounded activations, whose gradients clipping distorts less, by DP-SGD (Papernot et al. 2021).

    Each image is standardized by itself.
    """

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "pixels"
    sample_rate: float = 0.0625
    steps: int = 320
    spread: float = 0.1  # to which all noise together moves a weight
    _prepared: "ClassVar[staticmethod[[Parameters, Tensor], Tensor]]" = staticmethod(standardized)
    _logits = staticmethod(pixel_logits)

    def fit(self, train: Any, budget: Budget) -> None:
        """Prepare each record by itself and train."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        curator = self.curator(train)
        self.prepare(curator, budget)
        logits = self._logits
        weights = initial(self.shapes(curator.shapes[0], len(train.classes)), budget.seed, budget.device)
        noise = CLIP * curator.noise_multiplier(self.sample_rate, self.steps) / (self.sample_rate * curator.n)
        walk = noise * math.sqrt(self.steps) / (1 - MOMENTUM)
        rate = min(FASTEST, self.spread / walk) if walk else 1.0
        learnt = descend(
            curator, lambda p, x, label: functional.cross_entropy(logits(p, x), label), weights,
            torch.optim.SGD(weights.values(), lr=rate, momentum=MOMENTUM),
            clip=CLIP, sample_rate=self.sample_rate, steps=self.steps, averaged=AVERAGED)
        self.weights = learnt | self.statistics

    def prepare(self, curator: Any, budget: Budget) -> None:
        """Have the curator standardize each image."""
        self.statistics: dict[str, Tensor] = {}
        curator.transform(standardized)

    def shapes(self, shape: tuple[int, ...], classes: int) -> dict[str, tuple[int, ...]]:
        """The network's parameters for images of this shape, (channels, h, w)."""
        side = [((pixels - 2) // 2 - 4) // 2 for pixels in shape[1:]]
        return {"conv1": (16, shape[0], 8, 8), "bias1": (16,), "conv2": (32, 16, 4, 4), "bias2": (32,),
                "dense": (32, 32 * side[0] * side[1]), "bias3": (32,), "last": (classes, 32), "bias4": (classes,)}

    def probabilities(self, parameters: Parameters, given: Tensor) -> Tensor:
        """The probability of each class, of one image."""
        return self._logits(parameters, self._prepared(parameters, given)).softmax(0)

    def model(self) -> Any:
        """Hand over the network and what prepares its input."""
        return self.probabilities, self.weights

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        given = torch.from_numpy(np.array(getattr(query, query.private[0]))).to(self.budget.device)
        mapped = torch.func.vmap(self.probabilities, in_dims=(None, 0), chunk_size=512)
        return mapped(self.weights, given).double().cpu().numpy()


class VerifiedTanhCNN(TanhCNN):
    """``tanh-cnn`` trained through the suite, without ever meeting a private record (Papernot et al. 2021).

    The suite draws the batches, clips and adds the noise in a process of its own.
    """

    access = "curator"


class ScatteringCNN(TanhCNN):
    """A small CNN on scattering features with private channel normalization, by DP-SGD (Tramèr and Boneh 2021).

    Noisy means and variances of the channels cost a small share of the budget, and are in the ledger.
    """

    features = "scattering"
    _prepared = staticmethod(whitened)
    _logits = staticmethod(scattering_logits)

    def prepare(self, curator: Any, budget: Budget) -> None:
        """Have the curator normalize each image, and then each channel by its noisy moments."""
        channels = curator.shapes[0][0]
        curator.transform(normalized)
        noise = curator.noise_multiplier(1.0, 1) / math.sqrt(STATISTICS)
        # Of unit variance a group, the squares of a record's moments sum to about 3 a channel at most.
        total = curator.noisy_total(
            lambda _, x, label: moments(x), clip=math.sqrt(3 * channels), noise_multiplier=noise) / curator.n
        mean, square = total[:channels], total[channels:]
        deviation = (square - mean.square()).clamp_min(0.01).sqrt()
        self.statistics = {"mean": mean, "deviation": deviation}
        curator.transform(
            lambda p, x: (x - p["mean"][:, None, None]) / p["deviation"][:, None, None], self.statistics)

    def shapes(self, shape: tuple[int, ...], classes: int) -> dict[str, tuple[int, ...]]:
        """The network's parameters for features of this shape, (channels, h, w)."""
        inputs = 32 * (shape[1] // 2) * (shape[2] // 2)
        return {"conv1": (32, shape[0], 3, 3), "bias1": (32,), "conv2": (32, 32, 3, 3), "bias2": (32,),
                "dense": (32, inputs), "bias3": (32,), "last": (classes, 32), "bias4": (classes,)}
