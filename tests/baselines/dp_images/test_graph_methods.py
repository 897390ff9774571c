"""Methods whose loss the suite runs as a graph: rehearsed to the end, their rung and an accuracy of their kind."""

from collections.abc import Callable
from typing import Any

import pytest

METHODS: dict[str, tuple[int, float, dict[str, int]]] = {
    "scattering_heads:ScatteringLinear": (2, 0.90, {"steps": 150}),
    "scattering_heads:VerifiedScatteringLinear": (3, 0.90, {"steps": 150}),
    "scattering_heads:WhitenedScatteringCNN": (2, 0.85, {"steps": 150}),
    "cnn:TanhCNN": (2, 0.7, {"steps": 160}),
    "cnn:VerifiedTanhCNN": (3, 0.7, {"steps": 160}),
    "cnn:ScatteringCNN": (2, 0.7, {"steps": 160}),
    "augmented:AugmentedCNN": (2, 0.7, {"steps": 90, "copies": 2}),
}
"""The rung, an accuracy that is exceeded, and parameters with which a fit takes seconds."""


@pytest.mark.parametrize("method", METHODS)
def test_it_keeps_its_rung(
    method: str, scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    rung, accuracy, parameters = METHODS[method]
    result = scored(method, 3.0, **parameters)
    failed = {name: check["said"] for name, check in result.provenance["checks"].items() if not check["passed"]}
    assert (value(result, "rung"), value(result, "refuted"), failed) == (rung, 0, {})
    assert 2.9 < (value(result, "epsilon_accounted") or 0) <= 3
    assert (value(result, "accuracy") or 0) > accuracy


def test_the_wide_residual_network_takes_its_first_steps_on_a_cpu() -> None:
    torch = pytest.importorskip("torch")
    import numpy as np

    from fourfold.baselines.dp_images.augmented import WideResNet
    from fourfold.suite import Budget
    from fourfold.suite.curator import Curator
    from fourfold.suite.evidence import Secret
    from fourfold.tasks.dp_images.problem import Query, Train

    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 16, 16, 3), np.uint8), rng.integers(0, 3, 40)
    train = Train(images, None, labels, ("a", "b", "c"), 40, ("images", "labels"))
    budget = Budget(epsilon=8.0)
    method = WideResNet(budget, {"depth": 10, "width": 1, "copies": 2, "steps": 3, "sample_rate": 0.2})
    curator = Curator([images, labels], budget, Secret(1, np.zeros(0, bool)))
    method._curate = lambda *_: curator
    method.fit(train, budget)
    [entry] = curator.spent()
    assert (entry.steps, entry.sample_rate, entry.sampling) == (3, 0.2, "poisson")
    answer = method.predict(Query(images[:4], None, ("images",)))
    assert answer.shape == (4, 3)
    assert answer.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    wide = WideResNet(budget, {"depth": 16, "width": 4})
    sizes = sum(torch.Size(shape).numel() for shape in wide.shapes((3, 32, 32), 10).values())
    assert 2.7e6 < sizes < 2.8e6  # As the paper's table of WRN-16-4 has it: 2.7 million.
