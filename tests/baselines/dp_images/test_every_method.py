"""What each method reaches on the digits: its rung, and no less accuracy than a method of its kind should have."""

from collections.abc import Callable
from typing import Any

import pytest

PRIVATE = {
    "scattering_heads:ScatteringLinear": (2, 0.90), "scattering_heads:VerifiedScatteringLinear": (3, 0.90),
    "scattering_heads:WhitenedScatteringCNN": (2, 0.85),
    "cnn:TanhCNN": (2, 0.75), "cnn:VerifiedTanhCNN": (3, 0.75), "cnn:ScatteringCNN": (2, 0.75),
    "opacus_modes:OpacusHooks": (2, 0.75), "opacus_modes:OpacusGhost": (2, 0.75),
    "opacus_modes:OpacusHooksLinear": (2, 0.90), "opacus_modes:OpacusGhostLinear": (2, 0.90),
    "fedavg:DPFedAvg": (2, 0.65), "augmented:AugmentedCNN": (2, 0.6),
}
OPEN = {
    "plain:CNNPlain": 0.93, "plain:AdversarialCNN": 0.9, "plain:PrunedCNN": 0.85, "plain:Int8CNN": 0.93,
    "scattering_logistic:ScatteringLogistic": 0.95,
}


@pytest.mark.parametrize("method", PRIVATE)
def test_a_private_method_keeps_its_rung(
    method: str, scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    rung, accuracy = PRIVATE[method]
    result = scored(method, 3.0)
    failed = {name: check["said"] for name, check in result.provenance["checks"].items() if not check["passed"]}
    assert (value(result, "rung"), value(result, "refuted"), failed) == (rung, 0, {})
    assert 2.9 < (value(result, "epsilon_accounted") or 0) <= 3
    assert (value(result, "accuracy") or 0) > accuracy


def test_without_privacy_it_is_more_accurate(
    scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    method = "scattering_heads:ScatteringLinear"
    private, twin = (value(scored(method, *epsilon), "accuracy") or 0 for epsilon in ((1.0,), ()))
    assert private < twin - 0.02


@pytest.mark.parametrize("method", OPEN)
def test_an_open_method_is_accurate(
    method: str, scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    assert (value(scored(method), "accuracy") or 0) > OPEN[method]


def test_training_against_attacks_withstands_them_better(
    scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    plain, hardened = (
        value(scored(f"plain:{name}"), "pgd_accuracy") or 0 for name in ("CNNPlain", "AdversarialCNN"))
    assert hardened > plain + 0.05


def test_pruning_leaves_a_tenth_of_the_weights_and_rounding_leaves_bytes() -> None:
    torch = pytest.importorskip("torch")
    from fourfold.baselines.dp_images.plain import Int8CNN, PrunedCNN
    from fourfold.suite import Budget
    from fourfold.tasks.dp_images.problem import Train

    coins = torch.Generator().manual_seed(0)
    images = torch.randint(256, (60, 8, 8), generator=coins, dtype=torch.uint8).numpy()
    labels = torch.randint(3, (60,), generator=coins).numpy()
    train = Train(images, None, labels, ("a", "b", "c"), 60, ("images", "labels"))
    pruned, rounded = PrunedCNN(Budget(), {"updates": 5}), Int8CNN(Budget(), {"updates": 5})
    for method in (pruned, rounded):
        method.fit(train, Budget())
    kernels = torch.cat([value.flatten() for value in pruned.weights.values() if value.ndim > 1])
    assert float((kernels != 0).float().mean()) == pytest.approx(0.1, abs=0.001)
    function, weights = rounded.model()
    assert all(len(row.unique()) <= 255 for row in weights["dense"])
    assert function(weights, torch.tensor(images[0])).sum() == pytest.approx(1, abs=1e-5)


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
