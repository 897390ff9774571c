"""DP-SGD on Opacus' per-example gradients, in its default and its ghost mode; the suite samples and adds noise."""

import math
import warnings
from typing import Any

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping
from torch import Tensor, nn
from torch.nn import functional

from fourfold.suite import Budget, Method

CLIP, MOMENTUM = 0.1, 0.9
ENLARGED = 24  # Smaller images are enlarged to about this many pixels a side.


def images_of(record: Any) -> Tensor:
    """Images as (n, channels, h, w), each standardized by itself."""
    x = torch.from_numpy(np.array(record.images)).float() / 255
    x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)
    x = (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True).clamp_min(0.05)
    times = max(1, ENLARGED // x.shape[2])
    return functional.interpolate(x, scale_factor=times) if times > 1 else x


def features_of(record: Any) -> Tensor:
    """Scattering features as (n, d), each record normalized by itself in groups of three channels."""
    x = torch.from_numpy(np.array(record.features)).float()
    return functional.group_norm(x, x.shape[1] // 3).flatten(1)


def hooks_total(module: Any, x: Tensor, label: Tensor) -> list[Tensor]:
    """The clipped sum from gradients written down for each example by hooks."""
    functional.cross_entropy(module(x), label, reduction="sum").backward()
    samples = [weights.grad_sample for weights in module.parameters()]
    norms = torch.stack([each.flatten(1).norm(dim=1) for each in samples]).norm(dim=0)
    scale = (CLIP / norms.clamp_min(1e-12)).clamp_max(1)
    return [torch.einsum("i,i...->...", scale, each) for each in samples]


def ghost_total(module: Any, x: Tensor, label: Tensor) -> list[Tensor]:
    """The clipped sum by a second pass over losses, each weighted by what clips its gradient (Li et al. 2022)."""
    losses = functional.cross_entropy(module(x), label, reduction="none")
    losses.sum().backward(retain_graph=True)
    module.zero_grad()
    scale = module.get_clipping_coef().detach()
    module.disable_hooks()
    (scale * losses).sum().backward()
    module.enable_hooks()
    return [weights.grad for weights in module.parameters()]


class OpacusHooks(Method):
    """The small tanh CNN (Papernot et al. 2021) on Opacus' default per-example gradients (Yousefpour et al. 2021).

    The suite draws the batches and adds the noise.
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
    fastest: float = 1.0  # learning rate
    _total = staticmethod(hooks_total)
    _read = staticmethod(images_of)

    def network(self, shape: torch.Size, classes: int) -> nn.Module:
        """conv8x8/2-16, pool, conv4x4/2-32, pool, fc32, fc; tanh between."""
        side = [((pixels - 2) // 2 - 4) // 2 for pixels in shape[1:]]
        return nn.Sequential(
            nn.Conv2d(shape[0], 16, 8, 2, padding=3), nn.Tanh(), nn.MaxPool2d(2, 1),
            nn.Conv2d(16, 32, 4, 2), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Flatten(),
            nn.Linear(32 * side[0] * side[1], 32), nn.Tanh(), nn.Linear(32, classes))

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network with Opacus' hooks."""
        return GradSampleModule(network, loss_reduction="sum")

    def fit(self, train: Any, budget: Budget) -> None:
        """Take noisy steps."""
        torch.set_num_threads(max(1, int(budget.cpus)))
        torch.manual_seed(budget.seed)
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        curator = self.curator(train)
        x, label = self._read(train), torch.tensor(train.labels)
        module = self.wrapped(self.network(x.shape[1:], len(train.classes)))
        noise = curator.noise_multiplier(self.sample_rate, self.steps)
        curator.open(sample_rate=self.sample_rate, noise_multiplier=noise, clip=CLIP, steps=self.steps)
        expected = self.sample_rate * curator.n
        walk = noise * CLIP / expected * math.sqrt(self.steps) / (1 - MOMENTUM)
        rate = min(self.fastest, self.spread / walk) if walk else self.fastest
        optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=MOMENTUM)
        for _ in range(self.steps):
            rows = curator.draw()
            weights: list[Any] = list(module.parameters())
            total = self._total(module, x[rows], label[rows]) if len(rows) else [torch.zeros_like(w) for w in weights]
            released = curator.release(total, weights)
            module.zero_grad()
            for each, noisy in zip(weights, released, strict=True):
                each.grad = noisy / expected
                each.grad_sample = None
            optimizer.step()
        self.weights = [each.detach() for each in module.parameters()]
        self.classes = len(train.classes)

    def predict(self, query: Any) -> np.ndarray:
        """Return the probability of each class."""
        x = self._read(query)
        network = self.network(x.shape[1:], self.classes)
        torch.nn.utils.vector_to_parameters(
            torch.cat([each.flatten() for each in self.weights]), network.parameters())
        with torch.no_grad():
            return torch.cat([network(part) for part in x.split(1024)]).softmax(1).double().numpy()


class OpacusGhost(OpacusHooks):
    """The small tanh CNN (Papernot et al. 2021) by Opacus' ghost clipping (Li et al. 2022).

    The suite draws the batches and adds the noise.
    """

    _total = staticmethod(ghost_total)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network with Opacus' hooks for norms alone."""
        return GradSampleModuleFastGradientClipping(network, max_grad_norm=CLIP, loss_reduction="sum")


class OpacusHooksLinear(OpacusHooks):
    """A linear head on scattering features (Tramèr and Boneh 2021) on Opacus' default per-example gradients.

    The suite draws the batches and adds the noise.
    """

    features = "scattering"
    sample_rate = 0.125
    spread = 0.3
    fastest = 16.0
    _read = staticmethod(features_of)

    def network(self, shape: torch.Size, classes: int) -> nn.Module:
        """One linear layer, from zero."""
        linear = nn.Linear(shape[0], classes)
        for weights in linear.parameters():
            nn.init.zeros_(weights)
        return linear


class OpacusGhostLinear(OpacusHooksLinear):
    """A linear head on scattering features (Tramèr and Boneh 2021) by Opacus' ghost clipping (Li et al. 2022).

    The suite draws the batches and adds the noise.
    """

    _total = staticmethod(ghost_total)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The head with Opacus' hooks for norms alone."""
        return GradSampleModuleFastGradientClipping(network, max_grad_norm=CLIP, loss_reduction="sum")
