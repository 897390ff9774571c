"""Networks trained by DP-SGD on the mean loss of several augmentations of each image (De et al. 2022)."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.suite import Budget, Method

MOMENTUM, DECAY = 0.0, 0.99
GROUPS = 8

Parameters = Mapping[str, Tensor]


def planes(_: Parameters, image: Tensor) -> Tensor:
    """One image, (h, w) or (h, w, 3) of 0 to 255, as (channels, h, w) in [-1, 1]."""
    return (image[None] if image.ndim == 2 else image.permute(2, 0, 1)).float() / 127.5 - 1


def augmented(x: Tensor, count: int) -> Tensor:
    """``count`` copies of one image, shifted by up to a pixel in eight; of a colour image, each second one mirrored."""
    depth, height, width = x.shape
    reach = max(1, height // 8)
    shifts = sorted(itertools.product((0, -1, 1), repeat=2), key=lambda shift: abs(shift[0]) + abs(shift[1]))
    copies = []
    for place in range(count):
        down, right = (reach * step for step in shifts[place % len(shifts)])
        across = moving(width, right, mirrored=depth == 3 and place % 2 == 1)
        copies.append(moving(height, down) @ (x + 1) @ across.t() - 1)  # Black comes in at the border.
    return torch.stack(copies)


def moving(size: int, by: int, mirrored: bool = False) -> Tensor:
    """The (size, size) matrix that shifts what it multiplies from the left, and turns it around if ``mirrored``."""
    place = torch.arange(size)
    source = size - 1 - place if mirrored else place
    return (place[None] == (source + by)[:, None]).float()


def convolved(x: Tensor, weight: Tensor, gain: Tensor, stride: int = 1) -> Tensor:
    """Convolution by standardized weights (Qiao et al. 2019): of mean 0 and variance 1 / inputs, times a gain."""
    inputs = math.prod(weight.shape[1:])
    centred = weight - weight.mean((1, 2, 3), keepdim=True)
    scale = gain / (inputs * centred.square().mean((1, 2, 3)) + 1e-4).sqrt()
    return functional.conv2d(x, centred * scale[:, None, None, None], stride=stride, padding=weight.shape[-1] // 2)


def blocks(depth: int, width: int) -> list[tuple[str, int, int, int]]:
    """The residual blocks of a wide ResNet: name, channels in, channels out, stride."""
    found, channels = [], 16
    for stage in range(3):
        for place in range((depth - 4) // 6):
            out = 16 * width * 2**stage
            found.append((f"stage{stage} block{place}", channels, out, 2 if stage and not place else 1))
            channels = out
    return found


class WideResNet(Method):
    """A wide residual network by DP-SGD: averaged augmentations, group norm, standardized weights (De et al. 2022).

    Iterates are averaged too. Written for a GPU: by default the network of 16 layers, four times as wide.
    """

    task = "dp-images"
    version = "1"
    author = "fourfold"
    licence = "Apache-2.0"
    private = True
    features = "pixels"
    gpus = 1
    memory = 16
    depth: int = 16
    width: int = 4
    copies: int = 16
    sample_rate: float = 0.082
    steps: int = 2000
    rate: float = 2.0
    clip: float = 1.0

    def fit(self, train: Any, budget: Budget) -> None:
        """Take noisy steps; keep the moving average of the weights."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        curator = self.curator(train)
        curator.transform(planes)
        weights = self.initial(self.shapes(curator.shapes[0], len(train.classes)), budget)
        logits, copies = self.logits, self.copies

        def loss(parameters: Parameters, x: Tensor, label: Tensor) -> Tensor:
            answers = logits(parameters, augmented(x, copies))
            return functional.cross_entropy(answers, label.reshape(1).expand(copies))

        noise = curator.noise_multiplier(self.sample_rate, self.steps)
        curator.open(sample_rate=self.sample_rate, noise_multiplier=noise, clip=self.clip, steps=self.steps,
                     loss=loss, parameters=weights)
        optimizer = torch.optim.SGD(weights.values(), lr=self.rate, momentum=MOMENTUM)
        self.weights = {name: value.detach().clone() for name, value in weights.items()}
        for step in range(self.steps):
            noisy = curator.noisy_sum(weights)
            for name, value in weights.items():
                value.grad = noisy[name] / (self.sample_rate * curator.n * self.clip)
            optimizer.step()
            kept = min(DECAY, (1 + step) / (10 + step))
            for name, value in weights.items():
                self.weights[name].lerp_(value.detach(), 1 - kept)

    def initial(self, shapes: Mapping[str, tuple[int, ...]], budget: Budget) -> dict[str, Tensor]:
        """Kernels drawn from a normal distribution, gains one, biases and the last layer zero."""
        coins = torch.Generator().manual_seed(budget.seed)
        drawn = {name: torch.randn(shape, generator=coins) if len(shape) == 4
                 else torch.ones(shape) if name.endswith("gain") else torch.zeros(shape)
                 for name, shape in shapes.items()}
        return {name: value.to(budget.device).requires_grad_() for name, value in drawn.items()}

    def shapes(self, shape: tuple[int, ...], classes: int) -> dict[str, tuple[int, ...]]:
        """The parameters of the network, by name, for images of this shape."""
        found = self.layer("first", shape[0], 16)
        for name, inputs, outputs, _ in blocks(self.depth, self.width):
            found |= self.normalization(f"{name} a", inputs) | self.normalization(f"{name} b", outputs)
            found |= self.layer(f"{name} a", inputs, outputs) | self.layer(f"{name} b", outputs, outputs)
            if inputs != outputs:
                found |= self.layer(f"{name} skip", inputs, outputs, 1)
        last = 64 * self.width
        return found | self.normalization("last", last) | {"weight": (classes, last), "bias": (classes,)}

    def layer(self, name: str, inputs: int, outputs: int, size: int = 3) -> dict[str, tuple[int, ...]]:
        """A convolution's kernel and gain."""
        return {f"{name} kernel": (outputs, inputs, size, size), f"{name} kernel gain": (outputs,)}

    def normalization(self, name: str, channels: int) -> dict[str, tuple[int, ...]]:
        """A group normalization's gain and shift."""
        return {f"{name} norm gain": (channels,), f"{name} norm shift": (channels,)}

    def logits(self, p: Parameters, x: Tensor) -> Tensor:
        """(copies, channels, h, w) -> (copies, classes): pre-activated residual blocks, then the mean over pixels."""

        def active(name: str, x: Tensor) -> Tensor:
            gain, shift = p[f"{name} norm gain"], p[f"{name} norm shift"]
            return functional.relu(functional.group_norm(x, GROUPS, gain, shift))

        def convolve(name: str, x: Tensor, stride: int = 1) -> Tensor:
            return convolved(x, p[f"{name} kernel"], p[f"{name} kernel gain"], stride)

        x = convolve("first", x)
        for name, inputs, outputs, stride in blocks(self.depth, self.width):
            before = active(f"{name} a", x)
            skipped = convolve(f"{name} skip", before, stride) if inputs != outputs else x
            x = skipped + convolve(f"{name} b", active(f"{name} b", convolve(f"{name} a", before, stride)))
        return functional.linear(active("last", x).mean((2, 3)), p["weight"], p["bias"])

    def probabilities(self, parameters: Parameters, image: Tensor) -> Tensor:
        """The probability of each class, of one image as it is."""
        return self.logits(parameters, planes(parameters, image)[None])[0].softmax(0)

    def model(self) -> Any:
        """Hand over the network with averaged weights."""
        return self.probabilities, self.weights

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        images = torch.from_numpy(np.array(query.images)).to(self.budget.device)
        mapped = torch.func.vmap(self.probabilities, (None, 0), chunk_size=256)
        with torch.no_grad():
            return mapped(self.weights, images).double().cpu().numpy()


