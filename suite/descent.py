"""DP-SGD in a few lines over a curator: noisy gradients, any torch optimizer, the mean of the later iterates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.suite.curator import Curator, Function
from fourfold.suite.curator_proxy import CuratorProxy

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


def descend(
    curator: "Curator | CuratorProxy",
    loss: Function,
    parameters: "Mapping[str, Tensor]",
    optimizer: "Optimizer",
    *,
    clip: float,
    sample_rate: float,
    steps: int,
    averaged: float = 0.0,
) -> "dict[str, Tensor]":
    """Spend what is left of the budget on ``steps`` steps of DP-SGD (Abadi et al. 2016), and return what was learnt.

    loss: of one record, ``loss(parameters, *record)``. optimizer: over ``parameters.values()``, which it changes in
    place; it gets the noisy sum of clipped gradients over the expected batch size. averaged: the share of the last
    iterates whose mean is returned (Polyak and Juditsky 1992), 0 for the last one alone. Both are post-processing, and
    cost nothing. Raises CuratorError as ``Curator.open``.
    """
    noise = curator.noise_multiplier(sample_rate, steps)
    curator.open(
        sample_rate=sample_rate, noise_multiplier=noise, clip=clip, steps=steps, loss=loss, parameters=parameters
    )
    since = steps - max(1, round(averaged * steps))
    means = {name: value.detach().clone().zero_() for name, value in parameters.items()}
    for step in range(steps):
        noisy = curator.noisy_sum(parameters)
        for name, value in parameters.items():
            value.grad = noisy[name] / (sample_rate * curator.n)
        optimizer.step()
        if step >= since:
            for name, value in parameters.items():
                means[name] += value.detach() / (steps - since)
    return means