class AugmentedCNN(WideResNet):
    """A small CNN by DP-SGD on the mean loss of four shifted copies of each image (De et al. 2022).

    Group norm, standardized weights and averaged iterates are as in ``wide-resnet``; this one is made for a CPU.
    """

    gpus = 0
    memory = 4
    copies = 4
    sample_rate = 0.125
    steps = 120
    rate = 1.0

    def shapes(self, shape: tuple[int, ...], classes: int) -> dict[str, tuple[int, ...]]:
        """Two convolutions and a linear layer on a 2 x 2 grid of means."""
        found = self.layer("first", shape[0], 16) | self.normalization("first", 16)
        found |= self.layer("second", 16, 32) | self.normalization("second", 32)
        return found | {"weight": (classes, 128), "bias": (classes,)}

    def logits(self, p: Parameters, x: Tensor) -> Tensor:
        """(copies, channels, h, w) -> (copies, classes)."""
        for name in ("first", "second"):
            x = convolved(x, p[f"{name} kernel"], p[f"{name} kernel gain"])
            x = functional.group_norm(x, GROUPS, p[f"{name} norm gain"], p[f"{name} norm shift"])
            x = functional.avg_pool2d(functional.relu(x), 2)
        side = x.shape[-1] // 2
        return functional.linear(functional.avg_pool2d(x, side).flatten(1), p["weight"], p["bias"])
